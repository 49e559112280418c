"""States that slabs of time hand on: closed forms, and how often a field is asked for them."""

import numpy as np
import pytest
import sympy as sp

import pdesolve as pde
from pdesolve.backends.base import Context
from pdesolve.backends.pinn import PINN
from pdesolve.backends.slabs import Carried
from pdesolve.optimize import GaussNewton
from pdesolve.solution.field import Field

x, t = pde.coordinates("x t")
u = pde.unknown("u", x, t)
RATE = 0.01


class Growth(Field):
    """What a slab from t_k on makes of its start: u(x, t_k) + (t - t_k) sin((k + 1) x)."""

    def __init__(self, k, background):
        self.k, self.background, self.asked = k, background, 0

    def derivatives(self, points, wanted):
        self.asked += 1
        inside, since = (self.k + 1) * points[:, 0], points[:, 1] - self.k * RATE
        waves = {0: np.sin(inside), 1: (self.k + 1) * np.cos(inside)}
        own = [waves[i] * (since if j == 0 else 1.0) for _, (i, j) in wanted]
        behind = self.background.derivatives(points, wanted) if self.background else np.zeros(len(points))
        return [a + b for a, b in zip(own, np.broadcast_to(behind, np.shape(own)), strict=True)]

    def arrays(self):
        return {}


WAVE = pde.Problem(
    "travelling",
    [u.diff(t) + u.diff(x)],
    pde.Interval(x, 0, 2 * sp.pi) * pde.Time(t, 0, 2),
    [pde.Initial(u, sp.sin(x)), pde.Periodic(u)],
    reference=sp.sin(x - t),
)
LINE = pde.Problem(
    "line",
    [u.diff(t) + u.diff(x)],
    pde.Interval(x, 0, 2 * sp.pi) * pde.Time(t, 0, 10),
    [pde.Initial(u, 0), pde.Periodic(u)],
)


def chain(slabs):
    """The state after so many slabs, and their fields."""
    fields, state = [], None
    for k in range(slabs):
        fields.append(Growth(k, state))
        state = Carried(fields[-1], LINE, RATE * (k + 1), state)
    return state, fields


def at(positions, time=3.0):
    return np.column_stack([positions, np.full(len(positions), time)])


def test_a_state_after_very_many_slabs_is_their_sum():
    """2,000 slabs: more than Python lets functions call one another."""
    slabs, positions = 2000, np.linspace(0, 6, 40)[::-1]
    state, _ = chain(slabs)
    wanted = [(0, (0, 0)), (0, (1, 0)), (0, (0, 1))]
    value, slope, rate = state.derivatives(at(positions), wanted)
    k = np.arange(1, slabs + 1)
    assert value == pytest.approx(RATE * np.sin(np.outer(positions, k)).sum(axis=1), abs=1e-10)
    assert slope == pytest.approx(RATE * (k * np.cos(np.outer(positions, k))).sum(axis=1), abs=1e-8)
    assert not rate.any()  # of first order in time: a state stands still


def test_fields_are_asked_once_for_the_positions_that_slabs_share():
    positions = np.random.default_rng(0).uniform(0, 6, 50)
    fields, state = [], None
    for k in range(30):
        fields.append(Growth(k, state))
        state = Carried(fields[-1], LINE, RATE * (k + 1), state)
        state.derivatives(at(positions, 1.0 + k), [(0, (0, 0))])
        repeated = np.repeat(at(positions, 2.0 + k), 3, axis=0)
        state.derivatives(repeated, [(0, (0, 0))])
    assert [field.asked for field in fields] == [1] * 30


def test_states_share_a_memory_that_does_not_grow():
    state, fields = chain(2)
    for offset in range(40):
        state.derivatives(at(np.linspace(0, 1, 5) + offset), [(0, (0, 0))])
    assert len(state._memory) == 32
    assert state._memory is state._before._memory
    asked = fields[-1].asked
    first = state.derivatives(at(np.linspace(0, 1, 5)), [(0, (0, 0))])[0]  # forgotten
    assert fields[-1].asked == asked + 1
    assert first == pytest.approx(RATE * (np.sin(np.linspace(0, 1, 5)) + np.sin(2 * np.linspace(0, 1, 5))))


def test_an_earlier_state_can_be_asked_after_a_later_one():
    state, _ = chain(3)
    positions = np.linspace(0, 6, 9)
    later = state.derivatives(at(positions), [(0, (0, 0))])[0]
    earlier = state._before.derivatives(at(positions), [(0, (0, 0))])[0]
    assert later - earlier == pytest.approx(RATE * np.sin(3 * positions))
    assert np.array_equal(state.derivatives(at(positions), [(0, (0, 0))])[0], later)


