"""The field of a network that DeepXDE has trained: its weights, evaluated here with all derivatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn

from ...declare import Problem
from ...declare.domain import Array
from ...residual.activations import ACTIVATIONS
from ...residual.ansatz import Ansatz, build_ansatz
from ...residual.model import Model
from ...residual.program import Derivative, Program
from ...solution.field import Field

CHUNK = 16_384  # points evaluated at once: bounds the memory of large grids


def trial(problem: Problem, exact: bool) -> Ansatz:
    """Lift and factor of each unknown; without ``exact`` 0 and 1.

    Periodicity is left to DeepXDE's own conditions: its network sees coordinates, not their waves.
    """
    return build_ansatz(problem, exact=exact)


class PeerField(Field):
    """u = L + F N with N the network of given weights, in float64.

    Args:
        problem: what was solved.
        weights: ``weight0``, ``bias0``, ... of each layer.
        activation: its name here.
        exact: whether L and F meet conditions exactly.
    """

    def __init__(self, problem: Problem, weights: Mapping[str, Array], activation: str, exact: bool) -> None:
        self._weights = {name: np.array(values) for name, values in weights.items()}
        self._activation, self._exact = activation, exact
        layers: list[nn.Module] = []
        count = len(weights) // 2
        for i in range(count):
            weight = torch.as_tensor(self._weights[f"weight{i}"], dtype=torch.float64)
            layer = nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.float64)
            layer.load_state_dict({"weight": weight, "bias": torch.as_tensor(self._weights[f"bias{i}"])})
            layers += [layer] if i == count - 1 else [layer, ACTIVATIONS[activation].module()]
        self._model = Model(Program(problem), nn.Sequential(*layers), trial(problem, exact))

    def derivatives(self, points: Array, wanted: Sequence[Derivative]) -> list[Array]:
        self._model.prepare(wanted)
        chunks = torch.split(torch.as_tensor(points, dtype=torch.float64), CHUNK)
        with torch.no_grad():
            pieces = [torch.stack(self._model.derivatives(chunk, tuple(wanted))) for chunk in chunks]
        return list(torch.cat(pieces, dim=1).numpy())

    def arrays(self) -> dict[str, Array]:
        form = np.array([list(ACTIVATIONS).index(self._activation), int(self._exact)])
        return {**self._weights, "form": form}

    @classmethod
    def of(cls, problem: Problem, arrays: Mapping[str, Array]) -> PeerField:
        """The inverse of `arrays`."""
        weights = {name: values for name, values in arrays.items() if name != "form"}
        activation, exact = (int(v) for v in arrays["form"])
        return cls(problem, weights, list(ACTIVATIONS)[activation], bool(exact))
