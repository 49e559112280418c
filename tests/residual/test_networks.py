"""Networks: formulas, jets against torch.func, Jacobian rows, and what their structure promises."""

import numpy as np
import pytest
import sympy as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import pdesolve.declare as pde
from pdesolve.residual.ansatz import build_ansatz
from pdesolve.residual.jets import JetSpace, autodiff_jet, network_jet, unruled
from pdesolve.residual.model import Model
from pdesolve.residual.networks import LINEAR, NetworkError, make_network
from pdesolve.residual.networks.maker import NETWORKS
from pdesolve.residual.program import Program
from pdesolve.residual.residual import Residual

x, y, t = pde.coordinates("x y t")
BOX = pde.Box((x, -1, 2), (y, 0, 3)) * pde.Time(t, 0, 0.5)
LINE = pde.Interval(x, -1, 2)
PLANE = LINE * pde.Time(t, 0, 0.5)

SMALL = {
    "mlp": {"width": 6, "depth": 2},
    "modified-mlp": {"width": 5, "depth": 2},
    "pirate": {"width": 5, "depth": 2},
    "separable": {"width": 4, "depth": 1, "rank": 2},
    "readout": {"width": 9, "spread": 1.0},
    "waves": {"width": 9, "spread": 1.0},
}
FACTORISED = [name for name in SMALL if name not in LINEAR]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def points(d, n=5, seed=1):
    return torch.rand(n, d, generator=generator(seed), dtype=torch.float64)


def network(name, domain, seed=0, outputs=2, **options):
    """A small network in general position: what starts at zero or one is moved away from there."""
    made = make_network(name, domain, outputs, generator(seed), **{**SMALL[name], **options})
    g = generator(seed + 1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=g, dtype=parameter.dtype)
    return made


def test_every_network_of_the_maker_is_tested():
    assert set(SMALL) == set(NETWORKS)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("domain", [LINE, PLANE, BOX], ids=["1", "2", "3"])
def test_jets_to_order_four_equal_nested_forward_mode(name, domain):
    d = len(domain.axes)
    made = network(name, domain)
    assert not unruled(made)
    space = JetSpace.of([{1: (4,), 2: (3, 1), 3: (2, 1, 1)}[d]])
    by_rules, by_func = network_jet(made, points(d), space), autodiff_jet(made, points(d), space)
    for index in space.indices:
        for channel in range(2):
            found, expected = by_rules.component(channel, index), by_func.component(channel, index)
            assert float(expected.detach().abs().max()) > 1e-6, index
            assert torch.allclose(found, expected, rtol=1e-9, atol=1e-11), index


@settings(derandomize=True, max_examples=25, deadline=None)
@given(
    name=st.sampled_from(sorted(SMALL)),
    periodic=st.sampled_from([(), (0,), (0, 1)]),
    fourier=st.sampled_from([0, 3]),
    factorised=st.booleans(),
    indices=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=3),
    seed=st.integers(0, 10**6),
)
def test_any_combination_of_options(name, periodic, fourier, factorised, indices, seed):
    options = {"factorised": factorised} if name in FACTORISED else {}
    fourier = 0 if name == "waves" else fourier
    made = network(name, PLANE, seed, 1, periodic=periodic, fourier=fourier, **options)
    space = JetSpace.of(indices)
    by_rules, by_func = (f(made, points(2, seed=seed), space) for f in (network_jet, autodiff_jet))
    for index in space.indices:
        found, expected = by_rules.component(0, index), by_func.component(0, index)
        scale = max(1.0, float(expected.detach().abs().max()))
        assert torch.allclose(found, expected, rtol=1e-9, atol=1e-10 * scale)


