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
    """Fourier pseudo-spectral ETDRK4 for periodic evolution problems in one to three space dimensions.

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

    Args:
        n: grid points on each axis on the first level; None chooses by the decay of the spectrum.
        dt: largest time step on the first level (lowered to fit); None chooses by the rates of N. Where
            both n and dt are given, exactly one refinement is made and the finer run is returned.
        rtol: the relative L2 error estimate to reach.
        dealias: the 2/3 rule. Without it more modes are kept for the same n: right for solutions with
            kinks under diffusion, where aliasing is as small as the truncated tail.
        max_n: most grid points on an axis; None for 16384, 1024, 128 in 1-D, 2-D, 3-D.
        max_steps: most time steps in one run.

    Good values: the defaults; ``rtol=1e-11`` for references (round-off ends near 1e-13).

    Fails where the solution leaves the smooth class (a shock without viscosity), and is slow where terms
    with variable coefficients, which stay in N, hold high derivatives.

    Sources: Cox & Matthews (2002), equations (26)-(29); Kassam & Trefethen (2005), section 2.
    """

    n: int | None = None
    dt: float | None = None
    rtol: float = 1e-8
    dealias: bool = True
    max_n: int | None = None
    max_steps: int = 1_000_000

    name: ClassVar[str] = "spectral"
    summary: ClassVar[str] = "Fourier ETDRK4 on periodic boxes, with a refinement error estimate"
    capabilities: ClassVar[Capabilities] = Capabilities(time_marching=True, dtypes=("float64",))
    citations: ClassVar[tuple[str, ...]] = (
        "S. M. Cox, P. C. Matthews: Exponential time differencing for stiff systems. "
        "J. Comput. Phys. 176 (2002) 430-455.",
        "A.-K. Kassam, L. N. Trefethen: Fourth-order time-stepping for stiff PDEs. "
        "SIAM J. Sci. Comput. 26 (2005) 1214-1233.",
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
            return [f"it covers 1 to 3 space dimensions, not {len(space)}"]
        if problem.unknown_parameters or any(problem.of_type(Observations)):
            return ["it does not identify unknown parameters from observations"]
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
