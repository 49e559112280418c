"""Fields from SymPy expressions, differentiated symbolically: solutions without a backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import sympy as sp

import pdesolve as pde
from pdesolve.solution import Cost, Field, History, ResolvedReference, Solution, Status, resolve_reference

x, y, z, t = pde.coordinates("x y z t")


class SymbolicField(Field):
    """Polynomials and elementary functions as a field; their amplitudes are its arrays."""

    end = None

    def __init__(self, problem: pde.Problem, expressions: Sequence[sp.Expr], amplitude: float = 1.0) -> None:
        self.problem, self.expressions = problem, [sp.sympify(e) for e in expressions]
        self.amplitude = np.array([amplitude])

    def derivatives(self, points: Any, wanted: Any) -> list[Any]:
        arrays = []
        for k, orders in wanted:
            expression = self.expressions[k]
            for coordinate, order in zip(self.problem.coordinates, orders, strict=True):
                expression = sp.diff(expression, coordinate, order)
            function = sp.lambdify(self.problem.coordinates, expression, "numpy")
            arrays.append(self.amplitude[0] * np.broadcast_to(function(*points.T), len(points)).astype(float))
        return arrays

    def arrays(self) -> dict[str, Any]:
        return {"layer/0.weight": self.amplitude, "empty": np.zeros((0, 3), dtype=np.float32)}


def make_solution(problem: pde.Problem, expressions: Sequence[Any], **changes: Any) -> Solution:
    history = History()
    history.append(0, 0.0, 1.0)
    history.append(10, 0.5, 0.1, merit=0.2, relative_l2=0.03)
    reference: ResolvedReference | None = None
    if problem.reference is not None:
        reference = resolve_reference(problem.reference, problem)
    given: dict[str, Any] = {
        "status": Status.BUDGET_EXHAUSTED,
        "history": history,
        "cost": Cost(1.0, 2.5, 0.25, 1 << 20),
        "provenance": {
            "backend": "symbolic",
            "options": {"width": 4},
            "seed": 3,
            "device": "cpu",
            "dtype": "float64",
            "versions": {"pdesolve": "0.1.0"},
            "created": "2025-01-01T00:00:00Z",
            "digest": problem.digest,
        },
        "reference": reference,
        "citations": ("@article{a, title={A}}",),
    }
    return Solution(problem, SymbolicField(problem, expressions), **{**given, **changes})


def heat() -> Solution:
    """u_t = 0.1 u_xx with a field that is 1 % too large; points of a run."""
    u = pde.unknown("u", x, t)
    exact = sp.exp(-t / 10) * sp.sin(x)
    problem = pde.Problem(
        name="heat 1-D",
        equations={"heat equation": u.diff(t) - u.diff(x, 2) / 10},
        domain=pde.Interval(x, 0, sp.pi) * pde.Time(t, 0, 2),
        conditions=[pde.Initial(u, sp.sin(x)), pde.Dirichlet(u, 0)],
        reference=exact,
        units={u: "K", "x": "m", t: "s"},
    )
    points = problem.domain.sample(50, np.random.default_rng(0))
    return make_solution(problem, [1.01 * exact], collocation_points=points)


def flow() -> Solution:
    """Taylor–Green vortices with viscosity 1: two velocities and a pressure, exact."""
    u, v, p = pde.unknown("u v p", x, y, t)
    fields = {
        u: -sp.cos(x) * sp.sin(y) * sp.exp(-2 * t),
        v: sp.sin(x) * sp.cos(y) * sp.exp(-2 * t),
        p: -(sp.cos(2 * x) + sp.cos(2 * y)) * sp.exp(-4 * t) / 4,
    }
    equations = {
        "x momentum": u.diff(t) + u * u.diff(x) + v * u.diff(y) + p.diff(x) - u.diff(x, 2) - u.diff(y, 2),
        "y momentum": v.diff(t) + u * v.diff(x) + v * v.diff(y) + p.diff(y) - v.diff(x, 2) - v.diff(y, 2),
        "continuity": u.diff(x) + v.diff(y),
    }
    problem = pde.Problem(
        name="taylor-green",
        equations=equations,
        domain=pde.Box((x, 0, 2 * sp.pi), (y, 0, 2 * sp.pi)) * pde.Time(t, 0, 1),
        conditions=[
            pde.Initial(u, fields[u].subs(t, 0)),
            pde.Initial(v, fields[v].subs(t, 0)),
            *(pde.Periodic(w) for w in (u, v, p)),
            pde.Value(p, fields[p].subs({x: 0, y: 0}), at={x: 0, y: 0}),
        ],
        reference=fields,
        units={u: "m/s", v: "m/s", p: "Pa"},
        vectors={"velocity": (u, v)},
    )
    return make_solution(problem, [fields[w] for w in problem.unknowns])


def poisson(dimensions: int, name: str = "poisson", **changes: Any) -> Solution:
    """-Δu = f on the unit box, u = Π sin(π x_i), with the field 2 % too small."""
    coordinates: tuple[sp.Symbol, ...] = (x, y, z, *sp.symbols("x4:20", real=True))[:dimensions]
    u = pde.unknown("u", *coordinates)
    exact = sp.prod([sp.sin(sp.pi * c) for c in coordinates])
    problem = pde.Problem(
        name=name,
        equations=[sum(u.diff(c, 2) for c in coordinates) + dimensions * sp.pi**2 * exact],
        domain=pde.Box(*((c, 0, 1) for c in coordinates)),
        conditions=[pde.Dirichlet(u, 0)],
        reference=exact,
    )
    return make_solution(problem, [0.98 * exact], **changes)


def restore(
    backend: str, options: Mapping[str, Any], problem: pde.Problem, arrays: Mapping[str, Any]
) -> Field:
    """The driver's part of reading a file: here the expressions are those of the heat or Poisson fixtures."""
    assert backend == "symbolic"
    assert options == {"width": 4}
    assert problem.reference is not None
    factor = 1.01 if problem.name == "heat 1-D" else 0.98
    assert arrays["empty"].shape == (0, 3)
    expressions = problem.reference.expressions or [sp.sin(x)]
    return SymbolicField(problem, [factor * e for e in expressions], float(arrays["layer/0.weight"][0]))
