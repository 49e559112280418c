"""Residual and parameter gradient: compiled jets against nested ``autograd.grad``, in one run.

    python -m pdesolve.benchmarks.residual_speed --out benchmarks/results/residual_speed.json

Both sides evaluate the same mean square residual of the same tanh network at the same points and its
gradient in all parameters. The nested side is written by hand for each equation, as an expert would: first
derivatives of one unknown in one call, shared lower derivatives, the biharmonic as the Laplacian of the
Laplacian. It runs on all points at once, as users write it, and ("nested, blocked") on the same
cache-sized blocks as the jets. Times are medians over rounds in which the candidates take turns, so that a
drift of the machine hits all alike; the figure is their ratio.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sympy.core.function import AppliedUndef
from torch import Tensor

import pdesolve as pde
from pdesolve.benchmarks.machine import machine
from pdesolve.residual.ansatz import Ansatz, Trial
from pdesolve.residual.model import Model
from pdesolve.residual.networks import box_features, mlp
from pdesolve.residual.program import Program
from pdesolve.residual.residual import BLOCK, Residual

x, y, t = pde.coordinates("x y t")


def gradient(value: Tensor, points: Tensor) -> Tensor:
    """∇ of each point's value, (n, d)."""
    return torch.autograd.grad(value.sum(), points, create_graph=True)[0]


# Each equation twice: declared in symbols, and as nested autograd on values (n, k) at points (n, d).


def burgers() -> tuple[Any, Any]:
    u = pde.unknown("u", x, t)
    equations = [u.diff(t) + u * u.diff(x) - u.diff(x, 2) / 100]

    def nested(values: Tensor, p: Tensor) -> list[Tensor]:
        first = gradient(values[:, 0], p)
        second = gradient(first[:, 0], p)
        return [first[:, 1] + values[:, 0] * first[:, 0] - second[:, 0] / 100]

    return equations, nested


def kuramoto_sivashinsky() -> tuple[Any, Any]:
    u = pde.unknown("u", x, t)
    equations = [u.diff(t) + 5 * u * u.diff(x) + u.diff(x, 2) / 2 + u.diff(x, 4) / 200]

    def nested(values: Tensor, p: Tensor) -> list[Tensor]:
        first = gradient(values[:, 0], p)
        second = gradient(first[:, 0], p)[:, 0]
        third = gradient(second, p)[:, 0]
        fourth = gradient(third, p)[:, 0]
        return [first[:, 1] + 5 * values[:, 0] * first[:, 0] + second / 2 + fourth / 200]

    return equations, nested


def biharmonic() -> tuple[Any, Any]:
    u = pde.unknown("u", x, y)
    equations = [u.diff(x, 4) + 2 * u.diff(x, 2, y, 2) + u.diff(y, 4) - 1]

    def laplacian(value: Tensor, p: Tensor) -> Tensor:
        first = gradient(value, p)
        return gradient(first[:, 0], p)[:, 0] + gradient(first[:, 1], p)[:, 1]

    def nested(values: Tensor, p: Tensor) -> list[Tensor]:
        return [laplacian(laplacian(values[:, 0], p), p) - 1]

    return equations, nested


def navier_stokes() -> tuple[Any, Any]:
    u, v, q = pde.unknown("u v p", x, y, t)

    def momentum(w: Any, pressure: Any) -> Any:
        return w.diff(t) + u * w.diff(x) + v * w.diff(y) + pressure - (w.diff(x, 2) + w.diff(y, 2)) / 100

    equations = [momentum(u, q.diff(x)), momentum(v, q.diff(y)), u.diff(x) + v.diff(y)]

    def nested(values: Tensor, p: Tensor) -> list[Tensor]:
        velocity = values[:, 0], values[:, 1]
        first = [gradient(values[:, k], p) for k in range(3)]
        residuals = []
        for k in range(2):
            laplacian = gradient(first[k][:, 0], p)[:, 0] + gradient(first[k][:, 1], p)[:, 1]
            convection = velocity[0] * first[k][:, 0] + velocity[1] * first[k][:, 1]
            residuals.append(first[k][:, 2] + convection + first[2][:, k] - laplacian / 100)
        return [*residuals, first[0][:, 0] + first[1][:, 1]]

    return equations, nested


CASES = {
    "burgers": (burgers, (x, t)),
    "kuramoto-sivashinsky": (kuramoto_sivashinsky, (x, t)),
    "biharmonic": (biharmonic, (x, y)),
    "navier-stokes-2d": (navier_stokes, (x, y, t)),
}


