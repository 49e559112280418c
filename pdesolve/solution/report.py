"""A solution in a few lines, as text and as HTML. Nothing is computed here that was not computed before."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .solution import Solution


def rows(solution: Solution) -> list[tuple[str, str]]:
    """(label, value) pairs: status, error, cost and origin, of what is known."""
    known: list[tuple[str, str]] = [
        ("status", f"{solution.status.name}. {solution.message or solution.status.value}")
    ]
    if solution.reached is not None:
        time = solution.problem.domain.time
        assert time is not None
        known.append(("reached", f"{time.coordinate} = {solution.reached:.4g} of {time.bounds[1]:.4g}"))
    norms, reference = solution.measured, solution.reference
    if norms is not None and math.isfinite(norms.relative_l2):
        against = f" against {reference.description}" if reference else ""
        known.append(("relative L2", f"{norms.relative_l2:.3g}{against}"))
        known.append(("largest error", f"{norms.max:.3g} on {' × '.join(map(str, norms.shape))} points"))
        if len(norms.per_unknown) > 1:
            known.append(("by unknown", ", ".join(f"{n} {v:.3g}" for n, v in norms.per_unknown.items())))
    elif reference is not None and norms is None:
        last = next((v for v in reversed(solution.history.relative_l2) if math.isfinite(v)), None)
        value = "not measured yet: call error()" if last is None else f"{last:.3g} when last measured"
        known.append(("relative L2", f"{value} against {reference.description}"))
    if reference is not None and math.isfinite(reference.error):
        known.append(("reference's error", f"{reference.error:.2g}"))
    if solution.error_estimate is not None:
        known.append(("error estimate", f"{solution.error_estimate:.3g} (the backend's own)"))
    if solution.parameters:
        known.append(("parameters", ", ".join(_parameter(solution, name) for name in solution.parameters)))
    known += [("suspicious", str(finding)) for finding in solution.diagnosis]
    cost = solution.cost
    known.append(("cost", f"{cost.seconds_setup:.2f} s set-up + {cost.seconds_solve:.2f} s solve"))
    if solution.history.step:
        known.append(("steps", str(solution.history.step[-1])))
    origin = [
        f"{k} {solution.provenance[k]}" for k in ("seed", "device", "dtype") if k in solution.provenance
    ]
    if origin:
        known.append(("run", ", ".join(origin)))
    return known


def _parameter(solution: Solution, name: str) -> str:
    """Estimate and interval."""
    text = f"{name} = {solution.parameters[name]:.6g}"
    if name not in solution.intervals:
        return text
    low, high = solution.intervals[name]
    return f"{text} (95 %: {low:.6g} to {high:.6g})"


def title(solution: Solution) -> str:
    names = ", ".join(map(str, solution.problem.unknowns))
    return (
        f"Solution of {solution.problem.name}: {names} by {solution.provenance.get('backend', 'no backend')}"
    )


def as_text(solution: Solution) -> str:
    """One line a fact, labels aligned."""
    pairs = rows(solution)
    width = max(len(label) for label, _ in pairs)
    return "\n".join([title(solution), *(f"  {label:<{width}}  {value}" for label, value in pairs)])


def as_html(solution: Solution) -> str:
    """The same facts as a table, for notebooks."""
    body = "".join(
        f"<tr><th style='text-align:left'>{html.escape(label)}</th>"
        f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
        for label, value in rows(solution)
    )
    return f"<table><caption>{html.escape(title(solution))}</caption>{body}</table>"
