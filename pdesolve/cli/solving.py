"""`pdesolve solve`: a problem, a backend, an answer in files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..declare import PDESolveError, Problem
from ..solution.errors import OutputPathError
from .output import Output
from .results import Results, file_stem, reserve
from .settings import parse_settings, split_settings
from .sources import find_source, observed

if TYPE_CHECKING:
    from ..solution import Solution

NOT_CONVERGED = 1
VTK_DATA = (".vtu", ".vti", ".vtr", ".vtp")


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line; ``run`` holds what `pdesolve.solve` takes by name."""

    source: str
    backend: str
    run: Mapping[str, Any]
    settings: Sequence[str] = ()
    out: Path | None = None
    overwrite: bool = False
    observe: Sequence[str] = ()
    noise: float = 0.0


def solve_request(request: Request, output: Output) -> int:
    """Solve, write, report; returns the exit status.

    Raises:
        PDESolveError: bad input; nothing has been written then.
    """
    from ..backends.registry import option_names

    settings = parse_settings(request.settings)
    options_known = option_names(request.backend)
    source = find_source(request.source)
    if request.observe:
        source = observed(request.source, request.observe, request.noise)
    values, options = split_settings(settings, source.parameters, options_known, request.backend)
    problem = source.make(values)

    with ExitStack() as stack:
        results = None
        if request.out is not None and not output.muted:
            names = output_names(problem.name)
            check_names(problem)
            results = stack.enter_context(reserve(request.out, names, request.overwrite))
        # Not at the top: this is what imports torch, and a wrong name is told at once.
        from ..driver import solve

        solution = solve(problem, request.backend, throw=False, **request.run, **options)
        written = [] if results is None else write(solution, results, output)
    report(solution, written, output)
    return 0 if solution.success else NOT_CONVERGED


def output_names(problem: str) -> list[str]:
    """Names of the HDF5 file, the VTK folder and the picture of a problem."""
    stem = file_stem(problem)
    return [f"{stem}.h5", f"{stem}-vtk", f"{stem}.png"]


def check_names(problem: Problem) -> None:
    """Refuse before any work what no VTK file can name.

    Raises:
        OutputArrayError: see `Names.of`.
    """
    from ..solution.visualisation import Names

    Names.of(problem, problem.reference is not None)


def write(solution: Solution, results: Results, output: Output) -> list[Path]:
    """All files of a solution, put in place together.

    The HDF5 file holds everything: what ParaView or a picture cannot show must not cost the run.
    """
    from ..solution.output import explained

    hdf5, vtk, picture = (results.staging / name for name in output_names(solution.problem.name))
    shown: dict[str, Callable[[], object]] = {
        "VTK files": lambda: solution.write_vtk(vtk),
        "picture": lambda: solution.plot().savefig(picture, dpi=150),
    }
    with explained(results.directory):
        solution.save(hdf5)
        for what, show in shown.items():
            try:
                show()
            except (OSError, OutputPathError):
                raise  # a full disk: earlier results stay
            except PDESolveError as error:
                output.note(f"No {what}: {error}")
            except Exception as error:  # whatever it is, the answer is worth more
                output.note(f"No {what}: {type(error).__name__}: {error}")
        return results.publish()


def report(solution: Solution, written: Sequence[Path], output: Output) -> None:
    """A table for people, the JSON object for programs."""
    from rich.table import Table
    from rich.text import Text

    from ..solution.report import rows, title

    # First the summary: it measures the error, which the table then shows.
    summary = solution.summary([path.as_posix() for path in written])
    table = Table(title=title(solution), show_header=False, title_justify="left")
    facts = rows(solution)
    if solution.message and not solution.status.success:
        facts.insert(1, ("what to do", solution.status.value))
    for label, value in [*facts, *file_rows(written)]:
        table.add_row(label, Text(value, overflow="fold"))
    output.console.print(table)
    output.result(summary)


def file_rows(written: Sequence[Path]) -> list[tuple[str, str]]:
    """The files to open; the time steps that a .pvd refers to are counted only."""
    shown = [path for path in written if path.suffix not in VTK_DATA]
    count = len(written) - len(shown)
    lines = [path.as_posix() for path in shown] + (
        [f"and {count} files that the .pvd opens"] if count else []
    )
    return [("files", "\n".join(lines))] if lines else []
