"""`pdesolve generate` and `pdesolve train`: data sets and learned operators of a family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..declare import PDESolveError
from ..declare.errors import ParameterValueError
from ..declare.family import Family
from .output import Output
from .settings import parse_settings, split_settings


class OutputExistsError(PDESolveError):
    """A file that would be written is there already."""


@dataclass(frozen=True)
class GenerateRequest:
    """What was asked for; ``run`` holds what `pdesolve.generate` takes by name."""

    family: str
    members: int
    out: Path
    run: Mapping[str, Any]
    settings: Sequence[str] = ()


@dataclass(frozen=True)
class TrainRequest:
    """What was asked for; ``run`` holds what `pdesolve.train` takes by name."""

    family: str
    backend: str
    data: Path
    out: Path
    run: Mapping[str, Any]
    test: Path | None = None
    settings: Sequence[str] = ()
    overwrite: bool = False


def find_family(name: str, values: Mapping[str, Any]) -> Family:
    """A family of the catalogue with parameters set.

    Raises:
        PDESolveError: there is no such family, or a value makes no sense.
    """
    from ..problems import family

    try:
        found: Family = family(name, **values)
    except (TypeError, ValueError, ArithmeticError) as error:
        given = ", ".join(f"{key}={value!r}" for key, value in values.items())
        raise ParameterValueError(
            f"--set of {name!r}", "values of the right kind", f"{given} ({error})", "Give numbers."
        ) from error
    return found


def generate_request(request: GenerateRequest, output: Output) -> None:
    """Make the data set, and say what is in the file.

    Raises:
        PDESolveError: bad input, or a member that was not solved.
    """
    import time

    from ..problems import family_parameters

    values, _ = split_settings(
        parse_settings(request.settings), family_parameters(request.family), (), "generate"
    )
    made = find_family(request.family, values)
    from ..generation import generate

    begin = time.perf_counter()
    data = generate(made, request.members, request.out, **request.run)
    seconds = time.perf_counter() - begin
    largest = None if data.errors is None else float(data.errors.max())
    grid = "x".join(map(str, data.grid))
    times = "" if data.times is None else f", {len(data.times)} times"
    output.console.print(
        f"{len(data)} members of {made.name} on {grid} points{times} in {request.out}, {seconds:.1f} s; "
        f"largest estimated relative error {'unknown' if largest is None else f'{largest:.1e}'}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    output.result(
        {
            "family": made.name,
            "file": request.out,
            "members": len(data),
            "grid": data.grid,
            "times": None if data.times is None else len(data.times),
            "largest_error": largest,
            "seconds": seconds,
            "digest": data.digest,
        }
    )


def train_request(request: TrainRequest, output: Output) -> None:
    """Train, test where there is a test set, and say what the operator can do.

    Raises:
        PDESolveError: bad input.
    """
    from ..backends.registry import backend_class, make_backend, option_names
    from ..problems import family_parameters

    settings = parse_settings(request.settings)
    values, options = split_settings(
        settings, family_parameters(request.family), option_names(request.backend), request.backend
    )
    made = find_family(request.family, values)
    if request.out.exists() and not request.overwrite:
        raise OutputExistsError(
            f"--out {request.out}", "a new file", "one that is there", "Name another one, or add --overwrite."
        )
    from ..backends.learner import Trainable

    if not issubclass(backend_class(request.backend), Trainable):
        from ..backends.registry import BACKENDS

        learned = [n for n in BACKENDS if issubclass(backend_class(n), Trainable)]
        raise PDESolveError(
            f"train --backend {request.backend}",
            f"one that learns: {', '.join(learned)}",
            "a backend that solves without training",
            "Use `pdesolve solve`.",
        )
    operator: Any = make_backend(request.backend, **options)
    from ..training import evaluate, train

    trained = train(made, operator, request.data, request.out, **request.run)
    tested = evaluate(trained, request.test) if request.test is not None and not output.muted else {}
    card = trained.card()
    (measure,) = (name for name in card.metrics if name.startswith("validation"))
    validation = float(card.metrics[measure])
    training = card.training
    what = measure.removeprefix("validation_").replace("relative_l2", "relative L2 error").replace("_", " ")
    said = f"{request.out}: {training['said']}, {training['seconds']:.0f} s; {what}"
    said += f" {validation:.2e} on validation members"
    if tested:
        said += f", relative L2 error {tested['relative_l2']:.2e} on {tested['members']:.0f} test members"
    output.console.print(said, markup=False, highlight=False, soft_wrap=True)
    output.result(
        {
            "family": made.name,
            "backend": request.backend,
            "file": request.out,
            "status": card.training["status"],
            "steps": card.training["steps"],
            "seconds": card.training["seconds"],
            measure: validation,
            "test": tested or None,
        }
    )
