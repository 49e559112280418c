"""`GP`: Gaussian processes with mixture kernels, whose spectrum is found from what the problem says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...declare import Problem
from ...declare.domain import Array
from ...residual.program import LoweringError, Program
from ...residual.symmetry import Parity, parities
from ...solution.field import Field
from ...solution.status import Status
from ..base import Backend, Capabilities, Context, Progress
from .diagonalisation import diagonalised, first_polynomials, more_polynomials
from .field import FeatureField, SlabFeatureField, as_array, field_of
from .fit import Fit
from .identification import identify
from .kernel_field import KernelField
from .marching import GPState, Marching, earlier, first_ends
from .parameters import values
from .posterior import Posterior
from .prior import asks_for_more, choose_widths, widened
from .rows import Functions, Layout
from .scattered import FIRST, Scattered, ScatteredState
from .separable import separable

_NEWTON = 8  # steps on one set of features at most
_SETTLED = 0.3  # a step that lowers the residual by less ends them
_PATIENCE = 4  # cycles of growth without a residual half as large,
_TRUSTED = 1e-3  # residual up to which parameters have intervals
_AIM = 0.1  # of rtol, before the last slab of time: what is left of one is rough data for the next
_RESOLVED = 0.1  # counted once there is one like this: fields of many scales show nothing before


@dataclass(frozen=True)
class GP(Backend):
    """A Gaussian process whose kernel is a spectral mixture on each axis, conditioned on the equations.

    The prior of each unknown is a product over the axes of kernels k(d) = Σ_q w_q exp(-a_q d²) cos(2π μ_q d),
    in explicit features that stay stable where kernel matrices have no digits left (`features`). The mean of
    the posterior is found by Gauss-Newton steps, QR instead of normal equations, no matrix inverted, no
    jitter. Frequencies come from the spectrum of the residual: at u = 0 that is the source, the boundary
    traces and the initial data; later on, what is missing.

    Attributes:
        rtol: the residual to reach, relative to that of u = 0, both weighted as the rows are; of fast
            diagonalisation the share of the solution in the highest third of the degrees; on shapes the
            error estimate, relative in L2. None: 1e-12, and 1e-5 on shapes.
        max_features: most coefficients of all unknowns; None: 3,000, and 1,500 where there is time: what
            needs more is solved on shorter slabs of time, one after the other. A step costs about 6
            max_features³ flops at most. Steady problems whose operator is a sum of second derivatives with
            constant coefficients, a condition on each face of the box, go on with polynomials and fast
            diagonalisation where they need more (None: more than 1,000), at O(n³) for n degrees an axis.
        resolution: points along a line on which spectra are taken: frequencies up to π/2 times as many, on an
            axis scaled to [-1, 1], are seen.
        lines: lines along each axis, through random points, on which residuals are looked at.
        symmetry: take on the reflections that leave the problem as it is (`pdesolve.residual.symmetry`):
            half of the features for the same resolution.
        smoothness: on shapes, ν of the Matérn kernel, 2.5, 3.5 or 4.5.
        length: on shapes, that of the kernel, in the coordinates' unit; None chooses by the evidence of the
            first three levels.
        rho: on shapes, ρ of the sparse factor: neighbours up to ρ times the local spacing. Raised by half
            where conjugate gradients need more than 300 iterations.
        max_points: on shapes, most measurements (values and equations at points). Memory is 8 max_points²
            bytes up to 12,000; beyond, covariances are made anew in each iteration.

    **Shapes of the plane** (all domains that are no boxes: steady, of second order, also non-linear and
    systems): scattered points, a Matérn process conditioned on the equations at each, sparse Cholesky factors
    in the maximin ordering (`scattered`). Levels of twice the measurements follow until two agree to
    ``rtol``. Corners of polygons bring their singular functions (`corners`). No standard deviations there.
    Twice the points lower errors by about four at ν = 3.5 for smooth solutions, more at ν = 4.5, of which
    round-off lets less be used; round-off ends near 1e-7.

    Observations with noise are fitted as far as equations and conditions leave something open; the posterior
    covariance of the coefficients is that of `Solution.uncertainty`. Noise that is not stated is estimated
    from the misfit. Time is then solved as a whole. Where much is left open (boundary values that nobody
    measured), linear problems with stated noise take the prior's widths from the evidence of the observations
    (`prior`), and more degrees where these ask for them.

    Unknown parameters are found along with the coefficients (`identification`), positive ones as logarithms;
    they have 95 % intervals from the posterior covariance (`posterior`). The observations alone determine
    them: the equations hold to far below the noise. Such a run ends, too, where the residual is a millionth
    of the observations' relative misfit. Local: a start from which Gauss-Newton finds the way is needed.

    Good values: the defaults; ``rtol=1e-8`` saves a cycle or two. Problems with few frequencies in each
    direction, however high, are its home: sin 100x sin 100y takes a second. Fields with walls and fronts need
    many features in one axis; in two and more dimensions these are a tensor product. Evolutions are solved on
    slabs of time, each in coordinates in which the steepest place of the last is wide (`stretch`). Fronts
    leave large residuals: ``rtol`` should be a tenth of the error asked for, or less.

    Sources: Fang et al., ICLR 2024 (arXiv 2311.04465): Gaussian processes with spectral mixtures on grids;
    Chen, Owhadi & Schäfer, Math. Comp. 94 (2025) (arXiv 2304.01294): sparse factors, for shapes;
    Chen, Hosseini, Owhadi & Stuart, J. Comput. Phys. 447 (2021) 110668: Gauss-Newton for the posterior mean;
    MacKay, Neural Computation 4 (1992) 415: widths by the evidence; Golub & Pereyra, SIAM J. Numer. Anal. 10
    (1973) 413: parameters by elimination of the coefficients.
    """

    rtol: float | None = None
    max_features: int | None = None
    resolution: int = 2048
    lines: int = 6
    symmetry: bool = True
    smoothness: float = 3.5
    length: float | None = None
    rho: float = 8.0
    max_points: int = 8000

    name: ClassVar[str] = "gp"
    summary: ClassVar[str] = (
        "Gaussian process with spectral-mixture kernels, whose frequencies it finds itself"
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        gives_uncertainty=True, identifies_parameters=True, dtypes=("float64",)
    )
    citations: ClassVar[tuple[str, ...]] = (
        "S. Fang, M. Cooley, D. Long, S. Li, R. Kirby, S. Zhe: Solving high frequency and multi-scale PDEs "
        "with Gaussian processes. ICLR 2024, arXiv 2311.04465.",
        "Y. Chen, B. Hosseini, H. Owhadi, A. M. Stuart: Solving and learning nonlinear PDEs with Gaussian "
        "processes. J. Comput. Phys. 447 (2021) 110668.",
        "Y. Chen, H. Owhadi, F. Schäfer: Sparse Cholesky factorization for solving nonlinear PDEs via "
        "Gaussian processes. Math. Comp. 94 (2025), arXiv 2304.01294.",
        "A. G. Wilson, R. P. Adams: Gaussian process kernels for pattern discovery and extrapolation. "
        "ICML 2013.",
    )

    def __post_init__(self) -> None:
        self.require_positive(*(name for name in ("rtol", "length") if getattr(self, name) is not None))
        if self.max_features is not None:
            self.require_count("max_features", least=10)
        self.require_count("resolution", least=64)
        self.require_count("lines")
        self.require("symmetry", isinstance(self.symmetry, bool), "True or False")
        self.require("smoothness", self.smoothness in (2.5, 3.5, 4.5), "2.5, 3.5 or 4.5")
        self.require_positive("rho")
        self.require_count("max_points", least=FIRST)

    # -- the contract ------------------------------------------------------------------------------

    def supports(self, problem: Problem) -> list[str]:
        if not problem.domain.is_box:
            return Scattered.reasons(problem)
        if len(problem.coordinates) > 4:
            return [f"a tensor product over {len(problem.coordinates)} axes is too large"]
        try:
            program = Program(problem)
            for term in program.terms:
                Functions.of(term, program.parameters)
        except LoweringError as error:
            return [str(error)]
        return []

    def start(self, problem: Problem, context: Context) -> GPState | ScatteredState:
        if not problem.domain.is_box:
            return Scattered(self, problem).start()
        state = GPState([], np.zeros(0), ends=first_ends(problem), problem=problem, context=context)
        state.symmetries, state.separable = self._symmetries(problem), separable(problem)
        self._marching(state).begin(state)
        return state

    def advance(self, state: GPState | ScatteredState) -> Progress:
        """One Gauss-Newton step, on features that were let grow where the last step changed little.

        On many features of a separable problem one fast diagonalisation; on shapes see `scattered`.
        """
        if isinstance(state, ScatteredState):
            return _scattered(state).advance(state)
        if state.is_diagonal:
            return self._diagonalise(state)
        marching = self._marching(state)
        fit = marching.follow(state)
        if state.steps == 0:
            layout = fit.grown()
            if layout.size > marching.most:
                return self._too_large(state, layout)
            fit.use(layout, fit.layout.moved(fit.coefficients, layout))
            choose_widths(fit)
        ratio = fit.step()
        state.steps += 1
        state.level = fit.level() / fit.data_level
        state.take()
        is_settled = fit.is_linear or ratio > _SETTLED or state.steps >= _NEWTON
        is_solved = state.level <= state.enough(self._rtol) or (is_settled and state.level <= _RESOLVED)
        if len(fit.parameters) and is_solved and identify(fit):
            state.steps, state.level = 1, fit.level() / fit.data_level
            state.take()
            return Progress(state.level, message=f"{self._in_words(fit)}, {state.stage}")
        aim = state.enough(self._rtol) if state.is_last else _AIM * self._rtol
        if state.level <= aim:
            wider = widened(fit.layout)
            if asks_for_more(fit) and wider.size <= marching.most:
                fit.use(wider, fit.layout.moved(fit.coefficients, wider))
                choose_widths(fit)
                state.steps = 1
                state.take()
                return Progress(state.level, message=state.stage)
            return self._finish(state, Status.CONVERGED)
        if is_settled:
            state.steps = 0
            if state.level < 0.5 * state.best:
                state.best, state.waited = state.level, 0
            elif state.best < _RESOLVED:
                state.waited += 1
            if state.waited >= _PATIENCE:
                if state.best > math.sqrt(self._rtol) and marching.halve(state):
                    return Progress(1.0, state.share, message="a shorter slab of time")
                return self._finish(state, Status.STAGNATED)
        return Progress(state.level, state.share, message=state.stage)

    def _too_large(self, state: GPState, layout: Layout) -> Progress:
        """The next slab, where this one is good enough; half of it, where it is not; else the end."""
        if state.level <= self._rtol:
            return self._finish(state, Status.CONVERGED)
        if state.separable is not None:
            state.is_diagonal, state.best, state.waited = True, math.inf, 0
            self._hold(state, first_polynomials(layout))
            return Progress(min(state.level, 1.0), message=state.stage)
        if self._marching(state).halve(state):
            return Progress(1.0, state.share, message="a shorter slab of time")
        message = f"the next features are {layout.size}, more than max_features"
        return Progress(min(state.level, 1.0), status=Status.STAGNATED, message=message)

    def _diagonalise(self, state: GPState) -> Progress:
        """Solve on polynomials; the next have higher degrees where these do not end small."""
        layout = state.layout
        assert state.separable is not None
        solved = diagonalised(state.separable, layout)
        state.coefficients, state.level = solved.coefficients, solved.level
        stage = state.stage
        if state.level <= self._rtol:
            return Progress(state.level, status=Status.CONVERGED, message=stage)
        state.waited = 0 if state.level < 0.5 * state.best else state.waited + 1
        state.best = min(state.best, state.level)
        grown = more_polynomials(layout, solved, self._rtol)
        if grown is None or state.waited >= _PATIENCE:
            return Progress(state.level, status=Status.STAGNATED, message=f"{solved.shortfall}, {stage}")
        self._hold(state, grown)
        return Progress(state.level, message=stage)

    @staticmethod
    def _hold(state: GPState, layout: Layout) -> None:
        """Go on with other features, which hold what there was as far as they can."""
        state.coefficients = state.layout.moved(state.coefficients, layout)
        state.lines = [as_array(axis) for axis in layout.axes]

    def _finish(self, state: GPState, status: Status) -> Progress:
        """On to the next slab, or the end."""
        level = state.level
        if not state.is_last:
            self._marching(state).go_on(state)
            return Progress(level, state.share, message=state.stage)
        is_done = state.worst <= state.enough(self._rtol)
        stage = state.stage if is_done else f"the residual stays at {state.worst:.1e} of the data's"
        return Progress(level, status=Status.CONVERGED if is_done else status, message=stage)

    def field(self, state: GPState | ScatteredState) -> Field:
        if isinstance(state, ScatteredState):
            return _scattered(state).field(state)
        if state.is_diagonal:
            return FeatureField(state.layout, state.coefficients)
        posterior = Posterior.of(self._marching(state).follow(state))
        own = FeatureField(state.layout, state.coefficients, posterior and posterior.factor)
        if len(state.ends) <= 2:
            return own
        return SlabFeatureField([*earlier(state), own], state.ends)

    def restore(self, problem: Problem, arrays: Mapping[str, Array]) -> Field:
        if not problem.domain.is_box:
            return KernelField.from_arrays(arrays)
        return field_of(problem, arrays, self._symmetries(problem))

    def parameters(self, state: GPState | ScatteredState) -> dict[str, float]:
        if isinstance(state, ScatteredState):
            return {}
        unknown = state.problem.unknown_parameters
        return dict(zip((p.name for p in unknown), values(unknown, state.parameters), strict=True))

    def intervals(self, state: GPState | ScatteredState, answer: Field) -> dict[str, tuple[float, float]]:
        """95 % intervals by the posterior covariance (`posterior`).

        None where no degrees of freedom are left, and where the features leave a residual that is no longer
        small beside noise.
        """
        if isinstance(state, ScatteredState):
            return {}
        if not state.problem.unknown_parameters or state.level > _TRUSTED:
            return {}
        fit = self._marching(state).follow(state)
        posterior = Posterior.of(fit)
        return {} if posterior is None else posterior.intervals(fit)

    def error_estimate(self, state: GPState | ScatteredState) -> float | None:
        """On shapes that of the last level, relative in L2."""
        return state.estimate if isinstance(state, ScatteredState) else None

    def merit(self, state: GPState | ScatteredState) -> float | None:
        """The largest residual of a slab, relative to that of u = 0; None before the last slab.

        With unknown parameters the misfit of the observations counts too: each of their values has its own
        equations, which can all be solved.
        """
        if isinstance(state, ScatteredState):
            return state.estimate
        return math.hypot(state.worst, state.misfit) if state.is_last else None

    def diagnose(self, state: GPState | ScatteredState) -> str:
        return "the rows of the least-squares problem"

    @property
    def _rtol(self) -> float:
        """On boxes."""
        return 1e-12 if self.rtol is None else self.rtol

    def _marching(self, state: GPState) -> Marching:
        most = 3000 if state.problem.domain.time is None else 1500
        if state.separable is not None:  # dense problems of a thousand take longer than it takes without them
            most = 1000
        return Marching(self._rtol, self.max_features or most, self.resolution, self.lines)

    @staticmethod
    def _in_words(fit: Fit) -> str:
        unknown = fit.program.parameters
        pairs = zip(unknown, values(unknown, fit.parameters), strict=True)
        return ", ".join(f"{p.name} = {value:.4g}" for p, value in pairs)

    def _symmetries(self, problem: Problem) -> dict[int, Parity]:
        return parities(problem) if self.symmetry else {}


def _scattered(state: ScatteredState) -> Scattered:
    method: Scattered = state.method
    return method
