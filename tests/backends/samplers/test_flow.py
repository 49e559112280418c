"""The flow: a density on the cube, exact in both directions, that learns what it is shown."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pdesolve.backends.pinn.samplers.flow import Flow
from pdesolve.backends.pinn.samplers.spline import parameter_count, spline


def random_theta(flow, seed, scale=0.3):
    generator = torch.Generator().manual_seed(seed)
    theta = flow.initial(generator)
    return theta + scale * torch.randn(theta.shape, generator=generator, dtype=theta.dtype)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), bins=st.integers(2, 20), scale=st.floats(0.0, 3.0))
def test_a_spline_is_a_monotone_bijection_with_its_own_slope(seed, bins, scale):
    generator = torch.Generator().manual_seed(seed)
    parameters = scale * torch.randn(parameter_count(bins), generator=generator, dtype=torch.float64)
    x = torch.linspace(0, 1, 101, dtype=torch.float64).requires_grad_(True)
    y, log_slope = spline(x, parameters.expand(101, -1))
    (slope,) = torch.autograd.grad(y[1:-1].sum(), x)
    y, log_slope = y.detach(), log_slope.detach()
    np.testing.assert_allclose(slope[1:-1], log_slope[1:-1].exp(), rtol=1e-7)
    np.testing.assert_allclose(y[[0, -1]], [0.0, 1.0], atol=1e-14)
    assert bool((y.diff() > 0).all())
    back, log_inverse = spline(y, parameters.expand(101, -1), inverse=True)
    # Where y is nearly flat, round-off of y is amplified in x.
    error = (back - x.detach()).abs() * log_slope.exp().clamp_max(1.0)
    assert float(error.max()) < 1e-9
    assert bool(torch.isfinite(log_inverse).all())


def test_parameters_of_zero_give_the_identity():
    x = torch.linspace(0, 1, 33, dtype=torch.float64)
    y, log_slope = spline(x, torch.zeros(33, parameter_count(7), dtype=torch.float64))
    torch.testing.assert_close(y, x, atol=1e-14, rtol=0)
    torch.testing.assert_close(log_slope, torch.zeros_like(x), atol=1e-12, rtol=0)


@pytest.mark.parametrize("d", [1, 2, 3, 10])
def test_the_flow_starts_uniform(d):
    flow = Flow(d)
    x = torch.rand(50, d, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    log_p = flow.log_prob(flow.initial(torch.Generator().manual_seed(1)), x)
    torch.testing.assert_close(log_p, torch.zeros_like(log_p), atol=1e-11, rtol=0)


@pytest.mark.parametrize("d", [1, 2, 3, 10])
def test_the_inverse_undoes_the_map_and_its_determinant(d):
    flow = Flow(d, bins=6, width=8)
    theta = random_theta(flow, 2)
    z = torch.rand(200, d, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    x, log_inverse = flow.invert(theta, z)
    back, log_slope = flow.transform(theta, x)
    assert float(log_slope.abs().max()) > 0.5  # far from the identity
    torch.testing.assert_close(back, z, atol=1e-9, rtol=0)
    torch.testing.assert_close(log_slope, -log_inverse, atol=1e-6, rtol=0)


@pytest.mark.parametrize("d", [2, 5])
def test_the_density_is_the_determinant_of_the_jacobian(d):
    flow = Flow(d, bins=5, width=8)
    theta = random_theta(flow, 4)
    for x in torch.rand(5, d, generator=torch.Generator().manual_seed(5), dtype=torch.float64):
        jacobian = torch.autograd.functional.jacobian(lambda x: flow.transform(theta, x[None])[0][0], x)
        expected = torch.linalg.slogdet(jacobian)[1]
        torch.testing.assert_close(flow.log_prob(theta, x[None])[0], expected, atol=1e-9, rtol=0)


def test_the_density_integrates_to_one():
    flow = Flow(2, bins=6, width=8)
    theta = random_theta(flow, 6)
    total = []
    for n in (100, 400):
        middle = (torch.arange(n, dtype=torch.float64) + 0.5) / n
        with torch.no_grad():
            p = flow.log_prob(theta, torch.cartesian_prod(middle, middle)).exp()
        assert float(p.max()) > 3.0
        total.append(float(p.mean()))
    assert total[1] == pytest.approx(1.0, abs=1e-3)
    assert abs(total[1] - 1) < abs(total[0] - 1) / 4  # the quadrature's error, which falls with the grid


def test_samples_have_the_density():
    """Means of two functions under p, by samples and by quadrature."""
    flow = Flow(2, bins=6, width=8)
    theta = random_theta(flow, 7)
    middle = (torch.arange(400, dtype=torch.float64) + 0.5) / 400
    grid = torch.cartesian_prod(middle, middle)
    with torch.no_grad():
        p = flow.log_prob(theta, grid).exp()
        x = flow.sample(theta, 20_000, torch.Generator().manual_seed(8))
    for f in (lambda x: x[:, 0] * x[:, 1], lambda x: torch.sin(9 * x[:, 0] - 5 * x[:, 1])):
        three_sigma = 3 * float(f(x).std()) / math.sqrt(20_000)
        assert float(f(x).mean()) == pytest.approx(float((p * f(grid)).mean()), abs=three_sigma + 1e-4)


@pytest.mark.parametrize(
    ("d", "center", "width"),
    [
        (2, 0.75, 0.015),  # exp(-|x - 0.5|²/(2 · 0.03²)) on [-1, 1]²
        (10, 0.5, math.sqrt(1 / 20) / 2),  # exp(-10 |x|²) on [-1, 1]^10
    ],
)
def test_the_flow_learns_a_peak(d, center, width):
    """By maximum likelihood, from samples; the cross-entropy is within 0.15 of the Gaussian's entropy."""
    generator = torch.Generator().manual_seed(9)
    x = (center + width * torch.randn(20_000, d, generator=generator, dtype=torch.float64)).clamp(0, 1)
    flow = Flow(d)
    theta = flow.initial(generator).requires_grad_(True)
    adam = torch.optim.Adam([theta], lr=1e-2)
    for step in range(100):
        adam.param_groups[0]["lr"] = 1e-2 if step < 70 else 2e-3
        (theta.grad,) = torch.autograd.grad(
            -flow.log_prob(theta, x[200 * step % 20_000 :][:200]).mean(), theta
        )
        adam.step()
    entropy = d * (0.5 * math.log(2 * math.pi * math.e) + math.log(width))
    with torch.no_grad():
        cross_entropy = -float(flow.log_prob(theta, x[:2000]).mean())
        y = flow.sample(theta, 4000, generator)
    assert entropy - 0.1 < cross_entropy < entropy + 0.15
    assert float((y.mean(0) - center).abs().max()) < 0.3 * width
    assert float((((y - center) / width).abs() < 1).double().mean()) == pytest.approx(0.683, abs=0.05)
