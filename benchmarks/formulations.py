"""Formulations of the PINN: the Lagrangian frame for transport, interface conditions chosen by a bandit.

    python -m pdesolve.benchmarks.formulations --out benchmarks/results/formulations.json
    python -m pdesolve.benchmarks.formulations --only burgers-mean-10 two-materials

Frames: the same network and budget in the Eulerian and in the Lagrangian frame; errors on a grid of 101²
points, relative to u less its mean, against the closed form or the spectral backend.

Interfaces: a bandit plays through a family of problems, one training run for each member. Then new members
are solved with the set of conditions that it holds for best, with every other set, and with solution and
flux alone; the record holds medians of the relative L2 error.
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np
import sympy as sp

import pdesolve as pde
from pdesolve.backends.base import Context
from pdesolve.backends.pinn import PINN, Subdomains
from pdesolve.backends.pinn.bandit import (
    Arm,
    InterfaceBandit,
    SequentialBandit,
    arms,
    choose_interface,
    interface_error,
)
from pdesolve.benchmarks.records import Record, run_cases
from pdesolve.solution.references import resolve_reference

BUDGET = 30.0
PLAYED, JUDGED = 24, 5
ARMS = arms(of=("solution", "flux", "gradient", "residual"))


def burgers_on_a_mean_flow(mean: float, nu: float = 0.01) -> pde.Problem:
    """u_t + u u_x = ν u_xx on a circle of 2π, u(x, 0) = sin x + mean: the case of Mojgani et al."""
    x, t = pde.coordinates("x t")
    u = pde.unknown("u", x, t)
    return pde.Problem(
        "burgers on a mean flow",
        [u.diff(t) + u * u.diff(x) - nu * u.diff(x, 2)],
        pde.Interval(x, 0, 2 * sp.pi) * pde.Time(t, 0, 1),
        [pde.Initial(u, sp.sin(x) + mean), pde.Periodic(u)],
        reference=pde.Reference(backend="spectral", options={"rtol": 1e-8}),
    )


TRANSPORT: dict[str, tuple[Any, float]] = {
    "convection-30": (lambda: pde.catalogue("convection", beta=30), 0.0),
    "convection-50": (lambda: pde.catalogue("convection", beta=50), 0.0),
    "burgers-mean-10": (lambda: burgers_on_a_mean_flow(10), 10.0),
}


def frames(name: str) -> Record:
    """Errors and steps of both frames."""
    make, mean = TRANSPORT[name]
    problem: pde.Problem = make()
    points = problem.domain.grid(101).points
    record: Record = {"budget": BUDGET}
    for frame in ("lagrangian", "eulerian"):
        backend = PINN(frame=frame, width=12, depth=3)
        solution = pde.solve(problem, backend, budget=BUDGET, progress=False, throw=False)
        assert solution.reference is not None
        exact = np.asarray(solution.reference.values(points)).reshape(-1)
        gap = float(np.linalg.norm(solution(points)[:, 0] - exact) / np.linalg.norm(exact - mean))
        record[frame] = {"relative_l2": gap, "steps": solution.history.step[-1], "message": solution.message}
    return record


FAMILIES: dict[str, tuple[str, str, float, tuple[float, float]]] = {
    "two-materials": ("two-materials", "ratio", 0.5, (0.5, 1.5)),
    "advection-diffusion": ("advection-diffusion", "nu", 0.8, (-1.5, -0.7)),
}
"""Entry, its parameter, the cut, and the range of the parameter's decimal logarithm."""


def member(family: str, context: Sequence[float]) -> tuple[pde.Problem, float]:
    entry, key, cut, _ = FAMILIES[family]
    return pde.catalogue(entry, **{key: float(10 ** context[0])}), cut


def train(family: str, context: Sequence[float], stages: Sequence[Arm]) -> tuple[list[float], float]:
    """-log10 of the proxy after each stage, and the relative L2 error; the last stage is Gauss-Newton's.

    θ goes from stage to stage: networks are the same whatever joins them.
    """
    problem, cut = member(family, context)
    rewards: list[float] = []
    theta = None
    for i, conditions in enumerate(stages):
        is_last = i == len(stages) - 1
        options = Subdomains((cut,), None, conditions)
        backend = PINN(
            subdomains=options,
            width=8,
            depth=1,
            points=60,
            points_boundary=4,
            sampler="fixed",
            optimizer="gauss-newton" if is_last else "adam",
            compile=False,
        )
        state = backend.start(problem, Context(seed=0))
        if theta is not None:
            state.theta = theta
        for _ in range(25 if is_last else 200):
            if backend.advance(state).status is not None:
                break
        theta, field = state.theta, backend.field(state)
        rewards.append(-float(np.log10(interface_error(problem, options, field) + 1e-12)))  # type: ignore[arg-type]
    points = problem.domain.grid(201).points
    assert problem.reference is not None
    exact = np.asarray(resolve_reference(problem.reference, problem).values(points)).reshape(-1)
    error = float(np.linalg.norm(field.values(points, 1)[:, 0] - exact) / np.linalg.norm(exact))
    return rewards, error


def interfaces(family: str, sequential: bool = False) -> Record:
    """What the bandit learnt, and the errors on new members."""
    low, high = FAMILIES[family][3]
    rng = np.random.default_rng(0)
    played = rng.uniform(low, high, (PLAYED, 1))
    judged = np.linspace(low, high, JUDGED + 2)[1:-1, None]
    bandit: Any
    if sequential:
        bandit = SequentialBandit((InterfaceBandit(ARMS, seed=0), InterfaceBandit(ARMS, seed=1)))
        choose_interface(played, bandit, lambda c, a: train(family, c, a)[0])
        best = {round(float(c[0]), 2): bandit.best(c) for c in judged}
        errors = [train(family, c, bandit.best(c))[1] for c in judged]
    else:
        bandit = InterfaceBandit(ARMS, seed=0)
        choose_interface(played, bandit, lambda c, a: train(family, c, [a])[0][0])
        best = {round(float(c[0]), 2): bandit.best(c) for c in judged}
        errors = [train(family, c, [bandit.best(c)])[1] for c in judged]
    record: Record = {
        "runs": PLAYED,
        "chosen": {str(k): v for k, v in best.items()},
        "bandit": statistics.median(errors),
    }
    if not sequential:
        every = {"+".join(a): [train(family, c, [a])[1] for c in judged] for a in ARMS}
        record["each_arm"] = {name: statistics.median(values) for name, values in every.items()}
    return record


CASES = {
    **{name: functools.partial(frames, name) for name in TRANSPORT},
    **{name: functools.partial(interfaces, name) for name in FAMILIES},
    "two-materials-in-stages": functools.partial(interfaces, "two-materials", True),
}

if __name__ == "__main__":
    run_cases(__doc__, CASES)
