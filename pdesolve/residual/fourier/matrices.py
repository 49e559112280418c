"""The matrices of an `Evolution` for every mode of a grid, the constraints eliminated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .constraints import ROUND_OFF, System, eliminate
from .evolution import Evolution, Polynomial
from .grid import FourierGrid, Spectra
from .operators import Operator


@dataclass(frozen=True)
class Matrices:
    """What `Discretization` knows of L and of the constraints.

    Attributes:
        linear: (components, *modes) where it is diagonal, else (components, components, *modes).
        forcing, response, direct: see `constraints.Reduced`.
        restriction: (keep, shift) of the same; None without constraints on the state.
        free: algebraic components whose mean nothing determines.
    """

    linear: Spectra
    forcing: Operator
    response: Operator
    direct: Operator
    restriction: tuple[Operator, Operator] | None = None
    free: frozenset[int] = frozenset()


def matrices(evolution: Evolution, grid: FourierGrid) -> Matrices:
    """The matrices on a grid.

    Raises:
        ValueError: the constraints cannot be eliminated; the text is a reason for `Backend.supports`.
    """
    is_simple = not evolution.algebraic and not evolution.mass
    return _simple(evolution, grid) if is_simple else _reduced(evolution, grid)


def _evaluate(grid: FourierGrid, polynomial: Polynomial) -> Any:
    """Σ c (iκ)^orders, an array that broadcasts to the modes; real where it is."""
    value: Any = sum(c * grid.multiplier(orders) for orders, c in polynomial.items())
    return value if np.any(np.imag(value)) else np.real(value)


def _table(
    grid: FourierGrid, polynomials: Mapping[tuple[int, int], Polynomial], rows: int, columns: int
) -> Spectra:
    """The polynomials as matrices (modes, rows, columns)."""
    table = np.zeros((*grid.stored, rows, columns), dtype=np.complex128)
    for (i, j), polynomial in polynomials.items():
        table[..., i, j] = _evaluate(grid, polynomial)
    return table.reshape(-1, rows, columns)


def _simple(evolution: Evolution, grid: FourierGrid) -> Matrices:
    """Without constraints and mass: the polynomials themselves."""
    count = evolution.dynamic
    linear = _table(grid, evolution.linear, count, count)
    forcing = {place: _evaluate(grid, p) for place, p in evolution.forcing.items()}
    none = Operator(0, grid.stored, {})
    return Matrices(_compact(linear, grid.stored), Operator(count, grid.stored, forcing), none, none)


def _reduced(evolution: Evolution, grid: FourierGrid) -> Matrices:
    """The mass inverted, the algebraic components eliminated."""
    count, size, terms = evolution.dynamic, len(evolution.components), len(evolution.terms)
    linear = _table(grid, evolution.linear, size, size)
    forcing = _table(grid, evolution.forcing, size, terms)
    if evolution.mass:
        try:
            inverse = np.linalg.inv(_table(grid, evolution.mass, count, count))
        except np.linalg.LinAlgError:
            raise ValueError("the operator on the time derivatives vanishes for some wavenumber") from None
        linear[:, :count] = inverse @ linear[:, :count]
        forcing[:, :count] = inverse @ forcing[:, :count]
    d, a = slice(None, count), slice(count, None)
    reduced = eliminate(
        System(
            L=linear[:, d, d],
            F=linear[:, d, a],
            P=forcing[:, d],
            C=linear[:, a, d],
            E=linear[:, a, a],
            S=forcing[:, a],
        )
    )
    for total, rate in ((reduced.forcing, reduced.forcing_rate), (reduced.direct, reduced.direct_rate)):
        _add_rates(evolution, total, rate)
    if np.any(reduced.free[1:]):
        k = evolution.components[count + int(np.flatnonzero(reduced.free[1:].any(axis=0))[0])][0]
        name = evolution.problem.unknown_names[k]
        raise ValueError(f"the equations, differentiated once in time, do not determine {name}")
    if np.any(linear[0, d, a] * reduced.free[0]):
        raise ValueError("the mean of an unknown acts on the others, and no equation fixes it")
    keep, shift = (Operator.dense(m, grid.stored) for m in (reduced.keep, reduced.shift))
    return Matrices(
        _compact(reduced.linear, grid.stored),
        Operator.dense(reduced.forcing, grid.stored),
        Operator.dense(reduced.response, grid.stored),
        Operator.dense(reduced.direct, grid.stored),
        restriction=None if _is_identity(keep) else (keep, shift),
        free=frozenset(count + int(j) for j in np.flatnonzero(reduced.free[0])),
    )


def _add_rates(evolution: Evolution, total: Spectra, rate: Spectra) -> None:
    """ê' as further terms: the time derivatives of known functions."""
    size = max(np.abs(total).max(initial=0.0), np.abs(rate).max(initial=0.0))
    for term in range(rate.shape[2]):
        if np.abs(rate[:, :, term]).max(initial=0.0) <= ROUND_OFF * size:
            continue
        if term not in evolution.rates:
            raise ValueError(
                "a constraint would have to be differentiated in time, and holds a non-linear term"
            )
        total[:, :, evolution.rates[term]] += rate[:, :, term]


def _compact(matrices: Spectra, modes: tuple[int, ...]) -> Spectra:
    """(modes, n, n) as (n, *modes) where all are diagonal, else as (n, n, *modes); real where they are."""
    n = matrices.shape[1]
    rest = matrices * (1 - np.eye(n))
    if np.abs(rest).max(initial=0.0) <= ROUND_OFF * np.abs(matrices).max(initial=0.0):
        diagonal = np.diagonal(matrices, axis1=1, axis2=2)
        return np.ascontiguousarray(diagonal.T).reshape(n, *modes)
    blocks = np.ascontiguousarray(np.moveaxis(matrices, 0, -1)).reshape(n, n, *modes)
    return blocks if blocks.imag.any() else np.ascontiguousarray(blocks.real)


def _is_identity(operator: Operator) -> bool:
    entries = operator.entries
    ones = (i == j and np.ndim(entry) == 0 and entry == 1 for (i, j), entry in entries.items())
    return len(entries) == operator.rows and all(ones)


__all__ = ["Matrices", "matrices"]
