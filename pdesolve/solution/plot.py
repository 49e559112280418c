"""Pictures of a solution, drawn on a `Figure` without pyplot: nothing global is touched.

| problem          | one row for each unknown                                             |
|------------------|----------------------------------------------------------------------|
| one coordinate   | line, reference dashed; error                                        |
| 1-D and time     | x–t image; slices at four times, reference dashed; error image       |
| 2-D and more     | image over the first two space axes at the last time, others halfway; error image |

A shape of the plane is drawn on its mesh, with its boundary; of a region in space the largest of the three
slices through the middle of its bounding box.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..declare.domain import Array, Domain, Grid
from .errors import ReferenceUnresolvedError
from .labels import axis_label, unit_of
from .norms import default_grid, on_grid
from .visualisation import at_time, region_mesh

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .references import ResolvedReference
    from .solution import Solution

INK, ACCENT, GUIDE = "#222222", "#c1440e", "#d9d9d9"
SLICES = (0.0, 1 / 3, 2 / 3, 1.0)
DPI = 150
SHAPE_POINTS = 65
"""Nodes along the longest side of a shape."""


def plot(solution: Solution, figure: Figure | None = None) -> Figure:
    """Draw a solution; save it with ``solution.plot().savefig("u.png")``.

    Args:
        solution: what to draw.
        figure: a figure to draw on, cleared first; by default a new one of fitting size.
    """
    from matplotlib.figure import Figure

    problem = solution.problem
    domain = problem.domain
    if len(domain.axes) == 1:
        width, height, draw = 7.0, 3.4, _curve
    elif len(domain.space) == 1:
        width, height, draw = 12.0, 3.4, _space_time
    elif len(domain.space) == 2 and not domain.is_box:
        sides = [axis.length for axis in domain.space]
        width, height, draw = 9.0, min(3.8, 1.0 + 3.3 * sides[1] / sides[0]), _shape
    else:
        width, height, draw = 9.0, 3.8, _plane
    if solution.reference is None and draw is not _curve:
        width *= 0.68 if draw is _space_time else 0.56
    if figure is None:
        figure = Figure(figsize=(width, 0.6 + height * len(problem.unknowns)), dpi=DPI)
    else:
        figure.clear()
    figure.set_layout_engine("constrained", w_pad=0.1, h_pad=0.08, wspace=0.03)
    figure.suptitle(_title(solution), fontsize=11, color=INK)
    draw(solution, figure)
    return figure


def _title(solution: Solution) -> str:
    backend = solution.provenance.get("backend", "")
    parts = [solution.problem.name, *([f"by {backend}"] if backend else [])]
    norms = solution.measure()
    if norms is not None and math.isfinite(norms.relative_l2):
        parts.append(f"relative L2 error {norms.relative_l2:.2g}")
    if not solution.success:
        parts.append(solution.status.name.replace("_", " ").lower())
    return "  ·  ".join(parts)


def _table(solution: Solution, grid: Grid) -> tuple[Array, Array | None]:
    """Values and reference on a grid, each (*shape, k), NaN outside the domain."""
    values = on_grid(solution.problem, grid, solution.values)
    return values, _exact(solution, lambda reference: on_grid(solution.problem, grid, reference.values))


def _exact(solution: Solution, evaluate: Callable[[ResolvedReference], Array]) -> Array | None:
    try:
        return None if solution.reference is None else evaluate(solution.reference)
    except ReferenceUnresolvedError:  # known on another grid only
        return None


def _curve(solution: Solution, figure: Any) -> None:
    grid = default_grid(solution.problem)
    values, exact = _table(solution, grid)
    coordinate, axis = solution.problem.coordinates[0], grid.axes[0]
    ratios = [3, 1.2] if exact is not None else [1]
    panels = figure.subplots(
        len(ratios) * len(solution.problem.unknowns),
        1,
        sharex=True,
        squeeze=False,
        height_ratios=ratios * len(solution.problem.unknowns),
    )[:, 0]
    for k, unknown in enumerate(solution.problem.unknowns):
        panel = panels[k * len(ratios)]
        panel.plot(axis, values[:, k], color=ACCENT, lw=2, label="solution")
        panel.set_ylabel(axis_label(solution.problem, unknown))
        _tidy(panel)
        if exact is not None:
            panel.plot(axis, exact[:, k], color=INK, lw=1.2, ls=(0, (4, 3)), label="reference")
            panel.legend(frameon=False, fontsize=9)
            below = panels[k * len(ratios) + 1]
            below.plot(axis, values[:, k] - exact[:, k], color=ACCENT, lw=1.2)
            below.axhline(0, color=INK, lw=0.6)
            below.set_ylabel("error")
            below.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3), useMathText=True)
            _tidy(below)
    panels[-1].set_xlabel(axis_label(solution.problem, coordinate))
    panels[-1].set_xlim(axis[0], axis[-1])


def _space_time(solution: Solution, figure: Any) -> None:
    problem = solution.problem
    grid = default_grid(problem)
    values, exact = _table(solution, grid)
    x, t = grid.axes
    panels = figure.subplots(len(problem.unknowns), 2 if exact is None else 3, squeeze=False)
    labels = [axis_label(problem, c) for c in problem.coordinates]
    for k, unknown in enumerate(problem.unknowns):
        name, u = axis_label(problem, unknown), values[..., k]
        _heat(figure, panels[k, 0], (t, x), u, name, (labels[1], labels[0]))
        panel = panels[k, 1]
        shades = _shades(len(SLICES))
        for share, shade in zip(SLICES, shades, strict=True):
            i = round(share * (len(t) - 1))
            panel.plot(x, u[:, i], color=shade, lw=1.8, label=f"{problem.coordinates[1]} = {t[i]:.3g}")
            # where the slice is taken
            ends = (x[0], x[-1])
            panels[k, 0].plot([t[i], t[i]], ends, color="white", lw=0.8, ls=(0, (1, 2)))
            panels[k, 0].plot([t[i]], ends[1:], marker="v", ms=7, color=shade, clip_on=False, zorder=5)
            if exact is not None:
                panel.plot(x, exact[:, i, k], color=INK, lw=1, ls=(0, (4, 3)))
        if exact is not None:
            panel.plot([], [], color=INK, lw=1, ls=(0, (4, 3)), label="reference")
        panel.set(xlabel=labels[0], xlim=(x[0], x[-1]))
        panel.set_title(name, loc="left", fontsize=10, color=INK, pad=10)
        panel.legend(frameon=False, fontsize=8)
        _tidy(panel)
        if exact is not None:
            error = u - exact[..., k]
            _heat(
                figure,
                panels[k, 2],
                (t, x),
                error,
                _error_label(solution, unknown),
                (labels[1], labels[0]),
                True,
            )


def _plane(solution: Solution, figure: Any) -> None:
    problem = solution.problem
    grid = _plane_grid(solution)
    values, exact = _table(solution, grid)
    axes = dict(zip(problem.coordinates, grid.axes, strict=True))
    (first, x), (second, y) = [(c, axis) for c, axis in axes.items() if len(axis) > 1]
    shape = (len(x), len(y))
    fixed = [f"{c} = {axis[0]:.3g}" for c, axis in axes.items() if len(axis) == 1]
    panels = figure.subplots(len(problem.unknowns), 1 if exact is None else 2, squeeze=False)
    labels = (axis_label(problem, first), axis_label(problem, second))
    equal = 0.25 < (x[-1] - x[0]) / (y[-1] - y[0]) < 4
    for k, unknown in enumerate(problem.unknowns):
        u = values[..., k].reshape(shape)
        _heat(figure, panels[k, 0], (x, y), u.T, axis_label(problem, unknown), labels)
        panels[k, 0].set_title(", ".join(fixed), loc="right", fontsize=9, color=INK, pad=10)
        if exact is not None:
            error = u - exact[..., k].reshape(shape)
            _heat(figure, panels[k, 1], (x, y), error.T, _error_label(solution, unknown), labels, True)
        if equal:
            for panel in panels[k]:
                panel.set_aspect("equal")


def _shape(solution: Solution, figure: Any) -> None:
    """Values and error on a mesh of the region, at the last time."""
    from matplotlib.collections import LineCollection
    from matplotlib.tri import Triangulation

    problem = solution.problem
    mesh, time = region_mesh(solution, SHAPE_POINTS), problem.domain.time
    points = at_time(mesh.points, None if time is None else time.bounds[1])
    values = solution.values(points)
    exact = _exact(solution, lambda reference: np.asarray(reference.values(points)))
    triangles = Triangulation(*mesh.points.T, mesh.cells[:, :3])
    panels = figure.subplots(len(problem.unknowns), 1 if exact is None else 2, squeeze=False)
    labels = (axis_label(problem, problem.coordinates[0]), axis_label(problem, problem.coordinates[1]))
    for k, unknown in enumerate(problem.unknowns):
        columns = [(values[:, k], axis_label(problem, unknown), False)]
        if exact is not None:
            columns.append((values[:, k] - exact[:, k], _error_label(solution, unknown), True))
        for panel, (shown, label, is_error) in zip(panels[k], columns, strict=True):
            triangles.set_mask(~np.isfinite(shown)[triangles.triangles].all(axis=1))
            colours = _colours(shown, is_error)
            shown = np.nan_to_num(shown)  # of masked triangles
            image = panel.tripcolor(triangles, shown, shading="gouraud", rasterized=True, **colours)
            _describe(figure, panel, image, label, labels)
            panel.add_collection(LineCollection(list(mesh.points[mesh.facets]), colors=INK, linewidths=0.8))
            panel.set_aspect("equal")
            panel.spines[:].set_visible(False)
        if time is not None:
            panels[k, 0].set_title(
                f"{time.coordinate} = {time.bounds[1]:.3g}", loc="right", fontsize=9, color=INK, pad=10
            )


def _plane_grid(solution: Solution) -> Grid:
    """Two space axes, the first ones of a box; the others at one node each, halfway or at the last time."""
    domain, axes = solution.problem.domain, default_grid(solution.problem).axes
    if not domain.is_box:
        return _slice(domain)
    if len(axes) > 4:  # too coarse for a picture
        axes = solution.problem.domain.grid(101).axes
    rest = [axis[len(axis) // 2 : len(axis) // 2 + 1] for axis in axes[2:]]
    if domain.time is not None:
        rest[-1] = axes[-1][-1:]
    return Grid((*axes[:2], *rest))


def _slice(domain: Domain) -> Grid:
    """Of the slices through the middle of a region's bounding box the one with the largest part inside."""
    axes = domain.grid(101).axes
    slices = []
    for i in range(len(domain.space)):
        kept = [axis[50:51] if j == i else axis for j, axis in enumerate(axes)]
        slices.append(Grid((*kept[: len(domain.space)], *(axis[-1:] for axis in axes[len(domain.space) :]))))
    return max(slices, key=lambda grid: np.count_nonzero(domain.contains(grid.points)))


