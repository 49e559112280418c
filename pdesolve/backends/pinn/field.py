"""The field of a trained network."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ...declare.domain import Array
from ...residual import Derivative
from ...residual.residual import Residual
from ...solution.field import Field
from ..slabs import TOGETHER, Carried

_CHUNK = TOGETHER  # points evaluated at once: bounds the memory of large grids


class NetworkField(Field):
    """u = L + F N at fixed parameters θ, with derivatives of any order by jets."""

    def __init__(self, residual: Residual, theta: torch.Tensor) -> None:
        self._residual = residual
        self._theta = theta.detach().clone()

    @property
    def carried(self) -> Carried | None:
        """The state of an earlier slab that the network's part is added to."""
        background = self._residual.background
        return background if isinstance(background, Carried) else None

    def derivatives(self, points: Array, wanted: Sequence[Derivative]) -> list[Array]:
        pieces = []
        for chunk in torch.split(self._residual.tensor(points), _CHUNK):
            values = self._residual.derivatives(self._theta, chunk, tuple(wanted))
            pieces.append(torch.stack(values))
        return list(torch.cat(pieces, dim=1).double().cpu().numpy())

    def arrays(self) -> dict[str, Array]:
        """θ (p,), in its own dtype, which `PINN.restore` takes up, and the constants (c,) of the network."""
        constants = self._residual.constants().cpu().numpy()
        return {"theta": self._theta.cpu().numpy()} | ({"constants": constants} if len(constants) else {})