@pytest.mark.parametrize(
    ("name", "fourier"), [*((name, 0) for name in SMALL), *((name, 4) for name in SMALL if name != "waves")]
)
def test_periodic_embeddings_make_every_network_periodic(name, fourier):
    made = network(name, BOX, periodic=(0,), fourier=fourier)
    left = points(3)
    left[:, 0] = -1.0
    right = left.clone()
    right[:, 0] = 2.0
    space = JetSpace.of([(2, 0, 0)])
    jets = [network_jet(made, p, space) for p in (left, right)]
    inside = network_jet(made, points(3), space)
    for index in space.indices:
        assert torch.allclose(jets[0].component(0, index), jets[1].component(0, index), atol=1e-10)
        assert not torch.allclose(jets[0].component(0, index), inside.component(0, index), atol=1e-4)


def flow():
    """Two unknowns with a non-linear equation each, one group of points; no condition is exact."""
    u, v = pde.unknown("u v", x, t)
    return pde.Problem(
        "flow",
        {"first": u.diff(t) + u * v.diff(x) - u.diff(x, 2), "second": v.diff(t) - v.diff(x, 2) + u**2},
        PLANE,
        [pde.Initial(u, sp.cos(x)), pde.Initial(v, x), pde.Dirichlet(u, sp.cos(x)), pde.Dirichlet(v, x)],
    )


def residual(name, compile=False, exact=False, **options):
    problem = flow()
    program, ansatz = Program(problem), build_ansatz(problem, exact)
    made = Residual(program, Model(program, network(name, PLANE, **options), ansatz), compile=compile)
    rng = np.random.default_rng(0)
    batch = made.batch([made.terms[g[0]].term.sample(problem.domain, 4, rng) for g in made.groups])
    return made, batch


CASES = [(name, {}) for name in SMALL] + [(name, {"factorised": True}) for name in FACTORISED]


@pytest.mark.parametrize(("name", "options"), CASES)
def test_jacobian_rows_by_the_tape_equal_row_by_row_differentiation(name, options):
    made, batch = residual(name, **options)
    theta = made.start()
    assert all(taps is not None for taps in made._taps)
    expected = torch.func.jacrev(lambda th: made.rows(th, batch))(theta)
    assert float(expected.abs().amax(dim=0).min()) > 0  # every parameter matters
    rows, jacobian = made.linearise(theta, batch)
    assert torch.allclose(rows, made.rows(theta, batch), rtol=1e-12)
    assert torch.allclose(jacobian, expected, rtol=1e-9, atol=1e-11)


# -- linear read-out -------------------------------------------------------------------------------


def test_a_readout_is_linear_in_its_parameters_and_keeps_its_features():
    made, _ = residual("readout")
    assert made.start().numel() == 2 * (9 + 1)
    space = JetSpace.of([(1, 0)])
    net = network("readout", PLANE)
    last = net[-1]
    at = points(2)
    features = network_jet(net[:-1], at, space)
    assert torch.allclose(net(at), features.value @ last.weight.T + last.bias, rtol=1e-12)
    start = make_network("readout", PLANE, 1, generator())
    assert not start(at).any()


def test_readout_features_pass_through_the_domain_and_share_scales():
    net = make_network("readout", BOX, 1, generator(), width=300, spread=(1.0, 10.0))
    hidden = net[1]
    size = hidden.scale.abs().amax(dim=1)
    assert 0.9 < float(size[::2].max()) <= 1.0
    assert 9.0 < float(size[1::2].max()) <= 10.0
    # The hyperplane W z + b = 0 meets the cube [-1, 1]^3 where |b| is at most the 1-norm of the row.
    assert bool((hidden.offset.abs() <= hidden.scale.abs().sum(dim=1)).all())
    assert float(hidden.offset.abs().max()) > 1.0


