"""Multi-domain PINNs: folding, interface residuals, fields of parts, closed forms with layers and jumps."""

import numpy as np
import pytest
import sympy as sp
import torch

import pdesolve as pde
from pdesolve.backends.base import BackendOptionError
from pdesolve.backends.pinn import PINN, Subdomains
from pdesolve.backends.pinn.interface import CONDITIONS, flux
from pdesolve.backends.pinn.subdomains import fold
from pdesolve.conformance import BackendConformance
from pdesolve.residual.networks import make_network
from pdesolve.residual.networks.parallel import Parallel, parallel
from pdesolve.solution.field import Field

x, y, t = pde.coordinates("x y t")
u = pde.unknown("u", x)
v = pde.unknown("v", x, t)
SMALL = {"width": 8, "depth": 2, "points": 100, "points_boundary": 20, "sampler": "fixed", "compile": False}


class TestSubdomains(BackendConformance):
    backend = PINN(subdomains=Subdomains((0.5,)), **SMALL)
    steps = 24
    tolerance = 1e-5

    def problem(self):
        return pde.catalogue("two-materials")

    def unsupported(self):
        return pde.catalogue("poisson-l-shape")


class Copies(Field):
    """The exact field on the parts of a folded problem, by the parts' own maps."""

    def __init__(self, folded, expressions):
        self.folded, self.expressions = folded, expressions

    def derivatives(self, points, wanted):
        result = []
        for k, index in wanted:
            part = self.folded.parts[k // len(self.expressions)]
            e = self.expressions[k % len(self.expressions)].subs(x, part.place)
            for symbol, order in zip(self.folded.problem.coordinates, index, strict=True):
                e = e.diff(symbol, order) if order else e
            f = sp.lambdify(self.folded.problem.coordinates, e, "numpy")
            result.append(np.broadcast_to(f(*points.T), (len(points),)).astype(float))
        return result

    def arrays(self):
        return {}


def kdv(exact):
    return pde.Problem(
        "any",
        {"KdV": v.diff(t) + v * v.diff(x) + v.diff(x, 3) / 50 + v.diff(x, 2, t)},
        pde.Interval(x, 0, 3) * pde.Time(t, 0, 1),
        [pde.Initial(v, exact.subs(t, 0)), pde.Periodic(v)],
    ).manufacture(v=exact)


@pytest.mark.parametrize("cuts", [(1.0,), (0.5, 1.2, 2.0)])
def test_a_smooth_field_satisfies_all_terms_of_the_folded_problem(cuts):
    """Equations on every part and all five interface conditions at every cut, the periodic seam included."""
    exact = sp.sin(2 * sp.pi * x / 3) * sp.exp(-t)
    folded = fold(kdv(exact), Subdomains(cuts, conditions=CONDITIONS))
    field = Copies(folded, [exact])
    problem = folded.problem
    assert len(folded.parts) == len(cuts) + 1
    interfaces = [term for term in problem.terms if term.name.startswith("interface")]
    # u and u_x continuous, one flux, one gradient, E and its derivative; at each cut and at the seam
    assert len(interfaces) == 6 * (len(cuts) + 1)
    for term in problem.terms:
        points = term.sample(problem.domain, 32, np.random.default_rng(0))
        found = problem.derivatives(term.expression)
        symbols = {node: sp.Dummy() for node in found}
        f = sp.lambdify([*symbols.values(), *problem.coordinates], term.expression.xreplace(symbols))
        values = f(*field.derivatives(points, list(found.values())), *points.T)
        assert np.abs(values).max() < 1e-9, term.name


def test_the_joined_field_has_the_derivatives_of_the_whole():
    exact = sp.sin(2 * sp.pi * x / 3) * sp.exp(-t)
    problem = kdv(exact)
    folded = fold(problem, Subdomains((0.5, 1.2, 2.0)))
    joined = folded.field(Copies(folded, [exact]))
    points = problem.domain.sample(200, np.random.default_rng(0))
    for index in ((0, 0), (1, 0), (0, 1), (2, 1)):
        (found,) = joined.derivatives(points, [(0, index)])
        e = exact
        for symbol, order in zip((x, t), index, strict=True):
            e = e.diff(symbol, order) if order else e
        assert np.allclose(found, sp.lambdify((x, t), e)(*points.T), atol=1e-10)


def test_parts_are_where_they_lie():
    problem = pde.catalogue("poisson")
    folded = fold(problem, Subdomains((0.25, 0.7)))
    points = problem.domain.sample(100, np.random.default_rng(0))
    for part in folded.parts:
        own = points[(points[:, 0] > part.lower) & (points[:, 0] < part.upper)]
        assert len(own) > 10
        assert np.allclose(part.unfold(part.fold(own)), own, atol=1e-15)
    # both sides of the first cut lie at the upper end, of the second at the lower end
    ends = [
        part.fold(np.array([[part.lower, 0.5], [part.upper, 0.5]]))[:, 0].tolist() for part in folded.parts
    ]
    assert ends == [[0, 1], [1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("equation", "expected"),
    [
        (-((1 + x**2) * u.diff(x)).diff(x) - 1, -(1 + x**2) * u.diff(x)),
        ((u**2 / 2).diff(x) - (u * u.diff(x)).diff(x), u**2 / 2 - u * u.diff(x)),
        (3 * u.diff(x) + u, 3 * u),
        (u.diff(x, 4) + u.diff(x, 2) - x, u.diff(x, 3) + u.diff(x)),
    ],
)
def test_the_flux_is_what_the_equation_is_the_divergence_of(equation, expected):
    degree = max(n.derivative_count for n in equation.doit().atoms(sp.Derivative))
    ends = [pde.Dirichlet(u, 0, on="left")] if degree == 1 else [pde.Dirichlet(u, 0)]
    if degree == 4:
        ends.append(pde.Neumann(u, 0))
    problem = pde.Problem("flux", [equation], pde.Interval(x, 0, 1), ends)
    assert sp.simplify(flux(problem, problem.equations["equation"], 0) - expected) == 0


def test_a_jumping_coefficient_needs_the_flux():
    """The gradient jumps tenfold: continuous gradients give another problem's solution."""
    problem = pde.catalogue("two-materials", ratio=10)
    right, wrong = (
        pde.solve(
            problem, PINN(subdomains=Subdomains((0.5,), conditions=c), **SMALL), steps=15, progress=False
        )
        for c in (("solution", "flux"), ("solution", "gradient"))
    )
    assert right.error().relative_l2 < 1e-5
    assert wrong.error().relative_l2 > 0.3
    # flux, not gradient, is continuous: (1) u'(1/2-) = (10) u'(1/2+)
    around = np.array([[0.5 - 1e-9], [0.5 + 1e-9]])
    below, above = right.derivative(around, problem.unknowns[0].diff(problem.coordinates[0])).ravel()
    assert below == pytest.approx(10 * above, rel=1e-4)


def test_a_boundary_layer_with_a_part_of_its_own():
    problem = pde.catalogue("advection-diffusion", nu=0.05)
    backend = PINN(subdomains=Subdomains((0.7,)), **SMALL)
    assert pde.solve(problem, backend, steps=60, progress=False).error().relative_l2 < 5e-3


def test_conditions_of_all_kinds_go_to_their_parts():
    """Robin and Neumann at both ends, data as a function, observations and a value on single parts."""
    exact = sp.exp(x) * sp.cos(t)
    where = np.array([[0.1, 0.5], [0.9, 0.5], [0.4, 0.2]])
    values = sp.lambdify((x, t), exact)(*where.T)
    nu = pde.parameter("nu", unknown=True, start=0.5, positive=True)
    problem = pde.Problem(
        "kinds",
        [v.diff(t) - nu * v.diff(x, 2) + exact + exp_t(exact)],
        pde.Interval(x, 0, 1) * pde.Time(t, 0, 1),
        [
            pde.Initial(v, lambda p: np.exp(p[:, 0])),
            pde.Neumann(v, -sp.cos(t), on="left"),
            pde.Robin(v, 3 * sp.E * sp.cos(t), on="right", a=1, b=2),
            pde.Observations(v, where, values),
        ],
    )
    folded = fold(problem, Subdomains((0.3,)))
    field = Copies(folded, [exact])
    inner = folded.problem
    assert inner.unknown_parameters == (nu,)
    for term in inner.terms:
        points = term.sample(inner.domain, 16, np.random.default_rng(0))
        found = inner.derivatives(term.expression)
        symbols = {node: sp.Dummy() for node in found}
        arguments = [*symbols.values(), *inner.coordinates, *term.inputs, nu]
        f = sp.lambdify(arguments, term.expression.xreplace(symbols))
        data = [function(points) for function in term.inputs.values()]
        assert (
            np.abs(f(*field.derivatives(points, list(found.values())), *points.T, *data, 1.0)).max() < 1e-12
        )
    assert sum(len(term.points) for term in inner.terms if term.points is not None) == 3


def exp_t(exact):
    """-u_t, which with ν = 1 and the source u balances the equation."""
    return -exact.diff(t)


def test_parallel_networks_share_nothing():
    generator = torch.Generator().manual_seed(0)
    domain = pde.Interval(x, 0, 1)
    bodies = [make_network("mlp", domain, 2, generator, width=4, depth=1) for _ in range(3)]
    both = parallel(bodies)
    assert isinstance(both, Parallel)
    points = torch.rand(5, 1, dtype=torch.float64, generator=generator)
    assert torch.equal(both(points), torch.cat([body(points) for body in bodies], dim=1))
    starts = [torch.cat([p.reshape(-1) for p in body.parameters()]) for body in bodies]
    assert not torch.equal(starts[0], starts[1])


def test_wrong_cuts_are_refused():
    with pytest.raises(BackendOptionError, match="increasing"):
        Subdomains((0.7, 0.2))
    with pytest.raises(BackendOptionError, match="some of solution"):
        Subdomains((0.5,), conditions=("jump",))
    with pytest.raises(BackendOptionError, match="Subdomains or None"):
        PINN(subdomains=3)
    with pytest.raises(BackendOptionError, match="'eulerian' where subdomains"):
        PINN(subdomains=Subdomains((0.5,)), frame="lagrangian")
    poisson, circle = pde.catalogue("poisson"), pde.catalogue("convection")
    for problem, options, said in (
        (poisson, Subdomains((1.5,)), "cuts between 0 and 1"),
        (poisson, Subdomains((0.5,), along="z"), "along one of x, y"),
        (circle, Subdomains((1.0, 2.0)), "an even number of parts"),
    ):
        (reason,) = PINN(subdomains=options).supports(problem)
        assert said in reason
