"""Deep operator networks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ....residual.activations import ACTIVATIONS
from .coordinates import feature_count, features, grid_points
from .film import check_parameters
from .initial import linear, zeros
from .resampling import resample
from .transforms import Kind


class DeepONet(nn.Module):
    """G_c(a)(y) = Σ_p B_cp(a, q) t_p(y) + b_c, with a branch network B and a trunk network t.

    The branch sees values of a at fixed sensors, those of a grid, and the parameters q of a sample; it ends
    in a linear layer. The trunk sees `features` of y and ends in an activation. With ``averaged`` all layers
    speak, as in MultiONet:

        G_c(a)(y) = 1/L Σ_ℓ Σ_p B_ℓcp(a, q) t_ℓp(y) + b_c,

    t_ℓ the ℓ-th layer of the trunk and B_ℓ linear in the ℓ-th of the branch.

    Lu et al., Nat. Mach. Intell. 3 (2021) 218, eq. (2); MultiONet: Zang & Koutsourelakis, J. Comput. Phys.
    538 (2025) 114137.

    Args:
        kinds: "periodic" or "open", of each axis.
        sensors: grid on which the branch sees fields; other grids are resampled to it.
        width, depth: of the branch; the trunk has the same depth.
        basis: functions t_p, the width of the trunk.
        harmonics: waves of the trunk's features on periodic axes.
        parameters: numbers of a sample, seen by the branch.
        averaged: whether all layers speak.
    """

    def __init__(
        self,
        kinds: Sequence[Kind],
        sensors: Sequence[int],
        channels_in: int,
        channels_out: int,
        generator: torch.Generator,
        *,
        width: int = 128,
        depth: int = 3,
        basis: int = 128,
        harmonics: int = 4,
        parameters: int = 0,
        averaged: bool = False,
        activation: str = "gelu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.kinds, self.sensors, self.harmonics = tuple(kinds), tuple(sensors), harmonics
        self.parameter_count, self.averaged = parameters, averaged
        seen = channels_in * math.prod(self.sensors) + parameters

        def perceptron(n_in: int, n_hidden: int) -> nn.ModuleList:
            sizes = [n_in] + [n_hidden] * depth
            return nn.ModuleList(
                nn.Sequential(
                    linear(sizes[i], n_hidden, generator, dtype, gain=math.sqrt(2)),
                    ACTIVATIONS[activation].module(),
                )
                for i in range(depth)
            )

        self.branch = perceptron(seen, width)
        self.trunk = perceptron(feature_count(self.kinds, harmonics), basis)
        speaking = depth if averaged else 1
        self.heads = nn.ModuleList(  # the sum over p has size one at the start
            linear(width, channels_out * basis, generator, dtype, gain=basis**-0.5) for _ in range(speaking)
        )
        self.bias = zeros(channels_out, dtype=dtype)

    def forward(self, fields: Tensor, parameters: Tensor | None = None) -> Tensor:
        """(batch, channels_in, *grid) and (batch, p) to (batch, channels_out, *grid)."""
        grid = tuple(fields.shape[2:])
        x = grid_points(self.kinds, grid, fields.dtype, fields.device)
        values = self.at(fields, x, parameters)
        return values.view(*values.shape[:2], *grid)

    def at(self, fields: Tensor, points: Tensor, parameters: Tensor | None = None) -> Tensor:
        """Values (batch, channels_out, m) at points (m, d) of [0, 1]^d, differentiable in these."""
        check_parameters("DeepONet()", self.parameter_count, parameters)
        seen = resample(fields, self.sensors, self.kinds).flatten(1)
        if parameters is not None:
            seen = torch.cat([seen, parameters], dim=1)
        said = self._speaking(self.branch, seen)
        functions = self._speaking(self.trunk, features(points, self.kinds, self.harmonics))
        total = self.bias[:, None]
        for head, of_branch, of_trunk in zip(self.heads, said, functions, strict=True):
            weights = head(of_branch).unflatten(1, (len(self.bias), -1))  # (batch, channels_out, basis)
            total = total + weights @ of_trunk.T / len(self.heads)
        return total

    def _speaking(self, layers: nn.ModuleList, x: Tensor) -> list[Tensor]:
        """The layers of a perceptron that enter the sum: all, or the last one."""
        outputs = []
        for layer in layers:
            x = layer(x)
            outputs.append(x)
        return outputs if self.averaged else outputs[-1:]
