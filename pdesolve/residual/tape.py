"""Jacobian rows from one backward pass: what each layer saw, and what the residual feels there.

The residual at a point depends on the network at that point alone. So one backward pass of Σ_i r_i to the
outputs of every layer gives each point's own sensitivity δ_α = ∂r_i/∂(D^α y), and with the layer's inputs
D^α x, kept on the way forward, the row of the Jacobian is, for y = W x + b,

    ∂r_i/∂W = Σ_α δ_α (D^α x)ᵀ,    ∂r_i/∂b = δ_0.

That costs one gradient and one batched product for all points together, where a backward pass for every row
costs n of them. The sums over α are the Taylor channels of Dangel, Müller & Zeinhofer, arXiv 2405.15603,
section 3, kept a point apart instead of summed.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from ..declare.problem import MultiIndex


@dataclass(frozen=True)
class Tap:
    """One place at which parameters act.

    Attributes:
        parameters: the parameter tensors that act here: (weight, bias or nothing) of a linear map, or one
            that acts elementwise.
        shape: of the sensitivity of one point: (parts of the jet, outputs), or the parameter's own.
        is_linear: whether the row is an outer product with the layer's input.
    """

    parameters: tuple[Tensor, ...]
    shape: tuple[int, ...]
    is_linear: bool


class Tape:
    """Follows a jet through a network of ``n`` points.

    Without ``perturbations`` it notes the taps. With them, one tensor for each tap in the same order, they
    are added where the parameters act: as zeros they change nothing, and the derivative by them is the
    sensitivity.
    """

    def __init__(self, n: int, perturbations: Sequence[Tensor] | None = None) -> None:
        self.n = n
        self.taps: list[Tap] = []
        self.inputs: list[Tensor] = []
        self._perturbations: Iterator[Tensor] | None = None if perturbations is None else iter(perturbations)

    def linear(
        self, module: nn.Linear, inputs: Mapping[MultiIndex, Tensor], outputs: Mapping[MultiIndex, Tensor]
    ) -> dict[MultiIndex, Tensor]:
        """The outputs (n, channels) of a linear layer, perturbed part by part."""
        self.inputs.append(torch.stack([part.expand(self.n, -1) for part in inputs.values()], dim=1))
        if self._perturbations is None:
            own = (module.weight,) if module.bias is None else (module.weight, module.bias)
            self.taps.append(Tap(own, (len(inputs), module.out_features), True))
            return dict(outputs)
        change = next(self._perturbations).unbind(1)
        return {index: part + e for (index, part), e in zip(outputs.items(), change, strict=True)}

    def parameter(self, parameter: Tensor) -> Tensor:
        """A parameter that acts elementwise, as each point sees it: (n, *shape)."""
        spread = parameter.expand(self.n, *parameter.shape)
        if not parameter.numel():
            return spread
        self.inputs.append(spread.detach())  # of no use, but functional transforms want a tensor
        if self._perturbations is None:
            self.taps.append(Tap((parameter,), tuple(parameter.shape), False))
            return spread
        return spread + next(self._perturbations)


def rows_of(tap: Tap, sensitivity: Tensor, inputs: Tensor) -> list[Tensor]:
    """Rows (n, size) of the Jacobian for each parameter of a tap."""
    n = len(sensitivity)
    if not tap.is_linear:
        return [sensitivity.reshape(n, -1)]
    if torch.compiler.is_compiling():  # fused into one loop, four times as fast as many small products
        pairs = zip(sensitivity.unbind(1), inputs.unbind(1), strict=True)
        weight = functools.reduce(torch.add, [d[:, :, None] * x[:, None, :] for d, x in pairs])
    else:
        weight = torch.bmm(sensitivity.transpose(1, 2), inputs)
    weight = weight.reshape(n, -1)
    # The value comes first among the parts of a jet, and the bias touches it alone.
    return [weight] if len(tap.parameters) == 1 else [weight, sensitivity[:, 0]]
