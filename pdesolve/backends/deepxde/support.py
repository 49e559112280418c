"""Why DeepXDE cannot be given a problem; empty where it can."""

from __future__ import annotations

import importlib.util

from ...declare import Observations, Problem, Value
from ...declare.errors import SerializationError
from ...declare.serialization import problem_to_json

PERIODIC_ORDER = 2
"""Highest order of an equation along a periodic axis: DeepXDE matches values and first derivatives."""


def reasons_against(problem: Problem) -> list[str]:
    """Each in words."""
    found = []
    if importlib.util.find_spec("deepxde") is None:
        found.append("DeepXDE is not installed: pip install 'pdesolve[deepxde]'")
    if problem.unknown_parameters:
        found.append("unknown parameters are not handed over to DeepXDE")
    if problem.coefficients:
        found.append("unknown coefficients are not handed over to DeepXDE")
    if not problem.domain.is_box and problem.domain.time is not None:
        found.append("shapes and meshes are handed over as clouds of points, in steady problems alone")
    if not problem.domain.space:
        found.append("DeepXDE's geometries have at least one space coordinate")
    if any(isinstance(c, Value) and set(c.at) != set(problem.coordinates) for c in problem.conditions):
        found.append("a value that is fixed along a line has no counterpart in DeepXDE")
    found += [
        f"{term.name}: data by a Python function, or normals of a curved part"
        for term in problem.terms
        if term.inputs and not isinstance(term.condition, Observations)
    ]
    for unknown in problem.unknowns:
        for axis in problem.periodic_axes(unknown):
            coordinate = problem.coordinates[axis]
            order = problem.order(unknown, coordinate)
            if order > PERIODIC_ORDER:
                found.append(
                    f"{unknown.func.__name__} has derivatives of order {order} along {coordinate}; periodic "
                    "conditions of DeepXDE match values and first derivatives only"
                )
    if not found:
        try:
            problem_to_json(problem)
        except SerializationError as error:
            found.append(f"it cannot be sent to another process: {error.got}")
    return found
