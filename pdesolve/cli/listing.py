"""`pdesolve problems`, `pdesolve backends` and `pdesolve info`."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

from rich.table import Column, Table

from ..backends.registry import BACKENDS, backend_class, make_backend
from .output import Output, plain


def list_problems(output: Output) -> None:
    """The catalogue, with which backends support each entry."""
    from ..problems import catalogue, catalogue_names, parameters_of

    backends = {name: make_backend(name) for name in BACKENDS}
    table = Table(Column("problem", no_wrap=True), *backends, "parameters", "what it is")
    rows = []
    for name in catalogue_names():
        problem = catalogue(name)
        reasons = {key: backend.supports(problem) for key, backend in backends.items()}
        parameters = parameters_of(name)
        first_sentence = " ".join(problem.description.split()).split(". ")[0].rstrip(".")
        marks = ["no" if reasons[key] else "yes" for key in backends]
        table.add_row(name, *marks, ", ".join(parameters), first_sentence)
        rows.append(
            {
                "name": name,
                "description": problem.description,
                "coordinates": problem.coordinates,
                "unknowns": problem.unknown_names,
                "parameters": parameters,
                "unsupported_by": {key: why for key, why in reasons.items() if why},
            }
        )
    output.console.print(table)
    output.result({"problems": rows})


def list_backends(output: Output) -> None:
    """The backends, with their options and defaults."""
    rows = []
    for name in BACKENDS:
        cls = backend_class(name)
        options = {f.name: default_text(f) for f in fields(cls) if f.init}  # type: ignore[arg-type]
        rows.append(
            {
                "name": name,
                "summary": cls.summary,
                "options": options,
                "capabilities": {f.name: getattr(cls.capabilities, f.name) for f in fields(cls.capabilities)},
                "citations": cls.citations,
            }
        )
        table = Table("option", "default")
        for option, default in options.items():
            table.add_row(option, default)
        output.console.print(f"{name}: {cls.summary}", markup=False, highlight=False)
        output.console.print(table)
    output.result({"backends": rows})


def default_text(field: Field[Any]) -> str:
    """The default of an option as it would be written."""
    if field.default is not MISSING:
        return repr(field.default)
    return "required" if field.default_factory is MISSING else repr(field.default_factory())


def show_file(path: Path, output: Output) -> None:
    """What a result file holds."""
    from ..driver import load

    solution = load(path)
    summary = solution.summary()
    table = Table(title=str(path), show_header=False, title_justify="left")
    for key, value in summary.items():
        table.add_row(key, str(plain(value)))
    output.console.print(table)
    output.result(summary)
