"""A normalising flow on the unit cube: a density that can be evaluated, sampled and trained."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .spline import parameter_count, spline


@dataclass(frozen=True)
class Flow:
    """p(x) = |det ∂z/∂x| for a bijection z(x; θ) of [0, 1]^d, the base density being uniform.

    The bijection is one spline for each coordinate, then ``couplings`` layers, each of which maps a part of
    the coordinates by splines whose parameters a network with two hidden layers reads off the others. Parts
    are told by the binary digits of the coordinates' numbers, so that in turn all pairs are separated. The
    support is the whole cube, and the density is continuous. θ is one flat vector: checkpoints hold it as it
    is.

    The layers are those of neural spline flows (Durkan et al., arXiv:1906.04032); the bounded KRnet of the
    papers on adaptive sampling composes affine couplings and piecewise quadratic maps to the same end.

    Attributes:
        d: dimension, at least 1.
        couplings: layers; 6 suffice for one or two peaks in 2 to 10 dimensions.
        width: of the hidden layers.
        bins: of every spline.
    """

    d: int
    couplings: int = 6
    width: int = 32
    bins: int = 12

    def initial(self, generator: torch.Generator, dtype: torch.dtype = torch.float64) -> Tensor:
        """θ of the uniform density: all splines are the identity, the hidden layers are random."""
        parts = [torch.zeros(self.d * parameter_count(self.bins), dtype=dtype)]
        for given, moved in self._halves():
            *hidden, (out, width) = self._layers(len(given), len(moved))
            for rows, columns in hidden:
                layer = torch.randn(rows, columns + 1, generator=generator, dtype=dtype)
                parts.append(layer.ravel() / math.sqrt(columns + 1))
            parts.append(torch.zeros(out * (width + 1), dtype=dtype))
        return torch.cat(parts)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """ln p (n,) at points (n, d) of the cube; differentiable in both arguments."""
        return self.transform(theta, x)[1]

    def sample(self, theta: Tensor, n: int, generator: torch.Generator) -> Tensor:
        """``n`` independent points (n, d) of density p."""
        return self.invert(theta, torch.rand(n, self.d, generator=generator, dtype=theta.dtype))[0]

    def transform(self, theta: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """z (n, d) and ln |det ∂z/∂x| (n,)."""
        marginal, networks = self._unpack(theta)
        z, log_slope = spline(x, marginal.expand(len(x), -1, -1))
        total = log_slope.sum(dim=1)
        for (given, moved), network in zip(self._halves(), networks, strict=True):
            mapped, log_slope = spline(z[:, moved], self._parameters(network, z[:, given], len(moved)))
            z = z.index_copy(1, torch.tensor(moved), mapped)
            total = total + log_slope.sum(dim=1)
        return z, total

    def invert(self, theta: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """x (n, d) and ln |det ∂x/∂z| (n,): the inverse of `transform`."""
        marginal, networks = self._unpack(theta)
        total = torch.zeros(len(z), dtype=z.dtype)
        for (given, moved), network in reversed(list(zip(self._halves(), networks, strict=True))):
            parameters = self._parameters(network, z[:, given], len(moved))
            mapped, log_slope = spline(z[:, moved], parameters, inverse=True)
            z = z.index_copy(1, torch.tensor(moved), mapped)
            total = total + log_slope.sum(dim=1)
        x, log_slope = spline(z, marginal.expand(len(z), -1, -1), inverse=True)
        return x, total + log_slope.sum(dim=1)

    def _halves(self) -> list[tuple[list[int], list[int]]]:
        """For each coupling the coordinates that are given, and those that are moved."""
        digits = (self.d - 1).bit_length()  # 0 in one dimension: nothing to couple
        halves = []
        for layer in range(self.couplings if digits else 0):
            digit, side = layer // 2 % digits, layer % 2
            of = [(j >> digit) & 1 for j in range(self.d)]
            halves.append(
                ([j for j in range(self.d) if of[j] != side], [j for j in range(self.d) if of[j] == side])
            )
        return halves

    def _layers(self, given: int, moved: int) -> list[tuple[int, int]]:
        """Rows and columns of the weights of a coupling's network."""
        return [
            (self.width, given),
            (self.width, self.width),
            (moved * parameter_count(self.bins), self.width),
        ]

    def _unpack(self, theta: Tensor) -> tuple[Tensor, list[list[Tensor]]]:
        """The parameters of the first splines (d, 3K + 1), and [weights | bias] of every network."""
        first = self.d * parameter_count(self.bins)
        shapes = [self._layers(len(given), len(moved)) for given, moved in self._halves()]
        sizes = [rows * (columns + 1) for layers in shapes for rows, columns in layers]
        marginal, *matrices = torch.split(theta, [first, *sizes])
        flat = iter(matrices)
        networks = [[next(flat).view(rows, columns + 1) for rows, columns in layers] for layers in shapes]
        return marginal.view(self.d, -1), networks

    @staticmethod
    def _parameters(network: list[Tensor], given: Tensor, moved: int) -> Tensor:
        """Parameters of splines (n, moved, 3K + 1) from the given coordinates (n, given)."""
        values = 2 * given - 1
        for k, matrix in enumerate(network):
            values = torch.addmm(matrix[:, -1], values, matrix[:, :-1].T)
            if k < len(network) - 1:
                values = torch.tanh(values)
        return values.view(len(given), moved, values.shape[1] // moved)
