"""Physics-informed neural networks, trained to precision on a CPU.

The trial function u = L + F N meets initial, Dirichlet and periodic conditions exactly, on boxes and on
shapes with straight and circular sides (see `pdesolve.residual.ansatz`); what remains is minimised as
weighted mean squares, first by Adam, then by a dense self-scaled quasi-Newton method in float64, with
collocation points redrawn by their residual.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from ...declare import Problem
from ...declare.domain import Array
from ...optimize import SelfScaled, SelfScaledState
from ...optimize.self_scaled import Variant
from ...residual.activations import ACTIVATIONS
from ...residual.ansatz import build_ansatz, common_periodic_axes
from ...residual.jets import unruled
from ...residual.model import Model
from ...residual.networks import box_features, mlp
from ...residual.program import LoweringError, Program
from ...residual.residual import Batch, Residual
from ...solution.status import Status
from ..base import Backend, BackendOptionError, Capabilities, Context, Progress
from .field import NetworkField
from .samplers import RAD

NetworkMaker = Callable[[int, int, torch.Generator], nn.Module]
"""(number of coordinates, number of unknowns, generator) to a module on (n, d) points."""

_HELD_OUT = 2000  # points of the validation set
_COMPILE_PAYS_AFTER = 40.0  # seconds of eager work that repay a compilation
_MOST_FAILURES = 3  # refreshes in a row after which no step was found


@dataclass
class PINNState:
    """Parameters, optimisers, points and generators of a run."""

    theta: Tensor
    adam: torch.optim.Adam
    quasi_newton: SelfScaledState | None
    rng: np.random.Generator
    points: list[Array]
    step: int = 0
    failures: int = 0
    compiled: bool = False
    residual: Residual = field(metadata={"transient": True}, default=None)  # type: ignore[assignment]
    held_out: Batch = field(metadata={"transient": True}, default=())
    blocks: list[Batch] = field(metadata={"transient": True}, default_factory=list)


@dataclass(frozen=True)
class PINN(Backend):
    """A physics-informed neural network with exact conditions and self-scaled quasi-Newton training.

    Minimises Σ_equations mean r² + condition_weight · Σ_conditions mean c², where conditions are only
    those that the trial function does not meet exactly.

    Attributes:
        width, depth: hidden layers; 4 x 16 for one smooth unknown, 4 x 32 for flows. Multiples of 8 fill the
            processor's vectors. The quasi-Newton matrix holds p² numbers: stay below about 5,000 parameters.
        activation: tanh, sin, silu, gelu, softplus or sigmoid.
        harmonics: harmonics of the periodic embedding; 1 suits small networks.
        points: collocation points inside; points_boundary: on each part that carries a row.
        adam_steps, learning_rate: warm-up.
        optimizer: ssbroyden2, ssbroyden1, ssbfgs or bfgs.
        sampler: how interior points are redrawn; None keeps the first set until a search fails.
        condition_weight: weight of each condition's mean square.
        exact_conditions: False turns every condition but periodicity into rows.
        compile: True, False, or "auto": where the budget repays it.
        network: a maker of your own module instead of the perceptron. Modules without jet rules are
            differentiated by torch.func, which costs 2^k network passes for a derivative of order k.

    Good values: the defaults on Burgers (ν = 0.01/π), see ``benchmarks/results/burgers_demo.json``. For
    smooth fields 400 to 1,000 points and two or three layers suffice, also in equations of higher order.

    Sources: Raissi, Perdikaris & Karniadakis, J. Comput. Phys. 378 (2019) 686; Urbán, Stefanou & Pons,
    J. Comput. Phys. 523 (2025) 113656.
    """

    width: int = 16
    depth: int = 4
    activation: str = "tanh"
    harmonics: int = 1
    points: int = 4000
    points_boundary: int = 400
    adam_steps: int = 300
    learning_rate: float = 5e-3
    optimizer: Variant = "ssbroyden2"
    sampler: RAD | None = field(default_factory=RAD)
    condition_weight: float = 100.0
    exact_conditions: bool = True
    compile: bool | Literal["auto"] = "auto"
    network: NetworkMaker | None = None

    name: ClassVar[str] = "pinn"
    summary: ClassVar[str] = "physics-informed neural network, self-scaled quasi-Newton training"
    capabilities: ClassVar[Capabilities] = Capabilities(
        identifies_parameters=True, stochastic=True, open_ended=True, devices=("cpu", "cuda")
    )
    citations: ClassVar[tuple[str, ...]] = (
        "@article{raissi2019pinn, author={Raissi, M. and Perdikaris, P. and Karniadakis, G. E.}, "
        "title={Physics-informed neural networks}, journal={Journal of Computational Physics}, "
        "volume={378}, pages={686--707}, year={2019}}",
        "@article{urban2025unveiling, author={Urb{\\'a}n, J. F. and Stefanou, P. and Pons, J. A.}, "
        "title={Unveiling the optimization process of physics informed neural networks}, "
        "journal={Journal of Computational Physics}, volume={523}, pages={113656}, year={2025}}",
    )

    def __post_init__(self) -> None:
        self.require_count("width", "depth", "harmonics", "points", "points_boundary")
        self.require_count("adam_steps", least=0)
        self.require_positive("learning_rate", "condition_weight")
        for option, table in (("activation", tuple(ACTIVATIONS)), ("optimizer", get_args(Variant))):
            self.require(option, getattr(self, option) in table, f"one of {', '.join(table)}")
        self.require("sampler", self.sampler is None or isinstance(self.sampler, RAD), "RAD(...) or None")
        self.require("compile", self.compile in (True, False, "auto"), "True, False or 'auto'")
        self.require("network", self.network is None or callable(self.network), "a maker of modules")

    # -- the contract ------------------------------------------------------------------------------

    def supports(self, problem: Problem) -> list[str]:
        common = common_periodic_axes(problem)
        try:
            for term in Program(problem).terms:
                term.function("torch")
        except LoweringError as error:
            return [str(error)]
        return [
            f"{unknown.func.__name__} is periodic in {problem.coordinates[axis]} but other unknowns are not: "
            "add Periodic(...) for them, too"
            for unknown in problem.unknowns
            for axis in problem.periodic_axes(unknown)
            if axis not in common
        ]

    def start(self, problem: Problem, context: Context) -> PINNState:
        residual = self._residual(problem, context)
        theta, rng = residual.start(), context.rng(1)
        state = PINNState(
            theta=theta,
            adam=self._adam(theta),
            quasi_newton=None,
            rng=rng,
            points=self._draw(residual, rng, self.points),
            compiled=self._wants_compilation(residual, context),
            residual=residual,
        )
        held_out = self._draw(residual, context.rng(2), _HELD_OUT)
        state.held_out = residual.batch(held_out, self._weights(residual))
        if not context.resuming:  # else points and the choice to compile come from the checkpoint
            self._use_points(state)
        return state

    def advance(self, state: PINNState) -> Progress:
        if not state.blocks:
            self._use_points(state)
        progress = self._adam_step(state) if state.step < self.adam_steps else self._newton_step(state)
        state.step += 1
        return progress

    def field(self, state: PINNState) -> NetworkField:
        return NetworkField(state.residual, state.theta)

    def restore(self, problem: Problem, arrays: Mapping[str, Array]) -> NetworkField:
        residual = self._residual(problem, Context(dtype=str(arrays["theta"].dtype)))
        return NetworkField(residual, residual.tensor(arrays["theta"]))

    def merit(self, state: PINNState) -> float:
        """Root of the weighted mean square residual, at points that training never sees.

        Observations and gauges have no other points than their own; they enter as in the loss.
        """
        with torch.no_grad():
            return float(state.residual.loss(state.theta, state.held_out).sqrt())

    def parameters(self, state: PINNState) -> dict[str, float]:
        return state.residual.parameters(state.theta)

    def collocation_points(self, state: PINNState) -> Array:
        return np.concatenate(state.points)

    def diagnose(self, state: PINNState) -> str:
        """The first term and point whose residual is not finite."""
        residual = state.residual
        batch = residual.batch(state.points, self._weights(residual))
        for group, values, part in zip(
            residual.groups, residual.values(state.theta, batch), batch, strict=True
        ):
            bad = (~torch.isfinite(values)).nonzero()  # (count, 2): row of the group, point
            if len(bad):
                row, index = bad[0].tolist()
                names = (c.name for c in residual.program.problem.coordinates)
                point = part.points[index].tolist()
                where = ", ".join(f"{name} = {x:.6g}" for name, x in zip(names, point, strict=True))
                return f"{residual.terms[group[row]].name!r} at {where}"
        return "the gradient of the loss (all residuals are finite)"

    # -- set-up ------------------------------------------------------------------------------------

    def _residual(self, problem: Problem, context: Context) -> Residual:
        program = Program(problem)
        ansatz = build_ansatz(problem, self.exact_conditions)
        d, k = len(problem.coordinates), len(problem.unknowns)
        generator = context.generator(0)
        if self.network is not None:
            network = self._own_network(d, k, generator)
        else:
            features = box_features(problem.domain, ansatz.periodic, self.harmonics)
            network = mlp(features, k, generator, self.width, self.depth, self.activation)
        dtype = getattr(torch, context.dtype)
        return Residual(program, Model(program, network, ansatz), dtype=dtype, device=context.device)

    def _own_network(self, d: int, k: int, generator: torch.Generator) -> nn.Module:
        """The user's module, tried at two points before any work."""
        assert self.network is not None
        module = self.network(d, k, generator)
        expected = f"a maker of modules from (n, {d}) points to (n, {k}) values"
        self.require("network", isinstance(module, nn.Module), expected)
        try:
            shape = tuple(module.to(torch.float64)(torch.zeros(2, d, dtype=torch.float64)).shape)
        except (RuntimeError, TypeError, AttributeError, ValueError) as error:
            raise BackendOptionError(
                "PINN(network=)", expected, f"an error: {error}", "Check the module's input."
            ) from error
        self.require("network", shape == (2, k), expected)
        return module

    def _adam(self, theta: Tensor) -> torch.optim.Adam:
        return torch.optim.Adam([nn.Parameter(theta.clone())], lr=self.learning_rate, betas=(0.9, 0.999))

    def _wants_compilation(self, residual: Residual, context: Context) -> bool:
        if self.compile != "auto":
            return bool(self.compile)
        # torch.func inside torch.compile traces user modules less reliably than jets: leave them eager.
        return (context.budget or 0.0) > _COMPILE_PAYS_AFTER and not unruled(residual.model.network)

    def _weights(self, residual: Residual) -> list[float]:
        return [1.0 if term.term.is_equation else self.condition_weight for term in residual.terms]

    def _draw(self, residual: Residual, rng: np.random.Generator, n: int) -> list[Array]:
        """Points of each group: ``n`` where equations hold, else `points_boundary`."""
        domain = residual.program.problem.domain
        first = [residual.terms[group[0]].term for group in residual.groups]
        return [term.sample(domain, n if term.is_equation else self.points_boundary, rng) for term in first]

    # -- work --------------------------------------------------------------------------------------

    def _use_points(self, state: PINNState) -> None:
        residual = state.residual
        batch = residual.batch(state.points, self._weights(residual))
        state.blocks = residual.blocks(batch)
        if state.compiled and not residual.compile_seconds:
            residual.compile()
            residual.warm_up(state.blocks[0])

    def _objective(self, state: PINNState) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
        return lambda theta: state.residual.loss_and_gradient(theta, state.blocks)

    def _adam_step(self, state: PINNState) -> Progress:
        (variable,) = state.adam.param_groups[0]["params"]
        loss, gradient = self._objective(state)(state.theta)
        if not bool(torch.isfinite(loss) & torch.isfinite(gradient).all()):
            return Progress(math.nan, message="Adam")  # θ stays as it is, for `diagnose`
        variable.data.copy_(state.theta)
        variable.grad = gradient
        state.adam.step()
        state.theta = variable.detach().clone()
        return Progress(float(loss), message="Adam")

    def _newton_step(self, state: PINNState) -> Progress:
        optimizer, objective = SelfScaled(self.optimizer), self._objective(state)
        if state.quasi_newton is None:
            state.quasi_newton = optimizer.start(objective, state.theta)
        elif self.sampler is not None and (state.step - self.adam_steps) % self.sampler.every == 0:
            self._refresh(state, optimizer)
        report = optimizer.step(state.quasi_newton, objective)
        state.theta = state.quasi_newton.theta
        state.failures = 0 if report.moved else state.failures + 1
        if state.failures >= _MOST_FAILURES:
            message = f"no step lowered the loss, on {_MOST_FAILURES} sets of points in a row"
            return Progress(state.quasi_newton.loss, status=Status.STAGNATED, message=message)
        if not report.moved:
            # New points change the objective and free a search that round-off has stopped.
            self._refresh(state, optimizer)
        return Progress(state.quasi_newton.loss, message=self.optimizer)

    def _refresh(self, state: PINNState, optimizer: SelfScaled) -> None:
        """Redraw the interior points and go on with the same inverse Hessian.

        By residual with a sampler, evenly without one.
        """
        residual = state.residual
        domain = residual.program.problem.domain
        points = []
        for g, group in enumerate(residual.groups):
            if not residual.terms[group[0]].term.is_equation:
                points.append(state.points[g])
            elif self.sampler is None:
                points.append(domain.sample(self.points, state.rng))
            else:
                pool = domain.sample(self.sampler.pool * self.points, state.rng, method="uniform")
                values = residual.group_values(state.theta, g, pool)
                points.append(self.sampler.choose(pool, values, self.points, state.rng))
        state.points = points
        self._use_points(state)
        assert state.quasi_newton is not None
        optimizer.restart(state.quasi_newton, self._objective(state))
