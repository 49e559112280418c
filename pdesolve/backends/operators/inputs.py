"""The inputs of a problem on a grid, and how far they are from what an operator was trained on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import sympy as sp

from ...data.dataset import Dataset
from ...declare import Problem
from ...declare.domain import Array
from ...solution.finding import Finding
from ..card import Card
from .encoding import Encoding


def grid_axes(encoding: Encoding, grid: tuple[int, ...]) -> tuple[Array, ...]:
    """Coordinates of a uniform grid; ends are repeated on open axes only."""
    return tuple(
        np.linspace(lower, upper, n, endpoint=kind == "open")
        for (lower, upper), n, kind in zip(encoding.bounds, grid, encoding.axes, strict=True)
    )


def input_values(problem: Problem, encoding: Encoding, grid: tuple[int, ...]) -> tuple[Array, Array]:
    """Fields (fields, *grid) and numbers (numbers,) of a member."""
    axes = grid_axes(encoding, grid)
    grids = np.meshgrid(*axes, indexing="ij")
    space = problem.coordinates[: len(axes)]
    fields = []
    for name in encoding.fields:
        function = sp.lambdify(space, problem.substitute(problem.inputs[name]), ["numpy", "scipy"])
        values = np.asarray(function(*grids), dtype=np.float64)
        fields.append(np.broadcast_to(values, grids[0].shape))
    numbers = [float(problem.inputs[name]) for name in encoding.numbers]
    return np.stack(fields), np.array(numbers, dtype=np.float64)


def ranges(data: Dataset) -> Mapping[str, tuple[float, float]]:
    """Least and greatest root mean square of each field, and value of each number."""
    sizes = {
        name: np.sqrt((rows.reshape(len(data), -1) ** 2).mean(axis=1)) for name, rows in data.fields.items()
    }
    sizes |= dict(data.numbers)
    return {name: (float(v.min()), float(v.max())) for name, v in sizes.items()}


def outside(card: Card[Encoding], problem: Problem, points: int | None) -> list[Finding]:
    """Inputs beyond the ranges of the training, and grids that it did not see."""
    findings = []
    grid = card.grid if points is None else (points,) * len(card.grid)
    fields, numbers = input_values(problem, card.encoding, grid)
    values = dict(
        zip(card.encoding.fields, np.sqrt((fields.reshape(len(fields), -1) ** 2).mean(axis=1)), strict=True)
    )
    values |= dict(zip(card.encoding.numbers, numbers, strict=True))
    for name, value in values.items():
        low, high = card.ranges.get(name, (-np.inf, np.inf))
        if not low <= value <= high:
            what = "root mean square" if name in card.encoding.fields else "value"
            way = (value - high if value > high else low - value) / max(high - low, 1e-300)
            findings.append(
                Finding(
                    f"input {name!r}",
                    f"its {what} {value:.3g} is {way:.0%} of the width of the training's range "
                    f"{low:.3g} to {high:.3g} outside of it",
                    "Check the answer with a classical backend, or train on such inputs.",
                )
            )
    if grid != card.grid:
        findings.append(
            Finding(
                "grid",
                f"it is evaluated on {'x'.join(map(str, grid))} points, and was trained on "
                f"{'x'.join(map(str, card.grid))}",
                "Leave points= out to evaluate on the grid of the training.",
            )
        )
    return findings


__all__ = ["grid_axes", "input_values", "outside", "ranges"]
