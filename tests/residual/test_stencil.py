"""Finite volumes: against closed forms, the fem backend and random members; and what they refuse."""

import itertools
import math

import numpy as np
import pytest
import sympy as sp
import torch

import pdesolve as pde
from pdesolve.declare.family import Family
from pdesolve.residual.stencil import EllipticForm, Response, Stencil, converged

x, y, z, t = pde.coordinates("x y z t")
SQUARE = pde.Box((x, 0, 1), (y, 0, 1))
u = pde.unknown("u", x, y)
a = pde.coefficient("a", x, y)


def flow(medium, source, value=0, domain=SQUARE, **more):
    """-∇·(a ∇u) = f with values on the boundary."""
    equation = -(medium * u.diff(x)).diff(x) - (medium * u.diff(y)).diff(y) - source
    return pde.Problem("flow", [equation], domain, [pde.Dirichlet(u, value)], **more)


def sources(modes=3, boundary="dirichlet", sigma=3.0):
    """Δu = a with a Gaussian field; of sines, u has the closed form -s φ/λ."""

    def declare(a):
        return pde.Problem("sources", [u.diff(x, 2) + u.diff(y, 2) - a], SQUARE, [pde.Dirichlet(u, 0)])

    field = pde.GaussianField(SQUARE, sigma=sigma, modes=modes, boundary=boundary)
    return Family("sources", declare, {"a": field}, points=9)


def grids(stencil):
    return np.meshgrid(*stencil.axes, indexing="ij")


def field(expression, stencil, symbols=(x, y)):
    values = sp.lambdify(symbols, expression, "numpy")(*grids(stencil))
    return torch.as_tensor(np.broadcast_to(values, grids(stencil)[0].shape).copy())[None]


def relative(found, truth):
    return float((found - truth).norm() / truth.norm())


# -- the discrete operator -----------------------------------------------------------------------------


def test_the_solution_leaves_no_residual_whatever_the_coefficients():
    stencil = Stencil(EllipticForm(flow(a, 1 + x)), 14)
    generator = torch.Generator().manual_seed(0)
    medium = torch.exp(torch.randn(3, 14, 14, generator=generator, dtype=torch.float64))
    solved = stencil.solve({"a": medium}, rtol=1e-12)
    left, alone = (stencil.residual(v, {"a": medium}) for v in (solved, 0 * solved))
    assert float(left.norm()) < 1e-10 * float(alone.norm())


def test_the_operator_is_that_of_fluxes_through_faces():
    """By hand, node for node."""
    stencil = Stencil(EllipticForm(flow(a, 2)), 5)
    generator = torch.Generator().manual_seed(0)
    p, v = torch.rand(2, 5, 5, generator=generator, dtype=torch.float64).numpy()
    found = stencil.residual(torch.from_numpy(v)[None], {"a": torch.from_numpy(p)[None]})[0]
    for i, j in itertools.product((1, 2, 3), repeat=2):
        outward = [
            (p[i, j] + p[i + k, j + m]) / 2 * (v[i + k, j + m] - v[i, j])
            for k, m in ((1, 0), (-1, 0), (0, 1), (0, -1))
        ]
        assert float(found[i - 1, j - 1]) == pytest.approx(-16 * sum(outward) - 2)


def test_sines_are_solved_by_the_discrete_eigenvalue():
    stencil = Stencil(EllipticForm(sources().undetermined), 12)
    mode = field(sp.sin(sp.pi * x) * sp.sin(3 * sp.pi * y), stencil)
    eigenvalue = 4 * 11**2 * (math.sin(math.pi / 22) ** 2 + math.sin(3 * math.pi / 22) ** 2)
    assert torch.allclose(stencil.solve({"a": mode}), -mode / eigenvalue, atol=1e-14)


