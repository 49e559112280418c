"""`Family`: a distribution of problems that share one declaration."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from .conditions import Initial, Observations
from .distributions import Distribution
from .domain import Array
from .errors import ExpressionTypeError, UndeclaredSymbolError
from .problem import Problem
from .symbols import as_expression, coefficient

Seed = int | Sequence[int]


@dataclass(frozen=True)
class Family:
    """Problems that differ in random fields and numbers only.

    Args:
        name: a short name, used in files and reports.
        declare: from one expression for each input, by name, to the `Problem`.
        inputs: what each input is drawn from.
        points: points on each axis of the grid that its data sets have by default.
        times: stored times, both ends included; ignored for steady problems.
        description: one or two sentences.

    >>> burgers = Family("burgers", lambda u0: Problem(...), {"u0": GaussianField(line, sigma=25, tau=5)})
    ...                                                                     # doctest: +SKIP
    >>> burgers.sample(seed=7)                        # an ordinary Problem   # doctest: +SKIP
    >>> burgers.member(u0=sp.sin(2 * sp.pi * x))      # one of your own       # doctest: +SKIP
    """

    name: str
    declare: Callable[..., Problem]
    inputs: Mapping[str, Distribution]
    points: int = 128
    times: int = 101
    description: str = ""

    def __post_init__(self) -> None:
        for key, distribution in self.inputs.items():
            if not isinstance(distribution, Distribution):
                raise ExpressionTypeError(
                    f"Family {self.name!r}, input {key!r}",
                    "a distribution, such as GaussianField or Uniform",
                    repr(distribution)[:80],
                    "Give one; what does not vary belongs in the declaration.",
                )

    def draw(self, seed: Seed = 0) -> dict[str, sp.Expr]:
        """One draw of all inputs, as expressions; each has a random stream of its own."""
        return {
            key: d.sample(rng) for (key, d), rng in zip(self.inputs.items(), self._streams(seed), strict=True)
        }

    def values(self, seed: Seed, axes: Sequence[Array]) -> dict[str, Array]:
        """The same draw as values on a tensor grid in space, much faster than from the expressions."""
        pairs = zip(self.inputs.items(), self._streams(seed), strict=True)
        return {key: d.values(rng, axes) for (key, d), rng in pairs}

    def _streams(self, seed: Seed) -> list[np.random.Generator]:
        entropy = [seed] if isinstance(seed, int | np.integer) else list(seed)
        return [np.random.default_rng([*map(int, entropy), stream]) for stream in range(len(self.inputs))]

    def sample(self, seed: Seed = 0) -> Problem:
        """A random member, an ordinary problem; the same seed gives the same one."""
        return self.member(**self.draw(seed))

    def member(self, **inputs: Any) -> Problem:
        """The member with given inputs.

        Raises:
            UndeclaredSymbolError: an input is missing, or is none of this family.
        """
        if set(inputs) != set(self.inputs):
            raise UndeclaredSymbolError(
                f"Family {self.name!r}",
                f"a value for each of {', '.join(self.inputs)}",
                ", ".join(inputs) or "none",
                "Give these and no others.",
            )
        given = {key: as_expression(value, f"Family {self.name!r}, {key}") for key, value in inputs.items()}
        return self.declare(**given).replace(family=self.name, inputs=given)

    @cached_property
    def typical(self) -> Problem:
        """The member of seed 0: what all members have in common can be read off it."""
        return self.sample(0)

    @cached_property
    def undetermined(self) -> Problem:
        """The declaration with each field that is an input as an unknown `coefficient` of the same name.

        Raises:
            UndeclaredSymbolError: the family has inputs that are numbers, or its members are evolutions.
        """
        typical = self.typical
        if self.numbers or typical.domain.time is not None:
            raise UndeclaredSymbolError(
                f"Family {self.name!r}, undetermined",
                "steady problems whose inputs are fields",
                "numbers among the inputs" if self.numbers else "evolutions",
                "Declare the problem with coefficient() yourself.",
            )
        space = typical.coordinates
        unknown = {key: coefficient(key, *space) for key in self.fields}
        problem = self.declare(**unknown)
        order = (*typical.unknowns, *unknown.values())
        return problem.replace(family=self.name, reference=None, unknowns=order, priors=self.inputs)

    def observed(
        self,
        observations: Mapping[str, tuple[Any, Any]],
        *,
        noise: float | Mapping[str, float] = 0.0,
        reference: Any = None,
    ) -> Problem:
        """A member of which some values are known, and its inputs are not.

        Steady problems hold their inputs as unknown coefficients, behind the unknowns; evolutions lose the
        initial conditions that are inputs.

        Args:
            observations: for unknowns and inputs, by name: points (n, d) and values (n,).
            noise: standard deviation of all values, or of those of each name.
            reference: the truth, where it is known; unknowns in the problem's order.

        >>> problem = family.observed({"u": (points, values)}, noise=1e-3)      # doctest: +SKIP

        Raises:
            UndeclaredSymbolError: a name is none of the problem's unknowns, nothing was observed, noise is
                of what was not, or an evolution has inputs other than its initial values.
        """
        evolution = self.typical.domain.time is not None
        problem = self.typical if evolution else self.undetermined
        by_name = dict(zip(problem.unknown_names, problem.unknowns, strict=True))
        if not observations or not set(observations) <= set(by_name):
            raise UndeclaredSymbolError(
                f"Family {self.name!r}, observed()",
                f"observations of {', '.join(by_name)}",
                ", ".join(observations) or "none",
                "Name what was measured.",
            )
        noises = noise if isinstance(noise, Mapping) else dict.fromkeys(observations, noise)
        if not set(noises) <= set(observations):
            raise UndeclaredSymbolError(
                f"Family {self.name!r}, observed(noise=)",
                f"noise of {', '.join(observations)}",
                ", ".join(noises),
                "Name what was observed.",
            )
        given = [
            Observations(by_name[name], points, values, noises.get(name, 0.0))
            for name, (points, values) in observations.items()
        ]
        inputs = set(problem.inputs.values())
        started = {c.value for c in problem.of_type(Initial)}
        if evolution and (self.numbers or not inputs <= started):
            raise UndeclaredSymbolError(
                f"Family {self.name!r}, observed()",
                "an evolution whose inputs are initial values, as they are",
                ", ".join(k for k, v in problem.inputs.items() if v not in started) or "numbers",
                "Declare the problem with coefficient() or parameter(unknown=True) yourself.",
            )
        kept = [c for c in problem.conditions if not (isinstance(c, Initial) and c.value in inputs)]
        return problem.replace(conditions=[*kept, *given], inputs={}, priors=self.inputs, reference=reference)

    @property
    def fields(self) -> tuple[str, ...]:
        """Inputs that are fields, in order."""
        return tuple(key for key, d in self.inputs.items() if d.is_field)

    @property
    def numbers(self) -> tuple[str, ...]:
        """Inputs that are numbers, in order."""
        return tuple(key for key, d in self.inputs.items() if not d.is_field)

    def recipe(self) -> dict[str, Any]:
        """What the members are drawn from, as plain values, for files and cards."""
        return {"family": self.name, "inputs": {key: d.describe() for key, d in self.inputs.items()}}

    @property
    def digest(self) -> str:
        """Tells one family from another: its recipe and the declaration of a typical member."""
        text = json.dumps([self.recipe(), self.typical.digest], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
