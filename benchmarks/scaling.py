"""Cost against size: collocation points, parameters, degrees of freedom, and number of solves.

    OMP_NUM_THREADS=1 python -m pdesolve.benchmarks.scaling --out benchmarks/results/scaling.json
    OMP_NUM_THREADS=1 python -m pdesolve.benchmarks.scaling --only points grid

It takes about five minutes on one core, half of them for compilation; the command draws ``scaling.png``
beside the records as well. Each curve holds its sizes, the median seconds of some rounds, and the exponent a
of seconds ≈ c sizeᵃ over the upper half of the sizes (`growth.exponent`). ``operations`` is the number of
operations that theory counts, up to a factor, and ``operations_exponent`` the same fit of that number: where
the measured exponent is smaller, overhead or a cheaper term still counts at these sizes; where it is larger,
memory does. Seconds are those of the processor: on one thread these are what a clock shows on an idle
machine, and programs that share the core are not counted.

With m points, p parameters and n degrees of freedom (d dimensions):

==================================  =======================================  ================================
what                                operations                               bytes beyond the problem
==================================  =======================================  ================================
residual and gradient, Adam         m p                                      constant: blocks of points
Gauss-Newton, normal equations      m p² + p³/3 a damping                    16 m p (J and a copy of it)
self-scaled Broyden                 m p an evaluation + p² an update         8 p²
L-BFGS                              m p an evaluation + 400 p                1,600 p
Fourier, ETDRK4, a step             n log n                                  n
Chebyshev collocation, dense        n³                                       8 n²
finite elements, sparse direct      n in 1-D, n^1.5 in 2-D                   n, n log n
finite elements, multigrid          n in 3-D                                 n
Fourier neural operator             n log n + n                              n
==================================  =======================================  ================================

``points`` and ``parameters`` are steps on Burgers' equation without conditions: tanh networks of three
hidden layers, double precision, compiled. A Gauss-Newton step is one Jacobian with one damping, which is the
least it takes. ``peak_bytes`` is the memory of one step beyond what was in use (`memory.peak_bytes`); it is
more than the bytes in use by what the C library keeps of freed blocks, up to twice as much for small steps.
``grid`` holds whole calls of `solve`, set-up included, evaluation of errors excluded. ``spectral`` runs two
levels of 20 and 40 steps, n counting the nodes of the finer; collocation runs two levels as well. The
operator's network is evaluated once, on one member; untrained, which costs the same.

``solves`` trains an FNO on 200 members of ``burgers-random`` for some seconds and adds the seconds of data
and training, by the clock, and of k solves; beside it stands the coarsest classical run that is as exact, one
member at a time and all members side by side. ``breaks_even_after`` is the k at which both totals agree,
(data + training) / (classical - own) seconds, and null where one own solve takes longer. The longer trainings
of ``operators`` are quoted from their records.
"""

from __future__ import annotations

import functools
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sympy as sp
import torch

import pdesolve as pde
from pdesolve.backends.operators.networks import FNO as FNONetwork
from pdesolve.backends.operators.training import predict
from pdesolve.benchmarks.growth import curve
from pdesolve.benchmarks.memory import peak_bytes
from pdesolve.benchmarks.operators import classical
from pdesolve.benchmarks.records import Record, earlier, run_cases
from pdesolve.benchmarks.scaling_figure import plot
from pdesolve.benchmarks.suite.job import Job
from pdesolve.benchmarks.suite.learned import TEST_SEED, trained
from pdesolve.data.dataset import Dataset
from pdesolve.generation import generate
from pdesolve.optimize import LBFGS, Adam, GaussNewton, Optimizer, SelfScaled
from pdesolve.problems import family
from pdesolve.residual.ansatz import Ansatz, Trial
from pdesolve.residual.fourier.ensemble import Level, march
from pdesolve.residual.fourier.evolution import Evolution
from pdesolve.residual.model import Model
from pdesolve.residual.networks import box_features, mlp
from pdesolve.residual.objective import ResidualObjective
from pdesolve.residual.program import Program
from pdesolve.residual.residual import Residual

ROUNDS = 5
POINTS = (2048, 4096, 8192, 16384, 32768, 65536)
"""Whole blocks, so that one compilation serves all."""
PATIENCE = 3.0
"""Seconds after which no further round begins."""
OPERATORS = Path(__file__).resolve().parent / "results" / "operators.json"


def median_seconds(run: Callable[[], Any]) -> float:
    """The median processor time of `ROUNDS` runs, of fewer where they take long."""
    seconds: list[float] = []
    while len(seconds) < ROUNDS and sum(seconds) < PATIENCE:
        begin = time.process_time()
        run()
        seconds.append(time.process_time() - begin)
    return statistics.median(seconds)