def test_quadratics_are_exact_with_their_values_on_the_boundary():
    """x² - y² on a box that is no square, its values different on each face."""
    domain = pde.Box((x, -1, 2), (y, 0, 1))
    form = EllipticForm(flow(sp.Integer(2), a, x**2 - y**2 + x + 3, domain, unknowns=(u, a)))
    stencil = Stencil(form, 9)
    truth = field(x**2 - y**2 + x + 3, stencil)
    assert torch.allclose(stencil.solve({"a": 0 * truth}, rtol=1e-13), truth, atol=1e-10)
    assert torch.equal(stencil.lift[0], truth[0, 0]) and torch.equal(stencil.lift[:, -1], truth[0, :, -1])


def test_faces_may_have_values_of_their_own():
    conditions = [pde.Dirichlet(u, 1, on="left"), pde.Dirichlet(u, 0, on=("right", "bottom", "top"))]
    problem = flow(a, 0).replace(conditions=conditions)
    stencil = Stencil(EllipticForm(problem), 9)
    solved = stencil.solve({"a": torch.ones(1, 9, 9, dtype=torch.float64)})[0]
    other = Stencil(EllipticForm(flow(a, 0, 1)), 9).solve({"a": torch.ones(1, 9, 9, dtype=torch.float64)})
    assert torch.all(solved[0, 1:-1] == 1) and torch.all(solved[-1] == 0)
    total = sum(solved.rot90(k) for k in range(4))  # the four faces in turn: one everywhere
    assert torch.allclose(total[1:-1, 1:-1], other[0, 1:-1, 1:-1], atol=1e-9)


@pytest.mark.parametrize("medium", [sp.exp(x - y / 2), 2 + sp.sin(3 * x) * sp.cos(2 * y)])
def test_errors_are_of_second_order(medium):
    """A manufactured solution in a smooth medium, with reaction and values on the boundary."""
    exact = sp.exp(x * y) * sp.cos(2 * x + y)
    reaction = 1 + x
    source = -(medium * exact.diff(x)).diff(x) - (medium * exact.diff(y)).diff(y) + reaction * exact
    problem = flow(a, source - reaction * u, exact)
    errors = []
    form = EllipticForm(problem)
    for n in (17, 33, 65):
        stencil = Stencil(form, n)
        errors.append(relative(stencil.solve({"a": field(medium, stencil)}), field(exact, stencil)))
    orders = [math.log2(errors[i] / errors[i + 1]) for i in (0, 1)]
    assert all(1.85 < order < 2.1 for order in orders) and errors[2] < 1e-3


def test_one_and_three_dimensions():
    v, b = pde.unknown("v", x), pde.coefficient("b", x)
    rod = pde.Problem(
        "rod", [(b * v.diff(x)).diff(x) - 1], pde.Interval(x, 0, 2), [pde.Dirichlet(v, 0)], unknowns=(v, b)
    )
    stencil = Stencil(EllipticForm(rod), 11)
    s = torch.from_numpy(stencil.axes[0])
    assert torch.allclose(stencil.solve({"b": 0 * s[None] + 4}), s * (s - 2) / 8, atol=1e-10)
    w, c = pde.unknown("w", x, y, z), pde.coefficient("c", x, y, z)
    equation = w.diff(x, 2) + 2 * w.diff(y, 2) + 3 * w.diff(z, 2) - c
    cube = pde.Box((x, 0, 1), (y, 0, 1), (z, 0, 1))
    block = Stencil(EllipticForm(pde.Problem("block", [equation], cube, [pde.Dirichlet(w, 0)])), 8)
    mode = field(sp.sin(sp.pi * x) * sp.sin(sp.pi * y) * sp.sin(2 * sp.pi * z), block, (x, y, z))
    one, two = (4 * 49 * math.sin(k * math.pi / 14) ** 2 for k in (1, 2))
    assert torch.allclose(block.solve({"c": mode}), -mode / (3 * one + 3 * two), atol=1e-13)


