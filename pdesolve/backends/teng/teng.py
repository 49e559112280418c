"""`TENG`: a network of space follows the equation through time by natural-gradient steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ...declare import Initial, Problem
from ...declare.domain import Array
from ...optimize import GaussNewton
from ...optimize.gauss_newton import GaussNewtonState
from ...residual.activations import ACTIVATIONS
from ...residual.ansatz import build_ansatz
from ...residual.model import Model
from ...residual.program import Program
from ...residual.residual import Residual
from ...residual.symmetry import Parity, in_words, parities
from ...solution.field import Field
from ...solution.status import Status
from ..base import Backend, Capabilities, Context, Progress
from .evolution import first_order, rates, reasons
from .field import TrajectoryField
from .initial import DATA_WEIGHT, RATE_WEIGHT, initial_data, initial_rates, with_companions
from .network import heads_of, state_network
from .nodes import Nodes, box_nodes, region_nodes, wanted_counts
from .published import METHODS, Published
from .rows import Rows
from .schemes import SCHEMES, Scheme
from .step import fit, stages

_FIRST_COUNT = 16  # points along an axis before the data ask for more
_MOST_COUNT = 512
_POINTS_PER_PARAMETER = 1.5  # at least: with fewer the network hides what it misses between them
_ROUGH = 1e-3  # misfit at which the first fit has done with rates
_BATCH = 10  # steps of the first fit between two reports
_STALLED = 0.5  # of the misfit 50 steps ago: a first fit that is above is over
_START_SHARE = 0.3  # of the budget that it may take
_FIRST_STEP = 1 / 64  # of all time, where the scheme estimates errors
_LONGEST = 1 / 8  # the same, of any step
_SHORTEST = 1e-6
_SAFETY, _LEAST_FACTOR, _MOST_FACTOR = 0.9, 0.2, 2.0
_LOST = 100.0  # times rtol: a misfit that is tried again over a shorter step,
_LEAST_RETRY = 1e-3  # if that is longer than this share of all time
_FIT_SHARE = 0.1  # of the error that a step may add: aim of its fit


@dataclass
class TENGState:
    """The network through time.

    Attributes:
        theta: parameters now; with ``outputs`` outputs while the first fit holds rates too.
        times, thetas: the states so far, empty during the first fit.
        step: the next step in time.
        carried: what the last fit left at the nodes, (unknowns, n).
        counts: points along each axis.
        damping: of the last fit.
        misfits: of the first fit, every `_BATCH` steps.
        errors: sums of time errors and misfits of all steps.
        optimizer: of the first fit.
    """

    theta: Tensor
    counts: tuple[int, ...]
    outputs: int
    step: float = 0.0
    damping: float = 1e-10
    times: list[float] = field(default_factory=list)
    thetas: list[Tensor] = field(default_factory=list)
    misfits: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=lambda: [0.0, 0.0])
    carried: Tensor | None = None
    optimizer: GaussNewtonState | None = None
    problem: Problem = field(metadata={"transient": True}, default=None)  # type: ignore[assignment]
    context: Context = field(metadata={"transient": True}, default_factory=Context)
    rows: Rows = field(metadata={"transient": True}, default=None)  # type: ignore[assignment]


@dataclass(frozen=True)
class TENG(Backend):
    """A network of space whose parameters are stepped through time by natural gradients.

    The equations u_t = f(x, t, u, u_x, …), solved for u_t in symbols, are stepped by a Runge-Kutta scheme whose
    stages lie on the tangent plane of the network at the present parameters, u_θ + J η. What the step
    aims at is a target in u-space, to which the parameters are fitted by damped Gauss-Newton steps, natural
    gradients of ∫ (u_θ - target)² dx. Nothing is trained over all of time.

    Attributes:
        scheme: "esdirk4" is implicit and L-stable; "euler", "heun" and "rk4" are explicit: their steps must
            stay below a bound of stability that falls with the square of the network's finest scale.
        dt: a fixed step; None chooses steps by the scheme's error estimate.
        rtol: relative L2 error that all steps together may add; the first fit aims at a tenth of it.
        width, depth, activation, harmonics: the network, tanh layers on features of space; periodic axes come
            in through ``harmonics`` waves, exactly.
        points: points along an axis; None takes what the spectrum of the solution asks for, as it evolves. On
            shapes and meshes: points in all, 2,000 by default.
        cut_off: share of the Jacobian's norm below which singular values count as zero.
        symmetry: take on the reflections that leave the problem as it is (`pdesolve.residual.symmetry`).
        published: None, or a form as its authors gave it, with an explicit ``scheme`` and ``dt``: "teng", "tdvp",
            "rsng" or "obti" (`pdesolve.backends.teng.published`). ``points`` must resolve the whole run.
        subset: parameters that move at a time, in "teng" and "rsng".

    Periodic and Dirichlet conditions hold exactly at all times, others as weighted rows of every stage and
    fit. Second time derivatives are written as a system of first order.

    Good values: the defaults for smooth fields; ``width=24`` to 30 for fronts in two dimensions. A step costs
    some ten factorisations of a matrix of as many columns as there are parameters (`depth` 3 of `width` 20 has
    about 1,000). ``rtol=1e-4`` halves the time.

    Sources: Chen, McCarran, Vizcaino, Soljačić & Luo, ICML 2024 (PMLR 235, arXiv 2404.10771): targets in
    u-space, fitted by repeated natural gradients; Lubich & Nick, arXiv 2501.12118: implicit stages by regularised
    Gauss-Newton.
    """

    scheme: str = "esdirk4"
    dt: float | None = None
    rtol: float = 1e-6
    width: int = 16
    depth: int = 3
    activation: str = "tanh"
    harmonics: int = 2
    points: int | None = None
    cut_off: float = 1e-10
    symmetry: bool = True
    published: str | None = None
    subset: int = 1024

    name: ClassVar[str] = "teng"
    summary: ClassVar[str] = "Time-evolving natural gradient: a network of space, stepped through time"
    capabilities: ClassVar[Capabilities] = Capabilities(
        time_marching=True, stochastic=True, dtypes=("float64",)
    )
    citations: ClassVar[tuple[str, ...]] = (
        "Z. Chen, J. McCarran, E. Vizcaino, M. Soljačić, D. Luo: TENG: Time-evolving natural gradient for "
        "solving PDEs with deep neural nets toward machine precision. ICML 2024, arXiv 2404.10771.",
        "C. A. Kennedy, M. H. Carpenter: Additive Runge-Kutta schemes for convection-diffusion-reaction "
        "equations. Appl. Numer. Math. 44 (2003) 139-181.",
        "C. Lubich, J. Nick: Regularized dynamical parametric approximation of stiff evolution problems. "
        "arXiv 2501.12118.",
    )

    def __post_init__(self) -> None:
        self.require("scheme", self.scheme in SCHEMES, f"one of {', '.join(SCHEMES)}")
        self.require_positive("rtol", "cut_off")
        self.require_count("width", "depth", "harmonics")
        self.require("activation", self.activation in ACTIVATIONS, f"one of {', '.join(ACTIVATIONS)}")
        if self.points is not None:
            self.require_count("points", least=4)
        if self.dt is not None:
            self.require_positive("dt")
        estimates = self._scheme.embedded is not None
        self.require("dt", self.dt is not None or estimates, f"a step: {self.scheme} estimates no errors")
        self.require("symmetry", isinstance(self.symmetry, bool), "True or False")
        self.require_count("subset")
        if self.published is not None:
            self.require("published", self.published in METHODS, f"one of {', '.join(METHODS)}, or None")
            explicit = [name for name, each in SCHEMES.items() if not each.diagonal]
            self.require("scheme", self.scheme in explicit, f"one of {', '.join(explicit)} with published=")
            self.require("dt", self.dt is not None, "a step with published=")

    @property
    def _scheme(self) -> Scheme:
        return SCHEMES[self.scheme]

    # -- the contract ------------------------------------------------------------------------------

    def supports(self, problem: Problem) -> list[str]:
        found = reasons(problem)
        if found or self.published is None:
            return found
        ansatz = build_ansatz(first_order(problem), at_start=False)
        return [
            f"{self.published} in its published form has no rows for {term.name}"
            for term in first_order(problem).terms
            if not (term.is_equation or isinstance(term.condition, Initial) or ansatz.is_exact(term))
        ]

    def start(self, problem: Problem, context: Context) -> TENGState:
        evolution = first_order(problem)
        counts = self._first_counts(evolution)
        outputs = len(evolution.unknowns)
        if initial_rates(evolution, rates(evolution)) is not None:
            outputs *= 2
        state = TENGState(torch.zeros(0), counts, outputs, problem=evolution, context=context)
        state.rows = self._rows(state)
        state.theta = state.rows.fit.start()
        return state

    def advance(self, state: TENGState) -> Progress:
        """Some steps of the first fit, or one step in time."""
        if not state.times:
            return self._begin(state)
        return self._march(state) if self.published is None else self._march_as_published(state)

    def field(self, state: TENGState) -> Field:
        problem, count = state.problem, len(state.problem.unknowns)
        start, end = problem.domain.bounds[-1].tolist()
        residual = self._residual(problem, state.context)
        if state.times:
            thetas, times = torch.stack(state.thetas).numpy(), np.array(state.times)
        else:
            thetas = heads_of(state.theta, self.width, state.outputs, count)[None].numpy()
            times = np.array([start])
        return TrajectoryField(residual, times, thetas, end)

    def restore(self, problem: Problem, arrays: Mapping[str, Array]) -> Field:
        evolution = first_order(problem)
        residual = self._residual(evolution, Context())
        return TrajectoryField(
            residual, arrays["times"], arrays["theta"], float(problem.domain.bounds[-1, 1])
        )

    def error_estimate(self, state: TENGState) -> float | None:
        """Misfit of the first fit, time errors and misfits, summed up; None before the end of time.

        Not a bound: unstable problems let errors grow, diffusive ones let them decay.
        """
        if self.published is not None or not state.times or state.times[-1] < self._final(state):
            return None
        return sum(state.errors)

    def describe(self, state: TENGState) -> str:
        chosen = f"{state.rows.size} parameters, {len(state.rows.nodes.points)} points of space"
        symmetries = in_words(state.problem, self._symmetries(state.problem))
        return f"{chosen}; {symmetries}" if symmetries else chosen

    def diagnose(self, state: TENGState) -> str:
        at = f"the step from t = {state.times[-1]:.6g}" if state.times else "the first fit"
        return f"{', '.join(state.problem.equations)}: {at}"

    # -- set-up ------------------------------------------------------------------------------------

    def _symmetries(self, problem: Problem) -> dict[int, Parity]:
        return parities(problem) if self.symmetry else {}

    def _model(self, problem: Problem, context: Context, outputs: int) -> Model:
        """The network in its ansatz; with companions where there are more outputs than unknowns."""
        declared = problem if outputs == len(problem.unknowns) else with_companions(problem)
        ansatz = build_ansatz(declared, at_start=False)
        network = state_network(
            problem,
            outputs,
            context.generator(0),
            ansatz.periodic,
            self._symmetries(problem),
            self.width,
            self.depth,
            self.activation,
            self.harmonics,
        )
        return Model(Program(declared), network, ansatz)

    def _residual(self, problem: Problem, context: Context) -> Residual:
        """Evaluates the unknowns."""
        return Residual(Program(problem, []), self._model(problem, context, len(problem.unknowns)))

    def _nodes(self, problem: Problem, counts: tuple[int, ...]) -> Nodes:
        if not problem.domain.is_box:
            return region_nodes(problem, counts[0])
        periodic = build_ansatz(problem, at_start=False).periodic
        return box_nodes(problem, counts, periodic, self._symmetries(problem))

    def _first_counts(self, problem: Problem) -> tuple[int, ...]:
        """Points that resolve the initial data and their rates."""
        if not problem.domain.is_box:
            return (self.points or 2000,)
        axes = len(problem.domain.space)
        if self.points is not None:
            return (self.points + self.points % 2,) * axes
        known = initial_data(problem) + (initial_rates(problem, rates(problem)) or [])
        model = self._model(problem, Context(), len(problem.unknowns))
        needed = _POINTS_PER_PARAMETER * sum(p.numel() for p in model.parameters())
        counts: tuple[int, ...] = (_FIRST_COUNT,) * axes
        while True:
            nodes = self._nodes(problem, counts)
            start = np.full(len(nodes.points), problem.domain.bounds[-1, 0])
            values = np.stack([f(np.column_stack([nodes.points, start])) for f in known])
            wanted = self._wanted(problem, values, counts)
            if wanted != counts:
                counts = wanted
            elif len(nodes.points) < needed and min(counts) < _MOST_COUNT:
                counts = tuple(count + 2 for count in counts)
            else:
                return counts

    def _wanted(self, problem: Problem, values: Array, counts: tuple[int, ...]) -> tuple[int, ...]:
        periodic = build_ansatz(problem, at_start=False).periodic
        found = wanted_counts(values, counts, periodic, self._symmetries(problem), self.rtol)
        return tuple(max(count, min(new, _MOST_COUNT)) for count, new in zip(counts, found, strict=True))

    def _rows(self, state: TENGState) -> Rows:
        """Rows of the present nodes; of data and rates where the network has both."""
        problem = state.problem
        nodes = self._nodes(problem, state.counts)
        f = rates(problem)
        is_double = state.outputs > len(problem.unknowns)
        declared = with_companions(problem) if is_double else problem
        model = self._model(problem, state.context, state.outputs)
        scales = _scales(self._start_values(problem, nodes, False), nodes)
        if is_double:
            f = [*f, *f]
            ratio = DATA_WEIGHT / RATE_WEIGHT
            of_rates = _scales(self._start_values(problem, nodes, True)[len(scales) :], nodes)
            scales = [*scales, *(ratio * s for s in of_rates)]
        return Rows(declared, f, model, nodes, scales)

    @staticmethod
    def _start_values(problem: Problem, nodes: Nodes, with_rates: bool) -> Array:
        start = np.full(len(nodes.points), problem.domain.bounds[-1, 0])
        functions = initial_data(problem)
        if with_rates:
            functions += initial_rates(problem, rates(problem)) or []
        return np.stack([f(np.column_stack([nodes.points, start])) for f in functions])

    # -- work --------------------------------------------------------------------------------------

    def _begin(self, state: TENGState) -> Progress:
        """`_BATCH` steps of the fit to the initial data."""
        count, start = len(state.problem.unknowns), float(state.problem.domain.bounds[-1, 0])
        is_double = state.outputs > count
        target = torch.as_tensor(self._start_values(state.problem, state.rows.nodes, is_double))
        objective = state.rows.objective(start, target)
        method = GaussNewton()
        if state.optimizer is None:
            state.optimizer = method.start(objective, state.theta)
        size, aim = state.rows.size_of(target) or 1.0, _FIT_SHARE * self.rtol
        moved = True
        for _ in range(_BATCH):
            moved = method.step(state.optimizer, objective).moved
            if not moved or state.optimizer.loss**0.5 <= aim * size:
                break
        misfit = state.optimizer.loss**0.5 / size
        if not math.isfinite(misfit):
            return Progress(math.nan, message="the first fit")
        state.theta = state.optimizer.theta
        state.misfits.append(misfit)
        stalled = len(state.misfits) > 5 and misfit > _STALLED * state.misfits[-6]
        late = state.context.budget is not None and state.context.spent() > _START_SHARE
        if is_double and (misfit < _ROUGH or stalled or not moved):
            state.theta = heads_of(state.theta, self.width, state.outputs, count)
            state.outputs, state.optimizer, state.misfits = count, None, []
            state.rows = self._rows(state)
        elif not is_double and (misfit <= aim or stalled or late or not moved):
            self._leave(state, misfit)
        return Progress(misfit, 0.0, message=f"first fit: misfit {misfit:.1e}")

    def _leave(self, state: TENGState, misfit: float) -> None:
        """The first fit is over."""
        start, end = state.problem.domain.bounds[-1].tolist()
        state.times, state.thetas = [start], [state.theta]
        state.errors = [0.0, misfit]
        state.step = self.dt if self.dt is not None else _FIRST_STEP * (end - start)
        target = torch.as_tensor(self._start_values(state.problem, state.rows.nodes, False))
        state.carried = target - state.rows.state(state.theta, start)
        state.optimizer = None

    def _march(self, state: TENGState) -> Progress:
        start, end = state.problem.domain.bounds[-1].tolist()
        now = state.times[-1]
        step = min(state.step, end - now)
        if end - now - step < 1e-9 * (end - start):
            step = end - now
        elif self.dt is None and end - now < 2 * step:
            step = (end - now) / 2  # no tiny step at the end
        assert state.carried is not None
        target = stages(state.rows, self._scheme, state.theta, now, step, state.carried, self.cut_off)
        if not bool(torch.isfinite(target.values).all()):
            return Progress(math.nan, message="the stages")
        allowed = self.rtol * step / (end - start)
        if self.dt is None:
            factor = _SAFETY * (allowed / max(target.time_error, 1e-30)) ** (1 / (self._scheme.order - 1))
            factor = min(max(factor, _LEAST_FACTOR), _MOST_FACTOR)
            state.step = min(step * factor, _LONGEST * (end - start))
            if target.time_error > 2 * allowed:
                if state.step < _SHORTEST * (end - start):
                    message = f"at t = {now:.4g} no step is short enough for the tolerance"
                    return Progress(target.time_error, status=Status.STAGNATED, message=message)
                return Progress(target.time_error, self._share(state), message=f"dt = {state.step:.1e}")
        found = fit(
            state.rows,
            now + step,
            target.values,
            [state.theta, state.theta + target.move],
            state.damping,
            _FIT_SHARE * allowed,
            self.rtol,
        )
        if not math.isfinite(found.misfit):
            return Progress(math.nan, message="the fit")
        lost = max(_LOST * self.rtol, 10 * state.errors[1])
        if self.dt is None and found.misfit > lost and step > _LEAST_RETRY * (end - start):
            state.step = step / 4
            return Progress(
                found.misfit, self._share(state), message=f"misfit {found.misfit:.1e}, dt = {state.step:.1e}"
            )
        reached = now + step
        state.theta, state.damping = found.theta, found.damping
        state.carried = target.values - state.rows.state(found.theta, reached)
        state.times.append(reached)
        state.thetas.append(found.theta)
        state.errors[0] += target.time_error
        state.errors[1] = max(state.errors[1], found.misfit)
        self._refine(state, target.values)
        message = f"t = {reached:.4g}, dt = {step:.1e}, fit {found.misfit:.1e} in {found.steps}"
        if reached >= end:
            return self._done(state, found.misfit)
        return Progress(found.misfit, self._share(state), message=message)

    def _march_as_published(self, state: TENGState) -> Progress:
        assert self.published is not None and self.dt is not None
        start, end = state.problem.domain.bounds[-1].tolist()
        now = state.times[-1]
        step = self.dt if now + (1 + 1e-9) * self.dt < end else end - now
        method = Published(self.published, self._scheme, self.subset, self.cut_off)
        generator = state.context.generator(len(state.times))
        state.theta, misfit = method.step(state.rows, state.theta, now, step, generator)
        if not bool(torch.isfinite(state.theta).all()):
            return Progress(math.nan, message="the least squares")
        state.times.append(now + step)
        state.thetas.append(state.theta)
        state.errors[1] = max(state.errors[1], misfit)
        if state.times[-1] >= end:
            message = f"{len(state.times) - 1} steps; this form estimates no errors of time"
            return Progress(misfit, 1.0, Status.COMPLETED, message)
        return Progress(misfit, self._share(state), message=f"t = {now + step:.4g}, fit {misfit:.1e}")

    def _done(self, state: TENGState, misfit: float) -> Progress:
        total = sum(state.errors)
        status = Status.CONVERGED if total <= self.rtol else Status.STAGNATED
        message = f"error estimate {total:.1e} in {len(state.times) - 1} steps"
        return Progress(misfit, 1.0, status, message)

    def _refine(self, state: TENGState, values: Tensor) -> None:
        """More nodes where the spectrum of the state asks for them."""
        if self.points is not None or not state.problem.domain.is_box:
            return
        wanted = self._wanted(state.problem, values.numpy(), state.counts)
        if wanted != state.counts:
            state.counts = wanted
            state.rows = self._rows(state)
            state.carried = torch.zeros(len(values), len(state.rows.nodes.points), dtype=torch.float64)

    @staticmethod
    def _final(state: TENGState) -> float:
        return float(state.problem.domain.bounds[-1, 1])

    def _share(self, state: TENGState) -> float:
        start, end = state.problem.domain.bounds[-1].tolist()
        return (state.times[-1] - start) / (end - start)


def _scales(values: Array, nodes: Nodes) -> list[float]:
    """Root mean squares, of fields that vanish that of the others."""
    sizes = np.sqrt(values**2 @ nodes.weights)
    largest = float(sizes.max()) or 1.0
    return [float(size) if size > 1e-6 * largest else largest for size in sizes]
