"""`FNO`: the Fourier neural operator as a backend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from .encoding import Encoding
from .networks import FNO as Network
from .operator import NeuralOperator


@dataclass(frozen=True)
class FNO(NeuralOperator):
    """The Fourier neural operator: convolutions whose kernels are given by a few wavenumbers each.

        v ← σ(W v + b + F⁻¹(R_k (F v)_k, k < K)),   four layers between a lift and a projection

    The times of an evolution are channels of the output, so that one evaluation gives a trajectory; space is
    all that the network sees. On equations that are invariant under translations it sees no coordinates.

    Args:
        modes: K, wavenumbers kept along each axis, a third to two thirds of those of the grid.
        width, layers: channels of v, and how often it is convolved.
        projection: hidden units of the last map.

    Good values: width 64 and modes 32 for fronts on 128 points; width 32 and modes 12 to 16 in two
    dimensions.

    Source: Li et al., ICLR 2021 (arXiv 2010.08895), equations (2)-(5); see `networks.fno` for what differs.
    """

    modes: int = 32
    width: int = 64
    layers: int = 4
    projection: int = 128

    name: ClassVar[str] = "fno"
    summary: ClassVar[str] = "Fourier neural operator, trained on a family of problems"
    citations: ClassVar[tuple[str, ...]] = (
        "Z. Li, N. Kovachki, K. Azizzadenesheli, B. Liu, K. Bhattacharya, A. Stuart, A. Anandkumar: Fourier "
        "neural operator for parametric partial differential equations. ICLR 2021.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_count("modes", "width", "layers", "projection")

    def network(self, encoding: Encoding, grid: tuple[int, ...], generator: torch.Generator) -> nn.Module:
        kinds: Any = encoding.axes
        return Network(
            kinds,
            len(encoding.fields),
            encoding.channels,
            generator,
            modes=self.modes,
            width=self.width,
            layers=self.layers,
            projection=self.projection,
            parameters=len(encoding.numbers),
            coordinates=not encoding.translation,
            dtype=self.dtype,
        )