def test_a_jump_of_the_coefficient_converges():
    """-(a u')' = 1 with a jump in the middle of an interval, in closed form."""
    v, b = pde.unknown("v", x), pde.coefficient("b", x)
    rod = pde.Problem("rod", [-(b * v.diff(x)).diff(x) - 1], pde.Interval(x, 0, 1), [pde.Dirichlet(v, 0)])
    form, jump, (left, right) = EllipticForm(rod), 0.4137, (3.0, 12.0)

    def closed(s):
        # b v' = c - s; v continuous; v(1) = 0
        c = (jump**2 / left + (1 - jump**2) / right) / 2 / (jump / left + (1 - jump) / right)
        low = (c * s - s**2 / 2) / left
        at = (c * jump - jump**2 / 2) / left
        high = at + (c * (s - jump) - (s**2 - jump**2) / 2) / right
        return np.where(s < jump, low, high)

    errors = []
    for n in (17, 65, 257, 1025):
        stencil = Stencil(form, n)
        s = stencil.axes[0]
        medium = torch.from_numpy(np.where(s < jump, left, right))[None]
        truth = torch.from_numpy(closed(s))[None]
        errors.append(relative(stencil.solve({"b": medium}), truth))
    assert errors[3] < 2e-3 and errors[3] < errors[0] / 8


def test_members_side_by_side_are_those_alone():
    stencil = Stencil(EllipticForm(flow(a, 1)), 10)
    generator = torch.Generator().manual_seed(1)
    media = torch.exp(2 * torch.randn(4, 10, 10, generator=generator, dtype=torch.float64))
    media[0] = 1.0  # done after one iteration
    together = stencil.solve({"a": media}, rtol=1e-12)
    for k in range(4):
        assert relative(together[k], stencil.solve({"a": media[k : k + 1]}, rtol=1e-12)[0]) < 1e-10


# -- derivatives ---------------------------------------------------------------------------------------


def test_the_adjoint_is_the_derivative_of_the_solution():
    b = pde.coefficient("b", x, y)
    problem = flow(a, b - u, 1 + x)  # coefficient, source, reaction and values on the boundary
    stencil = Stencil(EllipticForm(problem), 5)
    generator = torch.Generator().manual_seed(2)
    medium, source = (
        (1 + torch.rand(2, 5, 5, generator=generator, dtype=torch.float64)).requires_grad_() for _ in range(2)
    )
    assert set(stencil.form.inputs) == {"a", "b"}
    assert torch.autograd.gradcheck(
        lambda p, f: stencil.solve({"a": p, "b": f}, rtol=1e-14)[:, 1:-1, 1:-1], (medium, source), atol=1e-7
    )


def test_the_derivative_of_a_solution_changes_nothing_of_its_values():
    stencil = Stencil(EllipticForm(flow(a, 1)), 9)
    medium = torch.ones(1, 9, 9, dtype=torch.float64) + field(x * y, stencil)
    plain = stencil.solve({"a": medium})
    assert torch.allclose(stencil.solve({"a": medium.requires_grad_()}), plain, rtol=1e-8)


# -- to a tolerance ------------------------------------------------------------------------------------


def test_estimates_bound_the_error():
    exact = sp.sin(2 * x + 1) * sp.exp(y)
    problem = flow(a, -((1 + x) * exact.diff(x)).diff(x) - ((1 + x) * exact.diff(y)).diff(y), exact)
    form = EllipticForm(problem)

    def draw(axes):
        grid = np.meshgrid(*axes, indexing="ij")[0]
        return {"a": torch.from_numpy(1 + grid)[None]}

    truth = field(exact, Stencil(form, 9))
    for rtol in (1e-3, 1e-5, 1e-7):
        values, errors = converged(form, draw, 9, rtol)
        assert relative(values, truth) <= float(errors[0]) <= rtol


