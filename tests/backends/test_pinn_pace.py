"""The number of slabs that "auto" stands for, against rates of change known in closed form."""

from dataclasses import replace

import numpy as np
import pytest
import sympy as sp

import pdesolve as pde
from pdesolve.backends.base import Context
from pdesolve.backends.pinn import PINN
from pdesolve.backends.pinn.pace import slabs_of
from pdesolve.checkpoint import pack, unpack

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


def diffusion(start, **changes):
    domain = pde.Interval(x, 0, 1) * pde.Time(t, 0, 1)
    conditions = [pde.Initial(u, start), pde.Dirichlet(u, 0)]
    return pde.Problem("diffusion", [u.diff(t) - u.diff(x, 2)], domain, conditions).replace(**changes)


def test_what_decays_goes_through_no_cycle():
    assert slabs_of(diffusion(sp.sin(10 * sp.pi * x))) == 1
    assert slabs_of(travelling(0, equations=[u.diff(t) + 90 * u])) == 1


def test_sources_and_unknowns_that_start_small_do_not_count():
    assert slabs_of(travelling(1, equations=[u.diff(t) + u.diff(x) - 500 * sp.cos(3 * x)])) == 1
    pair = [u.diff(t) + u.diff(x), v.diff(t) - u]
    conditions = [
        *(pde.Periodic(w) for w in (u, v)),
        pde.Initial(u, sp.sin(x)),
        pde.Initial(v, sp.cos(x) / 1000),
    ]
    assert slabs_of(travelling(1, equations=pair, conditions=conditions, unknowns=(u, v))) <= 2


@pytest.mark.parametrize("start", [sp.Abs(x - 0.5), sp.Max(0, x - x**2), sp.Heaviside(x - 0.5)])
def test_data_with_kinks_or_jumps_start_on_one_slab(start):
    conditions = [pde.Initial(u, start), pde.Neumann(u, 0)]
    state = PINN(width=4, depth=1, points=50).start(diffusion(0, conditions=conditions), Context())
    assert len(state.ends) == 2


def test_coefficients_that_have_no_value_at_the_start_say_nothing():
    pair = [u.diff(t) + u.diff(x) / v, v * v.diff(t) - v.diff(x, 2)]
    conditions = [c for w in (u, v) for c in (pde.Periodic(w), pde.Initial(w, sp.sin(x)))]
    singular = travelling(1, equations=pair, conditions=conditions, unknowns=(u, v))
    assert 1 <= slabs_of(singular) <= 50
    no_start = [c for c in conditions if not (isinstance(c, pde.Initial) and c.unknown == v)]
    pair = [u.diff(t) + u.diff(x) / v, v.diff(x, 2) - v + u]
    assert slabs_of(travelling(1, equations=pair, conditions=no_start, unknowns=(u, v))) == 1


def test_answers_and_checkpoints_keep_their_slabs_whatever_the_rule_says_later(monkeypatch):
    backend, problem, where = (
        PINN(width=4, depth=1, points=50),
        travelling(30),
        np.array([[1.0, 0.3], [2.0, 0.9]]),
    )
    state, alone = backend.start(problem, Context()), replace(backend, slabs=1)
    for _ in range(3):
        backend.advance(state)
        backend._next_slab(state)
    first, kept = alone.field(alone.start(problem, Context())), pack(state)
    values = backend.field(state).values(where, 1)
    monkeypatch.setattr("pdesolve.backends.pinn.pace.slabs_of", lambda problem: 2)
    resumed = unpack(kept, backend.start(problem, Context(resuming=True)))
    np.testing.assert_array_equal(backend.field(resumed).values(where, 1), values)
    restored = backend.restore(problem, backend.field(state).arrays())
    np.testing.assert_array_equal(restored.values(where, 1), values)
    again = backend.restore(problem, first.arrays())  # of one slab
    np.testing.assert_array_equal(again.values(where, 1), first.values(where, 1))


def test_a_system_follows_its_fastest_unknown():
    fast = [u.diff(t) + u.diff(x), v.diff(t) + 30 * v.diff(x) + u]
    conditions = [c for w in (u, v) for c in (pde.Initial(w, sp.sin(x)), pde.Periodic(w))]
    assert slabs_of(travelling(1, equations=fast, conditions=conditions, unknowns=(u, v))) == 5


def test_a_network_in_the_moving_frame_or_of_parts_keeps_one_slab():
    problem = travelling(30)
    for options, slabs in (({}, 5), ({"frame": "lagrangian"}, 1), ({"slabs": 2}, 2)):
        state = PINN(width=4, depth=1, points=50, **options).start(problem, Context())
        assert len(state.slab.edges) - 1 == slabs
