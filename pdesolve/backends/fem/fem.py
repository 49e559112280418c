"""The finite element backend: options, meshes of growing fineness, and what it tells of its error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ...declare import Problem
from ...declare.domain import Array
from ...declare.regions.box import BoxRegion
from ...declare.regions.curving import curved
from ...declare.regions.mesh import Mesh, box_mesh
from ...declare.regions.simplicial import MeshRegion
from ...solution.status import Status
from ..base import Backend, Capabilities, Context, Progress
from . import newton
from .field import FEMField
from .march import March, Stepper
from .newton import Iterate
from .space import Space
from .system import Moment, System
from .time_stepping import SCHEMES
from .weak import UnsupportedFormError, WeakForm

CELLS = {1: 32, 2: 12, 3: 6}
"""Cells along the longest side of a box in the first mesh, by dimension."""

STEPS = 16
"""Time steps of the first level."""

STARTING = 3
"""Saved times from which values of unknowns without a rate are extrapolated to the start: error O(h³)."""

NEGLIGIBLE = 1e-10
"""Size of an unknown, relative to that of the largest, below which its error counts as one of zero."""

BALANCED = 1e-2
"""Share of sources and fluxes that discretisation may leave unbalanced where a gauge fixes a constant."""

MOST_HALVINGS = 6
"""How often a run in time that fails is begun again with half the step."""


@dataclass
class Level:
    """A finished level: degrees of freedom at the saved times (one row for a steady problem)."""

    number: int
    saved: Array
    times: Array | None


@dataclass
class State:
    """A run: levels so far, and the one under way.

    Attributes:
        level: number of the mesh in use, each with half the edge length (and time step) of the one before.
        iterate, march: the level under way, of a steady or a transient problem.
        answer: the finest finished level.
        differences: relative L2 distances between successive levels, one for each unknown.
        estimate: of the relative error of the finest level.
        halvings: of the time step, beyond those that come with levels, after runs that failed.
    """

    level: int = 0
    iterate: Iterate | None = None
    march: March | None = None
    answer: Level | None = None
    differences: list[list[float]] = field(default_factory=list)
    estimate: float | None = None
    halvings: int = 0
    note: str = ""
    form: Any = field(default=None, metadata={"transient": True})
    spaces: dict[int, Any] = field(default_factory=dict, metadata={"transient": True})
    stepper: Any = field(default=None, metadata={"transient": True})


@dataclass(frozen=True)
class FEM(Backend):
    """Galerkin's method with Lagrange elements on simplices; Taylor-Hood elements for flows.

    Solves R(u)(v) = ∫ (S v + F·∇v) dx - ∮ F·n v ds = 0 for all test functions v; S and F are derived from the
    declared equations, the exact Jacobian too (`pdesolve.backends.fem.weak`). Meshes are refined uniformly,
    time steps halved with them, until the estimated error meets ``rtol``.

    The error estimate of a level is its distance d to the level before over 2^q - 1, with the observed order
    q of three levels (q = 1 of two), for each unknown in relative L2; the largest counts.

    Attributes:
        degree: polynomials of degree 1 or 2 (2 for flows; the pressure has degree 1).
        size: edge length of the first mesh; by default 1/32, 1/12 or 1/6 of the longest side of a box in one,
            two or three dimensions, the mesh of the file as it is, and 1/32 of the longest side of other
            shapes.
        graded: on boxes, nodes at cosine spacing, dense at the faces: for layers and singular corners.
        dt: time step of the first level; by default 1/16 of the time.
        scheme: "implicit-euler", "sdirk2" or "sdirk3", of orders 1, 2, 3.
        rtol: relative error that refinement aims at.
        ignore: names of unknowns left out of the estimate: the pressure of a cavity whose lid jumps at the
            corners is not square-integrable, and no mesh would do.
        max_levels: most meshes; 1 gives no error estimate.
        max_unknowns: most degrees of freedom; a problem whose first mesh has more is refused.
        saved: most states kept of a run in time, for interpolation between them.

    Good values: degree 2; for flows at higher Reynolds numbers ``graded=True`` and a first ``size`` of 1/16.
    Time of the direct solver grows like n^1.5 in two dimensions and n^2 in three.

    Limits: diffusion without a divergence form, first-order equations and periodic conditions are refused.
    Where a coefficient of diffusion jumps, its flux is continuous. Unknowns without a rate (a pressure) are
    extrapolated to the start of time from the first saved states.

    Source: Ern & Guermond, Theory and Practice of Finite Elements, Springer 2004; Taylor & Hood, Comput.
    Fluids 1 (1973) 73-100.
    """

    degree: int = 2
    size: float | None = None
    graded: bool = False
    dt: float | None = None
    scheme: str = "sdirk2"
    rtol: float = 1e-3
    ignore: tuple[str, ...] = ()
    max_levels: int = 8
    max_unknowns: int = 150_000
    saved: int = 256

    name: ClassVar[str] = "fem"
    summary: ClassVar[str] = (
        "finite elements on meshes, weak form derived from the symbols, refined to a tolerance"
    )
    capabilities: ClassVar[Capabilities] = Capabilities(time_marching=True, dtypes=("float64",))
    packages: ClassVar[tuple[str, ...]] = ("scikit-fem", "pyamg")
    citations: ClassVar[tuple[str, ...]] = (
        "@article{skfem2020, author={Gustafsson, T. and McBain, G. D.}, "
        "title={scikit-fem: A Python package for finite element assembly}, "
        "journal={Journal of Open Source Software}, volume={5}, number={52}, pages={2369}, year={2020}}",
    )

    def __post_init__(self) -> None:
        self.require("degree", self.degree in (1, 2), "1 or 2")
        self.require("graded", isinstance(self.graded, bool), "True or False")
        self.require("scheme", self.scheme in SCHEMES, f"one of {', '.join(SCHEMES)}")
        self.require_positive("rtol", *(name for name in ("size", "dt") if getattr(self, name) is not None))
        self.require_count("max_levels", "max_unknowns")
        self.require_count("saved", least=2)
        if isinstance(self.ignore, str | list):  # as a command line or a file gives it
            object.__setattr__(
                self, "ignore", (self.ignore,) if isinstance(self.ignore, str) else tuple(self.ignore)
            )
        self.require("ignore", isinstance(self.ignore, tuple), "a tuple of names of unknowns")

    # -- the contract ------------------------------------------------------------------------------

    def supports(self, problem: Problem) -> list[str]:
        try:
            form = WeakForm(problem)
        except UnsupportedFormError as error:
            return [str(error)]
        reasons = []
        if not problem.domain.region.is_filled:
            reasons.append(
                "a closed surface has no mesh of its inside: make one by a mesh generator, use MeshDomain"
            )
        if form.multipliers and self.degree == 1:
            reasons.append("a pressure takes elements of one degree less than the velocity: use degree=2")
        if self.graded and not problem.domain.is_box:
            reasons.append("graded=True spaces the nodes of boxes; another domain brings its own grading")
        expected = self._expected(form)
        if expected > self.max_unknowns:
            reasons.append(
                f"its first mesh would have about {expected:.2g} unknowns, more than "
                f"max_unknowns={self.max_unknowns}: take a larger size, or allow more"
            )
        strange = [name for name in self.ignore if name not in problem.unknown_names]
        if strange or len(self.ignore) == len(problem.unknowns):
            names = ", ".join(problem.unknown_names)
            reasons.append(f"ignore={self.ignore} must name some, not all, of the unknowns {names}")
        return reasons

    def start(self, problem: Problem, context: Context) -> State:
        state = State(form=WeakForm(problem))
        if not context.resuming:
            self._begin(state)
        return state

    @np.errstate(all="ignore")  # what is not finite is found by its norm
    def advance(self, state: State) -> Progress:
        system = self._system(state)
        if state.iterate is not None:
            newton.advance(system, state.iterate)
            done, failed, loss = state.iterate.is_done, state.iterate.has_failed, state.iterate.residual
        else:
            assert state.march is not None
            state.stepper.advance(state.march)
            done, failed, loss = state.march.is_done, state.march.has_failed, state.march.residual
        if failed and state.march is not None and state.halvings < MOST_HALVINGS:
            state.halvings += 1
            self._begin(state, None)
            return Progress(
                loss, fraction=self._fraction(state), message="starting again with half the time step"
            )
        if failed:
            return Progress(
                loss, status=Status.DIVERGED, message=f"{self._stage(state)}: {self._remedy(state)}"
            )
        if done:
            return self._compare(state, loss)
        return Progress(loss, fraction=self._fraction(state), message=self._stage(state))

    def field(self, state: State) -> FEMField:
        problem: Problem = state.form.problem
        level = state.answer or self._level(state)
        return FEMField(problem, self._space(state, level.number), level.times, level.saved)

    def restore(self, problem: Problem, arrays: Mapping[str, Array]) -> FEMField:
        return FEMField.from_arrays(problem, arrays)

    def error_estimate(self, state: State) -> float | None:
        return state.estimate

    def diagnose(self, state: State) -> str:
        return self._strange_place(state) or self._stage(state)

    # -- levels ------------------------------------------------------------------------------------

    def _begin(self, state: State, before: FEMField | None = None) -> None:
        """Start the level ``state.level``, a steady one from the solution of the level before."""
        form, space = state.form, self._space(state, state.level)
        system = self._system(state)
        time = form.problem.domain.time
        if time is None:
            guess = np.zeros(space.size) if before is None else _transferred(before, space)
            state.iterate, state.march = Iterate.begin(system, guess), None
            return
        start, end = time.bounds
        values, rates = np.zeros(space.size), np.zeros(space.size)
        for k in range(len(space.sizes)):
            for vector, order in ((values, 0), (rates, 1)):
                data = form.initial(k, order)
                if data is not None:
                    vector[space.block(k)] = system.interpolate(k, data, start)
        system.prescribe(values, start)
        first = max(1, round((end - start) / self.dt)) if self.dt is not None else STEPS
        doublings = state.level + state.halvings
        # Powers of two, so that every level saves at all the times of the one before.
        apart = max(0, math.ceil(math.log2(first * 2**doublings / self.saved)))
        multiple = 2 ** max(0, apart - doublings)
        steps, every = multiple * -(-first // multiple) * 2**doublings, 2**apart
        state.march = March(start, (end - start) / steps, steps, every, values, rates, [values.copy()])
        state.iterate = None

    def _mesh(self, problem: Problem, level: int) -> Mesh:
        region = problem.domain.region
        if isinstance(region, BoxRegion):
            counts = [n * 2**level for n in self._counts(region)]
            return box_mesh(
                [_nodes(axis.bounds, n, self.graded) for axis, n in zip(region.axes, counts, strict=True)]
            )
        mesh = curved(region.mesh(self.size), region)
        for _ in range(level):
            mesh = mesh.refined()
        return mesh

    def _counts(self, region: BoxRegion) -> list[int]:
        """Cells along each side of a box in the first mesh."""
        size = self.size or max(axis.length for axis in region.axes) / CELLS[len(region.axes)]
        return [max(1, round(axis.length / size)) for axis in region.axes]

    def _expected(self, form: WeakForm) -> float:
        """About how many unknowns the first mesh will have, before it is made; exact for boxes."""
        region = form.problem.domain.region
        degrees = _degrees(self.degree, form)
        if isinstance(region, BoxRegion):
            return float(sum(np.prod([n * p + 1.0 for n in self._counts(region)]) for p in degrees))
        given = len(region.triangulation.points) if isinstance(region, MeshRegion) else 0
        size = self.size or (math.inf if given else max(axis.length for axis in region.axes) / 32)
        nodes = max(given, region.measure() / size**form.dimension)
        return float(sum(nodes * p**form.dimension for p in degrees))

    def _space(self, state: State, level: int) -> Space:
        if level not in state.spaces:
            form = state.form
            state.spaces = {n: s for n, s in state.spaces.items() if n == level - 1}
            state.spaces[level] = Space(self._mesh(form.problem, level), _degrees(self.degree, form))
        return state.spaces[level]  # type: ignore[no-any-return]

    def _system(self, state: State) -> System:
        space = self._space(state, state.level)
        if state.stepper is None or state.stepper.system.space is not space:
            state.stepper = Stepper(System(state.form, space), SCHEMES[self.scheme])
        return state.stepper.system  # type: ignore[no-any-return]

    def _level(self, state: State) -> Level:
        """What the level under way has so far."""
        if state.iterate is not None:
            return Level(state.level, state.iterate.values[None].copy(), None)
        assert state.march is not None
        saved = np.stack(state.march.saved)
        # What no rate determines has no initial value either: its constraint holds from the first step on.
        nodes = min(STARTING, len(saved) - 1)
        for k, order in enumerate(state.form.order_in_time):
            if nodes and not order:
                block = self._space(state, state.level).block(k)
                weights = [(-1) ** i * math.comb(nodes, i + 1) for i in range(nodes)]
                saved[0, block] = np.tensordot(weights, saved[1 : nodes + 1, block], axes=1)
        return Level(state.level, saved, state.march.times)

    def _compare(self, state: State, loss: float) -> Progress:
        """A level is done: estimate its error, then refine or stop."""
        before = None if state.answer is None else self.field(state)
        state.answer = self._level(state)
        after = self.field(state)
        note = ""
        if before is not None:
            state.differences.append(self._distances(before, after))
            state.estimate, note = self._estimate(state)
        state.note = f"{after.space.size} unknowns" + (f", {note}" if note else "")
        status, why = self._verdict(state, after)
        if status is not None and state.iterate is not None:
            share = self._system(state).imbalance(state.iterate.values)
            if share > BALANCED:
                status = Status.DIVERGED
                why = f"sources and fluxes are out of balance by {share:.0%}: no solution was found"
        if status is not None:
            return Progress(loss, fraction=1.0, status=status, message=why)
        state.level += 1
        self._begin(state, after)
        return Progress(loss, fraction=self._fraction(state), message=why)

    def _verdict(self, state: State, field: FEMField) -> tuple[Status | None, str]:
        if state.estimate is not None and state.estimate <= self.rtol:
            return Status.CONVERGED, state.note
        if state.level + 1 >= self.max_levels:
            status = Status.COMPLETED if self.max_levels == 1 else Status.STAGNATED
            return status, f"{state.note}; max_levels={self.max_levels} allows no finer mesh"
        if field.space.size * 2**field.space.dimension > self.max_unknowns:
            return Status.STAGNATED, f"{state.note}; max_unknowns={self.max_unknowns} allows no finer mesh"
        return None, state.note

    def _estimate(self, state: State) -> tuple[float, str]:
        """The largest error of the unknowns that count, and what is to be said of it."""
        names = state.form.problem.unknown_names
        found = [_extrapolate(row, self.degree + 1) for row in zip(*state.differences, strict=True)]
        counted = {name: e for name, e in zip(names, found, strict=True) if name not in self.ignore}
        worst = max(counted, key=lambda name: counted[name][0])
        estimate, order = counted[worst]
        of = f" of {worst}" if len(names) > 1 else ""
        note = f"error estimate{of} {estimate:.1e}" + (f", observed order {order:.1f}" if order else "")
        return estimate, note + (f" ({', '.join(self.ignore)} left out)" if self.ignore else "")

    def _distances(self, before: FEMField, after: FEMField) -> list[float]:
        """Relative L2 distance of two levels, for each unknown, over the times that both have saved.

        Relative to the vector that the unknown is a component of; to the largest unknown where it vanishes.
        """
        every = (len(after.saved) - 1) // max(1, len(before.saved) - 1)
        fine = after.saved[::every] if every else after.saved
        gaps, norms = np.zeros(len(after.space.sizes)), np.zeros(len(after.space.sizes))
        for k in range(len(after.space.sizes)):
            matrix = before.space.probe(k, after.space.nodes(k))[0]
            block, coarse = after.space.block(k), before.saved[:, before.space.block(k)]
            pairs = zip(fine, coarse, strict=True)
            gaps[k] = np.linalg.norm([after.space.norm(k, f[block] - matrix @ c) for f, c in pairs])
            norms[k] = np.linalg.norm([after.space.norm(k, f[block]) for f in fine])
        problem, scales = after.problem, norms.copy()
        for members in problem.vectors.values():  # one component of a vector may well vanish
            group = [problem.unknowns.index(u) for u in members]
            scales[group] = np.linalg.norm(norms[group])
        zero = scales <= NEGLIGIBLE * norms.max()
        scales[zero] = norms.max() or 1.0
        return [float(g) for g in gaps / scales]

    # -- words -------------------------------------------------------------------------------------

    def _stage(self, state: State) -> str:
        size = self._space(state, state.level).size
        where = f"level {state.level + 1}, {size} unknowns"
        if state.march is not None:
            return f"{where}, t = {state.march.time:.4g}"
        assert state.iterate is not None
        part = "" if state.iterate.homotopy == 1 else f", {state.iterate.homotopy:.2g} of the nonlinear part"
        return f"{where}, Newton step {state.iterate.iterations}{part}"

    def _remedy(self, state: State) -> str:
        place = self._strange_place(state)
        if place is not None:
            return f"{place} is not finite"
        if state.form.is_linear:
            return "the linear system is singular: conditions that make the solution unique are missing"
        if state.march is not None:
            return "Newton's method failed within a time step; choose a smaller dt or size"
        return "Newton's method failed, with continuation too: choose a smaller size"

    def _strange_place(self, state: State) -> str | None:
        system = self._system(state)
        if state.iterate is not None:
            return system.strange_place(state.iterate.values, Moment())
        assert state.march is not None
        # Where the step that failed leads: a stage's own values are not kept.
        return system.strange_place(
            state.march.values, Moment(state.march.time + state.march.step, h=state.march.rates)
        )

    def _fraction(self, state: State) -> float:
        """Work done over that of two levels, or of those begun where there are more."""
        factor = 2.0 ** (self._space(state, state.level).dimension + (state.march is not None))
        planned = max(2, state.level + 1) if self.max_levels > 1 else 1
        if state.march is not None:
            share = state.march.steps_done / state.march.steps
        else:
            assert state.iterate is not None
            share = min(0.9, state.iterate.iterations / 6)
        costs = factor ** np.arange(planned)
        return float((costs[: state.level].sum() + share * costs[state.level]) / costs.sum())


def _degrees(degree: int, form: WeakForm) -> list[int]:
    """Polynomial degree of each unknown."""
    return [degree - (k in form.multipliers) for k in range(len(form.slots))]


def _transferred(field: FEMField, space: Space) -> Array:
    """The last saved state of a field, interpolated on another mesh."""
    parts = [
        field.space.probe(k, space.nodes(k))[0] @ field.saved[-1][field.space.block(k)]
        for k in range(len(space.sizes))
    ]
    return np.concatenate(parts)


def _nodes(bounds: tuple[float, float], count: int, graded: bool) -> Array:
    """Coordinates of the nodes along one side: equal or at cosine spacing."""
    share = np.linspace(0.0, 1.0, count + 1)
    if graded:
        share = (1 - np.cos(np.pi * share)) / 2
    nodes = bounds[0] + (bounds[1] - bounds[0]) * share
    nodes[[0, -1]] = bounds
    return np.asarray(nodes)


def _extrapolate(differences: Sequence[float], highest: float) -> tuple[float, float | None]:
    """Error of the finest level and the observed order, from the distances between successive levels."""
    last = differences[-1]
    if len(differences) < 2 or last == 0 or differences[-2] <= 0:
        return last, None
    order = float(np.log2(differences[-2] / last))
    return last / (2 ** float(np.clip(order, 0.5, highest)) - 1), order