def test_members_of_different_smoothness_are_each_judged_alone():
    """A jump beside a smooth member: the estimates of both are those of what finer nodes find.

    Behind a jump the difference of two levels is the error up to a factor, not a bound.
    """
    form = EllipticForm(flow(a, 1))

    def draw(axes):
        g, h = np.meshgrid(*axes, indexing="ij")
        return {"a": torch.from_numpy(np.stack([np.where(g + 0.3 * h > 0.63, 3.0, 12.0), 1 + g * h]))}

    values, errors = converged(form, draw, 9, 1e-2)
    stencil = Stencil(form, 513)
    finest = stencil.solve(draw(stencil.axes), rtol=1e-6)[:, ::64, ::64]
    for k in (0, 1):
        assert relative(values[k], finest[k]) <= (1.5, 1.0)[k] * float(errors[k]) <= 1.5e-2


def test_nothing_gives_nothing():
    """A member without source has the solution zero, and no error."""
    form = EllipticForm(sources().undetermined)
    values, errors = converged(form, lambda axes: {"a": torch.zeros(2, *map(len, axes)).double()}, 9, 1e-6)
    assert float(values.abs().max()) == 0 and float(errors.max()) == 0


def test_a_tolerance_out_of_reach_is_said(monkeypatch):
    from pdesolve.residual.stencil import levels

    monkeypatch.setattr(levels, "FINEST", 40)
    form = EllipticForm(flow(a, 1))
    with pytest.raises(ArithmeticError, match=r"33 nodes an axis; 1\.0e-09 was asked for"):
        converged(form, lambda axes: {"a": torch.ones(1, *map(len, axes)).double()}, 9, 1e-9)


@pytest.mark.parametrize("name", ["darcy-random-continuous", "helmholtz-random"])
def test_finite_elements_find_the_same(name):
    family = (
        pde.family("helmholtz-random", k=2)
        if name[0] == "h"
        else pde.family("darcy-random", variant="continuous")
    )
    form = EllipticForm(family.undetermined)
    values, _ = converged(
        form, lambda axes: {"a": torch.from_numpy(family.values(3, axes)["a"])[None]}, 9, 1e-5
    )
    solution = pde.solve(family.sample(3).replace(reference=None), "fem", rtol=1e-3, progress=False)
    points = np.stack([g.ravel() for g in np.meshgrid(*form.axes(9), indexing="ij")], axis=1)
    other = torch.from_numpy(solution(points)[:, 0].reshape(9, 9))
    assert relative(values[0], other) < 2e-3


# -- refusals ------------------------------------------------------------------------------------------

v = pde.unknown("v", x, y)
laplacian = u.diff(x, 2) + u.diff(y, 2)


def steady(equation, conditions=None, domain=SQUARE, **more):
    return pde.Problem(
        "p", [equation], domain, [pde.Dirichlet(u, 0)] if conditions is None else conditions, **more
    )


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: steady(laplacian + u**2 - a), "linear"),
        (lambda: steady((u * u.diff(x)).diff(x) + u.diff(y, 2) - a), "linear"),
        (lambda: steady(laplacian + u.diff(x, y) - a), "mixed"),
        (lambda: steady(laplacian + u.diff(x) - a), "advection"),
        (lambda: steady(a * laplacian - 1), "advection"),
        (lambda: steady(laplacian - a.diff(x) - a), "differentiated"),
        (
            lambda: steady(
                laplacian - a,
                [pde.Neumann(u, 0, on="left"), pde.Dirichlet(u, 0, on=("right", "top", "bottom"))],
            ),
            "given on the boundary",
        ),
        (lambda: steady(laplacian - a, [pde.Robin(u, 0, a=1, b=1)]), "given on the boundary"),
        (lambda: steady(laplacian - a, [pde.Dirichlet(u, lambda points: points[:, 0])]), "by expressions"),
        (
            lambda: steady(
                laplacian - a, [pde.Periodic(u, along=x), pde.Dirichlet(u, 0, on=("bottom", "top"))]
            ),
            "given on the",
        ),
        (lambda: steady(u.diff(x, 2) - a, [pde.Dirichlet(u, 0, on=("left", "right"))]), "along each axis"),
        (lambda: pde.catalogue("poisson-l-shape"), "boxes"),
        (lambda: pde.catalogue("heat-2d"), "steady"),
        (
            lambda: pde.Problem(
                "two",
                [laplacian - v, v.diff(x, 2) + v.diff(y, 2) - a],
                SQUARE,
                [pde.Dirichlet(u, 0), pde.Dirichlet(v, 0)],
            ),
            "one equation",
        ),
    ],
)
def test_what_it_is_not_made_for_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        EllipticForm(make())


