"""Where a problem comes from: a catalogue name, or a user's file that defines ``problem``."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from ..declare import Problem
from ..declare.errors import ParameterValueError, PDESolveError, PDESolveWarning
from ..declare.family import Family
from ..problems import FAMILIES

MODULE = "pdesolve_user_problem"
"""Name under which a user's file runs; not ``__main__``, so that a guarded script part stays quiet."""


class ReferenceDroppedWarning(PDESolveWarning):
    """A parameter was changed that a problem's reference does not mention: the error is not measured."""


class ProblemFileError(PDESolveError):
    """A user's file cannot be read or run, or does not define ``problem``."""


@dataclass(frozen=True)
class Source:
    """A problem that can still be given parameters.

    Attributes:
        parameters: the names that `make` takes.
        make: the problem, with some parameters set.
    """

    parameters: tuple[str, ...]
    make: Callable[[Mapping[str, Any]], Problem]


def find_source(name: str) -> Source:
    """The source of ``burgers`` or of ``my_problem.py``.

    Raises:
        ProblemFileError: see the class.
        PDESolveError: the catalogue has no such name, or the file's declaration is refused.
    """
    if name.endswith(".py") or "/" in name or "\\" in name:
        return _from_file(Path(name))
    return _from_family(name) if name in FAMILIES else _from_catalogue(name)


def _from_family(name: str, use: Callable[[Family, int], Problem] = Family.sample) -> Source:
    """A random member of a family; ``--set member=7`` says which one."""
    from ..problems import family_parameters
    from .learning import find_family

    def make(values: Mapping[str, Any]) -> Problem:
        own = dict(values)
        member = own.pop("member", 0)
        if not isinstance(member, int) or isinstance(member, bool) or member < 0:
            raise ParameterValueError(
                f"--set of {name!r}", "a whole number for member", repr(member), "Write --set member=7."
            )
        return use(find_family(name, own), member)

    return Source((*family_parameters(name), "member"), make)


def observed(name: str, sensors: Sequence[str], noise: float) -> Source:
    """A member of a family of which sensors alone are known, ``u=60`` each.

    Raises:
        ParameterValueError: the name is of no family, or a sensor is not ``name=count``.
    """
    if name not in FAMILIES:
        raise ParameterValueError(
            "--observe", f"a family: {', '.join(FAMILIES)}", repr(name), "Observe a member of a family."
        )
    counts = {}
    for given in sensors:
        field, _, count = given.partition("=")
        if not count.isdigit():
            raise ParameterValueError("--observe", "NAME=COUNT", repr(given), "Write --observe u=60.")
        counts[field] = int(count)

    def use(family: Family, member: int) -> Problem:
        from ..observing import observe

        return observe(family, member, counts, noise=noise)

    return _from_family(name, use)


def _from_catalogue(name: str) -> Source:
    from ..problems import catalogue, parameters_of

    def make(values: Mapping[str, Any]) -> Problem:
        try:
            problem: Problem = catalogue(name, **values)
        except (TypeError, ValueError, ArithmeticError) as error:
            if not values:
                raise
            given = ", ".join(f"{key}={value!r}" for key, value in values.items())
            raise ParameterValueError(
                f"--set of {name!r}", "values of the right kind", f"{given} ({error})", "Give numbers."
            ) from error
        return problem

    return Source(parameters_of(name), make)


def _from_file(path: Path) -> Source:
    module = _run(path)
    found = getattr(module, "problem", None)
    if isinstance(found, Problem):
        return Source(tuple(str(symbol) for symbol in found.parameters), lambda values: _with(found, values))
    if inspect.isfunction(found):
        return Source(tuple(inspect.signature(found).parameters), lambda values: _made(path, found, values))
    got = "no such name" if found is None else f"a {type(found).__name__}"
    raise _refuse(
        path, "`problem = pdesolve.Problem(...)`", got, "Define `problem` at the top level of the file."
    )


def _with(problem: Problem, values: Mapping[str, Any]) -> Problem:
    """The problem with some parameters changed.

    A reference that does not mention them symbolically may belong to the old values: it is dropped.
    """
    if not values:
        return problem
    for name, value in values.items():
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ParameterValueError("--set", f"a number for {name}", repr(value), "Write --set name=0.1.")
    parameters = {s: values.get(str(s), old) for s, old in problem.parameters.items()}
    changed = {s for s in problem.parameters if str(s) in values}
    reference = problem.reference
    if reference is not None and reference.backend is None:
        symbols = {s for e in reference.expressions or () for s in e.free_symbols}
        if not changed <= symbols:
            warnings.warn(
                f"The reference of {problem.name!r} is not used: it may belong to the value in the file of "
                f"{', '.join(sorted(map(str, changed - symbols)))}, which --set has changed.",
                ReferenceDroppedWarning,
                stacklevel=2,
            )
            reference = None
    return problem.replace(parameters=parameters, reference=reference)


def _made(path: Path, function: Callable[..., Any], values: Mapping[str, Any]) -> Problem:
    with _own_errors(path):
        problem = function(**values)
    if not isinstance(problem, Problem):
        raise _refuse(path, "problem() to return a Problem", f"a {type(problem).__name__}", "Return it.")
    return problem


def _run(path: Path) -> ModuleType:
    """Run a file as a module, its folder importable as with ``python file.py``, leaving no cache behind."""
    if not path.is_file():
        got = "a folder" if path.is_dir() else "no such file"
        raise _refuse(path, "a Python file", got, "Check the path; catalogue names have no .py or slash.")
    spec = importlib.util.spec_from_file_location(MODULE, path.absolute())
    if spec is None or spec.loader is None:
        raise _refuse(path, "a Python file", "another kind of file", "Let its name end in .py.")
    module = importlib.util.module_from_spec(spec)
    folder = str(path.resolve().parent)
    writes_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.path.insert(0, folder)
    sys.modules[MODULE] = module
    try:
        with _own_errors(path):
            spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = writes_bytecode
        sys.path.remove(folder)
    return module


@contextmanager
def _own_errors(path: Path) -> Iterator[None]:
    """Errors of a user's code as one message that names the line."""
    try:
        yield
    except PDESolveError as error:
        error.add_note(f"{path}{_line(error, path)}")
        raise
    except SyntaxError as error:
        where = f" in line {error.lineno}" if error.lineno else ""
        raise _refuse(path, "valid Python", f"{error.msg}{where}", "Correct the file.") from error
    except (Exception, SystemExit) as error:
        got = f"{type(error).__name__}: {error}{_line(error, path)}"
        raise _refuse(path, "a file that can be read and run", got, "Correct the file.") from error


def _line(error: BaseException, path: Path) -> str:
    """``, line 12``: the innermost line of the user's file that the error passed through."""
    lines = [
        f.lineno for f in traceback.extract_tb(error.__traceback__) if Path(f.filename) == path.absolute()
    ]
    return f", line {lines[-1]}" if lines else ""


def _refuse(path: Path, expected: str, got: str, remedy: str) -> ProblemFileError:
    return ProblemFileError(str(path), expected, got, remedy)
