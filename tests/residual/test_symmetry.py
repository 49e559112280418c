"""Reflections found in the symbols, and networks that take them on."""

import numpy as np
import pytest
import sympy as sp
import torch

import pdesolve as pde
from pdesolve.backends.base import BackendOptionError
from pdesolve.backends.pinn import PINN
from pdesolve.driver import UnsupportedProblemError
from pdesolve.residual.jets import JetSpace, autodiff_jet, network_jet
from pdesolve.residual.networks import LINEAR, make_network
from pdesolve.residual.networks.features import Mirrored
from pdesolve.residual.networks.maker import NETWORKS
from pdesolve.residual.symmetry import one_period, parities

x, y, t = pde.coordinates("x y t")
u, v = pde.unknown("u", x, t), pde.unknown("v", x, t)
LINE = pde.Interval(x, -1, 3) * pde.Time(t, 0, 1)  # reflected at x = 1
MIDDLE = sp.pi * (x - 1)


def problem(equation, start, *ends):
    return pde.Problem("line", [equation], LINE, [pde.Initial(u, start), *(ends or [pde.Dirichlet(u, 0)])])


DIFFUSION = u.diff(t) - u.diff(x, 2)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (problem(DIFFUSION, sp.cos(MIDDLE / 4)), {0: 1}),
        (problem(DIFFUSION, sp.sin(MIDDLE / 2)), {0: -1}),
        (problem(DIFFUSION, sp.cos(MIDDLE / 4) + sp.sin(MIDDLE / 2)), {}),
        (problem(DIFFUSION + u * u.diff(x), sp.sin(MIDDLE / 2)), {0: -1}),  # Burgers: odd, not even
        (problem(DIFFUSION + u * u.diff(x), sp.cos(MIDDLE / 4)), {}),
        (problem(DIFFUSION + u**3, sp.sin(MIDDLE / 2)), {0: -1}),
        (problem(DIFFUSION + u**2, sp.sin(MIDDLE / 2)), {}),
        (problem(DIFFUSION + u.diff(x), sp.sin(MIDDLE / 2)), {}),  # a wind
        (problem(DIFFUSION + (x - 1) * u.diff(x), sp.sin(MIDDLE / 2)), {0: -1}),  # one from the middle
    ],
)
def test_parity_of_an_evolution(made, expected):
    assert parities(made) == expected


def test_ends_are_compared_with_their_images():
    even = [pde.Dirichlet(u, t, on="left"), pde.Dirichlet(u, t, on="right")]
    odd = [pde.Dirichlet(u, t, on="left"), pde.Dirichlet(u, -t, on="right")]
    mixed = [pde.Dirichlet(u, 0, on="left"), pde.Neumann(u, 0, on="right")]
    fluxes = [pde.Neumann(u, 2, on="left"), pde.Neumann(u, 2, on="right")]
    found = [parities(problem(DIFFUSION, 0, *ends)) for ends in (even, odd, mixed, fluxes)]
    assert found == [{0: 1}, {0: -1}, {}, {0: 1}]


def test_systems_need_one_parity_for_all_unknowns():
    def pair(first, second):
        conditions = [pde.Initial(u, first), pde.Initial(v, second), pde.Periodic(u), pde.Periodic(v)]
        equations = [DIFFUSION + v, v.diff(t) - v.diff(x, 2) - u]
        return pde.Problem("pair", equations, LINE, conditions)

    wave, swing = sp.cos(MIDDLE / 2), sp.sin(MIDDLE / 2)
    assert parities(pair(wave, wave)) == {0: 1}
    assert parities(pair(swing, swing)) == {0: -1}
    assert parities(pair(wave, swing)) == {}


def test_narrow_and_small_data_are_seen():
    """No sample of points meets the peak; no absolute bound is above the slope."""
    peak = sp.exp(-1000 * (x - 2) ** 2)
    assert parities(problem(DIFFUSION - peak, 0)) == {}
    assert parities(problem(DIFFUSION, sp.Float("1e-12") * (x + 1) * (3 - x) * (x + 2))) == {}
    assert parities(pde.catalogue("poisson-peak")) == {}


def test_identities_need_not_cancel_in_symbols():
    bell = sp.exp(2 * (x - 1)) / (sp.exp(2 * (x - 1)) + 1) ** 2  # even about x = 1
    assert parities(problem(DIFFUSION, bell, pde.Dirichlet(u, bell.subs(x, 3)))) == {0: 1}
    jump = sp.Piecewise((1, x < 1), (0, True))
    assert parities(problem(DIFFUSION - jump, 0)) == {}


def test_steady_problems_must_be_linear():
    w = pde.unknown("w", x)
    line, ends = pde.Interval(x, -1, 1), [pde.Dirichlet(w, 0)]
    linear = pde.Problem("linear", [w.diff(x, 2) + 1], line, ends)
    bent = pde.Problem("bent", [w.diff(x, 2) + 30 * (w - w**3)], line, ends)
    assert parities(linear) == {0: 1}
    assert parities(bent) == {}  # also has solutions like sin πx


def test_slabs_keep_the_parity_of_the_whole():
    """From t = 1/4 on the source is gone, but the state that it left has no symmetry."""
    source = (sp.sin(MIDDLE / 2) + sp.cos(MIDDLE / 4)) * sp.Heaviside(sp.Rational(1, 4) - t)
    made = problem(DIFFUSION - source, 0)
    options = {"network": "waves", "width": 80, "points": 300, "slabs": (0.25,), "compile": False}
    found = [
        pde.solve(made, PINN(symmetry=symmetry, **options), steps=30, progress=False, throw=False)
        for symmetry in (True, False)
    ]
    at = np.array([[0.0, 0.4], [2.0, 0.4]])
    assert np.allclose(found[0](at), found[1](at))
    assert abs(np.subtract(*found[0](at).ravel())) > 0.01


