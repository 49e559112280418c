"""`observe`: sensors on a member of a family, for studies of how well it is recovered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .declare import PDESolveError, Problem
from .declare.domain import Array
from .declare.family import Family, Seed
from .declare.reference import Reference
from .driver import solve
from .residual.program import lower
from .solution import Solution


class ObserveError(PDESolveError):
    """Sensors that make no sense."""


def observe(
    family: Family,
    member: Seed,
    sensors: Mapping[str, int | Array],
    *,
    noise: float = 0.0,
    seed: int = 0,
    nodes: int | None = None,
    times: int = 64,
    truth: Solution | None = None,
) -> Problem:
    """Solve a member by its reference backend, put sensors on it, and forget the rest.

    Args:
        family: whose member it is; ``member`` is the seed of `Family.sample`.
        sensors: for unknowns and inputs, by name: points (n, d), or how many are to be drawn at random. A
            number of sensors on an evolution are places in space, each read at ``times`` times.
        noise: standard deviation, relative to that of all values of the field at its sensors.
        seed: of places and noise.
        nodes: draw places among so many nodes on each axis, both ends included where it is not periodic; None
            for places anywhere.
        truth: the solution of the member, where it is at hand.

    Returns:
        `Family.observed` with these values, and the member itself as its reference.

    >>> problem = pde.observe(pde.family("darcy-random"), 7, {"u": 60})      # doctest: +SKIP
    >>> solution = pde.solve(problem, "diffusion")                          # doctest: +SKIP

    Raises:
        ObserveError: a name is unknown, or a number of sensors or points make no sense.
    """
    problem = family.sample(member)
    fields = dict(zip(problem.unknown_names, problem.unknowns, strict=True))
    inputs = {} if problem.domain.time is not None else dict(problem.inputs)
    if not sensors or not set(sensors) <= {*fields, *inputs}:
        raise ObserveError(
            f"observe({family.name!r})",
            f"sensors of {', '.join([*fields, *inputs])}",
            ", ".join(sensors) or "none",
            "Name what is measured.",
        )
    if truth is None:
        reference = problem.reference
        backend = "spectral" if reference is None or reference.backend is None else reference.backend
        options: Any = {} if reference is None else reference.options
        truth = solve(problem.replace(reference=None), backend, progress=False, **options)
    exact = _Exact(problem, truth, tuple(inputs))
    rng = np.random.default_rng([seed, *np.atleast_1d(member)])
    observations, noises = {}, {}
    for name, given in sensors.items():
        points = _points(family.name, problem, name, given, nodes, times, rng)
        values = exact.of(name, points)
        noises[name] = noise * float(values.std())
        observations[name] = (points, values + noises[name] * rng.standard_normal(len(values)))
    error = truth.error_estimate
    description = f"member {member} by {truth.provenance.get('backend', 'a solver')}"
    reference = Reference(function=exact, error=error, description=description)
    return family.observed(observations, noise=noises, reference=reference)


class _Exact:
    """The member's unknowns, then its inputs, at points (n, d)."""

    def __init__(self, problem: Problem, truth: Solution, inputs: tuple[str, ...]) -> None:
        self.truth, self.names = truth, (*problem.unknown_names, *inputs)
        self.own = len(problem.unknowns)
        self.inputs = {k: lower(list(problem.coordinates), problem.inputs[k], "numpy") for k in inputs}

    def __call__(self, points: Array) -> Array:
        columns = [self.truth.values(points)]
        columns += [self._input(name, points)[:, None] for name in self.inputs]
        return np.concatenate(columns, axis=1)

    def of(self, name: str, points: Array) -> Array:
        if name in self.inputs:
            return self._input(name, points)
        return np.asarray(self.truth.values(points)[:, self.names.index(name)])

    def _input(self, name: str, points: Array) -> Array:
        values = self.inputs[name](*points.T)
        return np.broadcast_to(np.asarray(values, dtype=np.float64), len(points)).copy()


def _points(
    who: str,
    problem: Problem,
    name: str,
    given: int | Array,
    nodes: int | None,
    times: int,
    rng: np.random.Generator,
) -> Array:
    bounds = problem.domain.bounds
    if not isinstance(given, int | np.integer):
        points = np.asarray(given, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != len(bounds):
            raise ObserveError(
                f"observe({who!r}), {name}",
                f"points (n, {len(bounds)}) or a number of sensors",
                f"shape {points.shape}",
                "Give coordinates in the order of the problem.",
            )
        return points
    space = bounds if problem.domain.time is None else bounds[:-1]
    places = (
        rng.uniform(space[:, 0], space[:, 1], (max(given, 0), len(space)))
        if nodes is None
        else _some_nodes(problem, nodes, given, rng)
    )
    if not 0 < len(places) == given:
        raise ObserveError(
            f"observe({who!r}), {name}",
            "at least one sensor, and no more than there are nodes",
            str(given),
            "Change the number.",
        )
    if problem.domain.time is None:
        return places
    instants = np.linspace(float(bounds[-1, 0]), float(bounds[-1, 1]), times)
    return np.concatenate([np.repeat(places, times, axis=0), np.tile(instants, given)[:, None]], axis=1)


def _some_nodes(problem: Problem, nodes: int, count: int, rng: np.random.Generator) -> Array:
    """Different nodes of a tensor grid in space, at most as many as there are."""
    axes = []
    for i, (begin, end) in enumerate(problem.domain.bounds[: len(problem.domain.space)]):
        periodic = all(i in problem.periodic_axes(u) for u in problem.unknowns)
        axes.append(np.linspace(float(begin), float(end), nodes, endpoint=not periodic))
    every = np.stack([g.ravel() for g in np.meshgrid(*axes, indexing="ij")], axis=1)
    chosen = rng.choice(len(every), size=min(max(count, 0), len(every)), replace=False)
    return np.asarray(every[chosen])


__all__ = ["ObserveError", "observe"]
