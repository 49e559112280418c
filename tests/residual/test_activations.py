"""Every activation's derivatives against arbitrary-precision numerical differentiation."""

import mpmath
import pytest
import torch

from pdesolve.residual.activations import ACTIVATIONS, cosine

CLOSED_FORMS = {
    "tanh": mpmath.tanh,
    "sigmoid": lambda a: 1 / (1 + mpmath.exp(-a)),
    "sin": mpmath.sin,
    "softplus": lambda a: mpmath.log(1 + mpmath.exp(a)),
    "silu": lambda a: a / (1 + mpmath.exp(-a)),
    "gelu": lambda a: a * (1 + mpmath.erf(a / mpmath.sqrt(2))) / 2,
    "gaussian": lambda a: mpmath.exp(-(a**2) / 2),
}
POINTS = [-2.5, -0.3, 0.0, 0.9, 3.0]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_derivatives_to_order_six(name):
    a = torch.tensor(POINTS, dtype=torch.float64)
    found = ACTIVATIONS[name].derivatives(a, 6)
    with mpmath.workdps(50):
        for order, values in enumerate(found):
            expected = [float(mpmath.diff(CLOSED_FORMS[name], mpmath.mpf(x), order)) for x in POINTS]
            assert values.tolist() == pytest.approx(expected, rel=1e-11, abs=1e-12)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("order", [0, 1])
def test_low_orders_agree_with_the_module(name, order):
    a = torch.tensor(POINTS, dtype=torch.float64)
    found = ACTIVATIONS[name].derivatives(a, order)
    assert len(found) == order + 1
    assert torch.allclose(found[0], ACTIVATIONS[name].module()(a), rtol=1e-14, atol=1e-15)


def test_cosine_is_the_derivative_of_sine():
    a = torch.tensor(POINTS, dtype=torch.float64)
    assert torch.equal(cosine(a, 2)[1], -torch.sin(a))
