"""Stretched coordinates: derivatives through them, and where they are found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import pdesolve as pde
from pdesolve.backends.gp.features import AxisFeatures, Line
from pdesolve.backends.gp.field import as_array, layout_of
from pdesolve.backends.gp.sharpening import sharpened
from pdesolve.backends.gp.stretch import Stretch

STRETCH = Stretch(0.3, 0.1)
AXIS = AxisFeatures(-1.0, 3.0, (Line(0.0, 5), Line(7.0, 2)), stretch=STRETCH)


def test_coordinates_go_back_and_forth():
    s = np.linspace(-1, 1, 41)
    z = STRETCH.place(s)
    assert z[[0, -1]] == pytest.approx([-1, 1])
    assert np.allclose(STRETCH.coordinate(z), s, atol=1e-14)
    assert np.diff(z).min() < 0.1 * np.diff(z).max()


@pytest.mark.parametrize("order", range(4))
def test_derivatives_are_those_of_the_values(order):
    x, h = np.linspace(-0.9, 2.9, 37), 1e-5
    quotient = (AXIS.matrix(x + h, order) - AXIS.matrix(x - h, order)) / (2 * h)
    exact = AXIS.matrix(x, order + 1)
    assert np.abs(quotient - exact).max() < 1e-6 * np.abs(exact).max()


def test_parity_is_kept():
    odd = AxisFeatures(-1.0, 1.0, (Line(0.0, 5),), -1, Stretch(0.0, 0.05))
    x = np.linspace(0.1, 0.9, 5)
    assert np.allclose(odd.matrix(-x), -odd.matrix(x))


def test_files_hold_the_stretch():
    problem = pde.catalogue("heat")
    axes = [AxisFeatures(0.0, 1.0, (Line(0.0, 3),), stretch=STRETCH), AxisFeatures(0.0, 1.0, (Line(2.0, 1),))]
    assert layout_of(problem, [as_array(axis) for axis in axes], {}).axes == tuple(axes)


def test_functions_are_carried_to_another_coordinate():
    old = AxisFeatures(-1.0, 1.0, (Line(0.0, 6),))
    new = AxisFeatures(-1.0, 1.0, (Line(0.0, 60),), stretch=Stretch(0.2, 0.3))
    table = np.random.default_rng(0).normal(size=(2, old.count))
    x = np.linspace(-1, 1, 21)
    assert np.allclose(table @ new.selection(old) @ new.matrix(x).T, table @ old.matrix(x).T, atol=1e-9)


@pytest.mark.parametrize("centre", [0.0, -0.4])
def test_a_front_is_found(centre):
    axis = AxisFeatures(-1.0, 1.0, (Line(0.0, 600),))
    x = axis.places(np.cos((np.arange(601) + 0.5) * np.pi / 601))
    table = np.linalg.solve(axis.matrix(x), np.tanh((x - centre) / 0.02))[None]
    found = sharpened(axis, axis, table, 1e-6)
    assert found.stretch is not None
    assert found.stretch.centre == pytest.approx(centre, abs=0.01)
    assert 0.005 < found.stretch.width < 0.2
    assert found.count < 80


def test_what_has_no_front_is_left_alone():
    axis = AxisFeatures(0.0, 1.0, (Line(0.0, 8), Line(30.0, 1)))
    table = np.random.default_rng(0).normal(size=(1, axis.count))
    assert sharpened(axis, axis, table, 1e-6) is axis
    assert sharpened(axis, axis, 0 * table, 1e-6) is axis
    assert replace(axis, stretch=None) == axis
