"""One integration from the initial to the final time, with a fixed number of modes and steps."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...declare.domain import Array
from ...residual.fourier import etdrk4
from ...residual.fourier.discretization import Discretization
from ...residual.fourier.grid import Spectra, power, relative, tail
from ...residual.fourier.trajectory import NODES, Slab, prune, slab_edges

PROBES = 8
"""Intervals of each slab within which the interpolation in time is checked against the run itself."""
PLACE = 0.38
"""Where in an interval that is: near the middle, and at no simple fraction of it, which oscillations in step
with the saved times would pass unseen."""
MOST_GAIN = 2.0**-10
"""Least factor by which half the spacing is taken to lower the error of interpolation, of degree nine."""


@dataclass
class Run:
    """An integration that is under way, or done when ``slab == count``.

    Attributes:
        n: grid points on each axis.
        edges: of the time slabs.
        steps: time steps in each slab, an even multiple of ``intervals``.
        intervals: between saved times, in each slab.
        spectra: the state now, (dynamic components, *modes).
        saved, probes: the unknowns in the slab under way, (times, unknowns, *modes).
        slab, step: how far it is.
        slabs: the finished ones.
        roughness: time average of `tail` squared.
        missed, norm: time averages of the squared interpolation error and of the squared solution.
    """

    n: int
    edges: Array
    steps: int
    intervals: int
    spectra: Spectra
    saved: Spectra
    probes: Spectra
    slab: int = 0
    step: int = 0
    slabs: list[Slab] = field(default_factory=list)
    roughness: float = 0.0
    missed: Array = field(default_factory=lambda: np.zeros(1))
    norm: Array = field(default_factory=lambda: np.zeros(1))

    @classmethod
    def begin(cls, discretization: Discretization, edges: Array, steps: int, intervals: int) -> Run:
        spectra = discretization.initial()
        first = discretization.unknowns(spectra, float(edges[0]))
        saved = np.zeros((intervals + 1, *first.shape), dtype=np.complex128)
        saved[0] = first
        probes = np.zeros((len(probed(intervals)), *first.shape), dtype=np.complex128)
        return cls(discretization.grid.n, edges, steps, intervals, spectra, saved, probes)

    @property
    def count(self) -> int:
        return len(self.edges) - 1

    @property
    def done(self) -> bool:
        return self.slab == self.count

    @property
    def dt(self) -> float:
        """The largest time step."""
        return float(np.diff(self.edges).max()) / self.steps

    @property
    def total_steps(self) -> int:
        return self.steps * self.count

    @property
    def steps_done(self) -> int:
        return self.slab * self.steps + self.step

    @property
    def dimension(self) -> int:
        return self.spectra.ndim - 1

    @property
    def time(self) -> float:
        if self.done:
            return float(self.edges[-1])
        start, end = self.edges[self.slab : self.slab + 2]
        return float(start + (end - start) * self.step / self.steps)

    @property
    def is_bounded(self) -> bool:
        """False where the solution is no longer finite, or on its way there."""
        return bool(np.abs(self.spectra).max() < 1e100)

    @property
    def step_size(self) -> float:
        return float(self.edges[self.slab + 1] - self.edges[self.slab]) / self.steps

    @property
    def interpolation_error(self) -> float:
        """Relative L2 error of the interpolation in time, measured at the probes."""
        return relative(self.missed, self.norm)

    def advance(self, discretization: Discretization, c: etdrk4.Coefficients, steps: int) -> None:
        """Up to ``steps`` time steps, no further than the end of the slab."""
        stride = self.steps // self.intervals
        intervals = probed(self.intervals)
        with np.errstate(over="ignore", invalid="ignore"):  # the caller looks for values that are not finite
            for _ in range(min(steps, self.steps - self.step)):
                self.spectra = etdrk4.advance(c, discretization.nonlinear, self.spectra, self.time)
                self.step += 1
                interval, offset = divmod(self.step, stride)
                if offset == 0:
                    self.saved[interval] = discretization.unknowns(self.spectra, self.time)
                elif offset == _offset(stride) and interval in intervals:
                    now = discretization.unknowns(self.spectra, self.time)
                    self.probes[intervals.index(interval)] = now
        if self.step == self.steps and self.is_bounded:
            self._finish_slab()

    def _finish_slab(self) -> None:
        start, end = map(float, self.edges[self.slab : self.slab + 2])
        share = (end - start) / float(self.edges[-1] - self.edges[0])
        slab = Slab(start, end, self.saved)
        stride = self.steps // self.intervals
        times = start + slab.spacing * (np.array(probed(self.intervals)) + _offset(stride) / stride)
        gap = power(slab.at(times) - self.probes, self.dimension).mean(axis=0)
        self.missed = self.missed + share * np.maximum(gap, self._thinned(slab))
        self.norm = self.norm + share * power(self.probes, self.dimension).mean(axis=0)
        self.roughness += share * float(np.mean([tail(s, self.dimension) ** 2 for s in self.saved[1:]]))
        self.slabs.append(Slab(start, end, prune(self.saved, self.dimension)))
        self.slab, self.step = self.slab + 1, 0
        last = self.saved[-1]
        self.saved = np.zeros_like(self.saved)
        self.saved[0] = last

    def _thinned(self, slab: Slab) -> Array:
        """Squared error of interpolation by those with half and with a quarter of the saved times, which see
        every interval: what the last halving of the spacing gained, it gains once more."""
        if self.intervals % 4 or self.intervals < 2 * NODES:
            return np.zeros(1)
        gaps = []
        for every in (4, 2):
            skipped = np.arange(every // 2, self.intervals, every)
            thin = Slab(slab.start, slab.end, slab.spectra[::every])
            times = slab.start + slab.spacing * skipped.astype(np.float64)
            gap = power(thin.at(times) - slab.spectra[skipped], self.dimension)
            gaps.append(gap.sum(axis=0) / (2 * len(skipped)))
        gain = np.clip(gaps[1] / np.where(gaps[0] > 0, gaps[0], 1.0), MOST_GAIN**2, 1.0)
        return np.asarray(gaps[1] * gain)

    def so_far(self) -> list[Slab]:
        """The slabs, the one under way cut at its last saved time."""
        last = self.step * self.intervals // self.steps
        if self.done or (last == 0 and self.slabs):
            return list(self.slabs)
        start, end = map(float, self.edges[self.slab : self.slab + 2])
        partial = Slab(start, start + (end - start) * last / self.intervals, self.saved[: last + 1].copy())
        return [*self.slabs, partial]


def _offset(stride: int) -> int:
    """The step of an interval after which it is probed."""
    return max(1, round(PLACE * stride))


def probed(intervals: int) -> list[int]:
    """The intervals that hold a probe: evenly spread, the first and the last among them."""
    return sorted({int(i) for i in np.linspace(0, intervals - 1, min(intervals, PROBES))})


def edges(start: float, end: float, fastest: float, rough: bool) -> Array:
    """Edges of the time slabs: one slab, or where the data are ``rough`` as many as resolve the decay rate
    ``fastest`` in the first."""
    slabs = 1
    if rough and fastest > 0:
        slabs = 1 + int(np.clip(np.ceil(np.log2(fastest * (end - start) / 4)), 0, 16))
    return slab_edges(start, end, slabs)
