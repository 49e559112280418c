"""The demo's figure: Burgers (ν = 0.01/π) by the PINN's defaults, error against time over seeds.

    python -m pdesolve.benchmarks.burgers_demo --seeds 3 --out benchmarks/results/burgers_demo.json

Each seed is what ``make demo`` runs: 60 seconds of set-up and work, compilation included, evaluation
of the error excluded. Figures are medians over seeds with their range.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np

import pdesolve as pde
from pdesolve.benchmarks.machine import machine


def time_to(history: pde.Solution, error: float) -> float | None:
    """Seconds after which the error stays known to be below a level; None where it was not reached."""
    curve = history.history
    reached = [s for s, e in zip(curve.seconds, curve.relative_l2, strict=True) if e <= error]
    return round(min(reached), 1) if reached else None


def run(seed: int, budget: float, options: dict[str, Any]) -> dict[str, Any]:
    """One seed, as a record."""
    solution = pde.solve(
        pde.catalogue("burgers"), pde.PINN(**options), budget=budget, seed=seed, progress=False
    )
    norms = solution.error()
    return {
        "seed": seed,
        "relative_l2": norms.relative_l2,
        "max_error": norms.max,
        "reference_error": solution.reference.error if solution.reference else None,
        "seconds": round(solution.cost.seconds_setup + solution.cost.seconds_solve, 1),
        "steps": solution.provenance["steps"],
        "seconds_to": {f"{e:.0e}": time_to(solution, e) for e in (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)},
        "history": {
            "seconds": np.round(solution.history.seconds, 2).tolist(),
            "relative_l2": solution.history.relative_l2,
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--budget", type=float, default=60.0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    records = []
    for seed in range(arguments.seeds):
        record = run(seed, arguments.budget, {})
        records.append(record)
        print(f"seed {seed}: relative L2 {record['relative_l2']:.2e} after {record['seconds']} s, ", end="")
        print(f"{record['steps']} steps; seconds to {record['seconds_to']}", flush=True)
    errors = [record["relative_l2"] for record in records]
    print(f"median {statistics.median(errors):.2e}, range {min(errors):.2e} to {max(errors):.2e}")
    if arguments.out is not None:
        content = {"command": " ".join(sys.argv[1:]), "machine": machine(), "records": records}
        arguments.out.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
