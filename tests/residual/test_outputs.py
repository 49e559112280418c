"""Output maps: velocities from a stream function, against autograd, and what must vanish."""

import numpy as np
import pytest
import sympy as sp
import torch

import pdesolve.declare as pde
from pdesolve.problems import catalogue
from pdesolve.residual.ansatz import build_ansatz
from pdesolve.residual.model import Model
from pdesolve.residual.networks import make_network
from pdesolve.residual.outputs import OutputMap, identity_map, stream_function_map
from pdesolve.residual.program import Program
from pdesolve.residual.residual import Residual

x, y, t = pde.coordinates("x y t")


def made_with(problem, outputs, seed=0):
    program, ansatz = Program(problem), build_ansatz(problem)
    count = len(problem.unknowns) if outputs is None else outputs.channels
    g = torch.Generator().manual_seed(seed)
    net = make_network("mlp", problem.domain, count, g, periodic=ansatz.periodic, width=8, depth=2)
    return Residual(program, Model(program, net, ansatz, outputs)), net


def points(problem, n=20):
    return torch.tensor(problem.domain.sample(n, np.random.default_rng(0)))


@pytest.mark.parametrize("name", ["kovasznay", "taylor-green", "lid-driven-cavity"])
def test_the_divergence_vanishes_to_round_off_and_is_no_row(name):
    problem = catalogue(name)
    outputs = stream_function_map(problem)
    assert outputs is not None
    assert outputs.channels == 2
    made, _ = made_with(problem, outputs)
    d = len(problem.coordinates)
    wanted = [(0, tuple(np.eye(d, dtype=int)[0])), (1, tuple(np.eye(d, dtype=int)[1])), (0, (0,) * d)]
    u_x, v_y, u = made.derivatives(made.start(), points(problem), wanted)
    assert float(u_x.abs().max()) > 1e-2
    assert float((u_x + v_y).abs().max()) <= 1e-14 * float(u_x.abs().max())
    assert float(u.abs().max()) > 1e-2
    names = {term.name for term in made.terms}
    assert "continuity" not in names
    assert any(name.startswith("momentum") for name in names)


def test_velocities_are_the_curl_of_the_first_channel_and_the_pressure_the_second():
    problem = catalogue("kovasznay")
    made, net = made_with(problem, stream_function_map(problem))
    at = points(problem).requires_grad_()
    psi, plain = net(at).unbind(1)
    (gradient,) = torch.autograd.grad(psi.sum(), at)
    u, v, p = made.derivatives(made.start(), at.detach(), [(k, (0, 0)) for k in range(3)])
    assert torch.allclose(u, gradient[:, 1], rtol=1e-12)
    assert torch.allclose(v, -gradient[:, 0], rtol=1e-12)
    # the pressure keeps its exact outflow condition, L + F N with F = 0 on the right
    right = torch.tensor(problem.domain.sample(9, np.random.default_rng(0), "right"))
    exact = (1 - torch.exp(2 * wavenumber(20) * right[:, 0])) / 2
    assert torch.allclose(made.derivatives(made.start(), right, [(2, (0, 0))])[0], exact, rtol=1e-12)
    assert not torch.allclose(p, plain.detach())
    names = {term.name for term in made.terms}
    assert not any(name.startswith("dirichlet p") for name in names)
    assert sum(name.startswith(("dirichlet u", "dirichlet v")) for name in names) == 8


def wavenumber(reynolds):
    return reynolds / 2 - np.sqrt(reynolds**2 / 4 + 4 * np.pi**2)


def test_jacobian_rows_take_the_fast_path_and_equal_differentiation():
    problem = catalogue("kovasznay")
    made, _ = made_with(problem, stream_function_map(problem))
    assert all(taps is not None for taps in made._taps)
    rng = np.random.default_rng(0)
    batch = made.batch([made.terms[g[0]].term.sample(problem.domain, 3, rng) for g in made.groups])
    theta = made.start()
    expected = torch.func.jacrev(lambda th: made.rows(th, batch))(theta)
    assert torch.allclose(made.jacobian(theta, batch), expected, rtol=1e-9, atol=1e-11)


def test_any_combination_of_channels():
    """u = 2 ψ_xx - 3 φ and v = φ_y, with their own derivatives."""
    u, v = pde.unknown("u v", x, y)
    problem = pde.Problem(
        "pair",
        {"first": u.diff(x, 2) + u.diff(y, 2) + v, "second": v.diff(x, 2) + v.diff(y, 2) + u},
        pde.Box((x, 0, 1), (y, 0, 1)),
        [pde.Dirichlet(u, 0), pde.Dirichlet(v, 0)],
    )
    outputs = OutputMap((((2.0, 0, (2, 0)), (-3.0, 1, (0, 0))), ((1.0, 1, (0, 1)),)), 2)
    made, net = made_with(problem, outputs)
    plain = Model(Program(problem), net, build_ansatz(problem, exact=False))
    wanted = ((0, (3, 0)), (1, (1, 0)), (0, (2, 1)), (1, (1, 1)))
    plain.prepare(wanted)
    with torch.no_grad():
        psi_xxx, phi_x, _, phi_xy = plain.derivatives(points(problem), wanted)
    found = made.derivatives(made.start(), points(problem), [(0, (1, 0)), (1, (1, 0))])
    assert torch.allclose(found[0], 2 * psi_xxx - 3 * phi_x, rtol=1e-12)
    assert torch.allclose(found[1], phi_xy, rtol=1e-12)
    assert not made.model.ansatz.exact