# -- steps of a training -------------------------------------------------------------------------------


def residual_of(width: int, compile: bool = True) -> Residual:
    """Burgers' equation without conditions, on a tanh network of three hidden layers."""
    problem = pde.catalogue("burgers")
    program = Program(problem)
    network = mlp(box_features(problem.domain), 1, torch.Generator().manual_seed(0), width, 3)
    active = [i for i, term in enumerate(program.terms) if term.term.is_equation]
    return Residual(
        program, Model(program, network, Ansatz((Trial(),), (), frozenset())), active, compile=compile
    )


def objective_on(residual: Residual, points: int) -> ResidualObjective:
    """The mean square over random points, in blocks."""
    domain = residual.program.problem.domain
    sample = domain.sample(points, np.random.default_rng(0), method="uniform")
    return ResidualObjective(residual, residual.blocks(residual.batch([sample])))


def step_seconds(optimizer: Optimizer, objective: ResidualObjective, warm_up: int = 2) -> tuple[float, float]:
    """Median seconds and evaluations of a step after ``warm_up`` steps from the same start."""
    state = optimizer.start(objective, objective.residual.start())
    counts: list[int] = []

    def step() -> None:
        before = getattr(state, "evaluations", 0)
        optimizer.step(state, objective)
        counts.append(getattr(state, "evaluations", 1) - before)

    for _ in range(warm_up):
        step()
    counts.clear()
    seconds = median_seconds(step)
    return seconds, statistics.median(counts)


def points(sizes: Sequence[int] = POINTS, width: int = 20) -> Record:
    """Residual with gradient, and a Gauss-Newton step, against collocation points at one network."""
    residual = residual_of(width)
    theta = residual.start()
    p = len(theta)
    method = GaussNewton(trials=1)
    seconds: dict[str, list[float]] = {"residual and gradient": [], "Gauss-Newton step": []}
    peaks: dict[str, list[int | None]] = {name: [] for name in seconds}
    for m in sizes:
        objective = objective_on(residual, m)
        state = method.start(objective, theta)
        runs: dict[str, Callable[[], Any]] = {
            "residual and gradient": functools.partial(objective, theta),
            "Gauss-Newton step": functools.partial(method.step, state, objective),
        }
        for name, run in runs.items():
            run()  # the first one compiles
            seconds[name].append(median_seconds(run))
            peaks[name].append(peak_bytes(run))
    laws: dict[str, tuple[Callable[[float], float], str, Record]] = {
        "residual and gradient": (lambda m: m * p, "m p", {"bytes": "constant"}),
        "Gauss-Newton step": (
            lambda m: m * p**2 + p**3 / 3,
            "m p² + p³/3",
            {"bytes": "16 m p", "expected_bytes": [16 * m * p for m in sizes]},
        ),
    }
    curves = {
        name: curve(sizes, seconds[name], operations, law) | {"peak_bytes": peaks[name]} | memory
        for name, (operations, law, memory) in laws.items()
    }
    return {"size": "collocation points", "parameters": p, "network": f"3x{width} tanh", "curves": curves}


def parameters(widths: Sequence[int] = (8, 16, 24, 33, 53), count: int = 4096, largest: int = 2500) -> Record:
    """A step of each optimiser against parameters at ``count`` points; Gauss-Newton up to ``largest``
    parameters, beyond which "auto" does not choose it."""
    methods: dict[str, tuple[Optimizer, float, Callable[[float], float], str]] = {
        "Adam": (Adam(), math.inf, lambda p: count * p, "m p"),
        "Gauss-Newton": (
            GaussNewton(trials=1),
            largest,
            lambda p: count * p**2 + p**3 / 3,
            "m p² + p³/3",
        ),
        "self-scaled Broyden": (SelfScaled(), math.inf, lambda p: 50 * count * p + 6 * p**2, "m p + p²"),
        "L-BFGS": (LBFGS(), math.inf, lambda p: count * p, "m p"),
    }
    rows: dict[str, list[tuple[int, float, float]]] = {name: [] for name in methods}
    for width in widths:
        residual = residual_of(width)
        objective = objective_on(residual, count)
        for name, (method, most, _, _) in methods.items():
            if residual.start().numel() <= most:
                rows[name].append((residual.start().numel(), *step_seconds(method, objective)))
    curves = {}
    for name, (_, _, operations, law) in methods.items():
        sizes, seconds, evaluations = zip(*rows[name], strict=True)
        curves[name] = curve(sizes, seconds, operations, law) | {"evaluations_a_step": evaluations}
    return {"size": "parameters", "points": count, "network": "3 layers, tanh", "curves": curves}


# -- solves on grids -----------------------------------------------------------------------------------