def test_too_few_nodes_are_refused():
    with pytest.raises(ValueError, match="at least 4"):
        Stencil(EllipticForm(sources().undetermined), 3)


def test_resonance_is_said_and_not_answered():
    for k, definite in ((4.0, True), (5.0, False)):  # the first resonance is at √2 π = 4.44
        form = EllipticForm(steady(laplacian + k**2 * u - a))
        fields = {"a": torch.ones(1, 9, 9, dtype=torch.float64)}
        if definite:
            stencil = Stencil(form, 9)
            assert float(stencil.residual(stencil.solve(fields), fields).abs().max()) < 1e-8
        else:
            with pytest.raises(ArithmeticError, match="not definite"):
                Stencil(form, 9).solve(fields)


def test_operators_that_are_not_elliptic_do_not_converge():
    form = EllipticForm(steady(u.diff(x, 2) - u.diff(y, 2) - a))
    with pytest.raises(ArithmeticError):
        Stencil(form, 9).solve(
            {"a": torch.randn(1, 9, 9, generator=torch.Generator().manual_seed(0)).double()}
        )


def test_what_is_affine_is_told_from_what_is_not():
    assert EllipticForm(steady(laplacian + 3 * u - a)).is_affine
    assert EllipticForm(steady(laplacian - 2 * a * x + 1)).is_affine
    assert not EllipticForm(steady(laplacian - a**2)).is_affine
    assert not EllipticForm(steady(laplacian + a * u - 1)).is_affine
    assert not EllipticForm(flow(a, 1)).is_affine


# -- the Gaussian law ----------------------------------------------------------------------------------


def sines(k, points):
    return 2 * np.sin(np.pi * k[0] * points[:, 0]) * np.sin(np.pi * k[1] * points[:, 1])


def modes(count, sigma, tau=3.0):
    """(k, deviation, eigenvalue) of 3 (-Δ + 9)^-1 under zero values, by hand."""
    for k in itertools.product(range(1, count + 1), repeat=2):
        eigenvalue = np.pi**2 * (k[0] ** 2 + k[1] ** 2)
        yield k, sigma / (eigenvalue + tau**2), eigenvalue


@pytest.fixture(scope="module")
def response():
    return Response(sources().undetermined, 13, rtol=1e-7)


def test_the_covariance_is_that_of_the_closed_form(response):
    points = np.random.default_rng(0).uniform(size=(20, 2))
    mine = list(modes(3, 3.0))
    source = np.stack([s * sines(k, points) for k, s, _ in mine], axis=1)
    solution = np.stack([-s / eigenvalue * sines(k, points) for k, s, eigenvalue in mine], axis=1)
    (mean_u, factor_u), (mean_a, factor_a) = response.at("u", points), response.at("a", points)
    assert response.names == ("u", "a") and np.all(mean_u == 0) and np.all(mean_a == 0)
    for found, truth in (
        (factor_a @ factor_a.T, source @ source.T),
        (factor_u @ factor_a.T, solution @ source.T),
        (factor_u @ factor_u.T, solution @ solution.T),
    ):
        assert np.abs(found - truth).max() < 5e-4 * np.abs(truth).max()  # splines between 13 nodes


