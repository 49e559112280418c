"""A trial function with its network and the unknown parameters: what a residual is differentiated by."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .ansatz import Ansatz, trial_tables
from .jets import JetSpace, network_jet
from .outputs import OutputMap, identity_map
from .program import Derivative, Program
from .tape import Tape


class Model(nn.Module):
    """u = L + F N with all derivatives, N a network of the coordinates; unknown parameters beside it.

    Args:
        program: the lowered problem.
        network: maps (n, d) points to (n, number of channels).
        ansatz: lift and factor of each unknown.
        outputs: how unknowns come from channels, for instance `stream_function_map`; by default each is one.

    Attributes:
        ansatz: lift and factor of each channel, and the terms met exactly with this map.
    """

    window: Tensor  # (2,): the slab of time that lifts and factors hold on

    def __init__(
        self, program: Program, network: nn.Module, ansatz: Ansatz, outputs: OutputMap | None = None
    ) -> None:
        super().__init__()
        self.network = network
        self.outputs = outputs or identity_map(program.problem)
        self.ansatz = self.outputs.ansatz(ansatz, program.problem)
        self._coordinates = program.problem.coordinates
        self._positive = tuple(p.must_be_positive for p in program.parameters)
        starts = [float(p.start or 0.0) for p in program.parameters]
        self._scales = tuple(max(abs(s), 1e-3) for s in starts)
        raw = [
            math.log(s) if positive else s / scale
            for s, positive, scale in zip(starts, self._positive, self._scales, strict=True)
        ]
        self.register_buffer("window", torch.tensor(self.ansatz.window, dtype=torch.float64))
        self.raw_parameters = nn.Parameter(torch.tensor(raw, dtype=torch.float64))
        self._plans: dict[tuple[Derivative, ...], Any] = {}

    def parameter_values(self, tape: Tape | None = None) -> list[Tensor]:
        """The unknown parameters: exp(raw) where they must be positive, else raw times their scale.

        Each a number, or (n,) where a tape follows them.
        """
        raw_parameters = self.raw_parameters if tape is None else tape.parameter(self.raw_parameters)
        return [
            torch.exp(raw) if positive else raw * scale
            for raw, positive, scale in zip(
                raw_parameters.unbind(-1), self._positive, self._scales, strict=True
            )
        ]

    def prepare(self, wanted: Sequence[Derivative]) -> None:
        """Make the tables for a set of derivatives; done before compilation, which must not trace SymPy."""
        key = tuple(wanted)
        if key not in self._plans:
            combinations = [self.outputs.expand(derivative) for derivative in key]
            needed = list(dict.fromkeys(d for terms in combinations for _, d in terms))
            tables = trial_tables(self.ansatz, self._coordinates, needed)
            network = {beta for _, _, products in tables[1] for _, beta in products}
            sums = [[(c, needed.index(d)) for c, d in terms] for terms in combinations]
            self._plans[key] = (JetSpace.of(network), *tables, sums)

    def derivatives(
        self, points: Tensor, wanted: tuple[Derivative, ...], tape: Tape | None = None
    ) -> list[Tensor]:
        """The wanted derivatives of the unknowns at ``points`` (n, d), each (n,); see `prepare`."""
        space, varying, plan, sums = self._plans[wanted]
        jet = network_jet(self.network, points, space, tape)
        table = varying(*points.unbind(1), *self.window.unbind())
        channels = []
        for k, lift, products in plan:
            total = None
            for factor, beta in products:
                term = jet.component(k, beta)
                if isinstance(factor, int):
                    term = table[factor] * term
                elif factor != 1.0:
                    term = factor * term
                total = term if total is None else total + term
            constant = table[lift] if isinstance(lift, int) else lift
            if total is None:
                total = constant + torch.zeros_like(points[:, 0])
            elif isinstance(lift, int) or lift != 0.0:
                total = total + constant
            channels.append(total)
        return [_combine(terms, channels) for terms in sums]


def _combine(terms: Sequence[tuple[float, int]], values: Sequence[Tensor]) -> Tensor:
    """Σ c values[i]."""
    scaled = [values[i] if c == 1.0 else c * values[i] for c, i in terms]
    return functools.reduce(torch.add, scaled)
