"""Each finding of the doctor, provoked by a small problem; and none where nothing is wrong."""

import logging

import numpy as np
import pytest
import sympy as sp
import torch
from torch import nn

import pdesolve as pde
from pdesolve.backends.base import Context
from pdesolve.backends.pinn import PINN, doctor
from pdesolve.backends.pinn.scales import mismatched_scales
from pdesolve.residual import Program
from pdesolve.solution import Finding, Status

x, t = pde.coordinates("x t")
u = pde.unknown("u", x, t)
SMALL = {"width": 6, "depth": 1, "points": 60, "compile": False}


def heat(length=1, duration=1, size=1, k=0.5, **changes):
    k = sp.Float(k)
    exact = size * sp.exp(-k * sp.pi**2 * t / 4) * sp.sin(sp.pi * (x + 1) / 2)
    settings = {
        "equations": [u.diff(t) - k * u.diff(x, 2)],
        "conditions": [pde.Initial(u, size * sp.sin(sp.pi * (x / length + 1) / 2)), pde.Dirichlet(u, 0)],
        "reference": exact if length == duration == 1 else None,
        **changes,
    }
    return pde.Problem("heat", domain=pde.Interval(x, -length, length) * pde.Time(t, 0, duration), **settings)


def test_a_good_run_has_no_findings():
    solution = pde.solve(heat(), PINN(width=8, depth=2, points=200, compile=False), steps=60, progress=False)
    assert solution.error().relative_l2 < 1e-4
    assert solution.diagnosis == []


def test_values_that_are_not_finite_are_traced_to_the_expression():
    problem = heat(equations={"rate": u.diff(t) - u.diff(x, 2) - sp.log(u - 5)}, reference=None)
    solution = pde.solve(problem, PINN(**SMALL), steps=5, progress=False, throw=False)
    assert solution.status is Status.NOT_FINITE
    finding = solution.diagnosis[0]
    assert finding.who == "rate"
    assert "x = " in finding.what
    assert "t = " in finding.what
    assert "float64" in finding.what
    assert "its derivatives are finite" in finding.what
    assert str(finding) in repr(solution)


class Root(nn.Module):
    """√(c² x²): its value is finite at x = 0, its derivative is not."""

    def __init__(self, d, k, generator):
        super().__init__()
        self.slope = nn.Parameter(torch.ones(k, dtype=torch.float64))

    def forward(self, points):
        return torch.sqrt((self.slope * points[:, :1]) ** 2)


def test_values_that_are_not_finite_are_traced_to_a_derivative():
    backend = PINN(network=Root, points=10, compile=False)
    state = backend.start(heat(), Context())
    residual = state.slab.residual
    batch = residual.batch([np.array([[0.3, 0.5], [0.0, 0.25]])])
    (finding,) = doctor.not_finite(residual, state.theta, batch)
    assert "x = 0, t = 0.25" in finding.what
    assert "u_t (a derivative of order 1) is not finite" in finding.what
    assert doctor.not_finite(residual, state.theta, residual.batch([np.array([[0.3, 0.5]])])) == []


def test_a_plateau_is_found_in_a_run_that_cannot_improve():
    """A network of one unit has a best fit, and it is poor."""
    backend = PINN(
        width=1, depth=1, points=60, optimizer="adam", learning_rate=0.05, compile=False, sampler=None
    )
    solution = pde.solve(heat(), backend, steps=600, progress=False)
    assert any("no progress over the last" in finding.what for finding in solution.diagnosis)


@pytest.mark.parametrize(
    ("validation", "found"),
    [
        ([1, 0.1, 0.1, 0.1, 0.1, 0.1], True),
        ([1, 0.1, 0.09, 0.08, 0.07, 0.06], False),
        ([1, 1e-13, 1e-13, 1e-13, 1e-13, 1e-13], False),  # as far as round-off lets it
        ([1, 0.1, 0.1], False),  # too short to tell
    ],
)
def test_a_plateau_is_no_progress_over_the_last_third(validation, found):
    assert bool(doctor.plateau(validation, 25)) == found


def scales(problem):
    return {finding.who: finding for finding in mismatched_scales(Program(problem))}


@pytest.mark.parametrize(
    ("losses", "found"),
    [
        ([1e-12, 3e-12, 1e-12, 2e-5, 1e-6], "slab 4, from 0.3 to 0.4"),  # the worst, not the last
        ([1e-12, 1e-10, 1e-8, 1e-7], None),  # by 300 times: it became harder
        ([1e-3, 1e-9, 1e-10, 1e-9], None),  # the first one is often the worst
        ([1e-3, 1e-14, 1e-14, 1e-4], "slab 4, from 0.3 to 0.4"),  # and hides no other
        ([1e-12, float("nan"), 1e-12], None),
        ([1e-30, 1e-30, 1e-22], None),  # nothing to speak of
        ([1e-3], None),
    ],
)
def test_a_slab_far_above_those_before_is_named(losses, found):
    findings = doctor.growth(losses, [0.1 * k for k in range(len(losses) + 1)])
    assert [finding.who for finding in findings] == ([] if found is None else [found])


