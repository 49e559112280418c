"""The generative priors that come with the package: data and training of each.

    python -m pdesolve.benchmarks.priors --out out/priors
    python -m pdesolve.benchmarks.priors --only darcy-random --out out/priors

What this does for one family is also

    pdesolve generate darcy-random -n 8000 --points 32 --rtol 2e-2 --out darcy.h5
    pdesolve train darcy-random --backend diffusion --data darcy.h5 --validation 0.05 --budget 1000 \\
        --out darcy.safetensors

Members come from seed 0 of each family; the last twentieth chooses the state that is kept.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path

import pdesolve as pde
from pdesolve.backends.diffusion import DiffusionPDE


@dataclass(frozen=True)
class Recipe:
    """Members, their grid and error, and the seconds of training."""

    members: int
    rtol: float
    seconds: float
    points: int = 32
    times: int | None = None
    prior: DiffusionPDE = field(default_factory=DiffusionPDE)


RECIPES = {
    "poisson-random": Recipe(10_000, 1e-4, 120.0),
    "helmholtz-random": Recipe(10_000, 1e-4, 120.0),
    "darcy-random": Recipe(8_000, 2e-2, 1_000.0),
    "burgers-random": Recipe(8_000, 1e-4, 1_050.0, 64, 64, DiffusionPDE(width=32, batch=32)),
}


def make(name: str, folder: Path) -> None:
    """Generate, train, and say how good it is."""
    recipe, family = RECIPES[name], pde.family(name)
    folder.mkdir(parents=True, exist_ok=True)
    begin = time.perf_counter()
    data = pde.generate(
        family,
        recipe.members,
        folder / f"{name}.h5",
        points=recipe.points,
        times=recipe.times,
        rtol=recipe.rtol,
    )
    made = time.perf_counter()
    out = folder / f"{name}.safetensors"
    trained = pde.train(family, recipe.prior, data, out, validation=0.05, budget=recipe.seconds, seed=0)
    loss = trained.card().metrics[trained.learner().measure]
    size = out.stat().st_size / 2**20
    print(
        f"{name}: data {made - begin:.0f} s, training {time.perf_counter() - made:.0f} s, "
        f"denoising loss {loss:.3f} of that of the Gaussian law, {size:.1f} MiB"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=RECIPES, default=list(RECIPES), metavar="FAMILY")
    parser.add_argument("--out", type=Path, default=Path("out/priors"))
    arguments = parser.parse_args()
    for chosen in arguments.only:
        make(chosen, arguments.out)
