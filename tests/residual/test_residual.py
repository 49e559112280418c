"""Values, gradient and Jacobian against nested autograd, and compilation that proves itself."""

import numpy as np
import pytest
import sympy as sp
import torch

import pdesolve.declare as pde
from pdesolve.residual import compilation
from pdesolve.residual.ansatz import build_ansatz
from pdesolve.residual.compilation import CompilationWarning
from pdesolve.residual.model import Model
from pdesolve.residual.networks import box_features, mlp
from pdesolve.residual.program import Program
from pdesolve.residual.residual import Residual

x, t = pde.coordinates("x t")
u, v = pde.unknown("u v", x, t)


def burgers():
    return pde.Problem(
        "burgers",
        [u.diff(t) + u * u.diff(x) - sp.Rational(1, 50) * u.diff(x, 2)],
        pde.Interval(x, -1, 1) * pde.Time(t, 0, 1),
        [pde.Initial(u, -sp.sin(sp.pi * x)), pde.Dirichlet(u, 0)],
    )


def coupled():
    """Two unknowns, soft conditions, a mixed derivative and an unknown parameter."""
    k = pde.parameter("k", unknown=True, start=0.5, positive=True)
    grid = np.stack([np.linspace(0, 1, 5), np.linspace(0, 1, 5)], axis=1)
    return pde.Problem(
        "coupled",
        {"first": u.diff(t) - k * u.diff(x, 2) + u * v, "second": v.diff(t) - v.diff(x, 2) + v - u**2},
        pde.Interval(x, 0, 1) * pde.Time(t, 0, 1),
        [
            pde.Initial(u, sp.cos(x)),
            pde.Initial(v, x),
            pde.Robin(u, 1, on="left", a=2, b=1),
            pde.Neumann(u, 0, on="right"),
            pde.Dirichlet(v, lambda p: np.cos(p[:, 1]) * p[:, 0]),
            pde.Observations(u, grid, np.ones(5)),
        ],
    )


def residual(problem, n=64, dtype=torch.float64, **options):
    program = Program(problem)
    ansatz = build_ansatz(problem)
    g = torch.Generator().manual_seed(0)
    network = mlp(box_features(problem.domain, ansatz.periodic), len(problem.unknowns), g, width=8, depth=2)
    made = Residual(program, Model(program, network, ansatz), dtype=dtype, **options)
    rng = np.random.default_rng(0)
    batch = made.batch([made.terms[g[0]].term.sample(problem.domain, n, rng) for g in made.groups])
    return made, network, batch


def nested_burgers_loss(made, network, theta, p):
    """The same loss by nested autograd.grad on u = -sin(πx) + 4 s (1 - s) t N, s = (x + 1)/2."""
    p = p.clone().requires_grad_()
    named = {name.removeprefix("model.network."): value for name, value in made.unflatten(theta).items()}
    n = torch.func.functional_call(
        network, {k: w for k, w in named.items() if not k.startswith("model.")}, (p,)
    )[:, 0]
    value = -torch.sin(torch.pi * p[:, 0]) + (1 - p[:, 0] ** 2) * p[:, 1] * n
    (first,) = torch.autograd.grad(value.sum(), p, create_graph=True)
    (second,) = torch.autograd.grad(first[:, 0].sum(), p, create_graph=True)
    return ((first[:, 1] + value * first[:, 0] - second[:, 0] / 50) ** 2).mean()


def test_loss_and_gradient_equal_nested_autograd():
    made, network, batch = residual(burgers())
    theta = made.start()
    loss, gradient = made.loss_and_gradient(theta, batch)
    variable = theta.clone().requires_grad_()
    expected = nested_burgers_loss(made, network, variable, batch[0].points)
    expected.backward()
    assert float(loss) == pytest.approx(float(expected.detach()), rel=1e-12)
    assert torch.allclose(gradient, variable.grad, rtol=1e-10, atol=1e-13)


def test_jacobian_rows_products_and_gradient_agree():
    made, _, batch = residual(coupled(), n=11)
    theta = made.start() + 0.01
    jacobian, rows = made.jacobian(theta, batch), made.rows(theta, batch)
    loss, gradient = made.loss_and_gradient(theta, batch)
    assert jacobian.shape == (len(rows), len(theta))
    assert torch.allclose(2 * jacobian.T @ rows, gradient, rtol=1e-10, atol=1e-12)
    assert float(rows @ rows) == pytest.approx(float(loss), rel=1e-13)
    g = torch.Generator().manual_seed(1)
    vector = torch.randn(len(theta), generator=g, dtype=theta.dtype)
    assert torch.allclose(made.jvp(theta, batch, vector), jacobian @ vector, rtol=1e-10, atol=1e-12)
    assert torch.allclose(made.vjp(theta, batch, rows), jacobian.T @ rows, rtol=1e-10, atol=1e-12)
    # and a difference quotient, which knows nothing of derivatives
    step = 1e-6
    quotient = (made.rows(theta + step * vector, batch) - made.rows(theta - step * vector, batch)) / (
        2 * step
    )
    assert torch.allclose(quotient, jacobian @ vector, rtol=1e-6, atol=1e-7)


