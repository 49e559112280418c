"""What finite volumes need of a declaration: fluxes, reaction and source of a linear elliptic equation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import sympy as sp
import torch
from torch import Tensor

from ...declare import Dirichlet, Observations, Problem
from ...declare.domain import Array
from ..program import LoweringError, lower


class EllipticForm:
    """A linear equation for one unknown on a box, in divergence form.

        Σ_i ∂_i(p_i ∂_i u) + r u + g = 0,    u given on the boundary

    p, r and g are functions of the coordinates and of the problem's unknown coefficients: one form serves
    all members of a family (`Family.undetermined`). Derivatives of coefficients must cancel in it, so that
    they may jump. ``is_affine`` says whether u is an affine function of the coefficients.

    Raises:
        ValueError: the problem is of another kind; the text says why.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.inputs = tuple(c.func.__name__ for c in problem.coefficients)
        unknowns = [u for u in problem.unknowns if u not in problem.coefficients]
        if not problem.domain.is_box or problem.domain.time is not None:
            raise ValueError("finite volumes are for steady problems on boxes")
        if len(unknowns) != 1 or len(problem.equations) != 1:
            raise ValueError("finite volumes are for one equation in one unknown")
        self.unknown = unknowns[0]
        (equation,) = (problem.substitute(e) for e in problem.equations.values())
        self._read(equation)
        self._boundary = self._boundary_data()

    def _read(self, equation: sp.Expr) -> None:
        """Find p, r and g."""
        problem, own = self.problem, self.problem.unknowns.index(self.unknown)
        nodes = problem.derivatives(equation)
        symbols = {node: sp.Dummy() for node, (k, _) in nodes.items() if k == own}
        replaced = equation.xreplace(symbols)
        slopes = {nodes[node][1]: sp.expand(replaced.diff(s)) for node, s in symbols.items()}
        back = dict.fromkeys(symbols.values(), sp.S.Zero)
        if any(slope.has(*symbols.values()) for slope in slopes.values()):
            raise ValueError("finite volumes are for linear equations")
        dimension = len(problem.coordinates)
        unit = np.eye(dimension, dtype=int)
        second = [tuple(int(n) for n in 2 * unit[i]) for i in range(dimension)]
        first = [tuple(int(n) for n in unit[i]) for i in range(dimension)]
        zero = (0,) * dimension
        if set(slopes) - {*second, *first, zero} or not all(index in slopes for index in second):
            raise ValueError("finite volumes are for second derivatives along each axis, none of them mixed")
        flux = [slopes[index] for index in second]
        for p, index, x in zip(flux, first, problem.coordinates, strict=True):
            if sp.simplify(slopes.get(index, sp.S.Zero) - p.diff(x)) != 0:
                raise ValueError("finite volumes are for equations in divergence form, without advection")
        source = replaced.xreplace(back)
        expressions = [*flux, slopes.get(zero, sp.S.Zero), source]
        if any(e.has(sp.Derivative) for e in expressions):
            raise ValueError("finite volumes are for coefficients that are not differentiated")
        names = [sp.Symbol(name) for name in self.inputs]
        plain = dict(zip(problem.coefficients, names, strict=True))
        arguments = [*problem.coordinates, *names]
        self.is_affine = not any(e.has(*plain) for e in expressions[:-1]) and _is_affine(source, plain)
        try:
            self._function = lower(arguments, [e.xreplace(plain) for e in expressions], "torch")
        except LoweringError as error:
            raise ValueError("finite volumes are for coefficients of elementary functions") from error

    def _boundary_data(self) -> list[tuple[int, int, Callable[..., Any]]]:
        """(axis, side, values) of each face."""
        faces: dict[tuple[int | None, int], Callable[..., Any]] = {}
        for condition in self.problem.conditions:
            if condition.unknown != self.unknown or isinstance(condition, Observations):
                continue
            if not isinstance(condition, Dirichlet) or not isinstance(condition.value, sp.Expr):
                raise ValueError("finite volumes are for values given on the boundary by expressions")
            value = self.problem.substitute(condition.value)
            for name in condition.parts(self.problem.domain):
                face = self.problem.domain.face(name)
                faces.setdefault(
                    (face.axis, face.side), lower(list(self.problem.coordinates), value, "numpy")
                )
        if len(faces) != 2 * len(self.problem.coordinates):
            raise ValueError("finite volumes are for values given on the whole boundary")
        return [(axis, side, function) for (axis, side), function in faces.items() if axis is not None]

    # -- on a grid -----------------------------------------------------------------------------------

    def axes(self, points: int) -> tuple[Array, ...]:
        """Nodes on each axis, both ends included."""
        return tuple(np.linspace(lower, upper, points) for lower, upper in self.problem.domain.bounds)

    def coefficients(
        self, fields: Mapping[str, Tensor], axes: Sequence[Array]
    ) -> tuple[list[Tensor], Tensor, Tensor]:
        """p of each axis, r and g at the nodes, (n, *grid) each; ``fields`` are the inputs, (n, *grid)."""
        some = next(iter(fields.values()))
        grids = torch.meshgrid(
            *(torch.as_tensor(a, dtype=some.dtype, device=some.device) for a in axes), indexing="ij"
        )
        shape = (len(some), *(len(a) for a in axes))
        found = self._function(*grids, *(fields[name] for name in self.inputs))
        whole = [torch.as_tensor(f, dtype=some.dtype, device=some.device).expand(shape) for f in found]
        return whole[:-2], whole[-2], whole[-1]

    def lift(self, axes: Sequence[Array]) -> Array:
        """The boundary's values at the nodes of the boundary, zero inside, (*grid)."""
        values = np.zeros(tuple(len(a) for a in axes))
        grids = np.meshgrid(*axes, indexing="ij")
        for axis, side, function in reversed(self._boundary):
            place: Any = [slice(None)] * len(axes)
            place[axis] = -1 if side > 0 else 0
            values[tuple(place)] = function(*(g[tuple(place)] for g in grids))
        return values


def _is_affine(expression: sp.Expr, functions: Iterable[sp.Expr]) -> bool:
    symbols = {f: sp.Dummy() for f in functions}
    plain = expression.xreplace(symbols)
    slopes = [sp.expand(plain.diff(s)) for s in symbols.values()]
    return not any(slope.has(*symbols.values()) for slope in slopes)


__all__ = ["EllipticForm"]