def test_values_at_nodes_are_those_of_the_grid(response):
    points = np.stack([g.ravel() for g in np.meshgrid(*response.axes, indexing="ij")], axis=1)
    for channel, name in enumerate(response.names):
        mean, factor = response.at(name, points)
        assert np.allclose(mean, response.mean[channel].ravel(), atol=1e-14)
        assert np.allclose(factor, response.factor[channel].reshape(169, -1), atol=1e-12)
    exact = np.stack([-s / e * sines(k, points) for k, s, e in modes(3, 3.0)], axis=1)
    found = response.factor[0].reshape(169, -1)
    assert np.linalg.norm(found @ found.T - exact @ exact.T) < 1e-6 * np.linalg.norm(exact @ exact.T)


def test_the_covariance_is_that_of_random_members():
    """Neumann fields, inhomogeneous boundary and reaction: against the members of the family themselves."""

    def declare(a):
        return steady(laplacian + u - a, [pde.Dirichlet(u, x / 10)])

    law = pde.GaussianField(SQUARE, sigma=3, modes=4, boundary="neumann", zero_mean=True)
    family = Family("others", declare, {"a": law})
    found = Response(family.undetermined, 9)
    form, count = EllipticForm(family.undetermined), 600
    stencil = Stencil(form, 33)
    drawn = np.stack([family.values((1, i), stencil.axes)["a"] for i in range(count)])
    solved = stencil.solve({"a": torch.from_numpy(drawn)}, rtol=1e-6).numpy()
    places = [(8, 12), (16, 16), (24, 4)]
    members = np.array(
        [[s[p] for p in places] + [d[p] for p in places] for s, d in zip(solved, drawn, strict=True)]
    )
    at = np.array([[i / 32, j / 32] for i, j in places])
    mean = np.concatenate([found.at(name, at)[0] for name in ("u", "a")])
    factor = np.concatenate([found.at(name, at)[1] for name in ("u", "a")])
    covariance = factor @ factor.T
    deviation = np.sqrt(np.diag(covariance))
    assert np.all(np.abs(members.mean(axis=0) - mean) < 4 * deviation / count**0.5)
    correlation = (np.cov(members.T) - covariance) / np.outer(deviation, deviation)
    assert np.abs(correlation).max() < 4 * (2 / count) ** 0.5


def test_a_member_is_the_sum_of_its_modes():
    """The coefficients of one draw, read off its series, give the solution that the equations have."""
    family = sources(modes=3, boundary="neumann", sigma=2.0)
    found = Response(family.undetermined, 9, rtol=1e-7)
    law = family.inputs["a"]
    drawn = law.series(np.random.default_rng([5, 0]))  # the stream of family.values(5)
    weights = (drawn.coefficients / law.deviations()).ravel()
    form = EllipticForm(family.undetermined)
    values = family.values(5, form.axes(9))["a"]
    assert np.allclose(found.factor[1] @ weights, values, atol=1e-12)
    solved, _ = converged(
        form, lambda axes: {"a": torch.from_numpy(family.values(5, axes)["a"])[None]}, 9, 1e-7
    )
    u_found = found.mean[0] + found.factor[0] @ weights
    assert np.linalg.norm(u_found - solved[0].numpy()) < 1e-6 * np.linalg.norm(u_found)


def test_laws_that_are_not_gaussian_have_no_response():
    with pytest.raises(ValueError, match="Gaussian fields"):
        Response(pde.family("darcy-random").undetermined, 9)
    with pytest.raises(ValueError, match="Gaussian fields"):
        Response(sources().undetermined.replace(priors={}), 9)

    def declare(a):
        return flow(sp.exp(a), 1)

    family = Family("media", declare, {"a": pde.GaussianField(SQUARE, modes=2)})
    with pytest.raises(ValueError, match="affine"):
        Response(family.undetermined, 9)
