"""`generate`: data sets of a family, solved by the classical backends."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .data.dataset import Dataset
from .data.pdebench import Writer, read_hdf5
from .declare import DeclarationError, Initial, PDESolveError
from .declare.domain import Array
from .declare.family import Family
from .driver import solve
from .progress import ProgressBar
from .residual.fourier.ensemble import evolve
from .residual.fourier.evolution import Evolution, InitialData
from .residual.stencil import EllipticForm, Stencil, converged
from .solution.output import check_writable

SIDE_BY_SIDE = 1e-6
"""Relative error of members that go side by side."""
FINEST = 4096
"""Points on an axis on which initial data are sampled, at most."""
PART = 64 << 20
"""Bytes of solutions that are computed before they are written."""
TOGETHER = 32
"""Members whose elliptic equations are solved at a time: their finest nodes stay near the processor."""


COARSE = 9
"""Nodes on an axis, on which a family is tried."""


class GenerateError(PDESolveError):
    """A data set cannot be made as asked."""


@dataclass(frozen=True)
class Grid:
    """Where the solutions are stored: uniform, ends repeated on open axes only."""

    coordinates: tuple[Array, ...]
    times: Array | None

    @classmethod
    def of(cls, family: Family, points: int | None, times: int | None) -> Grid:
        problem = family.typical
        n = family.points if points is None else points
        axes = []
        for i, (lower, upper) in enumerate(problem.domain.bounds[: len(problem.domain.space)]):
            periodic = all(i in problem.periodic_axes(u) for u in problem.unknowns)
            axes.append(np.linspace(lower, upper, n, endpoint=not periodic))
        if problem.domain.time is None:
            return cls(tuple(axes), None)
        begin, end = problem.domain.bounds[-1]
        return cls(tuple(axes), np.linspace(begin, end, family.times if times is None else times))

    @property
    def size(self) -> int:
        """Numbers that one unknown of one member takes."""
        return int(
            np.prod([len(c) for c in self.coordinates]) * (1 if self.times is None else len(self.times))
        )


def generate(
    family: Family,
    n: int,
    out: str | Path,
    *,
    seed: int = 0,
    points: int | None = None,
    times: int | None = None,
    rtol: float | None = None,
    dtype: str = "float32",
    workers: int | None = None,
    progress: bool | None = None,
) -> Dataset:
    """Solve ``n`` members of a family and write them to an HDF5 file in the layout of PDEBench.

    Periodic evolutions whose inputs are initial data go side by side in one batch, and so do linear
    elliptic equations on boxes (`residual.stencil`); members of other families are solved one by one, in
    ``workers`` processes, by the backend that the family names as its reference. Member i is that of
    ``family.sample((seed, i))``, whatever n is: a file that is continued, or made again longer, starts with
    the same members.

    Args:
        family: of the catalogue (``pdesolve.family("burgers-random")``) or of your own.
        n: members that the file shall hold; what it holds already is kept.
        out: the file. A killed run goes on from it.
        seed: of all random draws.
        points, times: of the stored grid; by default the family's own.
        rtol: relative L2 error of each member, estimated and stored beside it. None for 1e-6 of evolutions
            side by side, and what the family asks of its reference for all others.
        dtype: ``float32`` or ``float64``, as stored.
        workers: processes, for members that are solved one by one; None for one.
        progress: show a progress bar; None shows it on a terminal.

    Raises:
        GenerateError: a member was not solved, or an argument makes no sense.
        DatasetError: the file holds members of another recipe.
    """
    target = check_writable(out)
    given = [n, seed + 1, *(c for c in (points, times) if c is not None)]
    counts = all(isinstance(c, int) and c >= least for c, least in zip(given, (1, 1, 4, 2), strict=False))
    if dtype not in ("float32", "float64") or not counts or (rtol is not None and not 0 < rtol < 1):
        raise GenerateError(
            "generate()",
            "n >= 1, seed >= 0, points >= 4, times >= 2, 0 < rtol < 1, and float32 or float64",
            f"n={n}, seed={seed}, points={points}, times={times}, rtol={rtol}, dtype={dtype!r}",
            "Correct the argument.",
        )
    shared = _shared_evolution(family) or _shared_form(family)
    if rtol is None:
        rtol = SIDE_BY_SIDE if isinstance(shared, Evolution) else _own_tolerance(family)
    grid = Grid.of(family, points, times)
    recipe = {
        **family.recipe(),
        "declaration": family.digest,
        "seed": seed,
        "points": [len(c) for c in grid.coordinates],
        "times": None if grid.times is None else len(grid.times),
        "rtol": rtol,
        "dtype": dtype,
        "version": version("pdesolve"),
    }
    writer = Writer(target, recipe)
    first = writer.complete()
    with ProgressBar(f"{family.name} · data", progress) as bar:
        for part in _parts(family, shared, grid, seed, range(first, n), rtol, workers, bar):
            writer.append(_stored(part, dtype), n)
    return read_hdf5(out)


def _own_tolerance(family: Family) -> float:
    """What the family asks of its reference."""
    reference = family.typical.reference
    return float(reference.options.get("rtol", SIDE_BY_SIDE)) if reference is not None else SIDE_BY_SIDE


def _stored(part: Dataset, dtype: str) -> Dataset:
    fields = {name: rows.astype(dtype) for name, rows in part.fields.items()}
    return replace(part, values=part.values.astype(dtype), fields=fields)


def _parts(
    family: Family,
    shared: Evolution | EllipticForm | None,
    grid: Grid,
    seed: int,
    members: range,
    rtol: float,
    workers: int | None,
    bar: ProgressBar,
) -> Iterator[Dataset]:
    """The data set in pieces that are written one by one."""
    size = max(1, PART // (8 * grid.size * len(family.typical.unknowns)))
    if shared is None:
        size = min(size, 16 * (workers or 1))
    pool: Any = nullcontext()
    if shared is None and (workers or 1) > 1:
        pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_one_thread)
    with pool as executor:
        for first in range(members.start, members.stop, size):
            chosen = range(first, min(first + size, members.stop))

            def report(done: int, first: int = first) -> None:
                bar.count(first + done, members.stop, "members")

            if isinstance(shared, Evolution):
                yield _side_by_side(family, shared, grid, seed, chosen, rtol, report)
            elif shared is not None:
                yield _elliptic(family, shared, grid, seed, chosen, rtol, report)
            else:
                yield _one_by_one(family, grid, seed, chosen, rtol, executor, report)
            report(len(chosen))


# -- periodic evolutions ----------------------------------------------------------------------------


def _shared_evolution(family: Family) -> Evolution | None:
    """The evolution that all members share, where they differ in their initial data alone."""
    one, other = family.sample(0), family.sample(1)
    every = tuple(range(len(one.domain.space)))
    if one.domain.time is None or family.numbers or one.equations != other.equations:
        return None
    if not all(one.periodic_axes(u) == every for u in one.unknowns) or one.parameters != other.parameters:
        return None
    try:
        found = Evolution(one)
    except ValueError:
        return None
    return found if all(order == 0 for _, order in found.components[: found.dynamic]) else None


def _side_by_side(
    family: Family, evolution: Evolution, grid: Grid, seed: int, members: range, rtol: float, report: Any
) -> Dataset:
    assert grid.times is not None
    start = _resolved(family, evolution, grid, seed, members, rtol)
    values, errors = evolve(evolution, start, grid.times, len(grid.coordinates[0]), rtol, report)
    names = tuple(evolution.problem.unknown_names[k] for k, _ in evolution.components[: evolution.dynamic])
    return Dataset(values, names, grid.coordinates, grid.times, *_inputs(family, seed, members, grid), errors)


def _resolved(
    family: Family, evolution: Evolution, grid: Grid, seed: int, members: range, rtol: float
) -> Array:
    """Initial values (N, components, *grid) on a grid that resolves them, whatever grid is stored."""
    n = 2 * len(grid.coordinates[0])
    while True:
        bounds = evolution.problem.domain.bounds[:-1]
        axes = tuple(np.linspace(lower, upper, n, endpoint=False) for lower, upper in bounds)
        values = _initial(family, evolution, seed, members, axes)
        along = [np.moveaxis(np.abs(np.fft.rfft(values, axis=a)), a, -1) for a in range(2, values.ndim)]
        tail = max(np.linalg.norm(k[..., n // 3 :]) / np.linalg.norm(k) for k in along)
        if tail < rtol / 10:
            return values
        if n >= FINEST // len(along):
            raise GenerateError(
                f"{family.name}, initial data",
                f"fields that {n} points on an axis resolve to {rtol:.0e}",
                f"a share of {tail:.1e} beyond a third of their wavenumbers",
                "Draw smoother fields, or raise rtol.",
            )
        n *= 2


def _initial(
    family: Family, evolution: Evolution, seed: int, members: range, axes: tuple[Array, ...]
) -> Array:
    """Initial values (N, components, *grid)."""
    components = evolution.components[: evolution.dynamic]
    typical = evolution.problem
    data = {c.unknown: c.value for c in typical.of_type(Initial)}
    inputs = {expression: key for key, expression in typical.inputs.items()}
    keys = [inputs.get(data[typical.unknowns[k]]) for k, _ in components]
    if None not in keys:  # the inputs themselves: no declaration of each member is needed
        draws = [family.values((seed, i), axes) for i in members]
        return np.stack([np.stack([draw[str(key)] for key in keys]) for draw in draws])
    return np.stack([InitialData(family.sample((seed, i))).on_grid(components, axes) for i in members])


def _inputs(
    family: Family, seed: int, members: range, grid: Grid
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Fields (N, *grid) and numbers (N,) of the members."""
    draws = [family.values((seed, i), grid.coordinates) for i in members]
    stacked = {key: np.stack([draw[key] for draw in draws]) for key in family.inputs}
    return {k: stacked[k] for k in family.fields}, {k: stacked[k] for k in family.numbers}