def declare(name: str, equations: list[Any], coordinates: tuple[Any, ...]) -> pde.Problem:
    """A problem around the equations; its conditions only make it complete and are not evaluated."""
    space = [c for c in coordinates if c is not t]
    domain = pde.Box(*((c, -1, 1) for c in space))
    if t in coordinates:
        domain = domain * pde.Time(t, 0, 1)
    unknowns = sorted({f for e in equations for f in e.atoms(AppliedUndef)}, key=str)
    conditions: list[Any] = []
    for unknown in unknowns:
        conditions.append(pde.Periodic(unknown))
        if t in coordinates and str(unknown.func) != "p":
            conditions.append(pde.Initial(unknown, 0))
    if name == "biharmonic" or len(unknowns) > 1:
        gauged = unknowns[-1 if name == "biharmonic" else 0]  # p sorts before u and v
        conditions.append(pde.Value(gauged, 0, at=dict.fromkeys(space, 0)))
    return pde.Problem(name, equations, domain, conditions)


def measure(
    name: str, points: int, width: int, depth: int, rounds: int, dtype: torch.dtype
) -> dict[str, Any]:
    """Time one equation; returns a record with medians, ratios and the agreement of the values."""
    make, coordinates = CASES[name]
    equations, nested = make()
    problem = declare(name, equations, coordinates)
    program = Program(problem)
    generator = torch.Generator().manual_seed(0)
    network = mlp(box_features(problem.domain), len(problem.unknowns), generator, width, depth)
    trivial = Ansatz(tuple(Trial() for _ in problem.unknowns), (), frozenset())
    active = [i for i, term in enumerate(program.terms) if term.term.is_equation]
    residuals = {
        kind: Residual(
            program, Model(program, network, trivial), active, compile=kind == "compiled", dtype=dtype
        )
        for kind in ("eager", "compiled")
    }
    eager = residuals["eager"]
    theta = eager.start()
    sample = problem.domain.sample(points, np.random.default_rng(0), method="uniform")
    batch = eager.batch([sample])  # all equations share the points
    blocks = eager.blocks(batch)
    order = [problem.unknown_names.index(k) for k in ("u", "v", "p") if k in problem.unknown_names]
    network = copy.deepcopy(network).to(dtype)

    def run_nested(size: int) -> tuple[Tensor, Tensor]:
        variable = theta.clone().requires_grad_()
        parameters = {
            key.removeprefix("model.network."): value
            for key, value in eager.unflatten(variable).items()
            if key.startswith("model.network.")
        }
        total = torch.zeros((), dtype=dtype)
        for piece in batch[0].points.split(size):
            p = piece.clone().requires_grad_()
            values = torch.func.functional_call(network, parameters, (p,))[:, order]
            loss = sum((r * r).sum() for r in nested(values, p)) / points
            # the views of θ are shared by all pieces, so their part of the graph is kept
            loss.backward(retain_graph=True)
            total += loss.detach()
        return total, variable.grad  # type: ignore[return-value]

    candidates: dict[str, Callable[[], tuple[Tensor, Tensor]]] = {
        "nested": lambda: run_nested(points),
        "nested, blocked": lambda: run_nested(BLOCK),
        "jets, eager": lambda: eager.loss_and_gradient(theta, blocks),
        "jets, compiled": lambda: residuals["compiled"].loss_and_gradient(theta, blocks),
    }
    expected = candidates["nested"]()
    differences = {}
    for kind, run in candidates.items():
        found = run()
        differences[kind] = max(
            float(abs(found[0] - expected[0]) / expected[0]),
            float((found[1] - expected[1]).norm() / expected[1].norm()),
        )
    times: dict[str, list[float]] = {kind: [] for kind in candidates}
    for _ in range(rounds):
        for kind, run in candidates.items():
            begin = time.perf_counter()
            run()
            times[kind].append(time.perf_counter() - begin)
    medians = {kind: statistics.median(values) for kind, values in times.items()}
    return {
        "equation": name,
        "points": points,
        "network": f"{depth}x{width} tanh",
        "dtype": str(dtype).removeprefix("torch."),
        "milliseconds": {kind: round(1e3 * value, 2) for kind, value in medians.items()},
        "speedup": round(medians["nested"] / medians["jets, compiled"], 2),
        "speedup_against_blocked": round(medians["nested, blocked"] / medians["jets, compiled"], 2),
        "speedup_eager": round(medians["nested"] / medians["jets, eager"], 2),
        "relative_difference": differences,
        "compile_seconds": round(residuals["compiled"].compile_seconds, 1),
        "rounds": rounds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--equations", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--points", type=int, default=10_000)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--dtype", choices=["float64", "float32"], default="float64")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    records = []
    for name in arguments.equations:
        record = measure(
            name,
            arguments.points,
            arguments.width,
            arguments.depth,
            arguments.rounds,
            getattr(torch, arguments.dtype),
        )
        records.append(record)
        times = ", ".join(f"{kind} {value:.1f} ms" for kind, value in record["milliseconds"].items())
        print(f"{name}: {times}; speed-up {record['speedup']:.2f}x, difference ", end="")
        print(f"{record['relative_difference']['jets, compiled']:.1e}", flush=True)
    if arguments.out is not None:
        content = {"command": " ".join(sys.argv[1:]), "machine": machine(), "records": records}
        arguments.out.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