def test_one_least_squares_solve_of_helmholtz_by_a_readout():
    """-Δu = f with u = sin πx sin 2πy on the square: 300 features give eight digits at once."""
    u = pde.unknown("u", x, y)
    exact = sp.sin(sp.pi * x) * sp.sin(2 * sp.pi * y)
    problem = pde.Problem(
        "readout",
        [u.diff(x, 2) + u.diff(y, 2) + 5 * sp.pi**2 * exact],
        pde.Box((x, 0, 1), (y, 0, 1)),
        [pde.Dirichlet(u, 0)],
    )
    program = Program(problem)
    net = make_network("readout", problem.domain, 1, generator(), width=300, spread=6.0, activation="sin")
    made = Residual(program, Model(program, net, build_ansatz(problem)))
    batch = made.batch([problem.domain.sample(900, np.random.default_rng(0))])
    rows, jacobian = made.linearise(made.start(), batch)
    theta = torch.linalg.lstsq(jacobian, -rows[:, None], driver="gelsd").solution[:, 0]
    at = points(2, 500)
    found = made.derivatives(theta, at, [(0, (0, 0))])[0]
    expected = torch.sin(torch.pi * at[:, 0]) * torch.sin(2 * torch.pi * at[:, 1])
    assert float((found - expected).norm() / expected.norm()) < 1e-8


# -- waves -----------------------------------------------------------------------------------------


def wave_numbers(**options):
    """Whole numbers along periodic axes, and the rows they are from: (features, d)."""
    net = make_network("waves", options.pop("domain", PLANE), 1, generator(), **options)
    rows = net[0].body[1].scale if options.get("parities") else net[1].scale
    return (rows[:, list(options["periodic"])] / torch.pi).round().int().tolist(), rows


def test_waves_hold_whole_numbers_on_periodic_axes_and_fewer_copies_of_high_ones():
    found, rows = wave_numbers(periodic=(0,), harmonics=7, width=160, spread=3.0)
    counts = [found.count([k]) for k in range(8)]
    assert sum(counts) == len(rows) == 160
    assert counts == sorted(counts, reverse=True)
    assert 2 * counts[7] <= counts[0] <= 5 * counts[7]
    assert 2.5 < float(rows[:, 1].abs().max()) <= 3.0
    for k in range(8):  # each quarter of the frequencies has its quarter of the copies
        below = (rows[rows[:, 0] == torch.pi * k, 1] < -1.5).to(torch.float64).mean()
        assert abs(float(below) - 0.25) <= 2 / counts[k]


def test_waves_in_two_periodic_directions_hold_each_pair_once():
    found, _ = wave_numbers(domain=BOX, periodic=(0, 1), harmonics=2, width=400, spread=1.0)
    expected = {(i, j) for i in range(-2, 3) for j in range(-2, 3) if i * i + j * j <= 4 and (i, j) >= (0, 0)}
    assert set(map(tuple, found)) == expected


def test_waves_along_periodic_axes_alone_are_all_different():
    found, _ = wave_numbers(periodic=(0, 1), harmonics=3, width=400)
    assert len(found) == 28 and len(set(map(tuple, found))) == 14  # half of the 29 in a circle of radius 3
    assert [0, 0] not in found  # which is the constant


@pytest.mark.parametrize(
    ("domain", "periodic", "parities"),
    [
        (PLANE, (0,), {0: 1}),
        (PLANE, (0,), {0: -1}),
        (PLANE, (), {0: -1, 1: -1}),
        (PLANE, (), {0: 1, 1: 1}),
        (PLANE, (), {0: -1, 1: 1}),
        (PLANE, (0, 1), {0: 1, 1: -1}),
        (PLANE, (0, 1), {1: -1}),
        (BOX, (0, 1), {0: -1, 1: 1}),
        (LINE, (), {0: 1}),
    ],
)
def test_no_wave_vanishes_by_its_parity_or_coincides_with_another(domain, periodic, parities):
    options = {"periodic": periodic, "parities": parities, "harmonics": 3, "width": 24, "spread": 60.0}
    net = make_network("waves", domain, 1, generator(), **options)
    at = torch.from_numpy(domain.sample(400, np.random.default_rng(0)))
    values = net[:-1](at)
    assert values.shape[1] <= 30
    assert float(values.square().mean(dim=0).sqrt().min()) > 0.1
    normal = values / values.norm(dim=0)
    overlap = (normal.T @ normal - torch.eye(values.shape[1])).abs()
    assert float(overlap.max()) < 1 - 1e-6


