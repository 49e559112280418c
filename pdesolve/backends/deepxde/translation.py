"""A declared problem in DeepXDE's terms: geometry, residuals, conditions, output transform."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...declare import Observations, Problem, Value
from ...declare.domain import INITIAL, Array
from ...residual.ansatz import build_ansatz
from ...residual.program import Derivative, LoweredTerm, Program, lower
from .recipe import Recipe

CLOUD = 4
"""A cloud of points for a shape holds so many times the points that are drawn from it."""


def translate(dde: Any, problem: Problem, recipe: Recipe, distribution: str) -> Any:
    """DeepXDE's data object: equations as residuals, conditions as losses beside them."""
    program = Program(problem)
    exact = build_ansatz(problem).exact if recipe.exact else frozenset()
    place = _geometry(dde, problem, recipe)
    conditions = _conditions(dde, problem, program, place, exact, recipe)
    equations = [residual(dde, program, term) for term in program.equations]

    def pde(x: Any, y: Any) -> list[Any]:
        return [equation(x, y) for equation in equations]

    arguments: dict[str, Any] = {
        "num_domain": recipe.points,
        "num_boundary": recipe.points_boundary if problem.domain.is_box else 0,
        "train_distribution": distribution,
    }
    if problem.domain.time is None:
        return dde.data.PDE(place, pde, conditions, **arguments)
    return dde.data.TimePDE(place, pde, conditions, num_initial=recipe.points_initial, **arguments)


def _geometry(dde: Any, problem: Problem, recipe: Recipe) -> Any:
    domain = problem.domain
    if not domain.is_box:
        rng = np.random.default_rng(0)
        return dde.geometry.PointCloud(domain.sample(CLOUD * recipe.points, rng, method="uniform"))
    lower, upper = (list(map(float, ends)) for ends in domain.bounds[: len(domain.space)].T)
    kinds = {1: "Interval", 2: "Rectangle", 3: "Cuboid"}
    kind = getattr(dde.geometry, kinds.get(len(lower), "Hypercube"))
    space = kind(lower[0], upper[0]) if len(lower) == 1 else kind(lower, upper)
    if domain.time is None:
        return space
    return dde.geometry.GeometryXTime(space, dde.geometry.TimeDomain(*map(float, domain.time.bounds)))


def derivative(dde: Any, x: Any, y: Any, wanted: Derivative) -> Any:
    """D^α of one unknown, (n, 1), by DeepXDE's own gradients: its Jacobian, its Hessian, then repeatedly."""
    k, order = wanted
    axes = [axis for axis, count in enumerate(order) for _ in range(count)]
    if not axes:
        return y[:, k : k + 1]
    if len(axes) == 1:
        return dde.grad.jacobian(y, x, i=k, j=axes[0])
    found = dde.grad.hessian(y, x, component=k, i=axes[0], j=axes[1])
    for axis in axes[2:]:
        found = dde.grad.jacobian(found, x, i=0, j=axis)
    return found


def residual(dde: Any, program: Program, term: LoweredTerm) -> Callable[[Any, Any], Any]:
    """A term as a function of DeepXDE's inputs and outputs, (n, 1)."""
    function = term.function("torch")
    d = len(program.problem.coordinates)

    def values(x: Any, y: Any) -> Any:
        derivatives = [derivative(dde, x, y, wanted) for wanted in term.derivatives]
        found = function(*derivatives, *(x[:, j : j + 1] for j in range(d)))
        return found + 0 * x[:, :1]  # also where it is a constant

    return values


def _conditions(
    dde: Any, problem: Problem, program: Program, place: Any, exact: frozenset[str], recipe: Recipe
) -> list[Any]:
    """One for each condition; those of one expression on several parts are one, as in DeepXDE's examples."""
    found = []
    groups: dict[tuple[int, str], list[LoweredTerm]] = {}
    for term in program.conditions:
        if term.name in exact:
            continue
        condition = term.term.condition
        if isinstance(condition, Observations):
            k = problem.unknowns.index(condition.unknown)
            found.append(dde.icbc.PointSetBC(condition.points, condition.values[:, None], component=k))
        else:
            groups.setdefault((id(condition), str(term.term.expression)), []).append(term)
    found += [_condition(dde, problem, program, place, terms, recipe) for terms in groups.values()]
    return found + _periodic(dde, problem, place)


def _condition(
    dde: Any, problem: Problem, program: Program, place: Any, terms: Sequence[LoweredTerm], recipe: Recipe
) -> Any:
    values = residual(dde, program, terms[0])

    def operator(x: Any, y: Any, _: Any) -> Any:
        return values(x, y)

    if isinstance(terms[0].term.condition, Value) or not problem.domain.is_box:
        rng = np.random.default_rng(0)
        count = max(1, recipe.points_boundary // len(terms))
        points = np.concatenate([term.term.sample(problem.domain, count, rng) for term in terms])
        return dde.icbc.PointSetOperatorBC(points, np.zeros((len(points), 1)), operator)
    parts = [term.term.region for term in terms]
    return dde.icbc.OperatorBC(place, operator, _predicate(problem, parts))


def _predicate(problem: Problem, parts: Sequence[str]) -> Callable[[Array, bool], bool]:
    """Whether a point of the boundary lies on one of the parts of a box."""
    faces = [problem.domain.face(part) for part in parts]
    ends = [
        (face.axis, float(problem.domain.bounds[face.axis][1 if face.side > 0 else 0]))
        for face in faces
        if face.axis is not None
    ]
    at_start = INITIAL in parts

    def on_part(x: Array, on_boundary: bool) -> bool:
        near = any(np.isclose(x[axis], end, atol=1e-6) for axis, end in ends)
        return bool((on_boundary or at_start) and near)

    return on_part


def _periodic(dde: Any, problem: Problem, place: Any) -> list[Any]:
    """Values, and first derivatives where the equation has second ones, on opposite faces."""
    found = []
    for k, unknown in enumerate(problem.unknowns):
        for axis in problem.periodic_axes(unknown):
            order = problem.order(unknown, problem.coordinates[axis])
            names = [face.name for face in problem.domain.faces if face.axis == axis]
            predicate = _predicate(problem, names)
            found += [
                dde.icbc.PeriodicBC(place, axis, predicate, derivative_order=n, component=k)
                for n in range(max(1, min(order, 2)))
            ]
    return found


def output_transform(problem: Problem) -> Callable[[Any, Any], Any]:
    """u = L + F N, as the field has it."""
    import torch

    trials = build_ansatz(problem).trials
    pairs = [e for trial in trials for e in (trial.lift, trial.factor)]
    function = lower(problem.coordinates, pairs, "torch")

    def transform(x: Any, y: Any) -> Any:
        parts = function(*(x[:, j : j + 1] for j in range(x.shape[1])))
        columns = [parts[2 * k] + parts[2 * k + 1] * y[:, k : k + 1] for k in range(y.shape[1])]
        return torch.cat([column.expand(len(x), 1) for column in columns], dim=1)

    return transform
