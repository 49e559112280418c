"""Priors on 128 x 128 nodes, trained on a GPU, against the published rows with 500 sensors.

    PDESOLVE_BENCHMARK_DEVICE=cuda python -m pdesolve.benchmarks.diffusion_large --out large.json

For each of `poisson-random`, `helmholtz-random` and `darcy-random`: 2,000 members (kept in the folder of the
temporary files and taken up again), a prior that knows the data alone, trained for 480 seconds on the device,
and the errors of 10 members of another seed, forward (the coefficient is observed) and inverse (the solution
is), of single samples and of the mean of four. Sampling runs on the processor. The three trainings take 24
minutes; data take longer than that on few processors, and want to be made before:

    python -m pdesolve.benchmarks.diffusion_large --data

``published`` is the paper's row (Huang et al., NeurIPS 2024, table 1: 2,000 steps, one sample), ``re-run``
that of two independent repetitions with its code and weights. Media with two phases are scored by
``wrong_pixels``. Members are drawn by this package's families, whose coefficients have the published law.
"""

from __future__ import annotations

import functools
import os
import sys
import tempfile
from pathlib import Path

import pdesolve as pde
from pdesolve.backends.diffusion import DiffusionPDE
from pdesolve.benchmarks.diffusion import elliptic, measure
from pdesolve.benchmarks.records import Record, run_cases
from pdesolve.data.dataset import Dataset

DEVICE = os.environ.get("PDESOLVE_BENCHMARK_DEVICE", "cpu")
FOLDER = Path(tempfile.gettempdir()) / "pdesolve-diffusion-large"
RTOL = {"poisson-random": 1e-3, "helmholtz-random": 1e-3, "darcy-random": 2e-2}
PUBLISHED = {
    "poisson-random": {"published": [4.5, 20.0], "re-run": [[4.88, 21.10], [8.67, 19.88]]},
    "helmholtz-random": {"published": [8.8, 22.6], "re-run": [[12.64, 19.07], [17.49, 19.14]]},
    "darcy-random": {"published": [2.5, 3.2], "re-run": [[6.07, 7.87], [5.58, 8.31]]},
}
"""Per cent, forward and inverse."""


def members(name: str, count: int, seed: int, points: int, folder: Path) -> Dataset:
    """Members of a family; a run that was cut goes on."""
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / f"{name}-{points}-{seed}.h5"
    return pde.generate(pde.family(name), count, out, seed=seed, points=points, rtol=RTOL[name])


def row(
    name: str,
    *,
    points: int = 128,
    count: int = 2_000,
    seconds: float = 480.0,
    tests: int = 10,
    sensors: int = 500,
    prior: DiffusionPDE | None = None,
    device: str = DEVICE,
    folder: Path = FOLDER,
) -> Record:
    """One family: data, training, and errors in per cent beside the published ones."""
    prior = prior or DiffusionPDE(declared=False, rank=512, width=64, patch=4)
    family, data = pde.family(name), members(name, count, 0, points, folder)
    weights = folder / f"{name}-{points}.safetensors"
    trained = pde.train(family, prior, data, weights, validation=0.05, budget=seconds, seed=0, device=device)
    held = members(name, tests, 3, points, folder)
    use = DiffusionPDE.load(trained.weights or weights, samples=4)
    record: Record = {
        "points": points,
        "sensors": sensors,
        "columns": ["u", "a"],
        "device": device,
        "training_seconds": seconds,
        "steps": use.card().training["steps"],
        "denoising_loss": use.card().metrics["validation_denoising_loss"],
        **PUBLISHED[name],
    }
    for kind in ("forward", "inverse"):
        record[kind] = measure([elliptic(name, i, held, kind, sensors) for i in range(tests)], use)
    return record


if __name__ == "__main__":
    if "--data" in sys.argv:
        for family_name in PUBLISHED:
            members(family_name, 2_000, 0, 128, FOLDER)
            members(family_name, 10, 3, 128, FOLDER)
    else:
        run_cases(__doc__, {name: functools.partial(row, name) for name in PUBLISHED}, hidden=("re-run",))
