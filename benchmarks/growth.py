"""How a cost grows with a size: the exponent of a power law, fitted to measurements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pdesolve.declare import PDESolveError


class GrowthError(PDESolveError):
    """Sizes and costs that no power law can be fitted to."""


def upper_half(count: int) -> slice:
    """The larger half of ``count`` ascending sizes: of an odd number with the middle one, at least two."""
    return slice(min(count // 2, max(count - 2, 0)), count)


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """a of cost ≈ c sizeᵃ over the upper half of the sizes.

        a = argmin_a min_c Σ_i (log cost_i - log c - a log size_i)²,   i in `upper_half`

    Small sizes measure what each call costs at least, which is no power of the size. A law with a logarithm
    or several terms has no exponent: what is fitted is its slope over these very sizes, to be compared with
    the same fit of the number of operations.

    Args:
        sizes: ascending, positive, (k,) with k >= 2; five or more over a factor of ten or more are good.
        costs: seconds, bytes or operations, positive, (k,).

    Raises:
        GrowthError: fewer than two sizes, other lengths, sizes that do not ascend, or numbers that are not
            positive and finite.
    """
    n, cost = np.asarray(sizes, dtype=float), np.asarray(costs, dtype=float)
    wrong = ""
    if n.ndim != 1 or n.shape != cost.shape or len(n) < 2:
        wrong = f"shapes {n.shape} and {cost.shape}"
    elif not (np.isfinite(n).all() and np.isfinite(cost).all() and (n > 0).all() and (cost > 0).all()):
        wrong = f"sizes {n.tolist()}, costs {cost.tolist()}"
    elif (np.diff(n) <= 0).any():
        wrong = f"sizes {n.tolist()}"
    if wrong:
        raise GrowthError(
            "exponent()",
            "two or more ascending sizes and as many costs, all positive and finite",
            wrong,
            "Measure more sizes, or leave out those at which nothing was measured.",
        )
    half = upper_half(len(n))
    x, y = np.log(n[half]), np.log(cost[half])
    x = x - x.mean()
    return float(x @ (y - y.mean()) / (x @ x))


def curve(
    sizes: Sequence[float], seconds: Sequence[float], operations: Callable[[float], float], law: str
) -> dict[str, Any]:
    """A record of one curve: ``sizes``, ``seconds``, and the exponents of both measurement and theory.

    Args:
        operations: number of operations at a size, up to a factor, in its leading terms.
        law: the same as a formula, for readers.
    """
    return {
        "sizes": list(sizes),
        "seconds": [float(f"{s:.4g}") for s in seconds],
        "exponent": round(exponent(sizes, seconds), 2),
        "operations": law,
        "operations_exponent": round(exponent(sizes, [operations(n) for n in sizes]), 2),
    }
