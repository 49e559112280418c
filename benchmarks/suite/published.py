"""Published results, and the records of this library that stand beside them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .tables import seconds_text

RESULTS = Path(__file__).parents[1] / "results"
NOT_RUN = "not run"


@dataclass(frozen=True)
class Record:
    """Where an error and its seconds stand in a file of records.

    Keys with dots lead into nested records, and by a number into a list.
    """

    file: str
    name: str
    error: str = "relative_l2"
    seconds: str = "seconds"

    @property
    def text(self) -> str:
        """``7.5e-09 in 102 s``, or that it was not run."""
        record = _records(self.file).get(self.name)
        if record is None:
            return NOT_RUN
        error, seconds = _find(record, self.error), _find(record, self.seconds)
        if error is None:
            return NOT_RUN
        return f"{error:.1e}" if seconds is None else f"{error:.1e} in {seconds_text(seconds)} s"


@dataclass(frozen=True)
class Paper:
    """A published result and what stands beside it.

    Attributes:
        method: what was published.
        problem: on which problem; ``case`` is its name in the report. Where no sweep can hold it, such as
            data on a line that the catalogue has not, ``case`` is empty.
        backends: of ours; series of others on the same case are no reproduction of it.
        published: error, time and hardware as stated; empty where the text was not at hand.
        source: of the published numbers.
        faithful: the method as published, in this library.
        fast: the form that the library prefers.
        classical: the strongest classical backend.
    """

    method: str
    problem: str
    case: str
    backends: tuple[str, ...]
    published: str
    source: str
    faithful: Record | None
    fast: Record | None
    classical: Record | None


@cache
def _records(file: str) -> dict[str, Any]:
    path = RESULTS / f"{file}.json"
    if not path.exists():  # an installed package has no records
        return {}
    records: dict[str, Any] = json.loads(path.read_text())["records"]
    return records


def _find(record: dict[str, Any], keys: str) -> float | None:
    found: Any = record
    for key in keys.split("."):
        if isinstance(found, list):
            found = found[int(key)]
        else:
            found = found.get(key) if isinstance(found, dict) else None
    is_number = isinstance(found, int | float) and math.isfinite(found)
    return float(found) if is_number else None


def _gp_hm(number: str, problem: str, case: str) -> Paper:
    return Paper(
        "GP-HM, Student-t kernel",
        problem,
        case,
        ("gp-hm", "gp"),
        "",
        "Fang et al., ICLR 2024, arXiv 2311.04465",
        Record("gp", f"published-{number}", "gp_hm.relative_l2", "gp_hm.seconds"),
        Record("gp", number),
        Record("gp", number, "spectral_relative_l2", "spectral_seconds"),
    )


_INVERSE = "inverse, 999 evaluations."

PAPERS = (
    Paper(
        "PINN, self-scaled Broyden with vRBA",
        "Burgers, ν = 0.01/π",
        "burgers",
        ("pinn",),
        "1.1e-8 in about 36 min on a GPU (the authors' stored run)",
        "arXiv 2509.14198",
        None,
        Record("pinn", "burgers-300"),
        Record("classical", "burgers"),
    ),
    Paper(
        "PINN, doubly sketched Gauss–Newton",
        "Kuramoto–Sivashinsky, chaotic",
        "kuramoto-sivashinsky",
        ("pinn",),
        "5.1e-7 in 5227 s on an H100 (as quoted elsewhere)",
        "arXiv 2607.02194",
        None,
        Record("pinn", "kuramoto-sivashinsky"),
        Record("classical", "kuramoto-sivashinsky"),
    ),
    Paper(
        "PINN, SOAP and PirateNet",
        "Korteweg–de Vries, δ = 0.022",
        "kdv",
        ("pinn",),
        "3.4e-4 (as quoted elsewhere)",
        "arXiv 2502.00604",
        None,
        Record("pinn", "kdv"),
        Record("classical", "kdv"),
    ),
    Paper(
        "PINN, R3 sampling",
        "convection, β = 30",
        "convection",
        ("pinn",),
        "",
        "Daw et al., ICML 2023, arXiv 2207.02338",
        Record("pinn", "faithful-r3"),
        Record("pinn", "convection-30"),
        None,
    ),
    Paper(
        "PINN, causal weights",
        "Allen–Cahn, periodic",
        "allen-cahn",
        ("pinn",),
        "2.5e-4 (as quoted elsewhere; 1.7e-3 in the authors' stored run, 49 min on a GPU)",
        "Wang, Sankaran & Perdikaris, arXiv 2203.07404",
        Record("pinn", "faithful-causal"),
        Record("pinn", "allen-cahn"),
        None,
    ),
    _gp_hm("u1", "u_xx = f, u = sin 100x", "poisson-u1"),
    _gp_hm("u2", "u_xx = f, sin x + 0.1 sin 20x + cos 100x", "poisson-u2"),
    _gp_hm("u6", "u_xx + u_yy = f, high frequency", "poisson-u6"),
    _gp_hm("a1", "Allen–Cahn, steady, high frequency", "allen-cahn-steady-1d"),
    Paper(
        "TENG-Heun, dt = 0.005",
        "heat on the torus, T = 0.5 (record of the fast mode: T = 4)",
        "heat-2d(T=0.5)",
        ("teng",),
        "",
        "Chen et al., ICML 2024, arXiv 2404.10771",
        Record("teng", "published-heun"),
        Record("teng", "heat"),
        Record("teng", "published-heun", "spectral_relative_l2", "spectral_seconds"),
    ),
    Paper(
        "Randomised sparse Neural Galerkin",
        "Allen–Cahn on a line, T = 4",
        "",
        ("teng",),
        "1.7e-5 in 776 s on a GPU",
        "Berman & Peherstorfer, NeurIPS 2023, arXiv 2310.04867",
        None,
        Record("teng", "line-allen-cahn"),
        Record("teng", "line-allen-cahn", "spectral_relative_l2", "spectral_seconds"),
    ),
    Paper(
        "FNO, 1,000 members",
        "Burgers, ν = 0.01, 128 points, 101 times",
        "burgers-random",
        ("fno",),
        "1.4e-2 to 1.6e-2 (final time alone, another viscosity: not like for like)",
        "Li et al., ICLR 2021, arXiv 2010.08895",
        None,
        Record("operators", "burgers-fno", seconds="seconds_training"),
        Record("operators", "burgers-fno", "classical_relative_l2", "classical_seconds"),
    ),
    Paper(
        "DiffusionPDE, one sample",
        "Poisson, the source from 125 of 32 x 32 values of u (last column: exact posterior)",
        "",
        ("diffusion",),
        "20 % (500 of 128 x 128 values: not like for like)",
        "Huang et al., NeurIPS 2024, arXiv 2406.17763",
        Record("diffusion", "published", _INVERSE + "sample.1", _INVERSE + "seconds"),
        Record("diffusion", "poisson-data-768", "inverse.diffusion.sample.1", "inverse.diffusion.seconds"),
        Record("diffusion", "poisson", "inverse.oracle.sample.1", "inverse.oracle.seconds"),
    ),
    Paper(
        "DiffusionPDE, one sample",
        "Burgers, ν = 0.01, from 5 sensors at all times",
        "",
        ("diffusion",),
        "2.7e-2 (128 x 128, initial fields of a fifth of the size: not like for like)",
        "Huang et al., NeurIPS 2024, arXiv 2406.17763",
        None,
        Record("diffusion", "burgers", "refined.sample.0", "refined.seconds"),
        None,
    ),
)
"""In the order of the table."""