def test_one_least_squares_solve_of_advection_by_waves():
    """u_t + 3 u_x = 0, u(x, 0) = exp(sin 2πx/3): the travelling wave, to seven digits."""
    u = pde.unknown("u", x, t)
    start = sp.exp(sp.sin(2 * sp.pi * x / 3))
    problem = pde.Problem(
        "waves", [u.diff(t) + 3 * u.diff(x)], PLANE, [pde.Initial(u, start), pde.Periodic(u)]
    )
    program = Program(problem)
    options = {"periodic": (0,), "harmonics": 11, "width": 450, "spread": 16.0}
    net = make_network("waves", problem.domain, 1, generator(), **options)
    made = Residual(program, Model(program, net, build_ansatz(problem)))
    batch = made.batch([problem.domain.sample(1400, np.random.default_rng(0))])
    rows, jacobian = made.linearise(made.start(), batch)
    theta = torch.linalg.lstsq(jacobian, -rows[:, None], driver="gelsd").solution[:, 0]
    at = problem.domain.sample(500, np.random.default_rng(1))
    found = made.derivatives(theta, torch.from_numpy(at), [(0, (0, 0))])[0].numpy()
    expected = np.exp(np.sin(2 * np.pi * (at[:, 0] - 3 * at[:, 1]) / 3))
    assert np.linalg.norm(found - expected) / np.linalg.norm(expected) < 1e-7


# -- formulas --------------------------------------------------------------------------------------


def affine(layer, z):
    """W z + b of a plain or a factorised layer, written out."""
    if isinstance(layer, torch.nn.Linear):
        return z @ layer.weight.T + layer.bias
    return z @ (layer.log_scale.exp()[:, None] * layer.direction.weight).T + layer.bias


def gated(f, first, second):
    return f * first + (1 - f) * second


def sigma_of(layers, z):
    return torch.tanh(affine(layers[0], z))


@pytest.mark.parametrize("factorised", [False, True])
def test_the_modified_mlp_equals_its_equations(factorised):
    net = network("modified-mlp", PLANE, factorised=factorised)
    z = net.features(points(2))
    first, second = sigma_of(net.first, z), sigma_of(net.second, z)
    for layer in net.hidden:
        z = gated(sigma_of(layer, z), first, second)
    assert torch.allclose(net(points(2)), affine(net.last, z), rtol=1e-12)


@pytest.mark.parametrize("factorised", [False, True])
def test_pirate_nets_equal_their_equations(factorised):
    net = network("pirate", PLANE, factorised=factorised, fourier=3)
    z = net.features(points(2))
    first, second = sigma_of(net.first, z), sigma_of(net.second, z)
    for block in net.blocks:
        assert float(block.alpha.detach().abs()) > 1e-3
        inner = gated(sigma_of(block.into, z), first, second)
        inner = gated(sigma_of(block.middle, inner), first, second)
        z = block.alpha * sigma_of(block.out, inner) + (1 - block.alpha) * z
    assert torch.allclose(net(points(2)), affine(net.last, z), rtol=1e-12)


def test_pirate_nets_start_as_a_linear_map_of_their_embedding():
    net = make_network("pirate", PLANE, 2, generator(), fourier=6, **SMALL["pirate"])
    at = points(2)
    expected = net.features(at) @ net.last.weight.T + net.last.bias
    assert torch.equal(net(at), expected)
    # and leave it: the derivative by each α is not zero there
    net(at).sum().backward()
    assert all(float(block.alpha.grad.abs()) > 0 for block in net.blocks)


def test_separable_nets_are_sums_of_products():
    net = network("separable", BOX, outputs=2)
    at = points(3)
    each = [
        body(at[:, i : i + 1]).reshape(-1, 2, 2) for i, body in enumerate(net.bodies)
    ]  # (n, output, rank)
    assert torch.allclose(net(at), (each[0] * each[1] * each[2]).sum(dim=2), rtol=1e-12)