def test_the_identity_map_is_the_default():
    problem = catalogue("kovasznay")
    (default, _), (mapped, _) = made_with(problem, None), made_with(problem, identity_map(problem))
    wanted = [(0, (1, 0)), (1, (0, 2)), (2, (0, 0))]
    for a, b in zip(
        *(m.derivatives(m.start(), points(problem), wanted) for m in (default, mapped)), strict=True
    ):
        assert torch.equal(a, b)
    assert default.active == mapped.active
    assert default.model.ansatz == build_ansatz(problem)


# -- where a stream function is found ----------------------------------------------------------------


def stokes(continuity, periodic=(), start=None, order=("u", "v", "p")):
    """A Stokes flow with another equation of continuity; walls where it is not periodic."""
    fields = dict(zip(("u", "v", "p"), pde.unknown("u v p", x, y, t), strict=True))
    u, v, p = fields.values()
    begin = start or (sp.sin(x), sp.sin(y))
    conditions = [pde.Initial(u, begin[0]), pde.Initial(v, begin[1]), pde.Value(p, 0, at={x: 0, y: 0})]
    if periodic:
        conditions += [pde.Periodic(w, c) for w in (u, v, p) for c in periodic]
    walls = {x: ("left", "right"), y: ("bottom", "top")}
    for c in (x, y):
        if c not in periodic:
            conditions += [pde.Dirichlet(w, 0, on=side) for w in (u, v) for side in walls[c]]
    return pde.Problem(
        "stokes",
        {
            "x": u.diff(t) - u.diff(x, 2) - u.diff(y, 2) + p.diff(x),
            "y": v.diff(t) - v.diff(x, 2) - v.diff(y, 2) + p.diff(y),
            "mass": continuity(u, v),
        },
        pde.Box((x, 0, 2 * sp.pi), (y, 0, 2 * sp.pi)) * pde.Time(t, 0, 1),
        conditions,
        unknowns=tuple(fields[name] for name in order),
    )


@pytest.mark.filterwarnings("ignore::pdesolve.declare.errors.CompatibilityWarning")
@pytest.mark.parametrize(
    ("continuity", "order", "shares"),
    [
        (
            lambda u, v: u.diff(x) + v.diff(y),
            "uvp",
            [(1.0, 0, (0, 1, 0)), (-1.0, 0, (1, 0, 0)), (1.0, 1, (0, 0, 0))],
        ),
        (
            lambda u, v: -3 * (v.diff(y) + u.diff(x)),
            "pvu",
            [(1.0, 1, (0, 0, 0)), (-1.0, 0, (1, 0, 0)), (1.0, 0, (0, 1, 0))],
        ),
        (lambda u, v: u.diff(x) + v.diff(y) - sp.sin(x), "uvp", None),
        (lambda u, v: u.diff(x) + 2 * v.diff(y), "uvp", None),
        (lambda u, v: u.diff(x) - v.diff(y), "uvp", None),
        (lambda u, v: x * u.diff(x) + x * v.diff(y), "uvp", None),
        (lambda u, v: u.diff(y) + u.diff(x), "uvp", None),
        (lambda u, v: u.diff(x) + v.diff(y) + u, "uvp", None),
    ],
)
def test_the_equation_of_continuity_is_recognised(continuity, order, shares):
    outputs = stream_function_map(stokes(continuity, order=tuple(order)))
    if shares is None:
        assert outputs is None
    else:
        assert outputs == OutputMap(tuple((share,) for share in shares), 2, frozenset({"mass"}))


@pytest.mark.filterwarnings("ignore::pdesolve.declare.errors.CompatibilityWarning")
@pytest.mark.parametrize(
    ("periodic", "start", "is_found"),
    [
        ((x, y), (sp.sin(y), sp.cos(x)), True),
        ((x, y), (1 + sp.sin(y), sp.cos(x)), False),  # a mean of u, which no periodic ψ has
        ((x, y), (sp.sin(y), sp.Integer(1)), False),
        ((x,), (sp.sin(y) ** 2, sp.sin(y) * sp.cos(x)), True),  # along x alone: u may have a mean
        ((x,), (sp.sin(y), sp.sin(y) + sp.sin(y) * sp.cos(x)), False),
    ],
)
def test_a_mean_flow_along_a_periodic_axis_has_no_periodic_stream_function(periodic, start, is_found):
    problem = stokes(lambda u, v: u.diff(x) + v.diff(y), periodic, start)
    assert (stream_function_map(problem) is not None) == is_found


@pytest.mark.parametrize("name", ["burgers", "navier-stokes-torus"])
def test_other_problems_have_none(name):
    assert stream_function_map(catalogue(name)) is None


def test_flow_in_space_has_none():
    assert stream_function_map(catalogue("taylor-green", dimension=3)) is None
