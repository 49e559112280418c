"""Networks, points and optimisers as DeepXDE's own examples have them, by problem."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """How DeepXDE's authors train on a problem.

    Attributes:
        depth, width: hidden layers and their units.
        activation: ``tanh`` or ``sin``.
        initializer: as DeepXDE names it.
        points, points_boundary, points_initial: collocation points, drawn once.
        exact: whether Dirichlet and initial conditions are built into the network's output.
        adam_steps: Adam steps at ``learning_rate``; L-BFGS follows where ``lbfgs`` is on.
        source: which of its examples this is.
    """

    depth: int = 4
    width: int = 50
    activation: str = "tanh"
    initializer: str = "Glorot uniform"
    points: int = 2500
    points_boundary: int = 200
    points_initial: int = 200
    exact: bool = False
    adam_steps: int = 20_000
    learning_rate: float = 1e-3
    lbfgs: bool = True
    source: str = "no example: its commonest settings"


RECIPES = {
    "allen-cahn-dirichlet": Recipe(
        3, 20, "tanh", "Glorot normal", 8000, 400, 800, True, 40_000, source="Allen_Cahn.py"
    ),
    "burgers": Recipe(3, 20, "tanh", "Glorot normal", 2540, 80, 160, False, 15_000, source="Burgers.py"),
    "heat": Recipe(3, 20, "tanh", "Glorot normal", 2540, 80, 160, False, 20_000, source="heat.py"),
    "helmholtz": Recipe(
        3, 150, "sin", "Glorot uniform", 900, 120, 0, True, 5_000, lbfgs=False,
        source="Helmholtz_Dirichlet_2d.py",
    ),
    "kovasznay": Recipe(
        4, 50, "tanh", "Glorot uniform", 2601, 400, 0, False, 30_000, source="Kovasznay_flow.py"
    ),
    "poisson": Recipe(
        4, 50, "sin", "Glorot uniform", 400, 80, 0, True, 50_000, lbfgs=False,
        source="Helmholtz_Dirichlet_2d.py, with ten points a wave",
    ),
    "poisson-l-shape": Recipe(
        4, 50, "tanh", "Glorot uniform", 1200, 120, 0, False, 50_000, source="Poisson_Lshape.py"
    ),
    "poisson-u": Recipe(
        3, 50, "tanh", "Glorot uniform", 400, 2, 0, False, 10_000, lbfgs=False,
        source="Poisson_Dirichlet_1d.py, with points for the frequency",
    ),
}  # fmt: skip
"""By the beginning of a problem's name; the longest that fits is taken."""


def recipe_for(name: str) -> Recipe:
    """The recipe of a problem; DeepXDE's commonest settings where it has no example of it."""
    fitting = [key for key in RECIPES if name == key or (name.startswith(key) and key.endswith("-u"))]
    return RECIPES[max(fitting, key=len)] if fitting else Recipe()
