"""Distributions of what sets the members of a family apart: random fields and random numbers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
import sympy as sp

from .domain import Array, Domain
from .errors import ParameterValueError
from .known import known_function
from .series import Boundary, Series, eigenvalues

BOUNDARIES = ("periodic", "neumann", "dirichlet")


class Distribution(ABC):
    """What one input of a family is drawn from."""

    is_field: ClassVar[bool]

    @abstractmethod
    def sample(self, rng: np.random.Generator) -> sp.Expr:
        """One draw, as an expression that a declaration can hold."""

    def values(self, rng: np.random.Generator, axes: Sequence[Array]) -> Array:
        """The draw that `sample` would make, on a tensor grid in space; a number is of shape ()."""
        expression = self.sample(rng)
        space = sorted(expression.free_symbols, key=str)
        grids = np.meshgrid(*axes, indexing="ij") if axes else []
        function = sp.lambdify(space, expression, ["numpy", "scipy"])
        return np.asarray(function(*grids[: len(space)]), dtype=np.float64)

    def describe(self) -> dict[str, Any]:
        """The recipe as plain values, for data files."""
        plain: dict[str, Any] = {"kind": type(self).__name__}
        for f in fields(self):  # type: ignore[arg-type]
            value = getattr(self, f.name)
            if isinstance(value, Distribution):
                plain[f.name] = value.describe()
            elif isinstance(value, Domain):
                plain[f.name] = [[str(a.coordinate), float(a.lower), float(a.upper)] for a in value.axes]
            else:
                plain[f.name] = value if isinstance(value, str | bool | int) else float(value)
        return plain

    def _require(self, option: str, holds: bool, expected: str) -> None:
        if not holds:
            raise ParameterValueError(
                f"{type(self).__name__}({option}=)", expected, repr(getattr(self, option))[:80], "Change it."
            )

    def _require_positive(self, *options: str) -> None:
        for option in options:
            value = getattr(self, option)
            self._require(option, math.isfinite(value) and value > 0, "a positive number")


@dataclass(frozen=True)
class Uniform(Distribution):
    """A number, uniform between two bounds."""

    low: float
    high: float
    is_field: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self._require("high", self.low < self.high, f"a number above low={self.low}")

    def sample(self, rng: np.random.Generator) -> sp.Expr:
        return sp.Float(rng.uniform(self.low, self.high), 17)


@dataclass(frozen=True)
class LogUniform(Distribution):
    """A positive number whose logarithm is uniform between those of two bounds."""

    low: float
    high: float
    is_field: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self._require_positive("low")
        self._require("high", self.low < self.high, f"a number above low={self.low}")

    def sample(self, rng: np.random.Generator) -> sp.Expr:
        return sp.Float(math.exp(rng.uniform(math.log(self.low), math.log(self.high))), 17)


@dataclass(frozen=True)
class GaussianField(Distribution):
    """A Gaussian random field with a power of the shifted Laplacian as its covariance.

        g ~ N(0, σ² (-Δ + τ²)^{-γ}),    g = Σ_k σ (λ_k + τ²)^{-γ/2} ξ_k φ_k,    ξ_k ~ N(0, 1)

    with the eigenpairs (λ_k, φ_k) of -Δ under the boundary conditions, φ_k of unit L2 norm, summed to
    ``modes`` on each axis: the truncated sum is the definition, so that a member of a family is the same
    problem at every resolution.

    Args:
        domain: the box it lives on, an `Interval` or `Box` without time.
        sigma, tau, gamma: size, inverse length and smoothness. γ/2 - d/4 derivatives are in L2.
        boundary: ``periodic``, ``neumann`` or ``dirichlet``.
        modes: K, the highest wavenumber.
        zero_mean: leave out the constant.

    Good values: those of the published data sets (Li et al., ICLR 2021): σ 25, τ 5, γ 2 for Burgers; σ 1,
    τ 3, γ 2, ``neumann`` for the coefficient of Darcy flow.
    """

    domain: Domain
    sigma: float = 1.0
    tau: float = 3.0
    gamma: float = 2.0
    boundary: Boundary = "periodic"
    modes: int = 32
    zero_mean: bool = False
    is_field: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self._require(
            "domain",
            isinstance(self.domain, Domain) and self.domain.is_box and self.domain.time is None,
            "an Interval or a Box, without time",
        )
        self._require_positive("sigma", "tau", "gamma", "modes")
        self._require("boundary", self.boundary in BOUNDARIES, f"one of {', '.join(BOUNDARIES)}")

    def sample(self, rng: np.random.Generator) -> sp.Expr:
        series = self.series(rng)
        return known_function(f"gaussian_{series.digest}", series)(*self.domain.coordinates)

    def values(self, rng: np.random.Generator, axes: Sequence[Array]) -> Array:
        return self.series(rng).on_grid(axes)

    def series(self, rng: np.random.Generator) -> Series:
        """One draw as its series."""
        deviations = self.deviations()
        lower, upper = self.domain.bounds.T
        return Series(
            self.boundary,
            tuple(lower.tolist()),
            tuple((upper - lower).tolist()),
            self.modes,
            deviations * rng.standard_normal(deviations.shape),
            (0,) * len(lower),
        )

    def deviations(self) -> Array:
        """Standard deviation of each coefficient, an axis for each coordinate."""
        total = np.zeros(())
        for lower, upper in self.domain.bounds:
            own = eigenvalues(self.boundary, float(upper - lower), self.modes)
            total = np.asarray(total)[..., None] + own
        result = self.sigma * (total + self.tau**2) ** (-self.gamma / 2)
        if self.zero_mean:
            result[total == 0] = 0.0
        return np.asarray(result)


@dataclass(frozen=True)
class TwoPhase(Distribution):
    """A field of two values: ``above`` where a random field is positive, ``below`` elsewhere."""

    field: GaussianField
    above: float = 12.0
    below: float = 3.0
    is_field: ClassVar[bool] = True

    def sample(self, rng: np.random.Generator) -> sp.Expr:
        inside = sp.Ge(self.field.sample(rng), 0)
        return sp.Piecewise((sp.Float(self.above), inside), (sp.Float(self.below), True))

    def values(self, rng: np.random.Generator, axes: Sequence[Array]) -> Array:
        return np.where(self.field.values(rng, axes) >= 0, self.above, self.below)


@dataclass(frozen=True)
class LogNormal(Distribution):
    """exp of a random field: a positive coefficient."""

    field: GaussianField
    is_field: ClassVar[bool] = True

    def sample(self, rng: np.random.Generator) -> sp.Expr:
        return sp.exp(self.field.sample(rng))

    def values(self, rng: np.random.Generator, axes: Sequence[Array]) -> Array:
        return np.asarray(np.exp(self.field.values(rng, axes)))


@dataclass(frozen=True)
class RandomSines(Distribution):
    """A sum of sines with random amplitudes, phases and low wavenumbers, periodic on an interval.

        g(x) = Σ_j A_j sin(2π ℓ_j (x - x₀)/L + φ_j),   A_j ~ U[-A, A],   ℓ_j ~ U{1, …, ℓ},   φ_j ~ U[0, 2π]

    Source: the initial data of Brandstetter, Welling & Worrall, ICML 2022 (arXiv 2202.07643).
    """

    domain: Domain
    terms: int = 10
    amplitude: float = 0.5
    wavenumbers: int = 2
    is_field: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self._require("domain", len(self.domain.axes) == 1 and self.domain.time is None, "an Interval")
        self._require_positive("terms", "amplitude", "wavenumbers")

    def sample(self, rng: np.random.Generator) -> sp.Expr:
        (x,) = self.domain.coordinates
        return sp.Add(
            *(
                sp.Float(a, 17) * sp.sin(sp.Float(k, 17) * (x - self._lower) + sp.Float(p, 17))
                for a, k, p in zip(*self._draw(rng), strict=True)
            )
        )

    def values(self, rng: np.random.Generator, axes: Sequence[Array]) -> Array:
        amplitude, wavenumber, phase = self._draw(rng)
        return np.asarray(np.sin(np.outer(axes[0] - self._lower, wavenumber) + phase) @ amplitude)

    @property
    def _lower(self) -> float:
        return float(self.domain.bounds[0, 0])

    def _draw(self, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        """Amplitudes, wavenumbers 2πℓ/L and phases."""
        amplitude = rng.uniform(-self.amplitude, self.amplitude, self.terms)
        whole = rng.integers(1, self.wavenumbers, self.terms, endpoint=True)
        phase = rng.uniform(0, 2 * math.pi, self.terms)
        length = float(np.diff(self.domain.bounds[0])[0])
        return amplitude, np.asarray(2 * np.pi / length * whole), phase
