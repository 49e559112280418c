"""Residual and parameter gradient over order, dimension, width and precision, beside the machine's GEMM.

    python -m pdesolve.benchmarks.residual_scaling --out benchmarks/results/residual_scaling.json
    python -m pdesolve.benchmarks.residual_scaling --only order-4 dimension-10

Each case is the mean square residual of a tanh network and its gradient in all parameters: u_t + ∂ᵏu/∂xᵏ for
the orders, Δu for the dimensions. Candidates take turns in rounds; times are medians. ``nested`` is
autograd.grad in autograd.grad, on the same blocks of points as the jets; ``torch.func`` is forward mode in
forward mode.

``share_of_gemm`` is the floating-point work of the matrix products that jets need (forward, and twice that
backward), divided by the candidate's time and by the speed of large matrix products measured in the same
run: what is missing to one is pointwise work, memory and overhead. ``peak_bytes`` is the memory that one
evaluation takes beyond what was in use before (`memory.peak_bytes`). On a GPU
(``PDESOLVE_BENCHMARK_DEVICE=cuda``) each time ends with a synchronisation. On one thread of a CPU
(``OMP_NUM_THREADS=1``) seconds are those of the processor, so that programs that share the core are not
counted; those of the compiler are the clock's.
"""

from __future__ import annotations

import functools
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import pdesolve as pde
from pdesolve.benchmarks.memory import peak_bytes
from pdesolve.benchmarks.records import Record, run_cases
from pdesolve.residual.ansatz import Ansatz, Trial
from pdesolve.residual.jets import JetSpace
from pdesolve.residual.model import Model
from pdesolve.residual.networks import box_features, mlp
from pdesolve.residual.program import Program
from pdesolve.residual.residual import BLOCK, Residual

POINTS = 8192
DEPTH = 3
ROUNDS = 7
DEVICE = os.environ.get("PDESOLVE_BENCHMARK_DEVICE", "cpu")

Values = Callable[[Tensor], Tensor]
"""Points (n, d) to values (n,)."""


def problem_of(order: int, dimension: int) -> pde.Problem:
    """Δu = 0 in ``dimension`` coordinates where ``order`` is 0, else u_t + ∂ᵏu/∂xᵏ = 0; conditions only
    complete it."""
    if order:
        x, t = pde.coordinates("x t")
        u = pde.unknown("u", x, t)
        domain = pde.Interval(x, -1, 1) * pde.Time(t, 0, 1)
        conditions = [pde.Initial(u, 0), pde.Periodic(u)]
        equation = u.diff(t) + u.diff(x, order)  # nothing is solved, so that its sign does not matter
        return pde.Problem(f"order-{order}", [equation], domain, conditions, allow_ill_posed=True)
    names = pde.coordinates(" ".join(f"x{i}" for i in range(1, dimension + 1)))
    space = names if isinstance(names, tuple) else (names,)
    u = pde.unknown("u", *space)
    box = pde.Box(*((c, -1, 1) for c in space))
    return pde.Problem(
        f"dimension-{dimension}", [sum(u.diff(c, 2) for c in space)], box, [pde.Dirichlet(u, 0)]
    )


# -- the same residual by nested autograd, and by torch.func


def nested(order: int, values: Values, points: Tensor) -> Tensor:
    """The residual (n,) as one writes it with autograd.grad."""

    def gradient(value: Tensor) -> Tensor:
        return torch.autograd.grad(value.sum(), points, create_graph=True)[0]

    first = gradient(values(points))
    if not order:
        return sum(  # type: ignore[return-value]
            gradient(first[:, i])[:, i] for i in range(points.shape[1])
        )
    value = first[:, 0]
    for _ in range(order - 1):
        value = gradient(value)[:, 0]
    return first[:, 1] + value


def functional(order: int, values: Values, points: Tensor) -> Tensor:
    """The residual (n,) by directional derivatives of directional derivatives."""

    def along(function: Values, axis: int) -> Values:
        def derivative(p: Tensor) -> Tensor:
            direction = torch.zeros_like(p)
            direction[:, axis] = 1
            return torch.func.jvp(function, (p,), (direction,))[1]  # type: ignore[no-any-return]

        return derivative

    if not order:
        return sum(  # type: ignore[return-value]
            along(along(values, i), i)(points) for i in range(points.shape[1])
        )
    high = values
    for _ in range(order):
        high = along(high, 0)
    return along(values, 1)(points) + high(points)