def test_a_front_that_one_slab_cannot_hold_is_found_with_its_times():
    """80 waves hold a decaying sine to eleven digits, not what a source makes of it at t = 0.9."""
    late = sp.sin(6 * sp.pi * x) / (1 + sp.exp(-200 * (t - sp.Rational(9, 10))))
    problem = heat(equations=[u.diff(t) - u.diff(x, 2) / 2 - late], reference=None)
    backend = PINN(network="waves", width=80, points=320, sampler="fixed", slabs=5, compile=False)
    solution = pde.solve(problem, backend, steps=60, progress=False)
    finding = next(finding for finding in solution.diagnosis if finding.who.startswith("slab"))
    assert finding.who == "slab 5, from 0.8 to 1"
    assert "times that of earlier slabs" in finding.what


def test_terms_that_differ_too_much_are_named_with_their_sizes():
    """u_t ~ 1/0.5 against k u_xx ~ 1e-8 on lengths of one: they are 2e8 apart, by hand."""
    finding = scales(heat(k=1e-8, reference=None))["equation"]
    assert "u_t is of size 2.0e+00" in finding.what
    assert "1.0e-8*u_xx of size 1.0e-08" in finding.what
    assert "points" in finding.remedy


def test_scales_of_si_units_are_proposed():
    """k u_xx and u_t are of one size, lengths, times and data are far from one."""
    findings = scales(heat(length=5e-5, duration=1e4, size=5000, k=1e-13))
    assert set(findings) == {"u", "x", "t"}
    assert "5.0e+03" in findings["u"].what
    assert "x = 1e-04 x*" in findings["x"].remedy
    assert "u = 1e+04 u*" in findings["x"].remedy


@pytest.mark.parametrize(
    "name",
    [
        "burgers",
        "allen-cahn",
        "kdv",
        "helmholtz",
        "kovasznay",
        "lid-driven-cavity",
        "poisson-peak",
        "poisson-10d",
    ],
)
def test_ordinary_problems_have_ordinary_scales(name):
    """Those with a peak, too: their sources are next to nothing in most of the domain, their data tiny."""
    assert scales(pde.catalogue(name)) == {}


def test_small_data_are_found_where_nothing_else_drives():
    assert "its data are of size 1.0e-05" in scales(heat(size=1e-5))["u"].what


def test_scales_are_told_before_work(caplog):
    with caplog.at_level(logging.WARNING, "pdesolve"):
        PINN(**SMALL).start(heat(size=1e5), Context())
    assert "its data are of size 1.0e+05" in caplog.text


def test_an_equation_that_dominates_all_others_is_named():
    v = pde.unknown("v", x, t)
    big = 1e6
    problem = pde.Problem(
        "pair",
        {"small": u.diff(t) - u.diff(x, 2), "large": big * (v.diff(t) - v.diff(x, 2))},
        pde.Interval(x, -1, 1) * pde.Time(t, 0, 1),
        [
            pde.Initial(u, sp.cos(sp.pi * x / 2)),
            pde.Initial(v, sp.cos(sp.pi * x / 2)),
            pde.Dirichlet(u, 0),
            pde.Dirichlet(v, 0),
        ],
        unknowns=(u, v),
    )
    backend = PINN(**SMALL)
    state = backend.start(problem, Context())
    found = [f for f in backend.diagnosis(state, None) if "every equation besides" in f.what]
    assert [f.who for f in found] == ["large"]


def observed(noise, stated):
    rng = np.random.default_rng(0)
    points = rng.uniform([-1, 0], [1, 1], (80, 2))
    values = np.exp(-(np.pi**2) * points[:, 1] / 8) * np.sin(np.pi * (points[:, 0] + 1) / 2)
    k = pde.parameter("k", unknown=True, start=0.3, positive=True)
    base = heat()
    seen = pde.Observations(u, points, values + noise * rng.standard_normal(80), noise=stated)
    return base.replace(
        equations=[u.diff(t) - k * u.diff(x, 2)], conditions=[*base.conditions, seen], reference=None
    )


def test_noise_that_was_stated_wrongly_is_found():
    backend = PINN(width=8, depth=2, points=150, compile=False)
    wrong = pde.solve(observed(0.1, 0.03), backend, steps=80, progress=False)
    (finding,) = [f for f in wrong.diagnosis if "noise that was stated" in f.what]
    factor = float(finding.what.split()[3])
    assert factor == pytest.approx(3.3, rel=0.25)
    right = pde.solve(observed(0.1, 0.1), backend, steps=80, progress=False)
    assert not [f for f in right.diagnosis if "noise that was stated" in f.what]


def test_a_fit_that_follows_the_noise_is_found():
    backend = PINN(width=8, depth=2, points=200, compile=False)
    solution = pde.solve(observed(0.1, 0.1), backend, steps=15, progress=False)
    assert any("numbers are fitted to 80 data" in f.what for f in solution.diagnosis)


def test_findings_are_saved_and_shown(tmp_path):
    solution = pde.solve(heat(size=1e5), PINN(**SMALL), steps=2, progress=False)
    assert solution.diagnosis
    assert all(isinstance(f, Finding) and f.who and f.what and f.remedy for f in solution.diagnosis)
    assert pde.load(solution.save(tmp_path / "a.h5")).diagnosis == solution.diagnosis
    assert solution.summary()["diagnosis"][0]["who"] == solution.diagnosis[0].who
    assert solution.diagnosis[0].what in repr(solution)
