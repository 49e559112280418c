"""Physics-informed neural networks, trained to precision on a CPU.

The trial function u = L + F N meets initial, Dirichlet and periodic conditions exactly, on boxes and on
shapes with straight and circular sides (see `pdesolve.residual.ansatz`); what remains is minimised as
weighted mean squares in float64, by damped Gauss-Newton steps or a dense self-scaled quasi-Newton method,
with collocation points redrawn by their residual, on the whole of time or slab after slab.
"""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ...declare import Problem
from ...declare.conditions import Observations
from ...declare.domain import Array
from ...optimize import Adam, Optimizer
from ...optimize.first_order import FirstOrder
from ...residual.affine import AffineObjective
from ...residual.ansatz import common_periodic_axes
from ...residual.jets import unruled
from ...residual.networks.maker import LINEAR
from ...residual.objective import NoObjective, ResidualObjective, mean_squares
from ...residual.outputs import stream_function_map
from ...residual.program import LoweringError, Program
from ...residual.residual import Batch, Residual
from ...residual.symmetry import in_words
from ...solution.field import Field
from ...solution.finding import Finding
from ...solution.history import History
from ...solution.status import Status
from ..base import Backend, Capabilities, Context, Progress
from ..slabs import SlabField, Slabs, edges, reasons_against
from . import doctor
from .balance import EVERY as BALANCE_EVERY
from .balance import Balance, balanced
from .checks import check_options
from .choice import OPTIMIZERS, OPTION_KINDS, SAMPLERS, choose_optimizer
from .collocation import even_points, first_points, point_weights, refresh_points
from .field import NetworkField
from .formulation import Formulation, FormulationError
from .inverse import Evidence, evidence, observation_weights, observed, parameter_intervals
from .lagrangian import lagrangian
from .pace import ends_of
from .samplers import Fixed, PointSet, Sampler
from .scales import mismatched_scales
from .state import PINNState, Slab
from .subdomains import Subdomains, fold
from .trial import symmetries_of, trial_residual

logger = logging.getLogger(__name__)

NetworkMaker = Callable[[int, int, torch.Generator], nn.Module]
"""(number of coordinates, number of unknowns, generator) to a module on (n, d) points."""

_HELD_OUT = 2000  # points of the validation set
_COMPILE_PAYS_AFTER = 40.0  # seconds of eager work that repay a compilation of loss and gradient
_COMPILE_JACOBIAN_PAYS_AFTER = 110.0  # the same for Jacobian rows, which take two to three times as long
_MOST_FAILURES = 3  # refreshes in a row after which no step was found
_MEMORYLESS_PERIOD = 10  # the same where each step stands for itself, by default
_CHECK = 25  # steps between comparisons of training points with held-out ones
_LEAST_PERIOD = 100  # steps between refreshes for methods that collect curvature


