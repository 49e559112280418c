"""`DeepONet`: the deep operator network as a backend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from .encoding import Encoding
from .networks import DeepONet as Network
from .operator import NeuralOperator


@dataclass(frozen=True)
class DeepONet(NeuralOperator):
    """A deep operator network: functions of the point, with coefficients that depend on the input.

        G(a)(y) = Σ_p b_p(a) t_p(y) + b₀

    The times of an evolution are channels of b. On equations that are invariant under translations the input
    is first moved so that its longest wave has its crest at the origin, and the output moved back: a branch
    network does not know that a moved input is the same one.

    Args:
        width, depth: of the branch; the trunk has the same depth.
        basis: functions t_p.
        harmonics: waves of the trunk's features on periodic axes.
        averaged: all layers speak (MultiONet).

    Source: Lu et al., Nat. Mach. Intell. 3 (2021) 218-229 (arXiv 1910.03193), equation (2).
    """

    width: int = 256
    depth: int = 3
    basis: int = 128
    harmonics: int = 16
    averaged: bool = False

    name: ClassVar[str] = "deeponet"
    summary: ClassVar[str] = "Deep operator network, trained on a family of problems"
    citations: ClassVar[tuple[str, ...]] = (
        "L. Lu, P. Jin, G. Pang, Z. Zhang, G. E. Karniadakis: Learning nonlinear operators via DeepONet "
        "based on the universal approximation theorem of operators. Nat. Mach. Intell. 3 (2021) 218-229.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_count("width", "depth", "basis", "harmonics")
        self.require("averaged", isinstance(self.averaged, bool), "True or False")

    def network(self, encoding: Encoding, grid: tuple[int, ...], generator: torch.Generator) -> nn.Module:
        kinds: Any = encoding.axes
        plain = Network(
            kinds,
            grid,
            len(encoding.fields),
            encoding.channels,
            generator,
            width=self.width,
            depth=self.depth,
            basis=self.basis,
            harmonics=self.harmonics,
            parameters=len(encoding.numbers),
            averaged=self.averaged,
            dtype=self.dtype,
        )
        return Aligned(plain) if encoding.translation else plain


class Aligned(nn.Module):
    """A network on a circle, made to commute with translations.

    The input is moved so that the first Fourier coefficient is real and positive, the output moved back.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, fields: Tensor, numbers: Tensor) -> Tensor:
        """(n, fields, points), (n, numbers) -> (n, channels, points)."""
        spectra = torch.fft.rfft(fields)
        angle = torch.angle(spectra[:, :1, 1:2])
        k = torch.arange(spectra.shape[-1], dtype=fields.dtype, device=fields.device)
        turn = torch.exp(1j * k * angle)
        moved = torch.fft.irfft(spectra / turn, fields.shape[-1])
        output: Tensor = self.network(moved, numbers).to(fields.dtype)  # there are no short complex numbers
        back: Tensor = torch.fft.irfft(torch.fft.rfft(output) * turn, output.shape[-1])
        return back
