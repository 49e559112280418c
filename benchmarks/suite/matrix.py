"""The matrix that a user asks for: problems x backends(options) x seeds x budgets, with a classical line."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from pdesolve.backends.registry import backend_class, make_backend, option_names
from pdesolve.declare import PDESolveError

from .job import Job
from .learned import is_untrained

Call = tuple[str, dict[str, Any]]
"""A name and its arguments."""

CLASSICAL = {
    "spectral": (1e-1, 1e-2, 1e-4, 1e-6, 1e-8),
    "fem": (1e-1, 1e-2, 1e-3, 1e-4),
}
"""The classical backends, the most exact first, and the tolerances of their curves."""


class MatrixError(PDESolveError):
    """A list of problems or backends cannot be read."""


def parse_calls(text: str) -> list[Call]:
    """``"pinn, gp(rtol=1e-6)"`` to names with arguments. Arguments are Python literals; nothing is run.

    Raises:
        MatrixError: the text has another form.
    """
    return [_call(part) for part in _split(text)]


def _split(text: str) -> list[str]:
    """At commas outside brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    if depth:
        raise MatrixError(
            "a list of calls", "closed brackets", repr(text), "Write for instance pinn(width=8)."
        )
    return [part.strip() for part in parts if part.strip()]


def _call(text: str) -> Call:
    name, bracket, inside = text.partition("(")
    try:
        if bracket and not inside.endswith(")"):
            raise SyntaxError("text after the bracket")
        tree = ast.parse(f"f({inside[:-1]})", mode="eval").body if bracket else None
        if tree is None:
            return name.strip(), {}
        if not isinstance(tree, ast.Call) or tree.args or any(k.arg is None for k in tree.keywords):
            raise SyntaxError("arguments without a name")
        return name.strip(), {str(k.arg): ast.literal_eval(k.value) for k in tree.keywords}
    except (SyntaxError, ValueError) as error:
        raise MatrixError(
            "a problem or backend",
            "name(key=value, ...) with plain values",
            f"{text!r} ({error})",
            "Write for instance pinn(width=8, sampler='r3').",
        ) from error


def matrix(
    problems: Sequence[Call], backends: Sequence[Call], seeds: int = 1, budgets: Sequence[float] = (60.0,)
) -> list[Job]:
    """All jobs, problem by problem; what a seed or a budget would not change runs once.

    Stochastic methods run with seeds 0 to ``seeds`` - 1, methods without an end of their own, training
    among them, with each budget, others with the largest. Classical backends whose ``rtol`` is not given
    run once for each tolerance of `CLASSICAL`. The best of them that supports a problem is added where none
    was asked for.

    Raises:
        PDESolveError: a problem, backend, parameter or option that does not exist.
    """
    from pdesolve.problems import FAMILIES

    jobs = []
    for name, parameters in problems:
        declared = Job(name, "spectral", parameters).declare()
        asked = list(backends)
        if not any(backend in CLASSICAL for backend, _ in asked):
            able = [b for b in CLASSICAL if not make_backend(b).supports(declared)]
            asked = [(b, {}) for b in able[:1]] + asked
        for backend, options in asked:
            method = Job(name, backend, options=options).method()  # refuses what it does not know
            known = name in FAMILIES and "sensors" not in parameters
            learns = known and is_untrained(method)  # it supports nothing before its training
            if not learns and method.supports(declared):  # one row says why
                jobs.append(Job(name, backend, parameters, options, 0, max(budgets)))
            else:
                jobs += _of_backend(name, parameters, backend, options, seeds, budgets, learns)
    return jobs


def _of_backend(
    problem: str,
    parameters: dict[str, Any],
    backend: str,
    options: dict[str, Any],
    seeds: int,
    budgets: Sequence[float],
    learns: bool,
) -> list[Job]:
    facts = backend_class(backend).capabilities
    ladder = CLASSICAL.get(backend, ()) if "rtol" in option_names(backend) and "rtol" not in options else ()
    variants = [{**options, "rtol": rtol} for rtol in ladder] or [options]
    series = Job(problem, backend, options=options).label
    return [
        Job(problem, backend, parameters, variant, seed, budget, series=series)
        for variant in variants
        for budget in (budgets if facts.open_ended or learns else [max(budgets)])
        for seed in range(seeds if facts.stochastic else 1)
    ]
