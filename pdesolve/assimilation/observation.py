"""What is observed of a state: y = C u + ε."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..declare.domain import Array
from ..declare.errors import PDESolveError


class ObservationError(PDESolveError):
    """Points, noise or observed values do not fit the grid."""


@dataclass(frozen=True, eq=False)
class Observations:
    """Point values of one component of fields on a periodic grid, with independent normal noise.

        y = C u + ε,   ε ~ N(0, σ² I),   C the trigonometric interpolation at the points

    On grid points C picks values.

    Attributes:
        matrix: C, (observations, points of the grid).
        positions: of the observations, (observations, axes), and ``nodes`` of the grid (points, axes).
        lengths: of the periodic axes.
        noise: σ, in units of the field.
        component: of the fields, which is observed.
    """

    matrix: Tensor
    positions: Tensor
    nodes: Tensor
    lengths: tuple[float, ...]
    noise: float
    component: int = 0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.noise) and self.noise > 0):
            raise ObservationError(
                "Observations(noise=)", "a positive standard deviation", f"{self.noise}", "Change it."
            )

    @property
    def count(self) -> int:
        return len(self.matrix)

    def __call__(self, fields: Tensor) -> Tensor:
        """C u: (…, components, *grid) to (…, observations)."""
        axes = len(self.lengths)
        chosen = fields.flatten(-axes)[..., self.component, :]
        return chosen @ self.matrix.to(fields).T

    def draw(self, fields: Tensor, generator: torch.Generator) -> Tensor:
        """C u + ε."""
        exact = self(fields)
        return exact + self.noise * torch.randn(exact.shape, generator=generator, dtype=exact.dtype).to(exact)

    def adjoint(self, values: Tensor, grid: Sequence[int]) -> Tensor:
        """Cᵀ: (…, observations) to fields of the observed component (…, 1, *grid)."""
        return (values @ self.matrix.to(values)).view(*values.shape[:-1], 1, *grid)

    def distances(self) -> Tensor:
        """From each grid point to each observation around the torus, (points, observations)."""
        lengths = torch.tensor(self.lengths, dtype=self.nodes.dtype)
        gap = (self.nodes[:, None] - self.positions[None]).abs() % lengths
        nearest: Tensor = torch.minimum(gap, lengths - gap).norm(dim=-1)
        return nearest


def observe_points(
    coordinates: Sequence[Array], lengths: Sequence[float], points: Array, noise: float, component: int = 0
) -> Observations:
    """Observations at any points.

    Args:
        coordinates: of the periodic grid, one array for each axis, as in `Dataset`.
        lengths: periods of the axes.
        points: (observations, axes).
        noise: standard deviation.

    Raises:
        ObservationError: the points have another number of coordinates, or there are none.
    """
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != len(coordinates) or not len(points):
        raise ObservationError(
            "observe_points()",
            f"points of shape (n, {len(coordinates)}), n >= 1",
            f"shape {points.shape}",
            "Give one row a point.",
        )
    matrix = np.ones((len(points), 1))
    for axis, (nodes, length) in enumerate(zip(coordinates, lengths, strict=True)):
        own = cardinal(points[:, axis, None] - nodes[None], len(nodes), length)
        matrix = (matrix[:, :, None] * own[:, None, :]).reshape(len(points), -1)
    grid = np.stack([g.ravel() for g in np.meshgrid(*coordinates, indexing="ij")], axis=1)
    return Observations(
        torch.tensor(matrix),
        torch.tensor(points),
        torch.tensor(grid),
        tuple(map(float, lengths)),
        float(noise),
        component,
    )


def observe_every(
    coordinates: Sequence[Array], lengths: Sequence[float], every: int, noise: float, component: int = 0
) -> Observations:
    """Observations at every so many grid points along each axis, from the first one."""
    chosen = np.meshgrid(*(nodes[::every] for nodes in coordinates), indexing="ij")
    points = np.stack([g.ravel() for g in chosen], axis=1)
    return observe_points(coordinates, lengths, points, noise, component)


def cardinal(gap: Array, n: int, length: float) -> Array:
    """The trigonometric polynomial that is 1 at gap 0 and 0 at all other nodes of a periodic grid."""
    angle = np.pi * gap / length  # half the phase
    on_node = np.abs(np.sin(angle)) < 1e-12
    safe = np.where(on_node, 1.0, angle)
    # Even n: the Nyquist mode is a cosine alone.
    below = np.tan(safe) if n % 2 == 0 else np.sin(safe)
    return np.where(on_node, 1.0, np.sin(n * safe) / (n * below))


__all__ = ["ObservationError", "Observations", "observe_every", "observe_points"]