def test_no_positions_have_no_values():
    state, _ = chain(2)
    assert [values.shape for values in state.derivatives(np.empty((0, 2)), [(0, (0, 0))])] == [(0,)]


def test_states_of_second_order_in_time_and_two_directions_are_taylor_series():
    """u = sin(x + 2 y - 3 t) and its rate, continued from t = 1/2."""
    y = pde.coordinates("y")
    v = pde.unknown("v", x, y, t)
    box = pde.Interval(x, 0, 2 * sp.pi) * pde.Interval(y, 0, 2 * sp.pi) * pde.Time(t, 0, 1)
    wave = sp.sin(x + 2 * y - 3 * t)
    start = [
        pde.Initial(v, wave.subs(t, 0)),
        pde.Initial(v.diff(t), wave.diff(t).subs(t, 0)),
        pde.Periodic(v),
    ]
    problem = pde.Problem("wave", [5 * v.diff(t, 2) - 9 * v.diff(x, 2) - 9 * v.diff(y, 2)], box, start)

    class Wave(Field):
        def derivatives(self, points, wanted):
            phase = points @ [1.0, 2.0, -3.0]
            return [2.0**j * (-3.0) ** k * np.sin(phase + np.pi / 2 * (i + j + k)) for _, (i, j, k) in wanted]

        def arrays(self):
            return {}

    points = box.sample(30, np.random.default_rng(0))
    found = Carried(Wave(), problem, 0.5).derivatives(
        points, [(0, (0, 0, 0)), (0, (0, 1, 0)), (0, (1, 0, 1))]
    )
    series = wave.subs(t, 0.5) + (t - 0.5) * wave.diff(t).subs(t, 0.5)
    for values, expression in zip(found, (series, series.diff(y), series.diff(x, t)), strict=True):
        assert values == pytest.approx(sp.lambdify((x, y, t), expression)(*points.T), abs=1e-12)


def test_a_restored_field_is_the_one_that_was_asked_while_it_grew():
    backend = PINN(network="waves", width=12, harmonics=2, points=40, sampler="fixed", slabs=4, compile=False)
    state = backend.start(LINE, Context())
    points = LINE.domain.sample(60, np.random.default_rng(0))
    while not state.slab.is_last:
        backend.advance(state)
        backend.field(state).derivatives(points[points[:, 1] < 2.5], [(0, (0, 0))])
    grown = backend.field(state)
    restored = backend.restore(LINE, grown.arrays())
    wanted = [(0, (0, 0)), (0, (1, 0)), (0, (0, 1))]
    for a, b in zip(grown.derivatives(points, wanted), restored.derivatives(points, wanted), strict=True):
        assert np.allclose(a, b, rtol=0, atol=1e-13)


def test_optimisers_start_anew_on_each_slab():
    """With patience 3 each slab ends in its own time, whatever the loss of the one before."""
    started = []

    class Counting(GaussNewton):
        def start(self, objective, theta):
            made = super().start(objective, theta)
            started.append((made.loss, made.waited))
            return made

    optimizer = Counting(damping=1e-16, factor=10.0, patience=3, least_gain=0.1)
    options = {"network": "waves", "width": 40, "harmonics": 3, "points": 120, "sampler": "fixed"}
    backend = PINN(slabs=4, optimizer=optimizer, compile=False, **options)
    solution = pde.solve(WAVE, backend, steps=60, progress=False)
    assert solution.error().relative_l2 < 1e-3
    used = started[1:]  # the first was for the state of the start, without points
    assert len(used) == 4
    assert all(loss > 1e-8 for loss, _ in used)  # that of a state carried on, not of the slab before


def test_many_positions_are_asked_for_in_parts():
    positions = np.linspace(0, 6, 40_000)
    state, fields = chain(3)
    found = state.derivatives(at(positions), [(0, (0, 0))])[0]
    assert found == pytest.approx(RATE * sum(np.sin(k * positions) for k in (1, 2, 3)), abs=1e-14)
    assert fields[-1].asked == 3


def test_slabs_of_a_pinn_have_their_points_at_the_same_positions():
    backend = PINN(network="waves", width=12, harmonics=2, points=40, sampler="fixed", slabs=3, compile=False)
    state = backend.start(LINE, Context())
    seen = []
    while state.slab.index < 2:
        seen.append((state.sets[0].points[:, 0].copy(), state.slab.held_out[0].points[:, 0].numpy()))
        backend._next_slab(state)
    for training, held_out in seen:
        assert np.array_equal(training, state.sets[0].points[:, 0])
        assert np.array_equal(held_out, state.slab.held_out[0].points[:, 0].numpy())
    assert not np.intersect1d(*seen[0]).size
    assert state.sets[0].points[:, 1].min() > 20 / 3
