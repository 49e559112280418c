"""`DiffusionPDE`: from data to a prior to a posterior, on tiny families; runs that are cut; misuse."""

import dataclasses
import json
import math

import numpy as np
import pytest
import sympy as sp
import torch
from typer.testing import CliRunner

import pdesolve as pde
from pdesolve.backends import card as cards
from pdesolve.backends.base import BackendOptionError
from pdesolve.backends.diffusion import (
    DDIM,
    DPS,
    DiffusionPDE,
    DPMSolver,
    GaussianExponential,
    Heun,
    Kriging,
    Moments,
    Particles,
    PublishedRule,
    UniPC,
)
from pdesolve.backends.diffusion.denoiser import LAW
from pdesolve.backends.diffusion.encoding import JointEncoding, fitted, images
from pdesolve.backends.diffusion.equations import equations
from pdesolve.backends.diffusion.training import PriorTraining
from pdesolve.backends.learner import TrainingDataError
from pdesolve.checkpoint import CheckpointMismatchError
from pdesolve.cli.app import app
from pdesolve.declare.family import Family

x, y, t = pde.coordinates("x y t")
u = pde.unknown("u", x, y)
SQUARE = pde.Box((x, 0, 1), (y, 0, 1))
SMALL = {"width": 8, "rank": 12, "batch": 8}
QUICK = DPMSolver(steps=12, sigma_max=20.0)
N = 12


def source(a):
    return pde.Problem("sources", [u.diff(x, 2) + u.diff(y, 2) - a], SQUARE, [pde.Dirichlet(u, 0)])


def medium(a):
    equation = -(a * u.diff(x)).diff(x) - (a * u.diff(y)).diff(y) - 1
    return pde.Problem("media", [equation], SQUARE, [pde.Dirichlet(u, 0)])


def gaussian(boundary, modes=3, sigma=3.0):
    return pde.GaussianField(
        SQUARE, sigma=sigma, modes=modes, boundary=boundary, zero_mean=boundary == "neumann"
    )