def test_parities_in_use_are_named():
    solution = pde.solve(
        problem(DIFFUSION, sp.sin(MIDDLE / 2)), PINN(network="waves"), steps=1, progress=False
    )
    assert "odd in x" in solution.message


def test_two_axes_and_what_has_no_symmetry_here():
    w = pde.unknown("w", x, y)
    square = pde.Box((x, 0, 1), (y, 0, 2))
    force = sp.sin(sp.pi * x) * sp.sin(sp.pi * y)

    def poisson(domain, boundary=0):
        equation = w.diff(x, 2) + w.diff(y, 2) - force
        return pde.Problem("square", [equation], domain, [pde.Dirichlet(w, boundary)])

    assert parities(poisson(square)) == {0: 1, 1: -1}
    assert parities(poisson(square, lambda points: 0 * points[:, 0])) == {}  # a function cannot be read
    assert parities(poisson(pde.Disk((x, y), (0, 0), 1))) == {}


@pytest.mark.parametrize("periodic", [(), (0,)])
@pytest.mark.parametrize("parity", [1, -1])
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_take_parities_on_with_their_derivatives(name, parity, periodic):
    options = {"width": 9, **({"spread": 2.0} if name in LINEAR else {})}
    options |= {"periodic": periodic, "parities": {0: parity}}
    made = make_network(name, LINE, 1, torch.Generator().manual_seed(0), **options)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(1))
    at = torch.tensor([[0.3, 0.2], [2.1, 0.9]], dtype=torch.float64)
    image = at * torch.tensor([-1.0, 1.0]) + torch.tensor([2.0, 0.0])
    space = JetSpace.of([(3, 1)])
    here, there, by_func = (
        network_jet(made, at, space),
        network_jet(made, image, space),
        autodiff_jet(made, at, space),
    )
    for index in space.indices:
        sign = parity * (-1) ** index[0]
        assert torch.allclose(there.component(0, index), sign * here.component(0, index), atol=1e-10)
        assert torch.allclose(here.component(0, index), by_func.component(0, index), atol=1e-10)
        assert float(here.component(0, index).detach().abs().max()) > 1e-3


def test_symmetry_saves_parameters_and_can_be_left_out():
    """An odd wave that decays: with its parity 24 waves do what takes more without."""
    made = problem(DIFFUSION, sp.sin(MIDDLE / 2))
    exact = sp.exp(-(sp.pi**2) * t / 4) * sp.sin(MIDDLE / 2)

    def error(width, symmetry):
        backend = PINN(
            network="waves",
            width=width,
            network_options={"spread": 4.0},
            points=300,
            symmetry=symmetry,
            compile=False,
        )
        return pde.solve(made, backend, steps=8, progress=False, throw=False).error(exact).relative_l2

    assert error(24, True) < 0.1 * error(24, False)
    assert error(120, True) < 1e-7
    assert error(120, False) < 1e-5


def test_symmetry_is_true_or_false():
    with pytest.raises(BackendOptionError, match="True or False"):
        PINN(symmetry="auto")


def test_slabs_may_meet_at_given_times():
    made = problem(DIFFUSION, sp.sin(MIDDLE / 2))
    backend = PINN(network="waves", width=60, points=200, slabs=(0.1, 0.4), compile=False)
    solution = pde.solve(made, backend, steps=30, progress=False, throw=False)
    exact = sp.exp(-(sp.pi**2) * t / 4) * sp.sin(MIDDLE / 2)
    assert solution.error(exact).relative_l2 < 1e-4
    assert solution.field.arrays()["theta"].shape == (3, 60)


@pytest.mark.parametrize("slabs", [0, 2.5, (), (0.4, 0.1), ("a",), "all"])
def test_slabs_that_cannot_be_are_refused(slabs):
    with pytest.raises(BackendOptionError, match="increasing times at which slabs meet"):
        PINN(slabs=slabs)


def test_slabs_meet_inside_the_time_of_the_problem():
    with pytest.raises(UnsupportedProblemError, match=r"must lie inside 0\.0 to 1\.0"):
        pde.solve(problem(DIFFUSION, 0), PINN(slabs=(0.5, 1.5)), steps=1)


def test_the_shortest_period_is_found_from_the_symbols():
    torus = pde.Box((x, 0, 2 * sp.pi), (y, 0, 2 * sp.pi)) * pde.Time(t, 0, 1)
    w = pde.unknown("w", x, y, t)

    def lengths(start, source=0):
        equation = w.diff(t) + w * w.diff(x) - w.diff(x, 2) - w.diff(y, 2) - source
        problem = pde.Problem("torus", [equation], torus, [pde.Initial(w, start), pde.Periodic(w)])
        found = one_period(problem).domain.bounds[:2]
        return [round(2 * np.pi / (upper - lower)) for lower, upper in found.tolist()]

    assert lengths(sp.cosh(sp.sin(x)) * sp.sin(3 * y)) == [2, 3]
    assert lengths(sp.sin(x) * sp.sin(3 * y)) == [1, 3]
    assert lengths(sp.sin(4 * x), source=sp.cos(2 * x) * t) == [2, 8]  # constant in y: any period
    assert lengths(sp.sin(4 * x), source=sp.cos(x)) == [1, 8]


def test_what_is_even_on_a_circle_is_evaluated_once():
    def kinds(parity):
        made = make_network(
            "mlp", LINE, 1, torch.Generator().manual_seed(0), periodic=(0,), harmonics=2, parities={0: parity}
        )
        return {type(module) for module in made.modules()}, made

    even, made = kinds(1)
    assert Mirrored not in even and Mirrored in kinds(-1)[0]
    assert made[1].in_features == 3  # time and two cosines