def cube() -> pde.Problem:
    """-∇²u = f on the unit cube with u = sin πx sin πy sin πz; the catalogue has no steady problem there."""
    space = x, y, z = pde.coordinates("x y z")
    u = pde.unknown("u", *space)
    exact = sp.sin(sp.pi * x) * sp.sin(sp.pi * y) * sp.sin(sp.pi * z)
    return pde.Problem(
        "poisson-cube",
        [-sum(u.diff(c, 2) for c in space) - 3 * sp.pi**2 * exact],
        pde.Box(*((c, 0, 1) for c in space)),
        [pde.Dirichlet(u, 0)],
    )


def solve_seconds(problem: pde.Problem, backend: str, **options: Any) -> tuple[float, pde.Solution]:
    """Median seconds of set-up and work of a solve without its reference, and the last solution."""
    found: list[pde.Solution] = []

    def run() -> None:
        found[:] = [
            pde.solve(problem.replace(reference=None), backend, progress=False, throw=False, **options)
        ]

    return median_seconds(run), found[0]


def fourier(problem: pde.Problem, counts: Sequence[int]) -> Record:
    """Two levels, of n and 3n/2 points an axis and 20 and 40 steps; sizes are those of the finer."""
    begin, end = problem.domain.bounds[-1]
    sizes, seconds = [], []
    for n in counts:
        took, solution = solve_seconds(
            problem,
            "spectral",
            n=n,
            dt=float(end - begin) / 20,
            rtol=1e-30,  # no level is fine enough for it: the number of levels and modes is fixed
            max_n=2 * n,
        )
        assert f"with {3 * n // 2} points an axis" in solution.message, solution.message
        sizes.append((3 * n // 2) ** len(problem.domain.space))
        seconds.append(took)
    return curve(sizes, seconds, lambda n: n * math.log(n), "n log n") | {"problem": problem.name}


def collocation(problem: pde.Problem, counts: Sequence[int]) -> Record:
    """Dense systems on two levels, of n and 3n/2 points an axis; sizes are those of the finer."""
    sizes, seconds = [], []
    for n in counts:
        took, solution = solve_seconds(problem, "spectral", n=n, rtol=1.0)
        assert f"with {3 * n // 2} points an axis" in solution.message, solution.message
        sizes.append((3 * n // 2) ** len(problem.domain.space))
        seconds.append(took)
    return curve(sizes, seconds, lambda n: n**3, "n³") | {"problem": problem.name}


def elements(problem: pde.Problem, counts: Sequence[int], power: float, law: str) -> Record:
    """Quadratic elements on one mesh with n cells along an axis."""
    length = float(np.ptp(problem.domain.bounds[0]))
    sizes, seconds = [], []
    for n in counts:
        took, solution = solve_seconds(problem, "fem", size=length / n, max_levels=1)
        field: Any = solution.field
        sizes.append(int(field.space.size))
        seconds.append(took)
    return curve(sizes, seconds, lambda n: n**power, law) | {"problem": problem.name}


def operator(dimension: int, counts: Sequence[int], modes: int, width: int) -> Record:
    """One evaluation of an FNO with ten channels out on n points an axis."""
    kinds: Any = ("periodic",) * dimension
    network = FNONetwork(kinds, 1, 10, torch.Generator().manual_seed(0), modes=modes, width=width).eval()
    sizes, seconds = [], []
    for n in counts:
        values = torch.ones(1, 1, *[n] * dimension)
        with torch.no_grad():
            network(values)  # tables of the transforms
            seconds.append(median_seconds(functools.partial(network, values)))
        sizes.append(n**dimension)

    def operations(n: float) -> float:
        """Products at each point, and transforms of all channels there and back, of four layers."""
        return float(n * (4 * 2 * width**2 + 4 * 5 * width * math.log2(n)))

    return curve(sizes, seconds, operations, "n (w² + w log n)") | {"network": f"4x{width}, {modes} modes"}


def grid() -> Record:
    """Solves against degrees of freedom, and an operator's evaluation against grid points."""
    fourier(pde.catalogue("allen-cahn"), [8, 16])  # imports, and tables that are made once
    elements(pde.catalogue("poisson"), [4, 5], 1.5, "n^1.5")
    return {
        "size": "degrees of freedom",
        "curves": {
            "Fourier 1-D": fourier(pde.catalogue("allen-cahn"), [1024 * 2**k for k in range(7)]),
            "Fourier 2-D": fourier(pde.catalogue("allen-cahn-2d"), [32, 64, 96, 128, 192, 256]),
            "Fourier 3-D": fourier(pde.catalogue("taylor-green", dimension=3), [8, 12, 16, 24, 32]),
            "collocation 2-D": collocation(pde.catalogue("poisson"), [12, 16, 20, 24, 32, 40]),
            "fem 1-D": elements(pde.catalogue("poisson-u1"), [1000 * 2**k for k in range(7)], 1, "n"),
            "fem 2-D": elements(pde.catalogue("poisson"), [16, 32, 48, 64, 96, 128, 180], 1.5, "n^1.5"),
            "fem 3-D": elements(cube(), [4, 6, 8, 12, 16, 20], 1, "n (multigrid)"),
            "FNO 1-D": operator(1, [128 * 2**k for k in range(8)], 32, 64),
            "FNO 2-D": operator(2, [32, 48, 64, 96, 128, 192, 256], 16, 32),
        },
    }


# -- data, training and solves -------------------------------------------------------------------------


def break_even(spent: float, own: float, other: float) -> int | None:
    """Solves after which ``spent`` seconds and ``own`` for each are fewer than ``other`` for each."""
    return round(spent / (other - own)) if other > own else None


def totals(spent: float, first: float, each: float, counts: Sequence[int]) -> list[float]:
    """Seconds of k solves, with what was ``spent`` before, where the ``first`` takes longer than ``each`` of
    many side by side."""
    return [float(f"{spent + max(first, k * each):.4g}") for k in counts]


def solves(budget: float = 20.0, members: int = 200, tested: int = 64, largest: int = 1024) -> Record:
    """An operator of short training beside the classical run that is as exact on ``tested`` members."""
    job = Job("burgers-random", "fno", options={"width": 32}, budget=budget, data={"members": members})
    found, costs = trained(job, job.method())
    made = family(job.problem)
    with tempfile.TemporaryDirectory() as folder:
        seed = job.seed + TEST_SEED + 1
        tests = generate(made, tested, Path(folder) / "test.h5", seed=seed, progress=False)
    assert tests.times is not None
    beside = classical(made, tests, costs["test_relative_l2"])
    fitting = Level(*beside["classical_level"])
    evolution = Evolution(made.typical)
    learned: Any = found
    _, network, codec = learned.trained()

    def answer(few: Dataset) -> Any:
        return predict(network, codec, codec.of(few))

    counts = [2**k for k in range(round(math.log2(largest)) + 1)]
    seconds: dict[str, list[float]] = {"operator": [], "classical, one by one": [], "classical, together": []}
    for k in counts:
        few = tests.subset(np.arange(k) % tested)  # the same ones again cost as much as others
        start = torch.from_numpy(few.values[:, 0].astype(np.float64))
        together = functools.partial(march, evolution, start, tests.times, tests.grid[0], fitting)
        seconds["operator"].append(median_seconds(functools.partial(answer, few)))
        seconds["classical, together"].append(median_seconds(together))
        seconds["classical, one by one"].append(k * seconds["classical, together"][0])
    spent = costs["data"] + costs["training"]
    each = {name: values[-1] / counts[-1] for name, values in seconds.items()}
    many = [10**k for k in range(7)]
    return {
        "size": "solves",
        "problem": job.problem,
        "relative_l2": costs["test_relative_l2"],
        "seconds_data": round(costs["data"], 1),
        "seconds_training": round(costs["training"], 1),
        "members": members,
        **{key: beside[key] for key in ("classical", "classical_relative_l2")},
        "seconds_a_solve": {name: float(f"{value:.4g}") for name, value in each.items()},
        "seconds_a_single_solve": float(f"{seconds['operator'][0]:.4g}"),
        "breaks_even_after": {
            name: break_even(spent, each["operator"], each[name]) for name in each if name != "operator"
        },
        "curves": {
            name: curve(counts, values, lambda k: k, "k")
            for name, values in seconds.items()
            if name != "classical, one by one"  # k times the first, by definition
        },
        "totals": {
            "solves": many,
            **{
                name: totals(spent if name == "operator" else 0.0, seconds[name][0], value, many)
                for name, value in each.items()
            },
        },
        "recorded": recorded(OPERATORS),
    }


def recorded(file: Path) -> Record:
    """The same figures of the longer trainings that ``operators`` has records of; none without its file."""
    keys = (
        "relative_l2",
        "members",
        "seconds_data",
        "seconds_training",
        "seconds_evaluation",
        "classical",
        "classical_relative_l2",
        "classical_seconds",
        "breaks_even_after",
    )
    return {
        name: {key: record[key] for key in keys}
        for name, record in earlier(file).items()
        if "breaks_even_after" in record
    }


CASES: dict[str, Callable[[], Record]] = {
    "points": points,
    "parameters": parameters,
    "grid": grid,
    "solves": solves,
}


if __name__ == "__main__":
    torch.set_num_threads(1)  # processor time of several threads would be their sum
    run_cases(__doc__, CASES, hidden=("totals", "recorded"), plot=plot)