def test_factorised_layers_start_at_the_plain_ones_with_scales_near_e():
    plain, factorised = (
        make_network("mlp", PLANE, 1, generator(), factorised=choice, depth=1, width=200)[1]
        for choice in (False, True)
    )
    at = points(2)
    assert torch.allclose(factorised(at), plain(at), rtol=1e-12)
    assert float(factorised.log_scale.detach().mean()) == pytest.approx(1.0, abs=0.03)
    assert float(factorised.log_scale.detach().std()) == pytest.approx(0.1, abs=0.02)


def test_loss_and_gradient_compiled_equal_eager_ones():
    """Of the net with products."""
    eager, batch = residual("separable", exact=True)
    compiled, _ = residual("separable", exact=True, compile=True)
    theta = eager.start()
    compiled.loss_and_gradient(theta, batch)
    assert compiled.is_compiled
    loss, gradient = compiled.loss_and_gradient(theta + 0.1, batch)
    expected = eager.loss_and_gradient(theta + 0.1, batch)
    assert float(loss) == pytest.approx(float(expected[0]), rel=1e-12)
    assert torch.allclose(gradient, expected[1], rtol=1e-9, atol=1e-12)


def test_rows_and_jacobian_compiled_equal_eager_ones():
    """Of the net with gates, elementwise parameters and factorised layers."""
    options = {"exact": True, "factorised": True, "depth": 1}
    eager, batch = residual("pirate", **options)
    compiled, _ = residual("pirate", compile=True, **options)
    theta = eager.start()
    compiled.linearise(theta, batch)
    assert all(function.active for function in compiled._linearise)
    found, expected = (made.linearise(theta + 0.1, batch) for made in (compiled, eager))
    assert torch.allclose(found[0], expected[0], rtol=1e-11, atol=1e-13)
    assert torch.allclose(found[1], expected[1], rtol=1e-9, atol=1e-12)


# -- the maker -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMALL)
def test_networks_are_made_from_their_own_generator_in_float64(name):
    before = torch.random.get_rng_state()
    first, again = (make_network(name, PLANE, 1, generator(3), **SMALL[name]) for _ in range(2))
    other = make_network(name, PLANE, 1, generator(4), **SMALL[name])
    assert torch.equal(before, torch.random.get_rng_state())
    for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True):
        assert a.dtype == torch.float64
        assert torch.equal(a, b)
    pairs = zip(first.state_dict().values(), other.state_dict().values(), strict=True)
    assert any(not torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("cnn", {}, "one of mlp, "),
        ("mlp", {"heads": 2}, "options among width, depth, activation, factorised; got heads"),
        ("mlp", {"activation": "relu"}, "one of tanh, .*; got 'relu'"),
        ("mlp", {"width": 0}, r"make_network\(width=\): expected a whole number of at least 1; got 0"),
        ("mlp", {"width": 2.5}, "at least 1; got 2.5"),
        ("mlp", {"fourier": -1}, "a whole number; got -1"),
        ("mlp", {"sigma": float("inf")}, "a positive number; got inf"),
        ("readout", {"spread": (1.0, 0.0)}, "a positive number, or several"),
        ("readout", {"spread": ()}, "a positive number, or several"),
        ("waves", {"spread": (1.0, 2.0, 3.0)}, "one number, or 2: one for each axis that is not periodic"),
        ("waves", {"width": 9, "harmonics": 5, "periodic": (0,)}, "at least 12, for 6 wave numbers; got 9"),
        ("waves", {"fourier": 3}, "0: waves are features themselves; got 3"),
        ("waves", {"activation": "sin"}, "options among width, spread; got activation"),
    ],
)
def test_what_cannot_be_made_is_refused(name, options, message):
    with pytest.raises(NetworkError, match=message):
        make_network(name, PLANE, 1, generator(), **options)
