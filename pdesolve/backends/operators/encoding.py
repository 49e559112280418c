"""What a network sees of a member of a family, and what its output stands for.

    u(x, t_j) = u₀(x) + s_j N(u₀)_j(x)                  evolutions: s_j is the rms change until t_j
    u(x) = m + s d(x) N(a)(x)                            steady problems: d vanishes where u does

so that the network's inputs and outputs are of order one, initial values are exact, and so are zeros on the
boundary. Where the equations have Galilean invariance, u₀ is first brought to the frame in which its mean is
zero, and what the equations say of all other frames is not learned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...data.dataset import Dataset
from ...declare import Dirichlet, Initial, Problem
from ...declare.domain import Array
from ...declare.family import Family
from ...declare.symmetries import Symmetries, symmetries
from ...residual.fourier.semilinear import to_grid, to_modes

EVOLUTION, STEADY = "evolution", "steady"


@dataclass(frozen=True)
class Encoding:
    """The shape of a task and its statistics, as plain values that a card holds.

    Attributes:
        kind: ``evolution`` (the one field is the initial state) or ``steady``.
        axes: ``periodic`` or ``open``, of each axis in space.
        bounds: of the axes in space.
        fields, numbers, unknowns: names, in the order of channels.
        times: of the output, the initial one first; empty where steady.
        boost: σ of `Symmetries.boost`; None where means are kept.
        mirror: of `Symmetries`, for training.
        translation: whether coordinates can be kept from the network.
        vanishes: whether u is zero on the whole boundary.
        square: of `Symmetries`, for training.
        field_mean, field_scale: of each field; number_mean, number_scale: of each number.
        output_mean: of each unknown, steady problems only.
        output_scale: for each unknown, of each time after the first.
    """

    schema: ClassVar[str] = "pdesolve.operator"

    kind: str
    axes: tuple[str, ...]
    bounds: tuple[tuple[float, float], ...]
    fields: tuple[str, ...]
    numbers: tuple[str, ...]
    unknowns: tuple[str, ...]
    times: tuple[float, ...]
    boost: float | None
    mirror: int | None
    translation: bool
    vanishes: bool
    square: bool = False
    field_mean: tuple[float, ...] = ()
    field_scale: tuple[float, ...] = ()
    number_mean: tuple[float, ...] = ()
    number_scale: tuple[float, ...] = ()
    output_mean: tuple[float, ...] = ()
    output_scale: tuple[tuple[float, ...], ...] = ()

    @property
    def channels(self) -> int:
        """Of the network's output."""
        return len(self.unknowns) * max(1, len(self.times) - 1)

    def plain(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_plain(cls, content: Mapping[str, Any]) -> Encoding:
        def tuples(value: Any) -> Any:
            return tuple(tuples(item) for item in value) if isinstance(value, list | tuple) else value

        return cls(**{key: tuples(value) for key, value in content.items()})


class Encoded(NamedTuple):
    """Members as the network sees them.

    Attributes:
        fields: (n, fields, *grid), of order one.
        numbers: (n, numbers), of order one.
        base: (n, unknowns, *grid), what the output is added to; zero where steady.
        mean: (n,), the velocity of the frame that was left; zero where there is none.
    """

    fields: Tensor
    numbers: Tensor
    base: Tensor
    mean: Tensor

    def __getitem__(self, members: Any) -> Encoded:  # type: ignore[override]
        return Encoded(*(part[members] for part in tuple(self)))


def describe(family: Family, times: Array | None) -> Encoding:
    """The shape of a task, without statistics.

    Raises:
        ValueError: the family is of no such kind; the text says why.
    """
    problem = family.typical
    if not problem.domain.is_box:
        raise ValueError("the domain is no box, and the networks work on uniform grids")
    space = range(len(problem.domain.space))
    periodic = [all(a in problem.periodic_axes(u) for u in problem.unknowns) for a in space]
    initial = {c.value: c.unknown for c in problem.of_type(Initial)}
    kind = STEADY if problem.domain.time is None else EVOLUTION
    if kind == EVOLUTION:
        starts = [initial.get(problem.inputs[key]) for key in family.fields]
        if None in starts or len(starts) != 1:
            raise ValueError("an evolution is learned from one initial field, which must be an input itself")
        unknowns = tuple(u.func.__name__ for u in starts if u is not None)
        if not all(periodic):
            raise ValueError("evolutions are learned on periodic boxes")
    else:
        unknowns = problem.unknown_names
    found = symmetries(problem)
    if family.numbers:  # another member may have another frame, or none
        found = Symmetries(translation=found.translation)
    return Encoding(
        kind,
        tuple("periodic" if p else "open" for p in periodic),
        tuple((float(a), float(b)) for a, b in problem.domain.bounds[: len(periodic)]),
        family.fields,
        family.numbers,
        unknowns,
        () if times is None else tuple(map(float, times)),
        found.boost,
        found.mirror,
        found.translation,
        _vanishes(problem),
        found.square,
    )


def _vanishes(problem: Problem) -> bool:
    """Whether every unknown is zero on every face."""
    parts = {
        (c.unknown, part)
        for c in problem.of_type(Dirichlet)
        if c.value == 0
        for part in c.parts(problem.domain)
    }
    return bool(parts) and parts == {(u, f.name) for u in problem.unknowns for f in problem.domain.faces}


def fitted(encoding: Encoding, data: Dataset, labels: bool = True) -> Encoding:
    """With the statistics of a training set; without ``labels`` those of its inputs alone.

    Outputs of steady problems then have scale one: only the equations can tell their size.
    """

    def moments(rows: list[Array]) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return tuple(float(r.mean()) for r in rows), tuple(float(r.std()) or 1.0 for r in rows)

    number_mean, number_scale = moments([data.numbers[name] for name in encoding.numbers])
    if encoding.kind == STEADY:
        field_mean, field_scale = moments([data.fields[name] for name in encoding.fields])
        solution = [data.values[:, 0, k] for k in range(len(encoding.unknowns))]
        mean, scale = moments(solution)
        if encoding.vanishes:
            mean, scale = (0.0,) * len(solution), tuple(float(np.sqrt((s**2).mean())) for s in solution)
        output_mean = mean
        output_scale: tuple[tuple[float, ...], ...] = tuple((s,) for s in scale)
        if not labels:
            output_mean, output_scale = (0.0,) * len(solution), ((1.0,),) * len(solution)
    else:
        plain = replace(encoding, field_mean=(0.0,), field_scale=(1.0,))
        state = Codec(plain, torch.float64)
        encoded = state.encode(
            torch.from_numpy(data.values[:, 0].astype(np.float64)), torch.zeros(len(data), 0)
        )
        moved = state.canonical(torch.from_numpy(data.values.astype(np.float64)), encoded.mean)
        change = (moved[:, 1:] - encoded.base[:, None]).numpy()
        rms = np.sqrt((change**2).mean(axis=(0, *range(3, change.ndim))))  # (times, unknowns)
        field_mean, field_scale = (0.0,), (float(encoded.base.std()) or 1.0,)
        output_mean = (0.0,) * len(encoding.unknowns)
        output_scale = tuple(tuple(float(s) or 1.0 for s in column) for column in rms.T)
        if not labels:
            share = np.sqrt(np.arange(1, len(rms) + 1) / len(rms))  # changes grow from zero
            output_scale = (tuple(float(field_scale[0] * s) for s in share),) * len(encoding.unknowns)
    return replace(
        encoding,
        field_mean=field_mean,
        field_scale=field_scale,
        number_mean=number_mean,
        number_scale=number_scale,
        output_mean=output_mean,
        output_scale=output_scale,
    )


class Codec:
    """`Encoding` at work on tensors."""

    def __init__(self, encoding: Encoding, dtype: torch.dtype, device: str | torch.device = "cpu") -> None:
        self.encoding, self.dtype, self.device = encoding, dtype, torch.device(device)
        self._times = self.tensor(encoding.times)
        self._scale = self.tensor(encoding.output_scale)  # (unknowns, times)
        self._mean = self.tensor(encoding.output_mean)

    def tensor(self, values: Any) -> Tensor:
        return torch.as_tensor(np.array(values, dtype=np.float64)).to(self.device, self.dtype)

    def encode(self, fields: Tensor, numbers: Tensor) -> Encoded:
        """Members from their fields (n, fields, *grid) and numbers (n, numbers)."""
        e = self.encoding
        fields, numbers = fields.to(self.device, self.dtype), numbers.to(self.device, self.dtype)
        axes = tuple(range(2, fields.ndim))
        mean = fields.new_zeros(len(fields))
        if e.kind == EVOLUTION:
            if e.boost is not None:
                mean = fields.mean(dim=axes)[:, 0]
                fields = fields - mean.view(-1, 1, *[1] * len(axes))
            base = fields
        else:
            base = fields.new_zeros(len(fields), len(e.unknowns), *fields.shape[2:])
        shape = (1, -1, *[1] * len(axes))
        scaled = (fields - self.tensor(e.field_mean).view(shape)) / self.tensor(e.field_scale).view(shape)
        if e.numbers:
            numbers = (numbers - self.tensor(e.number_mean)) / self.tensor(e.number_scale)
        return Encoded(scaled, numbers, base, mean)

    def of(self, data: Dataset) -> Encoded:
        """The members of a data set."""
        fields = torch.from_numpy(np.stack([data.fields[name] for name in self.encoding.fields], axis=1))
        rows = [data.numbers[name] for name in self.encoding.numbers]
        numbers = np.stack(rows, axis=1) if rows else np.zeros((len(data), 0))
        return self.encode(fields, torch.from_numpy(numbers))

    def fields(self, encoded: Encoded) -> dict[str, Tensor]:
        """Fields (n, *grid) by name, as declared; those of evolutions in the frame of the network."""
        e = self.encoding
        declared = {}
        for k, name in enumerate(e.fields):
            declared[name] = encoded.fields[:, k] * e.field_scale[k] + e.field_mean[k]
        return declared

    def targets(self, data: Dataset, encoded: Encoded) -> Tensor:
        """Solutions (n, times, unknowns, *grid) in the frame of the network, without the initial ones."""
        values = torch.from_numpy(data.values).to(self.device, self.dtype)
        if self.encoding.kind == STEADY:
            return values
        return self.canonical(values.double(), encoded.mean.double())[:, 1:].to(self.dtype)

    def output(self, raw: Tensor, encoded: Encoded) -> Tensor:
        """Solutions (n, times, unknowns, *grid) in the frame of the network, from its output."""
        e = self.encoding
        n, _, *grid = raw.shape
        parts = raw.view(n, len(e.unknowns), -1, *grid)
        scaled = self._scale.view(1, *self._scale.shape, *[1] * len(grid)) * parts
        if e.vanishes:
            scaled = scaled * self._bubble(grid)
        mean = self._mean.view(1, -1, 1, *[1] * len(grid))
        return (encoded.base[:, :, None] + mean + scaled).transpose(1, 2)

    def _bubble(self, grid: list[int]) -> Tensor:
        """Π 4 s (1 - s), s in [0, 1] along each axis."""
        result = torch.ones((), dtype=self.dtype, device=self.device)
        for n in grid:
            s = torch.linspace(0, 1, n, dtype=self.dtype, device=self.device)
            result = result[..., None] * (4 * s * (1 - s))
        return result

    # -- frames ------------------------------------------------------------------------------------

    def canonical(self, values: Tensor, mean: Tensor) -> Tensor:
        """Solutions at all times (n, times, unknowns, *grid), in the frame in which the mean is zero."""
        if self.encoding.boost is None:
            return values
        return self._shifted(values - mean.view(-1, 1, 1, 1), mean)

    def declared(self, values: Tensor, mean: Tensor) -> Tensor:
        """The inverse of `canonical`."""
        if self.encoding.boost is None:
            return values
        return self._shifted(values, -mean) + mean.view(-1, 1, 1, 1)

    def _shifted(self, values: Tensor, velocity: Tensor) -> Tensor:
        """u(x + σ c t, t), by Fourier series."""
        assert self.encoding.boost is not None
        (lower, upper), n = self.encoding.bounds[0], values.shape[-1]
        spectra = to_modes(values, (n - 1) // 2, 1)
        k = torch.arange(spectra.shape[-1], dtype=values.dtype, device=values.device)
        kappa = 2 * np.pi / (upper - lower) * k
        times = torch.as_tensor(self.encoding.times, dtype=values.dtype, device=values.device)
        way = self.encoding.boost * velocity[:, None] * (times - times[0])
        phase = torch.exp(1j * way[:, :, None, None] * kappa)
        return to_grid(spectra * phase.to(spectra.dtype), (n,))


__all__ = ["EVOLUTION", "STEADY", "Codec", "Encoded", "Encoding", "describe", "fitted"]
