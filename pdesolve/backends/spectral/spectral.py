"""`Spectral`: the options of the spectral methods, and which of them solves a problem."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ...declare import Observations, Problem
from ...declare.domain import Array
from ...solution.field import Field
from ..base import Backend, Capabilities, Context, Progress
from .march import FourierMarch
from .method import Method
from .steady import SteadyCollocation
from .transient import TransientCollocation


@dataclass(frozen=True)
class Spectral(Backend):
    """Spectral methods on boxes in one to three space dimensions, refined until two resolutions agree.

    **Evolution on boxes that are periodic all around**: Fourier series and ETDRK4.

        û' = L û + N(û, t),   L a matrix for each mode (constant coefficients), N evaluated on the grid

    Systems may be coupled in L, of second order in time (u_t becomes a hidden component), and hold unknowns
    without a time derivative, such as a pressure or a stream function: these are eliminated mode by mode,
    where one differentiation of the constraints in time is enough (`constraints`). A ``Value`` at a point
    gives such an unknown its mean.

    Each level runs with half the time step and up to 3/2 times the modes of the one before. Their relative
    L2 difference over the saved times, plus the measured error of the interpolation in time, is the error
    estimate; it estimates the *coarser* of the two, and the finer is returned. Once what lies beyond the
    highest mode (extrapolated) is below 10 % of ``rtol``, the modes are held, and that share is added to
    the estimate; where two differences in a row then show an order near four, the finer run is estimated.

    **All other boxes, and steady problems**: collocation at Chebyshev points along open axes, at equally
    spaced points along periodic ones.

        F(x, t, u, u_x, u_xx, u_t, …) = 0 at points,   B(u, u_n) = 0 on faces,   one system of equations

    The residual may be any function of the derivatives. Dirichlet, Neumann, Robin and Value conditions are
    rows of the system: equations of order m along an axis leave room for m of them, third and fourth order
    included; rows beyond that number (a pressure gauge) are met by least squares. Steady problems are solved
    by Newton's method, with continuation in the highest derivatives where it fails from zero. In time Radau
    IIA of order nine (at least five, where stiffness or moving boundary data reduce it) solves first and
    second order, constraints and non-linear diffusion alike, with steps that adapt on the first level. Where
    the points do not resolve a layer, a map gathers them there. Levels have 3/2 times the points and half
    the steps of the one before; the error estimate is the relative L2 difference of two levels, that of the
    coarser, and the finer is returned.

    Args:
        n: points on each axis on the first level; None chooses by the decay of the spectrum (and, in
            collocation, permits maps).
        dt: largest time step on the first level (lowered to fit); None chooses by the rates of N, or adapts.
            Where both n and dt are given, exactly one refinement is made and the finer run is returned.
        rtol: the relative L2 error estimate to reach.
        dealias: the 2/3 rule. Without it more modes are kept for the same n: right for solutions with
            kinks under diffusion, where aliasing is as small as the truncated tail. Collocation has none.
        max_n: most points on an axis; None for 16384, 1024, 128 in 1-D, 2-D, 3-D, and in collocation for
            1024 in 1-D and 6000 (steady) or 2500 (in time) nodal values of all unknowns in 2-D and 3-D.
        max_steps: most time steps in one run.

    Good values: the defaults; ``rtol=1e-11`` for references (round-off ends near 1e-13).

    Fails where the solution leaves the smooth class (a shock without viscosity, data that disagree in a
    corner), and is slow where terms with variable coefficients, which stay in N, hold high derivatives.
    Collocation solves dense systems: a moving front in 1-D, and anything fine in 2-D or 3-D, costs much.

    Sources: Cox & Matthews (2002), equations (26)-(29); Kassam & Trefethen (2005), section 2; Driscoll &
    Hale (2016); Tee & Trefethen (2006), equation (6.2); Hairer & Wanner (1996), sections IV.5 and IV.8.
    """

    n: int | None = None
    dt: float | None = None
    rtol: float = 1e-8
    dealias: bool = True
    max_n: int | None = None
    max_steps: int = 1_000_000

    name: ClassVar[str] = "spectral"
    summary: ClassVar[str] = "Fourier ETDRK4 and Chebyshev collocation on boxes, with an error estimate"
    capabilities: ClassVar[Capabilities] = Capabilities(time_marching=True, dtypes=("float64",))
    citations: ClassVar[tuple[str, ...]] = (
        "S. M. Cox, P. C. Matthews: Exponential time differencing for stiff systems. "
        "J. Comput. Phys. 176 (2002) 430-455.",
        "A.-K. Kassam, L. N. Trefethen: Fourth-order time-stepping for stiff PDEs. "
        "SIAM J. Sci. Comput. 26 (2005) 1214-1233.",
        "T. A. Driscoll, N. Hale: Rectangular spectral collocation. IMA J. Numer. Anal. 36 (2016) 108-132.",
        "T. W. Tee, L. N. Trefethen: A rational spectral collocation method with adaptively transformed "
        "Chebyshev grid points. SIAM J. Sci. Comput. 28 (2006) 1798-1811.",
        "E. Hairer, G. Wanner: Solving Ordinary Differential Equations II (1996).",
    )

    def __post_init__(self) -> None:
        self.require_count(*(name for name in ("n", "max_n") if getattr(self, name) is not None), least=8)
        self.require_count("max_steps")
        self.require_positive("rtol", *(("dt",) if self.dt is not None else ()))
        self.require("dealias", isinstance(self.dealias, bool), "True or False")

    # -- the contract ------------------------------------------------------------------------------

    def supports(self, problem: Problem) -> list[str]:
        space = problem.domain.space
        if not problem.domain.is_box:
            return ["the domain is no box, and it works on tensor grids"]
        if len(space) > 3:
            return [f"it covers up to three space dimensions, not {len(space)}"]
        if problem.unknown_parameters or any(problem.of_type(Observations)):
            return ["it does not identify unknown parameters from observations"]
        if problem.coefficients:
            return ["it does not find unknown coefficients"]
        return _method_for(problem).reasons(problem)

    def start(self, problem: Problem, context: Context) -> Any:
        return _method_for(problem)(self, problem).start(context)

    def advance(self, state: Any) -> Progress:
        method: Method = state.method
        return method.advance(state)

    def field(self, state: Any) -> Field:
        method: Method = state.method
        return method.field(state)

    def restore(self, problem: Problem, arrays: Mapping[str, Array]) -> Field:
        return _method_for(problem)(self, problem).restore(arrays)

    def error_estimate(self, state: Any) -> float | None:
        method: Method = state.method
        return method.error_estimate(state)

    def diagnose(self, state: Any) -> str:
        method: Method = state.method
        return method.diagnose(state)


def _method_for(problem: Problem) -> type[Method]:
    """Fourier series for evolution on boxes that are periodic all around, collocation for the rest."""
    if problem.domain.time is None:
        return SteadyCollocation
    every = tuple(range(len(problem.domain.space)))
    if every and all(problem.periodic_axes(u) == every for u in problem.unknowns):
        return FourierMarch
    return TransientCollocation