def _heat(
    figure: Any,
    panel: Any,
    axes: tuple[Array, Array],
    values: Array,
    label: str,
    names: tuple[str, str],
    is_error: bool = False,
) -> None:
    """An image of values (vertical, horizontal)."""
    shading = "gouraud" if np.isfinite(values).all() else "nearest"
    image = panel.pcolormesh(*axes, values, shading=shading, rasterized=True, **_colours(values, is_error))
    _describe(figure, panel, image, label, names)


def _colours(values: Array, is_error: bool) -> dict[str, Any]:
    """Colour map and limits, symmetric about zero where signs matter."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    largest = max(abs(low), abs(high)) or 1e-16
    signed = is_error or (low < -0.1 * largest and high > 0.1 * largest)
    return {
        "cmap": "PuOr_r" if is_error else "RdBu_r" if signed else "viridis",
        "vmin": -largest if signed else low,
        "vmax": largest if signed else high,
    }


def _describe(figure: Any, panel: Any, image: Any, label: str, names: tuple[str, str]) -> None:
    """Labels, title and colour bar."""
    panel.set(xlabel=names[0], ylabel=names[1])
    panel.locator_params(axis="x", nbins=6)  # more labels run into each other
    panel.set_title(label, loc="left", fontsize=10, color=INK, pad=10)
    # an inset keeps the height of the panel, whatever its aspect
    bar = figure.colorbar(image, cax=panel.inset_axes((1.03, 0, 0.04, 1)))
    bar.outline.set_visible(False)
    bar.formatter.set_powerlimits((-2, 3))
    bar.formatter.set_useMathText(True)


def _error_label(solution: Solution, unknown: Any) -> str:
    unit = unit_of(solution.problem, unknown)
    return f"error of {unknown.func.__name__}" + (f" [{unit}]" if unit else "")


def _shades(count: int) -> list[Any]:
    from matplotlib import colormaps

    return [colormaps["plasma"](0.05 + 0.75 * i / max(1, count - 1)) for i in range(count)]


def _tidy(panel: Any) -> None:
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(color=GUIDE, lw=0.5)
    panel.set_axisbelow(True)
