"""The prepared matrices: ``quick``, ``papers`` and ``full``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pdesolve.checkpoint import plain
from pdesolve.declare import PDESolveError

from .job import Job
from .matrix import matrix

Options = Mapping[str, Any]

WAVES: dict[str, Any] = {"network": "waves", "sampler": "fixed", "compile": False}
SPREAD = {"spread": 15.0}
SMALL_DATA = {"members": 100, "points": 64, "times": 21, "test": 20}
"""Of learned operators in ``quick``: seconds of generation, not their best error."""

PAPER_DATA = {"members": 1000, "points": 128, "times": 101, "test": 200}
"""Of the published operators, and of the benchmark module `operators`."""

FULL_BACKENDS = ("pinn", "gp", "gp-hm", "teng", "deepxde", "spectral", "fem")
FULL_BUDGETS = (10.0, 30.0, 90.0)
FULL_SEEDS = 5


class UnknownSuiteError(PDESolveError):
    """No suite has this name."""


def line(
    problem: str,
    backend: str,
    tolerances: Iterable[float],
    parameters: Options | None = None,
    budget: float = 30.0,
    **options: Any,
) -> list[Job]:
    """The curve of a classical backend: one job for each tolerance."""
    return [
        Job(problem, backend, parameters or {}, {**options, "rtol": rtol}, 0, budget, series=backend)
        for rtol in tolerances
    ]


def runs(
    problem: str,
    backend: str,
    budget: float,
    parameters: Options | None = None,
    seeds: int = 1,
    series: str = "",
    data: Options | None = None,
    **options: Any,
) -> list[Job]:
    """One method with a budget, for several seeds."""
    return [
        Job(
            problem,
            backend,
            parameters or {},
            options,
            seed,
            budget,
            data=data or {},
            series=series or backend,
        )
        for seed in range(seeds)
    ]


def quick() -> list[Job]:
    """Every backend on problems that suit it, DeepXDE and the classical line, in under ten minutes."""
    waves, member = {"a": 4, "b": 4}, {"member": 3}
    torus, observed = {"T": 0.5}, {**member, "sensors": {"u": 125}, "nodes": 32}
    return [
        *line("burgers", "spectral", (1e-4, 1e-8)),
        *line("burgers", "fem", (1e-1, 1e-2)),
        *runs("burgers", "pinn", 20, seeds=2, width=8, depth=3, points=800, compile=False),
        *runs("burgers", "deepxde", 20, seeds=2),
        *runs("burgers", "gp", 15, rtol=1e-4),
        *line("poisson", "spectral", (1e-2, 1e-8), waves),
        *line("poisson", "fem", (1e-2, 1e-4, 1e-5), waves),
        *runs("poisson", "pinn", 5, waves, 2, **WAVES, width=400, points=1200, network_options=SPREAD),
        *runs("poisson", "deepxde", 12, waves),
        *runs("poisson", "gp", 10, waves),
        *line("poisson-u1", "spectral", (1e-2, 1e-8)),
        *runs("poisson-u1", "gp", 10),
        *runs("poisson-u1", "gp-hm", 10),
        *runs("poisson-u1", "deepxde", 10),
        *line("heat-2d", "spectral", (1e-2, 1e-8), torus),
        *runs("heat-2d", "teng", 20, torus, rtol=1e-3, width=10, depth=2),
        *line("burgers-random", "spectral", (1e-4,), member),
        *runs("burgers-random", "fno", 10, member, data=SMALL_DATA, width=32, modes=16),
        *runs("burgers-random", "deeponet", 10, member, data=SMALL_DATA, width=64, basis=32),
        *runs("burgers-random", "unet", 10, member, data=SMALL_DATA),
        *line("poisson-l-shape", "fem", (1e-2, 1e-3, 2e-4)),
        *runs("poisson-l-shape", "pinn", 10, depth=2, width=16, points=600, compile=False),
        *runs("poisson-l-shape", "deepxde", 15),
        *runs("poisson-l-shape", "gp", 10, max_points=4000),
        *runs("poisson-random", "gp-oracle", 30, observed),
        *runs("poisson-random", "diffusion", 30, observed),
        *runs("darcy-random", "diffusion", 30, observed),
    ]  # fmt: skip


def papers() -> list[Job]:
    """The methods as published and as this library prefers them, with the classical line; hours.

    Options and budgets are those of the benchmark modules `pinn`, `gp` and `teng`. The published form of R3,
    whose network is a function, stands in the table by its record alone.
    """
    from pdesolve.benchmarks import gp, pinn, teng

    jobs = []
    for name, label in {
        "burgers-120": "fast",
        "convection-30": "fast",
        "allen-cahn": "fast",
        "faithful-causal": "faithful",
        "kdv": "fast",
        "kuramoto-sivashinsky": "fast",
    }.items():
        case = pinn.CASES[name]
        jobs += [
            Job(
                case.problem,
                "pinn",
                dict(case.parameters),
                plain(case.options),
                seed,
                case.budget,
                dtype=case.dtype,
                series=f"pinn, {label}",
            )
            for seed in case.seeds
        ]
    for problem, method in gp.PUBLISHED.values():
        options = {name: value for name, value in plain(method).items() if name != "kind"}
        jobs += runs(problem, "gp-hm", gp.PUBLISHED_SECONDS, series="gp-hm, faithful", **options)
        jobs += runs(problem, "gp", 60, series="gp, fast")
    torus = {"T": 0.5}
    published = dict(teng.CASES["published-heun"].options)
    jobs += runs("heat-2d", "teng", 600, torus, series="teng, faithful", **published)
    jobs += runs("heat-2d", "teng", 300, torus, 3, series="teng, fast", rtol=1e-7)
    for operator in ("fno", "neuralop"):
        jobs += runs("burgers-random", operator, 600, {"member": 3}, data=PAPER_DATA)
    return [*jobs, *_lines(jobs)]


def _lines(jobs: Sequence[Job]) -> list[Job]:
    """The classical line of each problem of the jobs."""
    cases = {job.case: (job.problem, dict(job.parameters)) for job in jobs}
    return matrix(list(cases.values()), [], budgets=(120.0,))


def full() -> list[Job]:
    """The whole catalogue with every backend, five seeds and three budgets; a night on several machines."""
    from pdesolve.problems import catalogue_names

    problems = [(name, dict[str, Any]()) for name in catalogue_names()]
    backends = [(name, dict[str, Any]()) for name in FULL_BACKENDS]
    return [*papers(), *matrix(problems, backends, FULL_SEEDS, FULL_BUDGETS)]


SUITES: dict[str, Callable[[], list[Job]]] = {"quick": quick, "papers": papers, "full": full}


def suite(name: str) -> list[Job]:
    """The jobs of a suite, each once.

    Raises:
        UnknownSuiteError: there is none of this name.
    """
    if name not in SUITES:
        raise UnknownSuiteError("bench --suite", f"one of {', '.join(SUITES)}", repr(name), "Name one.")
    return list({job.address: job for job in SUITES[name]()}.values())
