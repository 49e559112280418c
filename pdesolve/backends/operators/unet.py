"""`UNet`: the convolutional baseline as a backend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from .encoding import Encoding
from .networks import UNet as Network
from .operator import NeuralOperator


@dataclass(frozen=True)
class UNet(NeuralOperator):
    """A U-Net: convolutions on a hierarchy of grids, the baseline that knows nothing of functions.

    Its kernels are of so many grid points: on another grid it is another operator, and refused.

    Args:
        width: channels on the finest grid, doubled on each of the coarser ``levels``.
    """

    width: int = 16
    levels: int = 3

    name: ClassVar[str] = "unet"
    any_grid: ClassVar[bool] = False
    summary: ClassVar[str] = "U-Net baseline, trained on a family of problems"
    citations: ClassVar[tuple[str, ...]] = (
        "O. Ronneberger, P. Fischer, T. Brox: U-Net: Convolutional networks for biomedical image "
        "segmentation. MICCAI 2015, LNCS 9351, 234-241.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_count("width", "levels")
        self.require("points", self.points is None, "None: it works on the grid of its training alone")

    def network(self, encoding: Encoding, grid: tuple[int, ...], generator: torch.Generator) -> nn.Module:
        kinds: Any = encoding.axes
        return Network(
            kinds,
            len(encoding.fields),
            encoding.channels,
            generator,
            width=self.width,
            levels=self.levels,
            parameters=len(encoding.numbers),
            coordinates=not encoding.translation,
            dtype=self.dtype,
        )