def by_blocks(
    residual: Callable[[int, Values, Tensor], Tensor], order: int, network: nn.Module, points: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """Mean square and its gradient, block by block as the jets."""
    parameters = list(network.parameters())
    total, sums = torch.zeros((), dtype=points.dtype, device=points.device), None
    for piece in torch.split(points, BLOCK):
        p = piece.clone().requires_grad_()
        values = residual(order, lambda q: network(q)[:, 0], p)
        loss = (values * values).sum() / len(points)
        found = torch.autograd.grad(loss, parameters, allow_unused=True)
        whole = [torch.zeros_like(q) if g is None else g for q, g in zip(parameters, found, strict=True)]
        sums = whole if sums is None else [a + b for a, b in zip(sums, whole, strict=True)]
        total += loss.detach()
    assert sums is not None
    return total, sums


# -- the machine


def wait() -> None:
    if DEVICE != "cpu":
        torch.cuda.synchronize()


def clock() -> float:
    """Processor time on one thread of a CPU; elsewhere it would leave out a device, or add up threads."""
    alone = DEVICE == "cpu" and torch.get_num_threads() == 1
    return time.process_time() if alone else time.perf_counter()


def gemm_speed(dtype: torch.dtype, size: int = 1024, rounds: int = 5) -> float:
    """Floating-point operations a second of a large matrix product: the best of some."""
    a, b = (torch.rand(size, size, dtype=dtype, device=DEVICE) for _ in range(2))
    seconds = []
    for _ in range(rounds + 1):
        begin = clock()
        a @ b
        wait()
        seconds.append(clock() - begin)
    return 2.0 * size**3 / min(seconds)


def measure(order: int, dimension: int, width: int = 64, dtype: torch.dtype = torch.float64) -> Record:
    """The record of one case."""
    problem = problem_of(order, dimension)
    program = Program(problem)
    d = len(problem.coordinates)
    network = mlp(box_features(problem.domain), 1, torch.Generator().manual_seed(0), width, DEPTH)
    active = [i for i, term in enumerate(program.terms) if term.term.is_equation]
    trivial = Ansatz((Trial(),), (), frozenset())
    jets = {
        kind: Residual(
            program,
            Model(program, network, trivial),
            active,
            compile=kind == "compiled",
            dtype=dtype,
            device=DEVICE,
        )
        for kind in ("eager", "compiled")
    }
    theta = jets["eager"].start()
    sample = problem.domain.sample(POINTS, np.random.default_rng(0), method="uniform")
    blocks = jets["eager"].blocks(jets["eager"].batch([sample]))
    points = torch.as_tensor(sample, dtype=dtype, device=DEVICE)
    plain = network.to(device=DEVICE, dtype=dtype)
    candidates: dict[str, Callable[[], tuple[Tensor, Any]]] = {
        "nested": lambda: by_blocks(nested, order, plain, points),
        "torch.func": lambda: by_blocks(functional, order, plain, points),
        "jets, eager": lambda: jets["eager"].loss_and_gradient(theta, blocks),
        "jets, compiled": lambda: jets["compiled"].loss_and_gradient(theta, blocks),
    }
    losses = {kind: float(run()[0]) for kind, run in candidates.items()}
    times: dict[str, list[float]] = {kind: [] for kind in candidates}
    for _ in range(ROUNDS):
        for kind, run in candidates.items():
            begin = clock()
            run()
            wait()
            times[kind].append(clock() - begin)
    seconds = {kind: statistics.median(values) for kind, values in times.items()}
    count = len(JetSpace.of({index for _, index in program.terms[active[0]].derivatives}).indices)
    work = 3 * 2 * POINTS * count * (d * width + (DEPTH - 1) * width**2 + width)
    speed = gemm_speed(dtype)
    return {
        "order": order or 2,
        "dimension": d,
        "network": f"{DEPTH}x{width} tanh",
        "dtype": str(dtype).removeprefix("torch."),
        "derivatives_carried": count,
        "points_a_second": {kind: round(POINTS / s) for kind, s in seconds.items()},
        "share_of_gemm": {kind: round(work / s / speed, 3) for kind, s in seconds.items()},
        "gemm_gflops": round(speed / 1e9, 1),
        "peak_bytes": {kind: peak_bytes(run, DEVICE) for kind, run in candidates.items()},
        "largest_difference": max(abs(v / losses["nested"] - 1) for v in losses.values()),
        "compile_seconds": round(jets["compiled"].compile_seconds, 1),
    }


CASES: dict[str, Callable[[], Record]] = {
    **{f"order-{k}": functools.partial(measure, k, 2) for k in (1, 2, 3, 4)},
    **{f"dimension-{d}": functools.partial(measure, 0, d) for d in (1, 2, 3, 5, 10)},
    **{f"width-{w}": functools.partial(measure, 2, 2, w) for w in (16, 32, 128, 256)},
    **{f"float32-order-{k}": functools.partial(measure, k, 2, 64, torch.float32) for k in (2, 4)},
}


if __name__ == "__main__":
    run_cases(__doc__, CASES, hidden=("network",))
