"""`TENG`: a network of space follows the equation through time by natural-gradient steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ...declare import Problem
from ...declare.domain import Array
from ...optimize import GaussNewton
from ...optimize.gauss_newton import GaussNewtonState
from ...residual.activations import ACTIVATIONS
from ...residual.symmetry import in_words
from ...solution.field import Field
from ...solution.status import Status
from ..base import Backend, Capabilities, Context, Progress
from .evolution import reasons
from .field import TrajectoryField
from .network import heads_of
from .published import METHODS, Published
from .rows import Rows
from .schemes import SCHEMES, Scheme
from .space import Shape, Space
from .splitting import Splitting, split
from .step import fit, stages

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
_START_AIM = 0.1  # times rtol: misfit at which fits from the start of a network are over
_AIM = 0.01  # the same of a step. What it leaves is carried: closer fits cost more steps and mend nothing
_DEGRADED = 10.0  # times the median misfit of the last steps: the network is fitted anew,
_REMEMBERED = 5  # if there were as many of them since it was last


@dataclass
class TENGState:
    """The network through time.

    Attributes:
        with_rates: whether the network that is fitted from its start holds rates, too.
        times: of the states so far; empty during the first fit.
        thetas: their parameters.
        draft: parameters of a fit from the start of a network: the first one, or one anew.
        goal: values and rates that it aims at, (fields, n); None for the initial data.
        step: the next step in time.
        carried: what the last fit left at the nodes, (unknowns, n).
        counts: points along each axis.
        damping: of the last fit.
        misfits: of such a fit, every `_BATCH` steps.
        recent: misfits of the last steps in time.
        errors: the sum of time errors, and the largest misfit.
        optimizer: of such a fit.
    """

    counts: tuple[int, ...]
    with_rates: bool
    step: float = 0.0
    damping: float = 1e-10
    times: list[float] = field(default_factory=list)
    thetas: list[Tensor] = field(default_factory=list)
    draft: Tensor | None = None
    goal: Tensor | None = None
    misfits: list[float] = field(default_factory=list)
    recent: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=lambda: [0.0, 0.0])
    carried: Tensor | None = None
    optimizer: GaussNewtonState | None = None
    space: Space = field(metadata={"transient": True}, default=None)  # type: ignore[assignment]
    context: Context = field(metadata={"transient": True}, default_factory=Context)
    rows: Rows = field(metadata={"transient": True}, default=None)  # type: ignore[assignment]
    splitting: Splitting | None = field(metadata={"transient": True}, default=None)

    @property
    def theta(self) -> Tensor:
        """Parameters now, (p,)."""
        return self.thetas[-1]


@dataclass(frozen=True)
class TENG(Backend):
    """A network of space whose parameters are stepped through time by natural gradients.

    The equations u_t = f(x, t, u, u_x, …), solved for u_t in symbols, are stepped by a Runge-Kutta scheme
    whose stages lie on the tangent plane of the network at the present parameters, u_θ + J η. What the step
    aims at is a target in u-space, to which the parameters are fitted by damped Gauss-Newton steps, natural
    gradients of ∫ (u_θ - target)² dx. Nothing is trained over all of time.

    Attributes:
        scheme: "esdirk4" is implicit and L-stable, "midpoint" implicit and of second order, without damping;
            "euler", "heun" and "rk4" are explicit: their steps must stay below a bound of stability that
            falls with the square of the network's finest scale. Unknowns without a time derivative, such as a
            pressure, need "esdirk4".
        dt: a fixed step; None chooses steps by the scheme's error estimate.
        rtol: relative L2 error that all steps together may add; the first fit aims at a tenth of it.
        width, depth, activation, harmonics: the network, tanh layers on features of space; periodic axes come
            in through ``harmonics`` waves, exactly.
        points: points along an axis, of one period; None takes what the spectrum of the solution asks for, as
            it evolves. On shapes and meshes: points in all, 2,000 by default.
        cut_off: share of the Jacobian's norm below which singular values are damped away.
        symmetry: take on the reflections that leave the problem as it is, and solve on one period of what
            repeats itself along a periodic axis (`pdesolve.residual.symmetry`).
        published: None, or a form as its authors gave it, with ``dt`` and an explicit ``scheme``: "teng",
            "tdvp", "rsng" or "obti"; "insr" with ``scheme="midpoint"``, which splits incompressible flow into
            advection and projection (`pdesolve.backends.teng.published`). ``points`` must resolve the whole
            run.
        subset: parameters that move at a time, in "teng" and "rsng".

    Periodic and Dirichlet conditions hold exactly at every step where the ansatz can meet them, others as
    weighted rows of every stage and fit. Second time derivatives are written as a system of first order.

    Good values: the defaults for smooth fields; ``width=20, harmonics=4`` for fronts in two dimensions. A
    step costs some ten factorisations of a matrix of as many columns as there are parameters (3 layers of 16
    have about 700).

    Sources: Chen, McCarran, Vizcaino, Soljačić & Luo, ICML 2024 (PMLR 235, arXiv 2404.10771): targets in
    u-space, fitted by repeated natural gradients; Lubich & Nick, arXiv 2501.12118: implicit stages by
    regularised Gauss-Newton.
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
            fit = ["midpoint"] if self.published == "insr" else explicit
            wanted = f"{' or '.join(fit)} with published={self.published!r}"
            self.require("scheme", self.scheme in fit, wanted)
            self.require("dt", self.dt is not None, "a step with published=")

    @property
    def _scheme(self) -> Scheme:
        return SCHEMES[self.scheme]

    # -- the contract ------------------------------------------------------------------------------

    def supports(self, problem: Problem) -> list[str]:
        found = reasons(problem)
        if found:
            return found
        space = self._space(problem, Context())
        if space.algebraic and self.published == "insr":
            if not problem.domain.is_box:
                return ["its splitting follows the flow back into a box"]
            try:
                split(space.evolution)
            except ValueError as error:
                return [str(error)]
        elif space.algebraic and not self._scheme.is_stiffly_accurate:
            fit = [name for name, each in SCHEMES.items() if each.is_stiffly_accurate]
            names = ", ".join(u.func.__name__ for u in space.algebraic)
            return [f"{names} has no time derivative, which needs scheme {' or '.join(fit)}"]
        if self.published in (None, "insr"):
            return []
        return [f"in its published form it has no rows for {term.name}" for term in space.open_conditions]

    def start(self, problem: Problem, context: Context) -> TENGState:
        space = self._space(problem, context)
        counts = space.first_counts()
        state = TENGState(counts, space.has_rates, space=space, context=context)
        state.rows = space.rows(counts, space.has_rates, at_start=True)
        if not context.resuming:  # else the checkpoint's draft may be of fewer outputs
            state.draft = state.rows.fit.start()
        return state

    def advance(self, state: TENGState) -> Progress:
        """Some steps of a fit from the start of a network, or one step in time."""
        self._follow(state)
        if state.draft is not None:
            return self._fit_anew(state)
        return self._march(state) if self.published is None else self._march_as_published(state)

    def field(self, state: TENGState) -> Field:
        self._follow(state)
        start, end = state.space.span
        if state.times:
            thetas, times = torch.stack(state.thetas).numpy(), np.array(state.times)
        else:
            had, wanted = state.space.heads(state.with_rates), state.space.outputs
            assert state.draft is not None
            thetas = heads_of(state.draft, self.width, had, wanted)[None].numpy()
            times = np.array([start])
        return TrajectoryField(state.space.residual(), times, thetas, end)

    def restore(self, problem: Problem, arrays: Mapping[str, Array]) -> Field:
        space = self._space(problem, Context())
        return TrajectoryField(space.residual(), arrays["times"], arrays["theta"], space.span[1])

    def error_estimate(self, state: TENGState) -> float | None:
        """Time errors, summed up, and the largest misfit; None before the end of time.

        No bound: unstable problems let errors grow, diffusive ones let them decay.
        """
        is_over = bool(state.times) and state.times[-1] >= state.space.span[1]
        return sum(state.errors) if is_over and self.published is None else None

    def describe(self, state: TENGState) -> str:
        chosen = f"{state.rows.size} parameters, {len(state.rows.nodes.points)} points of space"
        symmetries = in_words(state.space.problem, state.space.symmetries)
        return f"{chosen}; {symmetries}" if symmetries else chosen

    def diagnose(self, state: TENGState) -> str:
        fit = "a fit anew" if state.times else "the first fit"
        at = f"the step from t = {state.times[-1]:.6g}" if state.draft is None else fit
        return f"{', '.join(state.space.problem.equations)}: {at}"

    # -- set-up ------------------------------------------------------------------------------------

    def _space(self, problem: Problem, context: Context) -> Space:
        shape = Shape(self.width, self.depth, self.activation, self.harmonics)
        return Space(problem, shape, self.symmetry, self.points, self.rtol, context.generator(0))

    @staticmethod
    def _follow(state: TENGState) -> None:
        """Rows of the state: after a checkpoint was read they may be others."""
        size = state.rows.count == state.space.heads(state.with_rates)
        moved = state.rows.nodes.counts and state.rows.nodes.counts != state.counts
        if not size or moved or state.rows.is_start == bool(state.times):
            state.rows = state.space.rows(state.counts, state.with_rates, at_start=not state.times)

    # -- fits from the start of a network ----------------------------------------------------------

    def _fit_anew(self, state: TENGState) -> Progress:
        """`_BATCH` steps of a fit to the initial data or a later state: with its rates, then by itself."""
        space, rows = state.space, state.rows
        first, time = not state.times, state.times[-1] if state.times else space.span[0]
        target = state.goal
        if target is None:
            target = torch.as_tensor(space.start_values(rows.nodes, state.with_rates))
        objective, method = rows.objective(time, target[: rows.count]), GaussNewton()
        if state.optimizer is None:
            assert state.draft is not None
            state.optimizer = method.start(objective, state.draft)
        size, aim, moved = rows.size_of(target[: rows.count]) or 1.0, _START_AIM * self.rtol, True
        for _ in range(_BATCH):
            moved = method.step(state.optimizer, objective).moved
            if not moved or state.optimizer.loss**0.5 <= aim * size:
                break
        misfit = state.optimizer.loss**0.5 / size
        name = "first fit" if first else "fit anew"
        if not math.isfinite(misfit):
            return Progress(math.nan, message=f"the {name}")
        state.draft = state.optimizer.theta
        state.misfits.append(misfit)
        is_over = not moved or (len(state.misfits) > 5 and misfit > _STALLED * state.misfits[-6])
        is_late = first and state.context.budget is not None and state.context.spent() > _START_SHARE
        if state.with_rates and (misfit < _ROUGH or is_over or is_late):
            state.draft = heads_of(state.draft, self.width, rows.count, space.outputs)
            state.with_rates, state.optimizer, state.misfits = False, None, []
            state.rows = space.rows(state.counts, at_start=first)
        elif not state.with_rates and (misfit <= aim or is_over or is_late):
            self._leave(state, misfit)
        share = 0.0 if first else self._share(state)
        return Progress(misfit, share, message=f"{name}, misfit {misfit:.1e}")

    def _leave(self, state: TENGState, misfit: float) -> None:
        """A fit is over: the first one starts the march, a later one takes the place of what was worse."""
        start, end = state.space.span
        assert state.draft is not None
        if not state.times:
            state.times, state.thetas, state.errors = [start], [state.draft], [0.0, misfit]
            state.step = self.dt if self.dt is not None else _FIRST_STEP * (end - start)
            state.rows = state.space.rows(state.counts)
            values = torch.as_tensor(state.space.start_values(state.rows.nodes))
        else:
            assert state.goal is not None
            values = state.goal[: state.space.outputs]
            left = state.rows.size_of(values - state.rows.state(state.theta, state.times[-1]))
            had = left / (state.rows.size_of(values) or 1.0)
            if misfit < max(had, self.rtol):
                state.thetas[-1], had = state.draft, misfit
            state.errors[1] = max(state.errors[1], had)
            state.goal, state.recent = None, []
        now = state.rows.state(state.theta, state.times[-1])
        state.carried = state.rows.joined(values - now, torch.zeros_like(now))
        state.draft, state.optimizer, state.misfits = None, None, []

    def _is_degraded(self, state: TENGState) -> bool:
        """Whether the last fit is much worse than those before."""
        *before, last = state.recent
        if last <= self.rtol or len(before) < _REMEMBERED:
            return False
        return last > _DEGRADED * float(np.median(before[-_REMEMBERED:]))

    def _restart(self, state: TENGState, values: Tensor) -> None:
        """The network is given up for a new one, of the same state and rates."""
        rates = state.rows.rate(state.theta, state.times[-1])
        state.goal = torch.cat([values, rates[state.space.evolution.differential]])
        state.with_rates = state.space.has_rates
        state.rows = state.space.rows(state.counts, state.with_rates)
        state.draft = state.rows.fit.start()

    # -- steps in time -----------------------------------------------------------------------------

    def _march(self, state: TENGState) -> Progress:
        """Stages, the choice of the next step, and the fit."""
        start, end = state.space.span
        now, step = state.times[-1], self._next_step(state)
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
                return self._again(state, target.time_error)
        starts = [state.theta, state.theta + target.move]
        objective, size = state.rows.objective(now + step, target.values), state.rows.size_of(target.values)
        found = fit(objective, size or 1.0, starts, state.damping, _AIM * self.rtol, self.rtol)
        if not math.isfinite(found.misfit):
            return Progress(math.nan, message="the fit")
        lost = max(_LOST * self.rtol, 10 * state.errors[1])
        if self.dt is None and found.misfit > lost and step > _LEAST_RETRY * (end - start):
            state.step = step / 4
            return self._again(state, found.misfit)
        state.damping = found.damping
        state.carried = target.values - state.rows.state(found.theta, now + step)
        state.errors[0] += target.time_error
        worst = state.errors[1]
        self._arrive(state, now + step, found.theta, found.misfit)
        if now + step >= end:
            return self._done(state, found.misfit)
        if self._is_degraded(state):
            state.errors[1] = worst  # until the fit anew has shown what it is
            self._restart(state, target.values)
        else:
            self._refine(state, target.values)
        message = f"t = {now + step:.4g}, dt = {step:.1e}, misfit {found.misfit:.1e}"
        return Progress(found.misfit, self._share(state), message=message)

    def _next_step(self, state: TENGState) -> float:
        """The step, fitted to the end of time."""
        _, end = state.space.span
        left = end - state.times[-1]
        if left < (1 + 1e-9) * state.step:
            return left
        if self.dt is None and left < 2 * state.step:
            return left / 2  # no tiny step at the end
        return state.step

    def _again(self, state: TENGState, loss: float) -> Progress:
        """The step was too long for its error, or for the fit."""
        start, end = state.space.span
        if state.step < _SHORTEST * (end - start) and state.recent:  # not if the network is new
            assert state.carried is not None
            state.step = _FIRST_STEP * (end - start)
            self._restart(state, state.carried + state.rows.state(state.theta, state.times[-1]))
        elif state.step < _SHORTEST * (end - start):
            message = f"at t = {state.times[-1]:.4g} no step is short enough for rtol={self.rtol:g}"
            return Progress(loss, status=Status.STAGNATED, message=message)
        return Progress(loss, self._share(state), message=f"again, dt = {state.step:.1e}")

    @staticmethod
    def _arrive(state: TENGState, time: float, theta: Tensor, misfit: float) -> None:
        state.times.append(time)
        state.thetas.append(theta)
        state.errors[1] = max(state.errors[1], misfit)
        state.recent = [*state.recent, misfit][-2 * _REMEMBERED :]

    def _march_as_published(self, state: TENGState) -> Progress:
        """A step of fixed length."""
        assert self.published is not None
        now, step = state.times[-1], self._next_step(state)
        if state.splitting is None and state.space.algebraic:
            state.splitting = Splitting(state.space, state.counts)
        method = Published(
            self.published, self._scheme, self.subset, self.cut_off, self.rtol, state.splitting
        )
        generator = state.context.generator(len(state.times))
        theta, misfit = method.step(state.rows, state.theta, now, step, generator)
        if not bool(torch.isfinite(theta).all()):
            return Progress(math.nan, message="the least squares")
        self._arrive(state, now + step, theta, misfit)
        if now + step >= state.space.span[1]:
            message = f"{len(state.times) - 1} steps; this form estimates no errors of time"
            return Progress(misfit, 1.0, Status.COMPLETED, message)
        return Progress(misfit, self._share(state), message=f"t = {now + step:.4g}, misfit {misfit:.1e}")

    def _done(self, state: TENGState, misfit: float) -> Progress:
        total = sum(state.errors)
        message = f"error estimate {total:.1e} in {len(state.times) - 1} steps"
        if self.dt is not None and self._scheme.embedded is None:
            return Progress(misfit, 1.0, Status.COMPLETED, message)
        status = Status.CONVERGED if total <= self.rtol else Status.STAGNATED
        return Progress(misfit, 1.0, status, message)

    @staticmethod
    def _refine(state: TENGState, values: Tensor) -> None:
        """More nodes where the spectrum of the state asks for them; what was carried is known at the old."""
        wanted = state.space.wanted_counts(values.numpy(), state.counts)
        if wanted != state.counts:
            state.counts = wanted
            state.rows = state.space.rows(wanted)
            state.carried = torch.zeros(len(values), len(state.rows.nodes.points), dtype=torch.float64)

    @staticmethod
    def _share(state: TENGState) -> float:
        start, end = state.space.span
        return (state.times[-1] - start) / (end - start)