@dataclass(frozen=True)
class PINN(Backend):
    """A physics-informed neural network with exact conditions, trained by second-order methods.

    Minimises Σ_equations mean r² + condition_weight · Σ_conditions mean c², where conditions are only
    those that the trial function does not meet exactly.

    Attributes:
        network: "mlp", "modified-mlp", "pirate", "separable", "readout", "waves" (see
            `pdesolve.residual.networks`), or a maker of your own module. Modules without jet rules are
            differentiated by torch.func, which costs 2^k network passes for a derivative of order k.
        width, depth: hidden layers; 4 x 16 for one smooth unknown, 4 x 32 for flows. Multiples of 8 fill the
            processor's vectors.
        activation: tanh, sin, silu, gelu, softplus, sigmoid or gaussian.
        harmonics: harmonics of the periodic embedding; 1 suits small networks, the highest wave number of the
            solution suits "waves".
        symmetry: True lets networks take on the reflections that leave the problem as it is
            (`pdesolve.residual.symmetry`): fewer parameters for the same resolution. Modules of your own
            stay as they are.
        network_options: further options of the network, such as ``{"factorised": True}``.
        optimizer: "auto", "gauss-newton" (up to about 2,500 parameters), "ssbroyden2", "ssbroyden1",
            "ssbfgs", "bfgs" (up to about 6,000), "lbfgs", "adam", "soap", or an object of `pdesolve.optimize`
            with options of its own. "auto" chooses by the number of parameters and the precision, and says
            what it chose in the log and in the solution's message.
        adam_steps, learning_rate: warm-up; None warms up quasi-Newton methods by 300 steps, others not.
        points: collocation points inside; None: four rows a parameter for Gauss-Newton (600 to 6,000), else
            4,000.
        points_boundary: on each part of the boundary that carries a row.
        sampler: how interior points are chosen and redrawn: "rad", "r3", "causal-r3", "causal", "vrba",
            "fixed" and others, or an object of `pdesolve.backends.pinn.samplers` with options of its own.
            Methods that collect curvature see new points every 100 steps at most.
        slabs: number of equal slabs of time, or the times at which they meet; each has a network that starts
            from where the last one ended. "auto": one for each cycle that the solution goes through, by its
            rate of change at the start (`pdesolve.backends.pinn.pace`).
        frame: "eulerian", or "lagrangian" for scalar transport in one dimension of space: the problem is
            solved along its characteristics (see `pdesolve.backends.pinn.lagrangian`).
        subdomains: `Subdomains`, cuts of a box across one coordinate; each part has a network of its own.
        condition_weight: weight of each condition's mean square. Observations start with it; from then on
            their weights follow from the noise, see `pdesolve.backends.pinn.inverse`.
        balance: None, or "gradient-norm" or "ntk" for gradient methods: weights of all terms, from
            ``condition_weight`` on, are balanced every 1000 steps; see `pdesolve.backends.pinn.balance`.
        exact_conditions: False turns every condition but periodicity into rows.
        periodicity: "exact" by harmonics as features; "rows" leaves the coordinates as they are, and
            compares the unknowns and their derivatives on opposite faces. Where something travels fast,
            plain networks of coordinates can learn sooner by first-order methods. Slabs of time hand on
            what jump the earlier ones left.
        stream_function: in plane flow u = ψ_y and v = -ψ_x of a channel ψ: continuity holds exactly, the
            conditions of u and v become rows. Along periodic axes the flow keeps a mean of zero: not for
            forces that have a mean.
        compile: True, False, or "auto": where the budget repays it.

    Good values: the defaults on Burgers (ν = 0.01/π), see ``benchmarks/results``. For smooth fields two or
    three layers suffice, also in equations of higher order. Fields that travel far want slabs.

    Sources: Raissi, Perdikaris & Karniadakis, J. Comput. Phys. 378 (2019) 686; Urbán, Stefanou & Pons,
    J. Comput. Phys. 523 (2025) 113656; for Gauss-Newton see `pdesolve.optimize.gauss_newton`.
    """

    network: str | NetworkMaker = "mlp"
    width: int = 16
    depth: int = 4
    activation: str = "tanh"
    harmonics: int = 1
    symmetry: bool = True
    network_options: Mapping[str, Any] = field(default_factory=dict)
    optimizer: str | Optimizer = "auto"
    adam_steps: int | None = None
    learning_rate: float = 5e-3
    points: int | None = None
    points_boundary: int = 400
    sampler: str | Sampler | None = "rad"
    slabs: Slabs = "auto"
    frame: Literal["eulerian", "lagrangian"] = "eulerian"
    subdomains: Subdomains | None = None
    condition_weight: float = 100.0
    balance: Balance | None = None
    exact_conditions: bool = True
    periodicity: Literal["exact", "rows"] = "exact"
    stream_function: bool = False
    compile: bool | Literal["auto"] = "auto"

    name: ClassVar[str] = "pinn"
    summary: ClassVar[str] = "physics-informed neural network, trained by second-order methods"
    capabilities: ClassVar[Capabilities] = Capabilities(
        identifies_parameters=True,
        stochastic=True,
        open_ended=True,
        distributed=True,
        devices=("cpu", "cuda"),
    )
    option_kinds: ClassVar[tuple[type, ...]] = OPTION_KINDS
    citations: ClassVar[tuple[str, ...]] = (
        "@article{raissi2019pinn, author={Raissi, M. and Perdikaris, P. and Karniadakis, G. E.}, "
        "title={Physics-informed neural networks}, journal={Journal of Computational Physics}, "
        "volume={378}, pages={686--707}, year={2019}}",
        "@article{urban2025unveiling, author={Urb{\\'a}n, J. F. and Stefanou, P. and Pons, J. A.}, "
        "title={Unveiling the optimization process of physics informed neural networks}, "
        "journal={Journal of Computational Physics}, volume={523}, pages={113656}, year={2025}}",
    )

    def __post_init__(self) -> None:
        if isinstance(self.slabs, list | np.ndarray):
            object.__setattr__(self, "slabs", tuple(self.slabs))
        check_options(self)

    # -- the contract ------------------------------------------------------------------------------

    def supports(self, problem: Problem) -> list[str]:
        try:
            problem = self._formulate(problem).problem
        except FormulationError as error:
            return [str(error)]
        common = common_periodic_axes(problem)
        try:
            for term in Program(problem).terms:
                term.function("torch")
        except LoweringError as error:
            return [str(error)]
        if self.stream_function and stream_function_map(problem) is None:
            return ["stream_function=True is for plane flow: no equation u_x + v_y = 0, or a mean flow"]
        reasons = [
            f"{unknown.func.__name__} is periodic in {problem.coordinates[axis]} but other unknowns are not: "
            "add Periodic(...) for them, too"
            for unknown in problem.unknowns
            for axis in problem.periodic_axes(unknown)
            if axis not in common and self.periodicity == "exact"
        ]
        against = reasons_against(problem, self.slabs)
        if self.balance is not None and any(problem.of_type(Observations)):
            reasons.append(f"balance={self.balance!r}: weights of observations follow from their noise")
        return [*reasons, *([f"slabs={self.slabs}: {against}"] if against else [])]

    def start(self, problem: Problem, context: Context) -> PINNState:
        formulation = self._formulate(problem)
        ends = ends_of(self, formulation.problem)
        slab = self._slab(formulation.problem, context, [], ends)
        residual = slab.residual
        theta, nothing = residual.start(), NoObjective(residual.shapes)
        state = PINNState(
            theta=theta,
            warm_up=self._warm_up.start(nothing, theta),
            main=self._main(residual).start(nothing, theta),
            rng=context.rng(1),
            sets=self._first_sets(residual, context),
            weights=self._first_weights(residual),
            compiled=self._wants_compilation(residual, context, len(slab.edges) - 1),
            ends=ends,
            context=context,
            formulation=formulation,
            slab=slab,
        )
        logger.info("%s", self._chosen(residual))
        for finding in mismatched_scales(residual.program):
            logger.warning("%s", finding)
        if not context.resuming:  # else points and the choice to compile come from the checkpoint
            self._use_points(state)
        return state

    def advance(self, state: PINNState) -> Progress:
        self._follow(state)
        if state.step == 0:
            state.began = state.context.spent()
        elif not state.slab.is_last and self._is_over(state):
            self._next_slab(state)
        slab = state.slab.index
        progress = self._step(state)
        state.step += 1
        state.slab_step = state.slab_step + 1 if state.slab.index == slab else 0  # see `_stuck`
        return progress

    def field(self, state: PINNState) -> Field:
        return state.formulation.field(self._solved(state))

    def _solved(self, state: PINNState) -> Field:
        """The field of the problem that is solved."""
        self._follow(state)
        own = NetworkField(state.slab.residual, state.theta)
        if len(state.slab.edges) == 2:
            return own
        return SlabField([*state.slab.earlier, own], state.slab.edges)

    def restore(self, problem: Problem, arrays: Mapping[str, Array]) -> Field:
        theta = arrays["theta"]
        context = Context(dtype=str(theta.dtype))
        formulation = self._formulate(problem)
        thetas = np.atleast_2d(theta)
        ends = arrays.get("ends", np.array(edges(formulation.problem, len(thetas)))).tolist()
        constants = np.atleast_2d(arrays["constants"]) if "constants" in arrays else None
        fields: list[NetworkField] = []
        for k, own in enumerate(thetas):
            slab = self._slab(formulation.problem, context, fields, ends)
            if constants is not None:
                slab.residual.set_constants(slab.residual.tensor(constants[k]))
            fields = [*fields, NetworkField(slab.residual, slab.residual.tensor(own))]
        return formulation.field(fields[0] if len(slab.edges) == 2 else SlabField(fields, slab.edges))

    def merit(self, state: PINNState) -> float | None:
        """Root of the weighted mean square residual, at points that training never sees.

        None while later slabs of time are not yet begun. Observations and gauges have no other points than
        their own; they enter as in the loss.
        """
        self._follow(state)
        if not state.slab.is_last:
            return None
        return math.sqrt(float(np.mean([*state.losses, self._held_out_loss(state)])))

    def parameters(self, state: PINNState) -> dict[str, float]:
        self._follow(state)
        return state.slab.residual.parameters(state.theta)

    def intervals(self, state: PINNState, answer: Field) -> dict[str, tuple[float, float]]:
        """95 % intervals of the unknown parameters; see `pdesolve.backends.pinn.inverse`."""
        residual = state.slab.residual
        if not residual.program.parameters:
            return {}
        theta = residual.tensor(answer.arrays()["theta"])
        found = self.evidence(state, theta)
        return {} if found is None else parameter_intervals(residual, theta, found)

    def evidence(self, state: PINNState, theta: Tensor | None = None) -> Evidence | None:
        """What the observations say at θ (by default the present one); None where there are none."""
        self._follow(state)
        slab, points = state.slab, [each.points for each in state.sets]
        at = state.theta if theta is None else theta
        return evidence(slab.residual, at, points, state.weights, slab.held_out)

    def diagnosis(self, state: PINNState, history: History) -> list[Finding]:
        """What `pdesolve.backends.pinn.doctor` and `scales` find."""
        self._follow(state)
        residual = state.slab.residual
        batch = residual.batch([points.points for points in state.sets])
        scales = mismatched_scales(residual.program)
        ruined = doctor.not_finite(residual, state.theta, batch)
        if ruined:
            return [*ruined, *scales]
        found = self.evidence(state)
        return [
            *doctor.plateau(state.validation, _CHECK),
            *doctor.overfitting(state.training, state.validation, state.redraws),
            *doctor.growth([*state.losses, self._held_out_loss(state)], state.ends),
            *doctor.dominance(residual, state.theta, state.slab.held_out, self._first_weights(residual)),
            *(doctor.noise(residual, found) if found is not None else []),
            *scales,
        ]

    def collocation_points(self, state: PINNState) -> Array:
        points = np.concatenate([points.points for points in state.sets])
        return state.formulation.points(points, self._solved(state))

    def describe(self, state: PINNState) -> str:
        """The optimiser in use, and why; what is to be known of the answer."""
        solved, slabs = self._solved(state), len(state.slab.edges) - 1
        remarks = [
            self._chosen(state.slab.residual),
            f"{slabs} slabs of time" if slabs > 1 else "",
            in_words(state.slab.problem, symmetries_of(self, state.slab.problem)),
            state.formulation.remark(solved),
        ]
        return "; ".join(remark for remark in remarks if remark)

    def _chosen(self, residual: Residual) -> str:
        if self.optimizer != "auto":
            return f"{self._main(residual).name} on {residual.start().numel()} parameters"
        chosen, reason = self._choice(residual)
        return f"optimizer {chosen.name!r}: {reason}"

    def diagnose(self, state: PINNState) -> str:
        """The first term and point whose residual is not finite."""
        self._follow(state)
        residual = state.slab.residual
        batch = residual.batch([points.points for points in state.sets])
        ruined = doctor.first_ruined(residual, state.theta, batch)
        if ruined is not None:
            return f"{ruined.term.name!r} at {ruined.where}"
        return "the gradient of the loss (all residuals are finite)"

    # -- set-up ------------------------------------------------------------------------------------

    def _formulate(self, problem: Problem) -> Formulation:
        """The problem that networks solve for the declared one.

        Raises:
            FormulationError: it cannot be written as the options ask for.
        """
        if self.frame == "lagrangian":
            return lagrangian(problem)
        return fold(problem, self.subdomains) if self.subdomains else Formulation(problem, problem)

    def _slab(
        self, problem: Problem, context: Context, earlier: list[NetworkField], ends: list[float]
    ) -> Slab:
        residual, index = trial_residual(self, problem, context, earlier, ends), len(earlier)
        held_out = even_points(residual, _HELD_OUT, context.rng(2))
        batch = residual.batch([points.points for points in held_out], self._first_weights(residual))
        return Slab(index, problem, residual, earlier, ends, batch)

    def _choice(self, residual: Residual) -> tuple[Optimizer, str]:
        has_rules = not unruled(residual.model.network)
        is_double = residual.dtype == torch.float64
        return choose_optimizer(residual.start().numel(), is_double, has_rules, self.network in LINEAR)

    def _main(self, residual: Residual) -> Optimizer:
        if isinstance(self.optimizer, Optimizer):
            return self.optimizer
        made = self._choice(residual)[0] if self.optimizer == "auto" else OPTIMIZERS[self.optimizer]()
        return replace(made, learning_rate=self.learning_rate) if isinstance(made, FirstOrder) else made

    @property
    def _warm_up(self) -> Adam:
        return Adam(learning_rate=self.learning_rate)

    def _warm_up_steps(self, residual: Residual) -> int:
        if self.adam_steps is not None:
            return self.adam_steps
        return 300 if self._main(residual).collects_curvature else 0

    def _sampler(self, residual: Residual) -> Sampler:
        if self.sampler is None:
            return Fixed()
        if isinstance(self.sampler, Sampler):
            return self.sampler
        made = SAMPLERS[self.sampler]()
        often = self._main(residual).needs_rows and made.is_cheap and made.every > _MEMORYLESS_PERIOD
        return replace(made, every=_MEMORYLESS_PERIOD) if often else made  # type: ignore[type-var]

    def _wants_compilation(self, residual: Residual, context: Context, slabs: int) -> bool:
        if self.compile != "auto":
            return bool(self.compile)
        # torch.func inside torch.compile traces user modules less reliably than jets: leave them eager.
        shared = (context.budget or 0.0) * (1.0 if slabs == 1 else (slabs - 1) / slabs)
        needs_rows = self._main(residual).needs_rows
        each = _COMPILE_JACOBIAN_PAYS_AFTER * max(1.0, len(residual.groups) / 2)  # a compilation a group
        pays = each if needs_rows else _COMPILE_PAYS_AFTER
        is_once = self.network in LINEAR and not residual.program.parameters  # see `AffineObjective`
        return shared > pays and not unruled(residual.model.network) and not is_once

    # -- points ------------------------------------------------------------------------------------

    def _interior(self, residual: Residual) -> int:
        """Collocation points of a group of equations."""
        if self.points is not None:
            return self.points
        if not self._main(residual).needs_rows:
            return 4000
        equations = sum(term.term.is_equation for term in residual.terms)
        return min(6000, max(600, 4 * residual.start().numel() // max(equations, 1)))

    def _first_sets(self, residual: Residual, context: Context) -> list[PointSet]:
        """Points before any refresh: on all slabs at the same positions, at which `Carried` knows its values.

        The same holds for held-out points.
        """
        sampler, inside = self._sampler(residual), self._interior(residual)
        return first_points(residual, sampler, inside, self.points_boundary, context.rng(3))

    def _first_weights(self, residual: Residual) -> list[float]:
        """Weight of each active term before any balance, and in the merit."""
        return [1.0 if term.term.is_equation else self.condition_weight for term in residual.terms]

    def _reweigh(self, state: PINNState) -> None:
        """Weights of observations by their noise and the residual that is left."""
        residual = state.slab.residual
        found = self.evidence(state)
        if found is not None:
            for i, weight in observation_weights(found, residual).items():
                state.weights[i] = min(weight, self.condition_weight)

    def _use_points(self, state: PINNState) -> None:
        residual = state.slab.residual
        weights = point_weights(residual, state.sets, state.weights)
        batch = residual.batch([points.points for points in state.sets], weights)
        ranks = state.context.ranks
        blocks = ranks.share(residual.blocks(batch, multiple=ranks.count))
        if self.network in LINEAR and self._keeps_points(residual) and AffineObjective.fits(residual, blocks):
            state.slab.objective = None  # before the next one: each holds much memory
            state.slab.objective = AffineObjective(residual, blocks, ranks)
            return
        if state.compiled:
            residual = self._compiled(state, blocks)
        state.slab.objective = ResidualObjective(residual, blocks, ranks)

    def _keeps_points(self, residual: Residual) -> bool:
        """Whether points and weights stay for some steps."""
        every = self._sampler(residual).every
        return self.balance is None and (not every or every >= _MEMORYLESS_PERIOD)

    def _compiled(self, state: PINNState, blocks: Sequence[Batch]) -> Residual:
        """The compiled residual of the present slab.

        All slabs after the first have one form and share one compilation; the first, whose start is an
        expression, runs eagerly where there are others.
        """
        residual, is_only = state.slab.residual, len(state.slab.edges) == 2
        if state.slab.index == 0 and not is_only:
            return residual
        if state.engine is None:
            state.engine = residual if is_only else copy.deepcopy(residual)
            state.engine.compile()
            state.engine.warm_up(blocks[0], rows=self._main(residual).needs_rows)
        if not is_only:
            state.engine.adopt(residual)
        return state.engine

    def _rebalance(self, state: PINNState) -> None:
        """New weights of all terms; the objective holds them from now on."""
        assert self.balance is not None
        points = [each.points for each in state.sets]
        state.weights = balanced(self.balance, state.slab.residual, state.theta, points, state.weights)
        self._use_points(state)

    def _is_overfitted(self, state: PINNState) -> bool:
        """Every 25 steps: is the residual of the equations much larger between the points than at them?"""
        if state.slab_step == 0 or state.slab_step % _CHECK:
            return False
        residual = state.slab.residual
        batch = residual.batch([points.points for points in state.sets])
        for levels, points in ((state.training, batch), (state.validation, state.slab.held_out)):
            squares = mean_squares(residual, state.theta, points)
            terms = zip(residual.terms, squares, strict=True)
            levels.append(sum(square for term, square in terms if term.term.is_equation))
        return state.validation[-1] > doctor.OVERFITTED * state.training[-1]

    def _refresh(self, state: PINNState, optimizer: Optimizer, moments: Any) -> None:
        """Let the sampler change points and weights of the equations; go on with what the optimiser knows."""
        residual = state.slab.residual
        refresh_points(residual, state.theta, self._sampler(residual), state.sets, state.rng)
        self._reweigh(state)
        self._use_points(state)
        optimizer.restart(moments, state.slab.objective)

    # -- work --------------------------------------------------------------------------------------

    def _step(self, state: PINNState) -> Progress:
        if state.slab.objective is None:
            self._use_points(state)
        residual = state.slab.residual
        rebalances = self.balance is not None and state.slab_step % BALANCE_EVERY == 0
        if rebalances:
            self._rebalance(state)
        objective = state.slab.objective
        warm = self._warm_up_steps(residual)
        optimizer: Optimizer = self._warm_up if state.slab_step < warm else self._main(residual)
        is_main = state.slab_step >= warm
        if state.slab_step in (0, warm):
            fresh = optimizer.start(objective, state.theta)
            if is_main:
                state.main = fresh
            else:
                state.warm_up = fresh
        moments = state.main if is_main else state.warm_up
        if rebalances and state.slab_step not in (0, warm):
            optimizer.restart(moments, objective)
        every = self._sampler(residual).every
        if not every and observed(residual):
            every = _MEMORYLESS_PERIOD  # their weights follow the residual
        if every and optimizer.collects_curvature:
            every = max(every, _LEAST_PERIOD)
        since = state.slab_step - warm if is_main else state.slab_step
        keeps = isinstance(self._sampler(residual), Fixed)
        keeps |= optimizer.collects_curvature and state.slab_step % _LEAST_PERIOD != 0
        if self._is_overfitted(state) and not keeps:
            ratio = state.validation[-1] / state.training[-1]
            logger.info("mean square residual %.3g times larger between points: they are redrawn", ratio)
            state.redraws += 1
            self._refresh(state, optimizer, moments)
        elif every and since % every == 0 and (since or every == 1):  # weights that always follow: at once
            self._refresh(state, optimizer, moments)
        report = optimizer.step(moments, state.slab.objective)
        if not math.isfinite(moments.loss):
            return Progress(math.nan, message=optimizer.name)  # θ stays as it is, for `diagnose`
        state.theta = moments.theta
        state.failures = 0 if report.moved else state.failures + 1
        if report.is_over and not observed(residual):  # weights of observations settle step by step
            return self._stuck(state, report.reason)
        if state.failures >= _MOST_FAILURES:
            return self._stuck(state, f"{report.reason}, on {_MOST_FAILURES} sets of points in a row")
        if not report.moved:
            # New points change the objective and free a search that round-off has stopped.
            self._refresh(state, optimizer, moments)
        stage = (
            f"slab {state.slab.index + 1} of {len(state.slab.edges) - 1}, "
            if len(state.slab.edges) > 2
            else ""
        )
        return Progress(moments.loss, message=stage + optimizer.name)

    def _stuck(self, state: PINNState, reason: str) -> Progress:
        """Nothing left to gain: on to the next slab, or the end."""
        if not state.slab.is_last:
            self._next_slab(state)
            return Progress(state.losses[-1], message="next slab")
        return Progress(state.main.loss, status=Status.STAGNATED, message=reason)

    # -- slabs of time -----------------------------------------------------------------------------

    def _follow(self, state: PINNState) -> None:
        """Make the slab that the state is on: after a checkpoint was read it may be a later one."""
        problem, context = state.slab.problem, state.context
        if state.slab.edges != state.ends:
            state.slab = self._slab(problem, context, [], state.ends)
        while state.slab.index < len(state.finished):
            done = state.slab
            own = NetworkField(done.residual, state.finished[done.index])
            state.slab = self._slab(problem, context, [*done.earlier, own], state.ends)

    def _is_over(self, state: PINNState) -> bool:
        """True where the slab has had its equal share of what was left when it began."""
        left = len(state.slab.edges) - 1 - state.slab.index
        return state.context.spent() >= state.began + (1 - state.began) / left

    def _next_slab(self, state: PINNState) -> None:
        state.losses.append(self._held_out_loss(state))
        state.finished.append(state.theta)
        self._follow(state)
        # The parameters stay: N is about the rate of change of u, which one slab hands on to the next.
        state.sets = self._first_sets(state.slab.residual, state.context)
        state.weights = self._first_weights(state.slab.residual)
        state.training, state.validation = [], []
        state.began, state.slab_step, state.failures = state.context.spent(), 0, 0

    def _held_out_loss(self, state: PINNState) -> float:
        with torch.no_grad():
            return float(state.slab.residual.loss(state.theta, state.slab.held_out))
