"""`GPHM`: the Gaussian-process solver as its authors published it, for comparison."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ...declare import Initial, Problem
from ...declare.conditions import BoundaryCondition
from ...declare.domain import INITIAL, INSIDE, Array
from ...optimize import Adam, FirstOrderState
from ...residual.program import Derivative, LoweredTerm, LoweringError, Program
from ...solution.field import Field
from ..base import Backend, Capabilities, Context, Progress
from .kernels import Envelope, Gaussian, Matern, Mixture
from .rows import grid

ENVELOPES: dict[str, Envelope] = {"gaussian": Gaussian(), "student-t": Matern(2)}
_EXTRA = Matern(2)


@dataclass
class GPHMState:
    """Values, log weights, log scales, frequencies, log precisions in one vector, and Adam's moments.

    ``fixed`` is the first process once the second is trained; empty before.
    """

    optimizer: FirstOrderState
    theta: Tensor
    fixed: Tensor
    step: int = 0
    problem: Problem = field(metadata={"transient": True}, default=None)  # type: ignore[assignment]
    context: Context = field(metadata={"transient": True}, default_factory=Context)
    objective: Objective = field(metadata={"transient": True}, default=None)  # type: ignore[assignment]


@dataclass(frozen=True)
class GPHM(Backend):
    """GP-HM: values on a grid and the kernels of all axes, trained together by Adam.

    With U the values on a tensor grid, C = C_1 ⊗ … ⊗ C_d their prior covariance of mixture kernels, H the
    residual at all grid points, by derivatives of the conditional mean, and g the data on the boundary,

        max over U, θ, τ, v of   log N(vec U | 0, C) + λ log N(g | u_b, 1/τ) + log N(0 | vec H, 1/v).

    Weights are trained as logarithms, the Jeffreys prior of which drives those that are not needed to zero.
    The last iterate is the answer; the published figures are the least test error of twenty checkpoints.
    This one is for comparison; `GP` keeps the idea and finds coefficients and frequencies without Adam.

    Attributes:
        kernel: "gaussian" (spectral mixture) or "student-t" (Matérn 5/2 envelopes).
        n: points on each axis.
        components: Q, lines of the spectrum of each axis.
        highest: F, frequencies start evenly from 0 to F, in cycles per unit of length. It must exceed the
            solution's highest and stay below the grid's, (n - 1) / 2 over the length of the axis.
        boundary_weight: λ.
        learning_rate: of Adam.
        jitter: added to the diagonal of each axis' matrix; it limits the accuracy.
        change_point: share of the run after which the first process is frozen and a second one, with a single
            Matérn term, is added; None: never.

    Good values: the authors': n 400, F 20 for sin 100x on [0, 2π], 10⁵ steps and more; change_point 0.5 for
    several scales.

    Source: Fang, Cooley, Long, Li, Kirby & Zhe, ICLR 2024, arXiv 2311.04465, section 3, with the settings of
    its code.
    """

    kernel: str = "student-t"
    n: int = 400
    components: int = 30
    highest: float = 20.0
    boundary_weight: float = 200.0
    learning_rate: float = 0.01
    jitter: float = 1e-6
    change_point: float | None = None

    name: ClassVar[str] = "gp-hm"
    summary: ClassVar[str] = "the Gaussian-process solver GP-HM as published, trained by Adam"
    capabilities: ClassVar[Capabilities] = Capabilities(open_ended=True, dtypes=("float64",))
    citations: ClassVar[tuple[str, ...]] = (
        "S. Fang, M. Cooley, D. Long, S. Li, R. Kirby, S. Zhe: Solving high frequency and multi-scale PDEs "
        "with Gaussian processes. ICLR 2024, arXiv 2311.04465.",
    )

    def __post_init__(self) -> None:
        self.require("kernel", self.kernel in ENVELOPES, f"one of {', '.join(ENVELOPES)}")
        self.require_count("n", least=4)
        self.require_count("components")
        self.require_positive("highest", "boundary_weight", "learning_rate", "jitter")
        holds = self.change_point is None or (
            isinstance(self.change_point, int | float) and 0 < self.change_point < 1
        )
        self.require("change_point", holds, "a number between 0 and 1, or None")

    # -- the contract ------------------------------------------------------------------------------

    def supports(self, problem: Problem) -> list[str]:
        if not problem.domain.is_box:
            return ["the domain is no box, and its grids are tensor products"]
        if len(problem.unknowns) > 1 or problem.unknown_parameters:
            return ["it covers one unknown function and no unknown parameters"]
        program = Program(problem)
        highest = max((max(index) for _, index in program.derivatives), default=0)
        if highest > ENVELOPES[self.kernel].smoothness / 2:
            return [f"kernel={self.kernel!r} serves derivatives up to order 2 along an axis, not {highest}"]
        for term in program.conditions:
            condition = term.term.condition
            is_value = all(sum(index) == 0 for _, index in term.derivatives)
            if not (isinstance(condition, BoundaryCondition | Initial) and is_value):
                return ["it covers values on faces and at the start of time as conditions"]
        try:
            for term in program.terms:
                term.function("torch")
        except LoweringError as error:
            return [str(error)]
        return []

    def start(self, problem: Problem, context: Context) -> GPHMState:
        objective = Objective(self, problem)
        theta = objective.start()
        optimizer = self._adam.start(objective, theta)
        return GPHMState(optimizer, theta, theta.new_zeros(0), 0, problem, context, objective)

    @property
    def _adam(self) -> Adam:
        return Adam(learning_rate=self.learning_rate)

    def advance(self, state: GPHMState) -> Progress:
        """One step of Adam."""
        is_due = self.change_point is not None and state.context.spent() >= self.change_point
        if is_due and not len(state.fixed) and state.step:
            state.fixed = state.theta
            objective = self._objective(state)
            state.theta = objective.start()
            state.optimizer = self._adam.start(objective, state.theta)
        self._adam.step(state.optimizer, self._objective(state))
        if math.isfinite(state.optimizer.loss):
            state.theta = state.optimizer.theta
        state.step += 1
        stage = "second process" if len(state.fixed) else "first process"
        return Progress(state.optimizer.loss, message=stage)

    def _objective(self, state: GPHMState) -> Objective:
        """The objective of the stage that the state is in."""
        if bool(len(state.fixed)) != state.objective.has_base:
            state.objective = Objective(self, state.problem, state.fixed)
        return state.objective

    def field(self, state: GPHMState) -> Field:
        parts = [Process(self, state.problem, False).field(state.fixed)] if len(state.fixed) else []
        own = Process(self, state.problem, bool(parts)).field(state.theta)
        return SumField([*parts, own], {"theta": state.theta.numpy(), "fixed": state.fixed.numpy()})

    def restore(self, problem: Problem, arrays: Mapping[str, Array]) -> Field:
        theta, fixed = (torch.as_tensor(arrays[name]) for name in ("theta", "fixed"))
        parts = [Process(self, problem, False).field(fixed)] if len(fixed) else []
        return SumField([*parts, Process(self, problem, bool(parts)).field(theta)], dict(arrays))

    def merit(self, state: GPHMState) -> float | None:
        """None: the objective is not bounded, and the last iterate is the answer."""
        return None


class Process:
    """A Gaussian process on the grid: what its vector of parameters means.

    The vector holds values on the grid, of each axis log w, log a, μ, then log τ and log v.
    """

    def __init__(self, options: GPHM, problem: Problem, is_extra: bool) -> None:
        bounds = problem.domain.bounds
        self.options, self.is_extra = options, is_extra
        self.columns = [torch.linspace(a, b, options.n, dtype=torch.float64) for a, b in bounds.tolist()]
        self.shape = (options.n,) * len(bounds)
        self.components = 1 if is_extra else options.components
        self.envelope = _EXTRA if is_extra else ENVELOPES[options.kernel]
        self.values = options.n ** len(bounds)

    def start(self) -> Tensor:
        """Zero values, even frequencies, unit scales and precisions."""
        q = self.components
        log_weights, log_scales = torch.full((q,), -math.log(q)), torch.zeros(q)
        highest = 0.0 if self.is_extra else self.options.highest
        axis = torch.cat([log_weights, log_scales, torch.linspace(0, highest, q)])
        parts = [torch.zeros(self.values), *[axis] * len(self.shape), torch.zeros(2)]
        return torch.cat(parts).to(torch.float64)

    def split(self, theta: Tensor) -> tuple[Tensor, list[Mixture], Tensor, Tensor]:
        """Values on the grid, kernels, log τ, log v."""
        values = theta[: self.values].reshape(self.shape)
        kernels = []
        for part in theta[self.values : -2].reshape(len(self.shape), 3, self.components):
            frequencies = torch.zeros_like(part[2]) if self.is_extra else part[2]
            kernels.append(Mixture(self.envelope, part[0].exp(), part[1].exp(), frequencies))
        return values, kernels, theta[-2], theta[-1]

    def covariance(self, axis: int, kernel: Mixture) -> Tensor:
        """The Cholesky factor of K + jitter, (n, n)."""
        n, column = self.options.n, self.columns[axis]
        spacing = float(column[1] - column[0])
        matrix = kernel.toeplitz(n, spacing)
        root: Tensor = torch.linalg.cholesky(matrix + self.options.jitter * torch.eye(n, dtype=torch.float64))
        return root

    def field(self, theta: Tensor) -> ProcessField:
        return ProcessField(self, theta)


class Objective:
    """The negative of what GP-HM maximises, and its gradient."""

    def __init__(self, options: GPHM, problem: Problem, fixed: Tensor | None = None) -> None:
        self.has_base = fixed is not None
        self.process = Process(options, problem, self.has_base)
        self._weight = options.boundary_weight
        program = Program(problem)
        (self._equation,) = program.equations
        self._function = self._equation.function("torch")
        columns = [column.numpy() for column in self.process.columns]
        points = grid(columns)
        self._arguments = self._given(self._equation, points)
        self._data = [self._condition(problem, term) for term in program.conditions]
        self._base: dict[Derivative, Tensor] = {}
        self._log_precision = 0.0
        if fixed is not None:
            first = Process(options, problem, False)
            self._log_precision = float(fixed[-2])
            wanted = {*self._equation.derivatives, (0, (0,) * len(columns))}
            values, kernels, _, _ = first.split(fixed)
            roots = [first.covariance(axis, kernel) for axis, kernel in enumerate(kernels)]
            self._base = {d: _derivative(first, values, kernels, roots, d[1]) for d in wanted}

    @staticmethod
    def _given(term: LoweredTerm, points: Array) -> list[Tensor]:
        inputs = [function(points) for function in term.term.inputs.values()]
        return [torch.as_tensor(np.asarray(a, dtype=np.float64)) for a in (*points.T, *inputs)]

    def _condition(self, problem: Problem, term: LoweredTerm) -> tuple[tuple[slice | int, ...], Tensor]:
        """Where on the grid a condition holds, and the values it asks for."""
        region, d = term.term.region, len(self.process.shape)
        if region == INITIAL:
            axis, end = d - 1, 0
        else:
            face = problem.domain.face(region)
            assert face.axis is not None and region != INSIDE  # the domain is a box
            axis, end = face.axis, 0 if face.side < 0 else -1
        columns = [column.numpy() for column in self.process.columns]
        columns[axis] = columns[axis][[end]]
        arguments = self._given(term, grid(columns))
        zero = torch.zeros(len(arguments[0]), dtype=torch.float64)
        function = term.function("torch")
        offset, at_one = (torch.as_tensor(function(zero + u, *arguments)) + zero for u in (0.0, 1.0))
        where = tuple(end if j == axis else slice(None) for j in range(d))
        return where, -offset / (at_one - offset)

    def start(self) -> Tensor:
        """The first parameters; the second process goes on with the precision of the boundary."""
        theta = self.process.start()
        theta[-2] = self._log_precision
        return theta

    def __call__(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        theta = theta.detach().requires_grad_()
        loss = self.value(theta)
        (gradient,) = torch.autograd.grad(loss, theta)
        return loss.detach(), gradient

    def value(self, theta: Tensor) -> Tensor:
        """The negative objective."""
        process = self.process
        values, kernels, log_tau, log_v = process.split(theta)
        roots = [process.covariance(axis, kernel) for axis, kernel in enumerate(kernels)]
        whitened = values
        logarithm = values.new_zeros(())
        for axis, root in enumerate(roots):
            whitened = _along(axis, whitened, partial(torch.linalg.solve_triangular, root, upper=False))
            logarithm = logarithm + 2 * root.diagonal().log().sum() * (process.values / len(root))
        prior = 0.5 * logarithm + 0.5 * whitened.square().sum()
        derivatives = []
        for derivative in self._equation.derivatives:
            own = _derivative(process, values, kernels, roots, derivative[1])
            derivatives.append((own + self._base.get(derivative, 0.0)).reshape(-1))
        residual = torch.as_tensor(self._function(*derivatives, *self._arguments))
        whole = values + self._base.get((0, (0,) * values.ndim), 0.0)
        gaps = torch.cat([(whole[where].reshape(-1) - data) for where, data in self._data])
        boundary = 0.5 * len(gaps) * log_tau - 0.5 * log_tau.exp() * gaps.square().sum()
        equation = 0.5 * len(residual) * log_v - 0.5 * log_v.exp() * residual.square().sum()
        negative: Tensor = prior - self._weight * boundary - equation
        return negative


def _along(axis: int, values: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """A function of (n, m) matrices applied along one axis of a tensor."""
    moved = values.movedim(axis, 0)
    return function(moved.reshape(len(moved), -1)).reshape(moved.shape).movedim(0, axis)


def _solved(axis: int, values: Tensor, root: Tensor) -> Tensor:
    """K⁻¹ along one axis, K by its Cholesky factor."""
    return _along(axis, values, lambda columns: torch.cholesky_solve(columns, root))


def _derivative(
    process: Process,
    values: Tensor,
    kernels: Sequence[Mixture],
    roots: Sequence[Tensor],
    index: Sequence[int],
) -> Tensor:
    """K^(n) K⁻¹ along each axis with a derivative."""
    result = values
    for axis, order in enumerate(index):
        if order:
            column = process.columns[axis]
            matrix = kernels[axis].toeplitz(len(column), float(column[1] - column[0]), order)
            root = roots[axis]
            result = _along(axis, _solved(axis, result, root), partial(torch.matmul, matrix))
    return result


class ProcessField(Field):
    """The conditional mean k(x, X) C⁻¹ vec U and its derivatives."""

    def __init__(self, process: Process, theta: Tensor) -> None:
        self._process, self._theta = process, theta
        with torch.no_grad():
            values, self._kernels, _, _ = process.split(theta)
            for axis, kernel in enumerate(self._kernels):
                root = process.covariance(axis, kernel)
                values = _solved(axis, values, root)
        self._solved = values.numpy()

    def derivatives(self, points: Array, wanted: Sequence[Derivative]) -> list[Array]:
        result = []
        with torch.no_grad():
            for _, index in wanted:
                matrices = [
                    kernel.matrix(torch.as_tensor(points[:, j].copy()), column, (order, 0)).numpy()
                    for j, (kernel, column, order) in enumerate(
                        zip(self._kernels, self._process.columns, index, strict=True)
                    )
                ]
                table = np.tensordot(matrices[0], self._solved, axes=1)
                for matrix in matrices[1:]:
                    table = np.einsum("nr,nr...->n...", matrix, table)
                result.append(np.asarray(table))
        return result

    def arrays(self) -> dict[str, Array]:
        """The parameters."""
        return {"theta": self._theta.numpy()}


class SumField(Field):
    """The sum of the first process and the second."""

    def __init__(self, parts: Sequence[Field], arrays: dict[str, Array]) -> None:
        self._parts, self._arrays = list(parts), arrays

    def derivatives(self, points: Array, wanted: Sequence[Derivative]) -> list[Array]:
        each = [part.derivatives(points, wanted) for part in self._parts]
        return [np.sum(values, axis=0) for values in zip(*each, strict=True)]

    def arrays(self) -> dict[str, Array]:
        """Parameters of both processes."""
        return self._arrays
