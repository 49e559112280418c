"""Published forms of the step in time, on the same rows: TENG as it was released, TDVP, RSNG, OBTI, INSR.

    teng    each stage of an explicit scheme is a network, fitted to its target in u-space by repeated
            least squares on random subsets of the parameters, full steps
    tdvp    θ' = argmin_η |J η - f|² (Dirac-Frenkel; Neural Galerkin and EDNN are of this form), the explicit
            scheme in parameter space
    rsng    the same on a random subset of the parameters, drawn anew for each step
    obti    each stage is fitted to its target by Adam
    insr    the network itself minimises the residual of the implicit midpoint rule; for incompressible flow
            that of advection and projection, one after the other (`splitting`). The authors take Adam, with
            some ten thousand steps; here it is damped Gauss-Newton

Chen et al., ICML 2024 (arXiv 2404.10771); Bruna, Peherstorfer & Vanden-Eijnden, J. Comput. Phys. 496 (2024)
112588; Du & Zaki, Phys. Rev. E 104 (2021) 045303; Berman & Peherstorfer, NeurIPS 2023; Chen et al., ICML 2023
(arXiv 2210.00124).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...optimize import Adam
from ...residual.objective import ResidualObjective
from .rows import Rows
from .schemes import Scheme
from .splitting import Splitting
from .step import fit

METHODS = ("teng", "tdvp", "rsng", "obti", "insr")

_ITERATIONS, _FIRST_ITERATIONS = 5, 7  # of a stage; of the first: as released
_WIDER = 1.5  # columns of the first least squares of a step, over those of the others: 1536 and 1024
_ADAM_STEPS, _ADAM_RATE = 1000, 1e-4
_AIM = 0.1  # of the misfit allowed: where a damped fit ends
_DAMPING = 1e-10


@dataclass(frozen=True)
class Published:
    """One of `METHODS` with its options.

    Attributes:
        subset: parameters that move at a time, for teng and rsng.
        cut_off: singular values below this share of the largest count as zero.
        rtol: misfit that is enough, for insr.
        splitting: of incompressible flow, for insr.
    """

    method: str
    scheme: Scheme
    subset: int
    cut_off: float
    rtol: float = 1e-6
    splitting: Splitting | None = None

    def step(
        self, rows: Rows, theta: Tensor, time: float, step: float, generator: torch.Generator
    ) -> tuple[Tensor, float]:
        """Parameters at the end of a step, and the largest misfit of a stage, relative to the state."""
        if self.method in ("tdvp", "rsng"):
            return self._in_parameters(rows, theta, time, step, generator), 0.0
        if self.splitting is not None:
            return self._split(rows, self.splitting, theta, time, step, generator)
        return self._in_values(rows, theta, time, step, generator)

    # -- targets in u-space --------------------------------------------------------------------------

    def _in_values(
        self, rows: Rows, theta: Tensor, time: float, step: float, generator: torch.Generator
    ) -> tuple[Tensor, float]:
        start = rows.state(theta, time)
        size, worst, network = rows.size_of(start) or 1.0, 0.0, theta
        slopes: list[Tensor] = []
        ends = [*zip(self.scheme.lower[1:], self.scheme.nodes[1:], strict=True), (self.scheme.weights, 1.0)]
        for number, (weights, node) in enumerate(ends):
            slopes.append(rows.rate(network, time + (self.scheme.nodes[number] * step)))
            target = start + step * sum(w * k for w, k in zip(weights, slopes, strict=True))
            implicit = self.scheme.diagonal * step if number < len(ends) - 1 else 0.0
            objective = rows.objective(time + node * step, target, implicit)
            network = self._fitted(objective, network, size, number == 0, generator)
            worst = max(worst, float(objective.rows(network).norm()) / size)
        return network, worst

    def _split(
        self,
        rows: Rows,
        splitting: Splitting,
        theta: Tensor,
        time: float,
        step: float,
        generator: torch.Generator,
    ) -> tuple[Tensor, float]:
        """Advection, then the projection of what was carried along."""
        target = splitting.carried(theta, time, step)
        size = rows.size_of(target) or 1.0
        objective = splitting.rows.objective(time + step, target, step)
        theta = self._fitted(objective, theta, size, False, generator)
        return theta, float(objective.rows(theta).norm()) / size

    def _fitted(
        self,
        objective: ResidualObjective,
        theta: Tensor,
        size: float,
        is_first: bool,
        generator: torch.Generator,
    ) -> Tensor:
        """A network that minimises the rows of a stage."""
        if self.method == "obti":
            return self._by_adam(objective, theta)
        if self.method == "insr":
            return fit(objective, size, [theta], _DAMPING, _AIM * self.rtol, self.rtol).theta
        return self._by_least_squares(objective, theta, is_first, generator)

    def _by_least_squares(
        self, objective: ResidualObjective, theta: Tensor, is_first: bool, generator: torch.Generator
    ) -> Tensor:
        for i in range(_FIRST_ITERATIONS if is_first else _ITERATIONS):
            r, jacobian = objective.linearise(theta)
            wider = _WIDER if is_first and i == 0 else 1.0
            theta = theta + self._solve(jacobian, -r, round(wider * self.subset), generator)
        return theta

    @staticmethod
    def _by_adam(objective: ResidualObjective, theta: Tensor) -> Tensor:
        method = Adam(learning_rate=_ADAM_RATE)
        state = method.start(objective, theta)
        for _ in range(_ADAM_STEPS):
            method.step(state, objective)
        return state.theta

    # -- rates of the parameters ---------------------------------------------------------------------

    def _in_parameters(
        self, rows: Rows, theta: Tensor, time: float, step: float, generator: torch.Generator
    ) -> Tensor:
        seed = int(torch.randint(2**62, (), generator=generator))
        rates: list[Tensor] = []
        for row, node in zip(self.scheme.lower, self.scheme.nodes, strict=True):
            at = theta + step * sum((a * k for a, k in zip(row, rates, strict=True)), torch.zeros_like(theta))
            when = time + node * step
            # the rows of a fit to u + f at u are f, weighted
            objective = rows.objective(when, rows.state(at, when) + rows.rate(at, when))
            r, jacobian = objective.linearise(at)
            again = torch.Generator().manual_seed(seed)  # one subset for all stages of a step
            columns = self.subset if self.method == "rsng" else len(theta)
            rates.append(self._solve(jacobian, -r, columns, again))
        return theta + step * sum(
            (b * k for b, k in zip(self.scheme.weights, rates, strict=True)), torch.zeros_like(theta)
        )

    def _solve(self, jacobian: Tensor, right: Tensor, columns: int, generator: torch.Generator) -> Tensor:
        """Least squares by singular values on random columns; zero elsewhere."""
        p = jacobian.shape[1]
        chosen = torch.randperm(p, generator=generator)[: min(columns, p)]
        found = torch.linalg.lstsq(jacobian[:, chosen], right[:, None], rcond=self.cut_off, driver="gelsd")
        move = right.new_zeros(p)
        move[chosen] = found.solution[:, 0]
        return move
