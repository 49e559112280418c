"""`Job`: one cell of the matrix problems x backends x options x seeds x budgets, with a content address."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pdesolve
from pdesolve.backends.base import Backend
from pdesolve.declare import PDESolveError, Problem


class JobError(PDESolveError):
    """A job holds what its canonical form cannot, or a text is no job."""


@dataclass(frozen=True)
class Job:
    """One solve, described by plain values: whoever runs it gets the same numbers, up to time.

    Attributes:
        problem: a name of the catalogue, or of a family. Then ``parameters`` may hold ``member`` and, for
            a recovery from observations, ``sensors`` (how many of each field by name) and ``nodes``, on
            which they lie; see `pdesolve.observe`.
        backend: a backend's name.
        parameters: of the problem.
        options: of the backend; lists stand for tuples.
        seed: of all random generators.
        budget: seconds of set-up and work; None lets the method end by itself.
        steps: units of work; None for no limit.
        device: ``cpu`` or ``cuda``.
        dtype: ``float64`` or ``float32``.
        data: for learned operators, what is generated before training: ``members``, ``points``, ``times``,
            ``test`` (members that the error is measured on).
        series: the curve in the report that it belongs to; empty for backend and options. Not part of the
            address: a label changes no number.
    """

    problem: str
    backend: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    budget: float | None = None
    steps: int | None = None
    device: str = "cpu"
    dtype: str = "float64"
    data: Mapping[str, Any] = field(default_factory=dict)
    series: str = ""

    def canonical(self) -> str:
        """One line of JSON, keys sorted: equal for equal jobs.

        Raises:
            JobError: an option is no plain value.
        """
        try:
            return json.dumps(dataclasses.asdict(self), sort_keys=True, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise JobError(
                f"Job({self.problem!r}, {self.backend!r})",
                "numbers, texts, lists and dictionaries as options",
                str(error),
                "Name objects by their text, such as sampler='r3'.",
            ) from error

    @property
    def address(self) -> str:
        """A hash of all that decides the result: the job without its label, and the package's version."""
        content = json.loads(self.canonical())
        del content["series"]
        text = json.dumps([content, pdesolve.__version__], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def case(self) -> str:
        """The problem with its parameters, as one text: ``burgers(nu=0.02)``."""
        return call_text(self.problem, self.parameters)

    @property
    def label(self) -> str:
        """The name of its curve."""
        return self.series or call_text(self.backend, self.options)

    @classmethod
    def parse(cls, text: str) -> Job:
        """The inverse of `canonical`.

        Raises:
            JobError: the text is something else.
        """
        try:
            return cls(**json.loads(text))
        except (TypeError, ValueError) as error:
            raise JobError(
                "a job", "the JSON of one", str(error), "Write it with Job.canonical()."
            ) from error

    def method(self) -> Backend:
        """The backend with its options; objects among them as their ``kind`` and options.

        Raises:
            PDESolveError: there is no such backend or option, or a value makes no sense.
        """
        from pdesolve.backends.registry import make_backend, option_names

        unknown = set(self.options) - set(option_names(self.backend))
        if unknown:
            make_backend(self.backend, **dict.fromkeys(unknown))  # says which there are
        return make_backend(self.backend).with_options(json.loads(json.dumps(dict(self.options))))

    def declare(self) -> Problem:
        """The problem.

        Raises:
            PDESolveError: there is no such entry, or a parameter makes no sense.
        """
        from pdesolve.problems import FAMILIES, catalogue, family

        parameters = thawed(self.parameters)
        if self.problem in FAMILIES:
            member, sensors = parameters.pop("member", 0), parameters.pop("sensors", None)
            nodes = parameters.pop("nodes", None)
            drawn_from = family(self.problem, **parameters)
            if sensors is None and nodes is None:
                return drawn_from.sample(member)
            return pdesolve.observe(drawn_from, member, sensors or {}, nodes=nodes)
        return catalogue(self.problem, **parameters)


def call_text(name: str, arguments: Mapping[str, Any]) -> str:
    """``name(key=value, ...)``, or the name alone."""
    inside = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    return f"{name}({inside})" if inside else name


def thawed(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as backends take them: JSON has lists where Python has tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
