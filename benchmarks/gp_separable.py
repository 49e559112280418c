"""The Gaussian-process backend on separable problems: error, seconds and memory, and how seconds grow.

    python -m pdesolve.benchmarks.gp_separable --out benchmarks/results/gp_separable.json \\
        --plot benchmarks/results/gp_separable.png

``solves`` holds runs of `pdesolve.solve` on ``poisson-chirp-2d``, for which the program finds how many
features it needs; asked are a relative L2 error of 1e-8 within 30 s and 2 GB on 1,000 features an axis.
Errors are taken on 300 points an axis. ``growth`` holds the seconds of one fast diagonalisation on n features
an axis, whose products of Kronecker factors take O(n³) operations; the plot shows them.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

import pdesolve as pde
from pdesolve.backends.gp import GP
from pdesolve.backends.gp.diagonalisation import diagonalised
from pdesolve.backends.gp.field import FeatureField, layout_of
from pdesolve.backends.gp.separable import separable
from pdesolve.benchmarks.gp import error, grid
from pdesolve.benchmarks.machine import machine
from pdesolve.benchmarks.records import Record

WAVE_NUMBERS = (60, 150, 300, 450)
SIZES = (125, 250, 500, 1000, 2000)
WAVES = 0.4  # wave number, over the features of an axis, that these resolve
REPEATS = 3


def solve(k: int) -> Record:
    """One run by the defaults."""
    solution = pde.solve(pde.catalogue("poisson-chirp-2d", k=k), GP(), progress=False, throw=False)
    assert solution.reference is not None
    exact = np.asarray(solution.reference.values(grid(solution.problem))).reshape(-1, 1)
    cost = solution.cost
    return {
        "k": k,
        "status": solution.status.name,
        "message": solution.message,
        "relative_l2": error(solution, exact),
        "seconds": round(cost.seconds_setup + cost.seconds_solve, 2),
        "peak_memory_gb": round((cost.peak_memory_bytes or 0) / 1e9, 2),
    }


def diagonalise(n: int) -> Record:
    """The fastest of a few diagonalisations on n features an axis."""
    problem = pde.catalogue("poisson-chirp-2d", k=WAVES * n)
    operator = separable(problem)
    assert operator is not None
    layout = layout_of(problem, [np.array([[0.0, n - 1]])] * 2, {})
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        solved = diagonalised(operator, layout)
        seconds.append(time.perf_counter() - began)
    points = grid(problem)
    (found,) = FeatureField(layout, solved.coefficients).derivatives(points, [(0, (0, 0))])
    x, y = points.T
    exact = np.sin(WAVES * n * (x**2 + x * y / 2 + y**2))
    return {
        "n": n,
        "seconds": round(min(seconds), 4),
        "relative_l2": float(np.linalg.norm(found - exact) / np.linalg.norm(exact)),
    }


def plot(growth: list[Record], file: Path) -> None:
    """Seconds against features of an axis, with the slope that the operations have."""
    import matplotlib.pyplot as plt

    n, seconds = (np.array([record[key] for record in growth]) for key in ("n", "seconds"))
    figure, axes = plt.subplots(figsize=(5, 4), layout="constrained")
    axes.loglog(n, seconds, "o-", label="one fast diagonalisation")
    axes.loglog(n, seconds[-1] * (n / n[-1]) ** 3, "k:", label="n³")
    axes.set_xticks(n, [str(each) for each in n], minor=False)
    axes.set_xticks([], minor=True)
    axes.set(xlabel="features an axis, n", ylabel="seconds", title="Poisson on n x n features")
    axes.legend()
    figure.savefig(file, dpi=120)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    solves, growth = [], []
    for k in WAVE_NUMBERS:
        solves.append(solve(k))
        print(json.dumps(solves[-1]), flush=True)
    for n in SIZES:
        growth.append(diagonalise(n))
        print(json.dumps(growth[-1]), flush=True)
    if arguments.out is not None:
        content = {"solves": solves, "growth": growth, "machine": machine()}
        arguments.out.write_text(json.dumps(content, indent=1) + "\n")
    if arguments.plot is not None:
        plot(growth, arguments.plot)


if __name__ == "__main__":
    main()