def test_unknown_parameters_are_part_of_theta():
    made, _, batch = residual(coupled())
    theta = made.start()
    assert made.parameters(theta) == {"k": pytest.approx(0.5)}
    # raw value is log k: a step of log 2 doubles it
    position = [name for name, _ in made._holder.named_parameters()].index("model.raw_parameters")
    offset = sum(p.numel() for p in list(made._holder.parameters())[:position])
    theta[offset] += np.log(2)
    assert made.parameters(theta)["k"] == pytest.approx(1.0)
    _, gradient = made.loss_and_gradient(theta, batch)
    assert gradient[offset] != 0


def test_blocks_give_the_same_loss_and_pad_with_weight_zero():
    made, _, batch = residual(coupled(), n=100)
    theta = made.start()
    blocks = made.blocks(batch, size=33)
    assert len(blocks) == 4
    assert len({tuple(group.points.shape for group in block) for block in blocks}) == 1
    whole, pieces = made.loss_and_gradient(theta, [batch]), made.loss_and_gradient(theta, blocks)
    assert float(pieces[0]) == pytest.approx(float(whole[0]), rel=1e-12)
    assert torch.allclose(pieces[1], whole[1], rtol=1e-10, atol=1e-13)


def test_float32_agrees_to_its_round_off():
    exact, _, batch = residual(burgers())
    single, _, batch32 = residual(burgers(), dtype=torch.float32)
    loss, gradient = exact.loss_and_gradient(exact.start(), batch)
    loss32, gradient32 = single.loss_and_gradient(single.start(), batch32)
    assert loss32.dtype == gradient32.dtype == torch.float32
    assert float(loss32) == pytest.approx(float(loss), rel=1e-5)
    assert float((gradient32.double() - gradient).norm() / gradient.norm()) < 1e-5


def test_compiled_equals_eager_without_a_graph_break():
    eager, _, batch = residual(coupled())
    compiled, _, _ = residual(coupled(), compile=True)
    theta = eager.start()
    expected = eager.loss_and_gradient(theta, batch)
    compiled.loss_and_gradient(theta, batch)  # compiles with fullgraph=True and compares
    assert compiled.is_compiled
    found = compiled.loss_and_gradient(theta + 0.1, batch)
    again = eager.loss_and_gradient(theta + 0.1, batch)
    assert float(found[0]) == pytest.approx(float(again[0]), rel=1e-12)
    assert torch.allclose(found[1], again[1], rtol=1e-10, atol=1e-13)
    assert not torch.equal(expected[1], again[1])


def test_a_wrong_compiler_is_caught(monkeypatch):
    """A compiled function with other values must never be used, and the user must be told."""

    def wrong_compile(function, **options):
        def off(*args):
            gradient, loss = function(*args)
            return gradient * (1 + 1e-4), loss

        return off

    monkeypatch.setattr(compilation.torch, "compile", wrong_compile)
    made, _, batch = residual(burgers(), compile=True)
    eager, _, _ = residual(burgers())
    theta = made.start()
    with pytest.warns(CompilationWarning, match=r"differ by 1\.0e-04"):
        found = made.loss_and_gradient(theta, batch)
    assert not made.is_compiled
    assert torch.equal(found[1], eager.loss_and_gradient(theta, batch)[1])


def test_a_refusing_compiler_is_explained(monkeypatch):
    def refuse(function, **options):
        raise RuntimeError("no C++ compiler found\nlong trace")

    monkeypatch.setattr(compilation.torch, "compile", refuse)
    made, _, batch = residual(burgers(), compile=True)
    with pytest.warns(CompilationWarning, match="no C\\+\\+ compiler found"):
        made.loss_and_gradient(made.start(), batch)
    made.loss_and_gradient(made.start(), batch)  # eager from now on, without another warning


def test_cuda_agrees_with_the_cpu():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    cpu, _, batch = residual(coupled())
    cuda, _, batch_cuda = residual(coupled(), device="cuda")
    theta = cpu.start()
    expected, found = cpu.loss_and_gradient(theta, batch), cuda.loss_and_gradient(theta.cuda(), batch_cuda)
    assert float(found[0]) == pytest.approx(float(expected[0]), rel=1e-11)
    assert torch.allclose(found[1].cpu(), expected[1], rtol=1e-9, atol=1e-12)


def test_many_functions_compile_in_one_process():
    """The compiler's limit of eight recompilations must not count different problems together."""
    points = torch.linspace(0, 1, 8, dtype=torch.float64)
    for k in range(10):
        made = compilation.Compiled(torch.func.grad(lambda z, k=k: (z**2).sum() * k), "a test")
        assert torch.allclose(made(points[: k % 7 + 1]), 2 * k * points[: k % 7 + 1])
        assert made.active


def test_terms_on_one_region_share_points_and_network_evaluations(monkeypatch):
    """Two equations need one network evaluation, not two; three-equation flows would pay threefold."""
    from pdesolve.residual import model as module

    made, _, batch = residual(coupled())
    names = [[made.terms[i].name for i in group] for group in made.groups]
    assert names[0] == ["first", "second"]
    assert ["neumann u on right", "dirichlet v on right"] in names
    assert ["observations u"] in names
    calls = []
    real = module.network_jet
    monkeypatch.setattr(module, "network_jet", lambda *args: calls.append(1) or real(*args))
    made.values(made.start(), batch[:1])
    assert len(calls) == 1