FAMILIES = {
    "sources": Family("sources", source, {"a": gaussian("dirichlet")}, points=N),
    "media": Family("media", medium, {"a": pde.TwoPhase(gaussian("neumann", 4))}, points=N),
    "burgers": pde.family("burgers-random", nu=0.05, T=0.2),
}
RTOL = {"sources": 1e-3, "media": 5e-2, "burgers": 1e-4}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Data, and the file of a prior, of each family; at most once."""
    known = {}

    def make(name):
        if name not in known:
            family, place = FAMILIES[name], tmp_path_factory.mktemp(name)
            grid = {"points": 16, "times": 9} if name == "burgers" else {"points": N}
            data = pde.generate(
                family, 32, place / "d.h5", rtol=RTOL[name], progress=False, dtype="float64", **grid
            )
            trained = pde.train(
                family, DiffusionPDE(**SMALL), data, place / "prior.safetensors", steps=3, progress=False
            )
            known[name] = data, str(trained.weights)
        return known[name]

    return make


def prior(made, name, **options):
    return DiffusionPDE.load(made(name)[1], **{"sampler": QUICK, **options})


def solve(problem, backend, **more):
    return pde.solve(problem, backend, progress=False, **more)


def grid_points(n=N):
    return np.stack([g.ravel() for g in np.meshgrid(*[np.linspace(0, 1, n)] * 2, indexing="ij")], axis=1)


def closed(points):
    """Standard normal numbers to (u, a) of ``sources`` at points, (2, n, 9)."""
    own = []
    for k, m in np.ndindex(3, 3):
        eigenvalue = math.pi**2 * ((k + 1) ** 2 + (m + 1) ** 2)
        mode = 2 * np.sin(math.pi * (k + 1) * points[:, 0]) * np.sin(math.pi * (m + 1) * points[:, 1])
        own.append((-3 / (eigenvalue + 9) / eigenvalue * mode, 3 / (eigenvalue + 9) * mode))
    return np.moveaxis(np.array(own), 0, -1)


def seen(names, seed=0, off_grid=True, count=6, noise=0.05):
    """A member of ``sources`` of which some values are known; noise relative to each field."""
    rng = np.random.default_rng(seed)
    weights, given, noises = rng.standard_normal(9), {}, {}
    for name in names:
        at = rng.uniform(0.05, 0.95, (count, 2)) if off_grid else rng.permutation(grid_points())[:count]
        table = closed(at)["ua".index(name)]
        noises[name] = noise * math.sqrt((closed(grid_points())["ua".index(name)] ** 2).sum(axis=1).mean())
        given[name] = (at, table @ weights + noises[name] * rng.standard_normal(count))
    return FAMILIES["sources"].observed(given, noise=noises)


# -- training --------------------------------------------------------------------------------------------


def test_a_training_writes_what_it_was(made):
    _, path = made("media")
    card, weights = cards.read(path, JointEncoding)
    assert card.operator == "diffusion" and card.family == FAMILIES["media"].recipe()
    assert card.encoding.names == ("u", "a") and card.encoding.degrees == (3, 1) and card.grid == (N, N)
    assert card.training["steps"] == 3 and 0.3 < card.metrics["validation_denoising_loss"] < 3
    assert set(LAW) < set(weights) and weights["vectors"].shape == (2 * N * N, 12)
    assert JointEncoding.from_plain(json.loads(json.dumps(card.encoding.plain()))) == card.encoding
    loaded = DiffusionPDE.load(path)
    assert (loaded.width, loaded.rank, loaded.weights) == (8, 12, path)


def test_laws_that_are_declared_are_not_stored(made):
    _, weights = cards.read(made("sources")[1], JointEncoding)
    assert not set(LAW) & set(weights)
    encoding, denoiser = prior(made, "sources").trained(FAMILIES["sources"].undetermined)
    assert denoiser.law.vectors.shape[1] == 9  # the modes of the declaration, and no more
    exact = np.concatenate(list(closed(grid_points())))
    covariance = (denoiser.law.vectors * denoiser.law.variances @ denoiser.law.vectors.T).double().numpy()
    scale = np.repeat(np.array(encoding.scale) / 0.5, N * N)
    wrong = covariance * np.outer(scale, scale) - exact @ exact.T
    assert np.abs(wrong / np.outer(scale, scale)).max() < 1e-4


def test_encoded_channels_have_half_a_deviation_and_come_back(made):
    data, _ = made("media")
    encoding = fitted(FAMILIES["media"], data)
    values = torch.from_numpy(images(FAMILIES["media"], data))
    z = encoding.normalised(values)
    assert torch.allclose(z.mean(dim=(0, 2, 3)), torch.zeros(2).double(), atol=1e-6)
    assert torch.allclose(z.std(dim=(0, 2, 3)), torch.full((2,), 0.5).double(), rtol=1e-3)
    assert torch.allclose(encoding.physical(z), values, atol=1e-6)
    assert np.array_equal(encoding.axes[0], np.linspace(0, 1, N)) and encoding.periods == (None, None)


def test_evolutions_are_images_in_space_and_time(made):
    data, path = made("burgers")
    card, _ = cards.read(path, JointEncoding)
    assert card.encoding.names == ("u",) and card.encoding.grid == (16, 9)
    assert card.encoding.periodic == (True, False) and card.encoding.periods == (1.0, None)
    assert card.encoding.translation and card.encoding.mirror == -1
    image = images(FAMILIES["burgers"], data)
    assert np.array_equal(image[3, 0, :, 5], data.values[3, 5, 0])


def test_members_are_moved_as_the_equations_allow(made):
    """What training sees of Burgers is a solution still: mirrored, moved, and in no other way."""
    data, _ = made("burgers")
    encoding = fitted(FAMILIES["burgers"], data)
    clean = encoding.normalised(torch.from_numpy(images(FAMILIES["burgers"], data)))
    training, generator = PriorTraining(DiffusionPDE(**SMALL)), torch.Generator().manual_seed(0)
    system = equations(FAMILIES["burgers"].typical, encoding)
    plain = system.residual(clean).norm()
    assert encoding.mean == (0.0,)  # or -u would have another mean
    for _ in range(6):
        moved = training._moved(clean, encoding, generator)
        assert float(system.residual(moved).norm()) < 1.5 * float(plain)
        assert torch.allclose(moved.square().mean(), clean.square().mean())


def test_training_lowers_the_loss(made, tmp_path):
    data, _ = made("media")
    options = DiffusionPDE(**SMALL, half_life=50)
    trained = pde.train(FAMILIES["media"], options, data, tmp_path / "p", steps=150, progress=False)
    after, before = (
        card.metrics["validation_denoising_loss"] for card in (trained.card(), prior(made, "media").card())
    )
    assert after < 0.97 * before


def test_a_training_that_was_cut_goes_on_to_the_same_weights(made, tmp_path, monkeypatch):
    data, _ = made("burgers")
    arguments = {"steps": 6, "progress": False}
    family, options = FAMILIES["burgers"], DiffusionPDE(**SMALL)
    whole = pde.train(family, options, data, tmp_path / "a", **arguments)
    original, count = PriorTraining.advance, 0

    def cut(self, state):
        nonlocal count
        count += 1
        if count == 4:
            raise RuntimeError("killed")
        return original(self, state)

    with monkeypatch.context() as patch:
        patch.setattr(PriorTraining, "advance", cut)
        with pytest.raises(RuntimeError, match="killed"):
            pde.train(
                family,
                options,
                data,
                tmp_path / "b",
                checkpoint=tmp_path / "c",
                checkpoint_every=1e-9,
                **arguments,
            )
    resumed = pde.train(family, options, data, tmp_path / "b", checkpoint=tmp_path / "c", **arguments)
    one, other = (cards.read(p.weights, JointEncoding)[1] for p in (whole, resumed))
    assert set(one) == set(other) and all(torch.equal(one[name], other[name]) for name in one)
    with pytest.raises(CheckpointMismatchError):
        pde.train(family, options, data, tmp_path / "d", checkpoint=tmp_path / "c", seed=1, **arguments)


# -- solving ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", ["u", "a", "ua"])
@pytest.mark.parametrize("off_grid", [True, False])
def test_forward_inverse_and_joint_are_the_exact_posterior(made, names, off_grid):
    """The law of this family is exact, its network as good as untrained: against gp-oracle."""
    problem, count = seen(names, off_grid=off_grid), 400
    solution = solve(problem, prior(made, "sources", samples=count))
    exact = solve(problem, "gp-oracle", points=N)
    points = grid_points()[np.random.default_rng(1).permutation(N * N)[:30]]
    scale = np.sqrt((closed(grid_points()) ** 2).sum(axis=2).mean(axis=1))
    spread = exact.uncertainty(points)
    wrong = np.abs(solution(points) - exact(points))
    # Splines of third and fifth degree between sensors differ, and the network's first steps add noise.
    assert np.all(wrong < 4.5 * spread / math.sqrt(count) + 0.05 * scale)
    assert np.all(np.abs(solution.uncertainty(points) - spread) < 0.2 * spread + 0.05 * scale)
    assert solution.status is pde.Status.COMPLETED and "evaluations of the prior" in solution.message
    assert solution.samples(points).shape == (count, 30, 2)
    assert np.allclose(solution.samples(points).mean(axis=0), solution(points), atol=1e-9)


def test_without_observations_samples_are_of_the_prior(made):
    solution = solve(FAMILIES["sources"].undetermined, prior(made, "sources", samples=300))
    points = grid_points()[[40, 66, 90]]
    deviation = np.sqrt((closed(points) ** 2).sum(axis=2)).T
    assert np.all(np.abs(solution(points)) < 4.5 * deviation / math.sqrt(300) + 0.02 * deviation.max(axis=0))
    assert np.allclose(solution.uncertainty(points), deviation, rtol=0.2)


@pytest.mark.parametrize("name", ["media", "burgers"])
def test_sensors_without_noise_are_met(made, name):
    """Of a two-phase medium through linear splines, of an evolution around its circle."""
    data, _ = made(name)
    rng = np.random.default_rng(0)
    if name == "burgers":
        places = rng.integers(0, [16, 9], (20, 2))
        at = places / [16, 8] * [1, 0.2]
        given = {"u": (at, data.values[0][places[:, 1], 0, places[:, 0]])}
    else:
        places = rng.integers(1, N - 1, (15, 2))
        at = places / (N - 1)
        given = {
            "u": (at, data.values[0, 0, 0][tuple(places.T)]),
            "a": (at, data.fields["a"][0][tuple(places.T)]),
        }
    solution = solve(FAMILIES[name].observed(given), prior(made, name, samples=3))
    for column, (key, (points, values)) in enumerate(given.items()):
        scale = (data.values if key == "u" else data.fields["a"]).std()
        assert np.abs(solution.samples(points)[..., column] - values).max() < 0.02 * scale, key


@pytest.mark.parametrize(
    "options",
    [
        {"sampler": Heun(steps=6)},
        {"sampler": UniPC(steps=8)},
        {"sampler": DDIM(steps=8, eta=1.0)},
        {"sampler": GaussianExponential(steps=6)},
        {"guidance": DPS(weight=1.0)},
        {"guidance": PublishedRule(observation=0.05), "sampler": Heun(steps=6)},
        {"guidance": Particles()},
        {"samples": 1},
    ],
    ids=lambda o: "-".join(type(v).__name__ for v in o.values()),
)
def test_samplers_and_guidances_are_interchangeable(made, options, tmp_path):
    solution = solve(seen("ua"), prior(made, "sources", **{"samples": 4, **options}))
    assert solution.status is pde.Status.COMPLETED
    values = solution(grid_points())
    assert np.isfinite(values).all() and np.abs(values).max() < 10
    loaded = pde.load(solution.save(tmp_path / "u.h5"))
    assert np.array_equal(loaded(grid_points()), values)


def test_equal_seeds_give_equal_bits(made):
    problem, backend = seen("u"), prior(made, "sources", samples=3, sampler=DDIM(steps=8, eta=1.0))
    one, other, third = (solve(problem, backend, seed=s).field.draws for s in (1, 1, 2))
    assert np.array_equal(one, other) and not np.array_equal(one, third)


@pytest.mark.parametrize(
    "options",
    [
        {"sampler": DPMSolver(steps=8, order=3)},
        {"sampler": DDIM(steps=8, eta=1.0)},
        {"guidance": Particles(), "sampler": DPMSolver(steps=8)},
        {"guidance": PublishedRule(), "sampler": Heun(steps=8)},
    ],
    ids=["multistep", "noise", "particles", "published"],
)
def test_sampling_that_was_cut_goes_on_to_the_same_bits(made, options, tmp_path, monkeypatch):
    problem, backend = seen("ua"), prior(made, "sources", samples=3, **options)
    whole = solve(problem, backend)
    original, count = DiffusionPDE.advance, 0

    def cut(self, state):
        nonlocal count
        count += 1
        if count == 5:
            raise RuntimeError("killed")
        return original(self, state)

    with monkeypatch.context() as patch:
        patch.setattr(DiffusionPDE, "advance", cut)
        with pytest.raises(RuntimeError, match="killed"):
            solve(problem, backend, checkpoint=tmp_path / "c", checkpoint_every=1e-9)
    resumed = solve(problem, backend, checkpoint=tmp_path / "c")
    assert np.array_equal(resumed.field.draws, whole.field.draws)
    assert resumed.message == whole.message


def test_saved_solutions_keep_their_draws(made, tmp_path):
    solution = solve(seen("ua"), prior(made, "sources", samples=5))
    points = np.random.default_rng(0).uniform(size=(9, 2))
    loaded = pde.load(solution.save(tmp_path / "u.h5"))
    assert np.array_equal(loaded.samples(points), solution.samples(points))
    assert np.array_equal(loaded.uncertainty(points), solution.uncertainty(points))
    assert loaded.problem.family == "sources" and prior(made, "sources").supports(loaded.problem) == []


# -- equations -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sources", "media", "burgers"])
def test_residuals_tell_solutions_from_strangers(made, name):
    data, _ = made(name)
    family = FAMILIES[name]
    encoding = fitted(family, data)
    system = equations(family.typical if name == "burgers" else family.undetermined, encoding)
    z = encoding.normalised(torch.from_numpy(images(family, data)))
    strangers = z.clone()
    if name == "burgers":
        strangers[..., 1::2] = z.roll(1, 0)[..., 1::2]
    else:
        strangers[:, 0] = z.roll(1, 0)[:, 0]
    # Data are exact, their coarse stencil is not: least so behind jumps of a.
    share = {"sources": 0.05, "media": 0.7, "burgers": 0.02}[name]
    assert float(system.residual(z).norm()) < share * float(system.residual(strangers).norm())


def test_solutions_are_computed_from_coefficients(made):
    for name in ("sources", "media"):
        data, _ = made(name)
        encoding = fitted(FAMILIES[name], data)
        system = equations(FAMILIES[name].undetermined, encoding)
        z = encoding.normalised(torch.from_numpy(images(FAMILIES[name], data)))
        solved = system.solved(torch.cat([0 * z[:, :1], z[:, 1:]], dim=1))
        assert torch.equal(solved[:, 1:], z[:, 1:].to(solved)) or torch.allclose(solved[:, 1:], z[:, 1:])
        wrong = (solved[:, 0] - z[:, 0]).norm() / z[:, 0].norm()
        assert float(wrong) < {"sources": 2e-2, "media": 0.3}[name]


def test_trajectories_are_computed_from_their_start(made):
    data, _ = made("burgers")
    encoding = fitted(FAMILIES["burgers"], data)
    system = equations(FAMILIES["burgers"].typical, encoding)
    z = encoding.normalised(torch.from_numpy(images(FAMILIES["burgers"], data)))
    start = torch.zeros_like(z)
    start[..., 0] = z[..., 0]
    assert float((system.solved(start) - z).norm() / z.norm()) < 0.02
    assert float(system.residual(system.solved(start)).norm()) < 1e-8


def test_eliminated_samples_satisfy_the_equations(made):
    """Samples of smooth sources are the closed form of their own source."""
    problem = seen("ua")
    solution = solve(problem, prior(made, "sources", samples=3, eliminate=80.0))
    solutions, sources = closed(grid_points())
    for draw in solution.samples(grid_points()):
        weights = np.linalg.lstsq(sources, draw[:, 1], rcond=None)[0]
        wrong = np.linalg.norm(solutions @ weights - draw[:, 0]) / np.linalg.norm(draw[:, 0])
        assert wrong < 0.02
    assert "solutions differ from the solver's by" in solution.message
    assert float(solution.message.rsplit(" ", 1)[-1].rstrip(".")) < 1e-8


def test_solutions_of_media_are_zeros_of_their_stencil(made):
    data, _ = made("media")
    encoding = fitted(FAMILIES["media"], data)
    system = equations(FAMILIES["media"].undetermined, encoding)
    z = encoding.normalised(torch.from_numpy(images(FAMILIES["media"], data)))
    assert float(system.residual(z).abs().max()) > 0.1
    assert float(system.residual(system.solved(z)).abs().max()) < 1e-8


def test_eliminated_trajectories_are_the_integrator_s(made):
    data, _ = made("burgers")
    at = np.stack([np.arange(16) / 16, np.zeros(16)], axis=1)
    backend = prior(made, "burgers", samples=2, eliminate=80.0)
    found = solve(FAMILIES["burgers"].observed({"u": (at, data.values[0, 0, 0])}), backend)
    truth = data.values[0, :, 0].T
    assert np.linalg.norm(found.field.mean[0] - truth) < 0.03 * np.linalg.norm(truth)


# -- command line ----------------------------------------------------------------------------------------


def test_the_command_line_trains_a_prior(tmp_path):
    def run(*arguments):
        result = CliRunner().invoke(app, [str(a) for a in arguments])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout.splitlines()[-1])

    settings = ["--set", "nu=0.05", "--set", "T=0.2"]
    data, out = tmp_path / "d.h5", tmp_path / "p.safetensors"
    run(
        *("generate", "burgers-random", "-n", 6, "--out", data, "--points", 16, "--times", 8),
        *settings,
        "--json",
    )
    small = [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]
    found = run(
        *("train", "burgers-random", "--backend", "diffusion", "--data", data, "--out", out),
        *("--steps", 2, *settings, *small, "--json"),
    )
    assert found["backend"] == "diffusion" and found["steps"] == 2 and found["test"] is None
    assert found["validation_denoising_loss"] > 0
    assert DiffusionPDE.load(out).card().parameters == {"nu": 0.05}


# -- misuse ----------------------------------------------------------------------------------------------


def test_problems_of_other_kinds_are_refused(made):
    at, values = np.full((2, 2), 0.1), np.zeros(2)
    backend = prior(made, "sources")
    assert "member of no family" in DiffusionPDE().supports(pde.catalogue("heat"))[0]
    assert "comes with the package" in DiffusionPDE().supports(FAMILIES["media"].undetermined)[0]
    assert "of the family 'sources', not 'media'" in backend.supports(FAMILIES["media"].undetermined)[0]
    assert any("inputs are known" in r for r in backend.supports(FAMILIES["sources"].sample(0)))
    burgers = prior(made, "burgers")
    assert burgers.supports(FAMILIES["burgers"].observed({"u": (at, values)})) == []
    assert any("inputs are known" in r for r in burgers.supports(FAMILIES["burgers"].sample(0)))
    viscous = pde.family("burgers-random", nu=0.1, T=0.2).observed({"u": (at, values)})
    assert any("nu = 0.1, not 0.05" in r for r in burgers.supports(viscous))
    longer = pde.family("burgers-random", nu=0.05, T=1).observed({"u": (at, values)})
    assert any("another domain" in r for r in burgers.supports(longer))


def test_families_of_the_same_name_with_other_fields_are_refused(made):
    wider = Family("sources", source, {"a": gaussian("dirichlet", sigma=30.0)}, points=N)
    assert any("drawn" in r for r in prior(made, "sources").supports(wider.undetermined))


def test_files_of_others_are_refused(made, tmp_path):
    (tmp_path / "bad").write_bytes(b"no weights")
    with pytest.raises(cards.CardError):
        DiffusionPDE.load(tmp_path / "bad")
    with pytest.raises(cards.CardError):
        pde.FNO.load(made("media")[1])


@pytest.mark.parametrize(
    "options",
    [
        {"samples": 0},
        {"rank": -1},
        {"width": 12},
        {"eliminate": -1.0},
        {"learning_rate": 0},
        {"warm_up": 1.0},
        {"sampler": "heun"},
        {"guidance": Kriging},
        {"batch": 2.5},
        {"half_life": 0},
    ],
)
def test_options_are_checked(options):
    with pytest.raises(BackendOptionError, match=next(iter(options))):
        DiffusionPDE(**options)


def test_options_go_into_files_and_come_back():
    from pdesolve.checkpoint import plain

    options = DiffusionPDE(
        sampler=UniPC(steps=7), guidance=Particles(inner=Kriging(floor=1e-3)), declared=False
    )
    again = DiffusionPDE().with_options(json.loads(json.dumps(plain(options))))
    assert again == options and dataclasses.asdict(again) == dataclasses.asdict(options)
    assert DiffusionPDE().with_options(plain(DiffusionPDE(guidance=Moments()))).guidance == Moments()


def test_families_that_are_no_images_are_refused(tmp_path):
    def rod(a):
        v = pde.unknown("v", x)
        return pde.Problem("rods", [v.diff(x, 2) - a], pde.Interval(x, 0, 1), [pde.Dirichlet(v, 0)])

    family = Family("rods", rod, {"a": pde.GaussianField(pde.Interval(x, 0, 1), modes=2)}, points=16)
    data = pde.generate(family, 4, tmp_path / "d.h5", rtol=1e-2, progress=False)
    with pytest.raises(TrainingDataError, match="a family that a prior can learn"):
        pde.train(family, DiffusionPDE(**SMALL), data, tmp_path / "p", steps=1, progress=False)

    def scaled(k):
        return source(sp.sympify(k)).replace(name="scaled", reference="fem")

    numbers = Family("scaled", scaled, {"k": pde.Uniform(1, 2)}, points=8)
    data = pde.generate(numbers, 3, tmp_path / "n.h5", rtol=1e-1, progress=False)
    with pytest.raises(TrainingDataError, match="numbers"):
        pde.train(numbers, DiffusionPDE(**SMALL), data, tmp_path / "p", steps=1, progress=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"guidance": PublishedRule()}, "sampler"),
        ({"guidance": PublishedRule(), "sampler": Heun(steps=4, churn=1.0)}, "sampler"),
        ({"guidance": Particles(), "eliminate": 1.0}, "eliminate"),
    ],
)
def test_rules_of_their_own_steps_take_no_others(options, message):
    with pytest.raises(pde.PDESolveError, match=message):
        DiffusionPDE(**options)


def test_files_say_nothing_of_how_a_prior_is_used(made):
    _, file = made("sources")
    assert not {"sampler", "guidance", "samples"} & set(DiffusionPDE.load(file).card().options)
