"""The number of slabs that "auto" stands for, against rates of change known in closed form."""

import numpy as np
import pytest
import sympy as sp

import pdesolve as pde
from pdesolve.backends.base import Context
from pdesolve.backends.pinn import PINN
from pdesolve.backends.pinn.pace import slabs_of

x, t = pde.coordinates("x t")
u, v = pde.unknown("u v", x, t)


def travelling(speed, waves=1, end=1, **changes):
    """u_t + c u_x = 0 of sin kx: c k T / 2π cycles."""
    domain = pde.Interval(x, 0, 2 * sp.pi) * pde.Time(t, 0, end)
    problem = pde.Problem(
        "travelling",
        [u.diff(t) + speed * u.diff(x)],
        domain,
        [pde.Initial(u, sp.sin(waves * x)), pde.Periodic(u)],
    )
    return problem.replace(**changes)


@pytest.mark.parametrize(("speed", "waves", "end"), [(30, 1, 1), (10, 4, 1), (6, 3, 2), (1, 1, 2)])
def test_a_wave_has_as_many_slabs_as_cycles(speed, waves, end):
    # rms of sin and cos at 500 random points differ by a few per cent
    expected = speed * waves * end / (2 * np.pi)
    assert abs(slabs_of(travelling(speed, waves, end)) - max(expected, 1)) <= 0.5 + 0.05 * expected


def test_coefficients_of_the_time_derivative_and_its_order_are_seen():
    assert slabs_of(travelling(30, equations=[2 * u.diff(t) + 60 * u.diff(x)])) == 5
    string = pde.Problem(
        "string",
        [u.diff(t, 2) - 100 * u.diff(x, 2)],
        pde.Interval(x, 0, sp.pi) * pde.Time(t, 0, 2),
        [pde.Initial(u, sp.sin(2 * x)), pde.Initial(u.diff(t), 0), pde.Dirichlet(u, 0)],
    )
    assert slabs_of(string) == round(10 * 2 * 2 / (2 * np.pi))


def test_one_slab_where_it_cannot_be_told_or_cut():
    start = pde.Initial(u, lambda p: np.sin(p[:, 0]))
    assert slabs_of(travelling(30, conditions=[start, pde.Periodic(u)])) == 1
    assert slabs_of(travelling(30, conditions=[pde.Initial(u, 0), pde.Periodic(u)])) == 1
    assert slabs_of(pde.catalogue("poisson")) == 1
    observed = pde.Observations(u, np.array([[0.2, 0.3]]), np.ones(1))
    assert slabs_of(travelling(30, conditions=[*travelling(30).conditions, observed])) == 1


def test_a_system_follows_its_fastest_unknown():
    fast = [u.diff(t) + u.diff(x), v.diff(t) + 30 * v.diff(x) + u]
    conditions = [c for w in (u, v) for c in (pde.Initial(w, sp.sin(x)), pde.Periodic(w))]
    assert slabs_of(travelling(1, equations=fast, conditions=conditions, unknowns=(u, v))) == 5


def test_a_network_in_the_moving_frame_or_of_parts_keeps_one_slab():
    problem = travelling(30)
    for options, slabs in (({}, 5), ({"frame": "lagrangian"}, 1), ({"slabs": 2}, 2)):
        state = PINN(width=4, depth=1, points=50, **options).start(problem, Context())
        assert len(state.slab.edges) - 1 == slabs
