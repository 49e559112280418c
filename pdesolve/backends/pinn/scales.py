"""Scales of a problem, read off its symbols before any work: terms of an equation that differ too much.

Every derivative D^α u_k is taken to be as large as U_k / Π L_i^α_i, with L_i half the extent of the domain
along coordinate i and U_k the largest datum for u_k; where a source drives an equation or all data are zero,
at least 1. It is an estimate of where a network begins, not of the solution: layers and waves are steeper.
Sources are left out, for they may be large in a small part of the domain and nothing elsewhere.
"""

from __future__ import annotations

import math

import numpy as np
import sympy as sp

from ...declare.domain import Array
from ...residual.program import LoweredTerm, Program, derivative_name, lower
from ...solution.finding import Finding

_APART = 1e6  # ratio of terms above which the smaller one is lost in the residual
_ORDER_ONE = 1e3  # what networks that start at order one reach by themselves
_POINTS = 64
_LARGE = 300  # operations in an equation that is not expanded


def mismatched_scales(program: Program) -> list[Finding]:
    """Equations whose terms differ by more than 1e6, and data and coordinates outside 1e-3 to 1e3."""
    problem = program.problem
    lengths = (problem.domain.bounds[:, 1] - problem.domain.bounds[:, 0]) / 2
    sizes = data_sizes(program)
    changes = [f"{c.name} = {_power(s)} {c.name}*" for c, s in zip(problem.coordinates, lengths, strict=True)]
    changes += [f"{n} = {_power(s)} {n}*" for n, s in zip(problem.unknown_names, sizes, strict=True)]
    rescale = f"Non-dimensionalise: {', '.join(changes)}, and divide each equation by its largest coefficient"
    found = []
    for name, size in zip(problem.unknown_names, sizes, strict=True):
        if not 1 / _ORDER_ONE <= size <= _ORDER_ONE:
            what = f"its data are of size {size:.1e}, a network's output is of order one"
            found.append(Finding(name, what, f"{rescale}."))
    for coordinate, length in zip(problem.coordinates, lengths, strict=True):
        if not 1 / _ORDER_ONE <= length <= _ORDER_ONE:
            what = f"its range is {2 * length:.1e}: derivatives carry powers of it"
            found.append(Finding(coordinate.name, what, f"{rescale}."))
    for term in program.equations:
        parts = term_sizes(program, term, sizes, lengths)
        if not parts:
            continue
        (small, least), (large, most) = (f(parts.items(), key=lambda item: item[1]) for f in (min, max))
        if most > _APART * least:
            what = f"{large} is of size {most:.1e}, {small} of size {least:.1e}"
            remedy = f"{rescale}; a term that stays this small matters in layers alone: put points there."
            found.append(Finding(term.name, what, remedy))
    return found


def data_sizes(program: Program) -> list[float]:
    """U_k: the largest |datum| of initial, Dirichlet and observed values of each unknown, or 1; see above."""
    problem, rng = program.problem, np.random.default_rng(0)
    sizes = [0.0] * len(problem.unknowns)
    for term in program.conditions:
        orders = [sum(index) for _, index in term.derivatives]
        if len(orders) != 1 or orders[0]:
            continue  # a flux
        points = term.term.sample(problem.domain, _POINTS, rng)
        with np.errstate(all="ignore"):
            values = program.evaluate(term, [np.zeros(len(points))], points, _starts(program))
        finite = np.abs(values[np.isfinite(values)])
        unknown = term.derivatives[0][0]
        sizes[unknown] = max(sizes[unknown], float(finite.max(initial=0.0)))
    is_driven = any(_sources(term) for term in program.equations)
    return [max(size, 1.0) if is_driven or not size else size for size in sizes]


def term_sizes(program: Program, term: LoweredTerm, sizes: list[float], lengths: Array) -> dict[str, float]:
    """Median size of each additive term of an equation that holds an unknown; those that vanish left out."""
    problem = program.problem
    parts = [part for part in _parts(term) if part.free_symbols & set(term.symbols)]
    points = term.term.sample(problem.domain, _POINTS, np.random.default_rng(0))
    magnitudes = [
        np.full(
            len(points), sizes[k] / math.prod(length**n for length, n in zip(lengths, index, strict=True))
        )
        for k, index in term.derivatives
    ]
    inputs = [function(points) for function in term.term.inputs.values()]
    with np.errstate(all="ignore"):
        values = lower(term.arguments, parts, "numpy")(*magnitudes, *points.T, *_starts(program), *inputs)
    plain = {
        dummy: sp.Symbol(derivative_name(problem, derivative))
        for dummy, derivative in zip(term.symbols, term.derivatives, strict=True)
    }
    found = {
        str(part.xreplace(plain)): float(np.median(np.abs(np.asarray(value, dtype=np.float64))))
        for part, value in zip(parts, values, strict=True)
    }
    return {name: size for name, size in found.items() if size > 0 and math.isfinite(size)}


def _parts(term: LoweredTerm) -> tuple[sp.Expr, ...]:
    """Additive terms of an equation."""
    whole = term.expression
    return tuple(sp.Add.make_args(sp.expand(whole) if sp.count_ops(whole) < _LARGE else whole))


def _sources(term: LoweredTerm) -> list[sp.Expr]:
    """Additive terms that hold no unknown."""
    return [part for part in _parts(term) if not part.free_symbols & set(term.symbols)]


def _starts(program: Program) -> list[float]:
    return [float(p.start or 0.0) for p in program.parameters]


def _power(size: float) -> str:
    """The power of ten next to a size."""
    return f"{10.0 ** round(math.log10(size)):.0e}" if size > 0 else "1"