# -- linear elliptic equations -----------------------------------------------------------------------


def _shared_form(family: Family) -> EllipticForm | None:
    """The form that all members share, where they differ in their coefficients and sources alone.

    None as well where their operator is not definite, which conjugate gradients need.
    """
    if family.numbers or family.typical.domain.time is not None:
        return None
    try:
        form = EllipticForm(family.undetermined)
        stencil = Stencil(form, COARSE)
        values = family.values(0, stencil.axes)
        stencil.solve({key: torch.from_numpy(field)[None] for key, field in values.items()})
    except (DeclarationError, ValueError, ArithmeticError):
        return None
    return form


def _elliptic(
    family: Family, form: EllipticForm, grid: Grid, seed: int, members: range, rtol: float, report: Any
) -> Dataset:
    names, points = (form.unknown.func.__name__,), len(grid.coordinates[0])
    values, errors = [], []
    for first in range(members.start, members.stop, TOGETHER):
        chosen = range(first, min(first + TOGETHER, members.stop))

        def draw(axes: tuple[Array, ...], chosen: range = chosen) -> dict[str, torch.Tensor]:
            drawn = [family.values((seed, i), axes) for i in chosen]
            return {key: torch.from_numpy(np.stack([d[key] for d in drawn])) for key in family.inputs}

        try:
            u, error = converged(form, draw, points, rtol)
        except ArithmeticError as failure:
            raise GenerateError(
                f"{family.name}, members {chosen.start} to {chosen.stop - 1} of seed {seed}",
                f"solutions of relative error {rtol:.0e} by finite volumes",
                str(failure),
                "Raise rtol.",
            ) from failure
        values.append(u.numpy())
        errors.append(error.numpy())
        report(chosen.stop - members.start)
    inputs = _inputs(family, seed, members, grid)
    return Dataset(
        np.concatenate(values)[:, None, None], names, grid.coordinates, None, *inputs, np.concatenate(errors)
    )


