"""How well an answer of collocation satisfies its problem between the points where that was imposed.

Two grids agree on a source that both miss, so that their difference is no warning. Here every equation and
condition is evaluated with the answer on a finer grid, relative to the size of what it is made of:

    ‖r‖ / ‖Σ_α |∂r/∂(∂^α u) ∂^α u| + |r|‖
"""

from __future__ import annotations

import numpy as np

from ...declare import Initial, Value
from ...declare.domain import Array
from ...residual.program import LoweredTerm
from .collocation import initial_data, tensor
from .grid_field import GridField
from .structure import Structure

POINTS = (1, 1999, 61, 21)
"""Points an axis of the finer grid, by the number of space coordinates."""
GAP = 10.0
"""How much larger a defect is than what the tail of the expansion explains: that of a kink is explained."""


def unseen(structure: Structure, field: GridField, rtol: float, times: Array | None = None) -> float:
    """The largest relative defect of the answer at ``times``, where its own expansion does not foretell it.

    Below the cube root of ``rtol`` a defect is not held against an answer: derivatives are less accurate.
    """
    program, bounds = structure.program, structure.program.problem.domain.bounds
    space = len(structure.periodic)
    count = POINTS[space]
    fine = [a + (b - a) * (np.arange(count) + 0.5) / count for a, b in bounds[:space].tolist()]
    nodal = field.nodal(times)
    tail = max(float(field.layout.tails(v).max(initial=0.0)) for v in nodal)
    most = max((axis.n for axes in field.layout.axes for axis in axes), default=1)
    box = [*fine, *([] if times is None else [times])]
    largest = 0.0
    for term in (*program.equations, *program.conditions):
        condition = term.term.condition
        columns = list(box)
        if isinstance(condition, Initial):
            share, order = _of_initial(field, condition, columns[:space]), 0
        else:
            if isinstance(condition, Value):
                for axis, place in term.term.fixed.items():
                    columns[axis] = np.array([place])
            elif condition is not None:
                face = structure.program.problem.domain.face(term.term.region)
                if face.axis is not None:
                    columns[face.axis] = bounds[face.axis, 1 if face.side > 0 else 0][None]
            share = _of_term(field, term, columns, box)
            order = max(sum(index[:space]) for _, index in term.derivatives)
        if share > max(rtol ** (1 / 3), GAP * tail * float(most) ** order):
            largest = max(largest, share)
    return largest


def _of_term(field: GridField, term: LoweredTerm, columns: list[Array], box: list[Array]) -> float:
    points = tensor(columns)
    found = [f.ravel() for f in field.on_grid(columns, term.derivatives)]
    arguments = [*found, *points.T, *(f(points) for f in term.term.inputs.values())]
    with np.errstate(all="ignore"):  # what is not finite counts as nothing
        residual = np.abs(term.function("numpy")(*arguments))
        size = np.array(residual)
        parts = zip(term.linearisation("numpy")(*arguments), found, _sizes(field, term, box), strict=True)
        for slope, value, least in parts:
            size = size + np.abs(slope) * np.maximum(np.abs(value), least)
    return _share(residual, size)


def _sizes(field: GridField, term: LoweredTerm, box: list[Array]) -> list[float]:
    """The size of each derivative over the whole box: of where it vanishes, and of unknowns that do, nothing
    but round-off could be compared."""
    space = len(field.layout.axes[0])
    lengths = np.ptp(field.problem.domain.bounds, axis=1)
    found = field.on_grid(box, [(k, (0,) * len(lengths)) for k in range(len(field.problem.unknowns))])
    norms = np.sqrt(np.mean(found**2, axis=tuple(range(1, found.ndim))))
    norms = np.where(norms > 1e-3 * norms.max(), norms, norms.max())
    derivatives = field.on_grid(box, term.derivatives)
    rms = np.sqrt(np.mean(derivatives**2, axis=tuple(range(1, derivatives.ndim))))
    least = [norms[k] / np.prod(lengths**index) for k, index in term.derivatives]
    return np.maximum(rms, least if space else 0.0).tolist()  # type: ignore[no-any-return]


def _of_initial(field: GridField, condition: Initial, columns: list[Array]) -> float:
    problem, (start, _) = field.problem, field.problem.domain.bounds[-1].tolist()
    index = (*(0,) * len(columns), 0)
    if condition.order or field.steps is None:
        return 0.0
    wanted = [(problem.unknowns.index(condition.unknown), index)]
    found = field.on_grid([*columns, np.array([start])], wanted)[0].ravel()
    data = initial_data(problem, condition, tensor(columns))
    return _share(np.abs(found - data), np.abs(found) + np.abs(data))


def _share(part: Array, whole: Array) -> float:
    ratio = float(np.linalg.norm(part)) / (float(np.linalg.norm(whole)) or 1.0)
    return ratio if np.isfinite(ratio) else 0.0
