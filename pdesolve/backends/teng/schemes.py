"""Runge-Kutta schemes: explicit ones, and one that is implicit with the same diagonal entry in all stages.

A step from u_n over h makes stages U_i = u_n + h Σ_j a_ij f(U_j) and ends at u_n + h Σ_i b_i f(U_i). With
another row of weights the stages give a result of lower order, and the difference is an error estimate.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scheme:
    """A Butcher tableau.

    Attributes:
        order: of the result.
        lower: a_ij, j < i, of each stage.
        weights: b_i.
        embedded: weights of the result of order - 1; None: the scheme estimates no error.
        diagonal: a_ii of all stages but the first, which is explicit; 0 for explicit schemes.
    """

    name: str
    order: int
    lower: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]
    embedded: tuple[float, ...] | None = None
    diagonal: float = 0.0

    @property
    def nodes(self) -> tuple[float, ...]:
        """c_i, the times of the stages as shares of the step."""
        return tuple(sum(row) + (self.diagonal if i else 0.0) for i, row in enumerate(self.lower))

    @property
    def is_stiffly_accurate(self) -> bool:
        """Whether a step ends with its last stage."""
        return self.diagonal > 0 and self.weights == (*self.lower[-1], self.diagonal)


_KENNEDY_CARPENTER = Scheme(
    "esdirk4",
    4,
    (
        (),
        (1 / 4,),
        (8611 / 62500, -1743 / 31250),
        (5012029 / 34652500, -654441 / 2922500, 174375 / 388108),
        (
            15267082809 / 155376265600,
            -71443401 / 120774400,
            730878875 / 902184768,
            2285395 / 8070912,
        ),
        (82889 / 524892, 0.0, 15625 / 83664, 69875 / 102672, -2260 / 8211),
    ),
    (82889 / 524892, 0.0, 15625 / 83664, 69875 / 102672, -2260 / 8211, 1 / 4),
    (
        4586570599 / 29645900160,
        0.0,
        178811875 / 945068544,
        814220225 / 1159782912,
        -3700637 / 11593932,
        61727 / 225920,
    ),
    1 / 4,
)

SCHEMES = {
    "euler": Scheme("euler", 1, ((),), (1.0,)),
    "heun": Scheme("heun", 2, ((), (1.0,)), (0.5, 0.5), (1.0, 0.0)),
    "rk4": Scheme("rk4", 4, ((), (0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)), (1 / 6, 1 / 3, 1 / 3, 1 / 6)),
    "midpoint": Scheme("midpoint", 2, ((), (0.0,)), (0.0, 1.0), diagonal=0.5),
    "esdirk4": _KENNEDY_CARPENTER,
}
"""Schemes by name.

``esdirk4`` is ARK4(3)6L[2]SA-ESDIRK of Kennedy & Carpenter, Appl. Numer. Math. 44 (2003) 139-181, table 6:
L-stable, stiffly accurate, stages of order two. The others are classical.
"""