# -- all others ----------------------------------------------------------------------------------------


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _one_by_one(
    family: Family,
    grid: Grid,
    seed: int,
    members: range,
    rtol: float,
    executor: Executor | None,
    report: Any,
) -> Dataset:
    tasks = [(family, grid, seed, i, rtol) for i in members]
    found = map(_solve_member, tasks) if executor is None else executor.map(_solve_member, tasks)
    rows = []
    for done, row in enumerate(found, 1):
        rows.append(row)
        report(done)
    values, errors = (np.stack([row[k] for row in rows]) for k in (0, 1))
    fields, numbers = _inputs(family, seed, members, grid)
    names = family.typical.unknown_names
    return Dataset(values, names, grid.coordinates, grid.times, fields, numbers, errors)


def _solve_member(task: tuple[Family, Grid, int, int, float]) -> tuple[Array, float]:
    """Values (times, unknowns, *grid) of one member, and its estimated error."""
    family, grid, seed, i, rtol = task
    problem = family.sample((seed, i))
    reference = problem.reference
    backend = "spectral" if reference is None or reference.backend is None else reference.backend
    solution = solve(problem.replace(reference=None), backend, rtol=rtol, progress=False, throw=False)
    if not solution.success:
        raise GenerateError(
            f"{family.name}, member {i} of seed {seed}",
            f"a solution of relative error {rtol:.0e} by {backend}",
            f"{solution.status.name}: {solution.message}",
            "Raise rtol, or give the family a reference that another backend computes.",
        )
    axes = [*grid.coordinates, *([] if grid.times is None else [grid.times])]
    grids = np.meshgrid(*axes, indexing="ij")
    values = solution(np.stack([g.ravel() for g in grids], axis=1)).T.reshape(-1, *grids[0].shape)
    ordered = values[None] if grid.times is None else np.moveaxis(values, -1, 0)
    return ordered, float("nan") if solution.error_estimate is None else solution.error_estimate


__all__ = ["GenerateError", "generate"]
