"""Jets against reverse-mode differentiation, which shares no code with them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import pdesolve.declare as pde
from pdesolve.residual.activations import ACTIVATIONS
from pdesolve.residual.jets import JetSpace, autodiff_jet, network_jet, unruled
from pdesolve.residual.networks import box_features, fourier_features, mlp

x, y, t = pde.coordinates("x y t")
DOMAIN = pde.Box((x, -1, 2), (y, 0, 3)) * pde.Time(t, 0, 0.5)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def points(n=7, seed=1):
    return torch.rand(n, 3, generator=generator(seed), dtype=torch.float64)


def by_autograd(network, x, channel, index):
    """D^index by repeated reverse mode."""
    x = x.clone().requires_grad_()
    value = network(x)[:, channel]
    for axis, count in enumerate(index):
        for _ in range(count):
            (gradient,) = torch.autograd.grad(value.sum(), x, create_graph=True, allow_unused=True)
            value = gradient[:, axis]
    return value.detach()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_matches_reverse_mode(activation):
    network = mlp(box_features(DOMAIN), 2, generator(), width=6, depth=2, activation=activation)
    index = (2, 1, 1)
    space = JetSpace.of([index])
    jet = network_jet(network, points(), space)
    for below in space.indices:
        for channel in range(2):
            expected = by_autograd(network, points(), channel, below)
            assert torch.allclose(jet.component(channel, below), expected, rtol=1e-10, atol=1e-12), below


@settings(derandomize=True, max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 1)), min_size=1, max_size=3),
    st.sampled_from(["box", "periodic", "fourier"]),
    st.integers(0, 10**6),
)
def test_random_derivative_sets_on_all_features(indices, kind, seed):
    features = {
        "box": lambda: box_features(DOMAIN),
        "periodic": lambda: box_features(DOMAIN, periodic=(0, 1), harmonics=2),
        "fourier": lambda: fourier_features(DOMAIN, 5, 1.0, generator(seed)),
    }[kind]()
    network = mlp(features, 1, generator(seed), width=5, depth=2)
    jet = network_jet(network, points(4, seed), JetSpace.of(indices))
    for index in indices:
        expected = by_autograd(network, points(4, seed), 0, index)
        scale = max(1.0, float(expected.abs().max()))
        assert torch.allclose(jet.component(0, index), expected, rtol=1e-9, atol=1e-10 * scale)


def test_periodic_features_repeat_with_all_derivatives():
    network = mlp(box_features(DOMAIN, periodic=(0,)), 1, generator(), width=8)
    left = points()
    left[:, 0] = -1.0
    right = left.clone()
    right[:, 0] = 2.0
    space = JetSpace.of([(4, 0, 0)])
    jets = [network_jet(network, p, space) for p in (left, right)]
    for index in space.indices:
        assert torch.allclose(jets[0].component(0, index), jets[1].component(0, index), atol=1e-11)


class Cubic(nn.Module):
    """A module without a jet rule: a user's own."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, 2.0, -0.5], dtype=torch.float64))

    def forward(self, p):
        return ((p @ self.weight) ** 3 * torch.sin(p[:, 0]))[:, None]


def test_modules_without_rules_are_named_and_differentiated_by_torch_func():
    network = nn.Sequential(Cubic(), nn.Tanh())
    assert unruled(network) == ["Cubic"]
    assert unruled(nn.GELU(approximate="tanh")) == ["GELU"]
    jet = network_jet(network, points(), JetSpace.of([(2, 1, 0)]))
    assert torch.allclose(
        jet.component(0, (2, 1, 0)), by_autograd(network, points(), 0, (2, 1, 0)), rtol=1e-10
    )


def test_both_routes_agree_on_the_same_network():
    network = mlp(box_features(DOMAIN), 1, generator(), width=6, depth=2)
    space = JetSpace.of([(2, 0, 1)])
    by_rules, by_func = network_jet(network, points(), space), autodiff_jet(network, points(), space)
    for index in space.indices:
        assert torch.allclose(
            by_rules.component(0, index), by_func.component(0, index), rtol=1e-11, atol=1e-13
        )


def test_missing_parts_are_zero():
    """A linear map has no second derivatives; the jet does not store them and reports zero."""
    jet = network_jet(nn.Linear(3, 2, dtype=torch.float64), points(), JetSpace.of([(2, 0, 0)]))
    assert (2, 0, 0) not in jet.parts
    assert torch.equal(jet.component(1, (2, 0, 0)), torch.zeros(7, dtype=torch.float64))


def test_networks_are_made_without_the_global_generator():
    before = torch.random.get_rng_state()
    mlp(box_features(DOMAIN), 1, generator())
    assert torch.equal(before, torch.random.get_rng_state())
