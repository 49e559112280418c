"""DeepXDE as a backend: its problem is the declared one, it runs elsewhere, and shares the driver's clock."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import pdesolve as pde
from pdesolve.backends.base import BackendOptionError
from pdesolve.backends.deepxde import DeepXDE, PeerError
from pdesolve.backends.deepxde.messages import receive, send
from pdesolve.backends.deepxde.recipe import recipe_for
from pdesolve.conformance import BackendConformance

if importlib.util.find_spec("deepxde") is None:
    pytest.skip("DeepXDE is not installed", allow_module_level=True)

SMALL = DeepXDE(depth=1, width=8, points=60, points_boundary=16, chunk=25, precision="float64")


def test_what_it_cannot_do_is_said_in_words() -> None:
    backend = DeepXDE()
    assert backend.supports(pde.catalogue("burgers")) == []
    assert backend.supports(pde.catalogue("poisson-l-shape")) == []
    assert "order 3" in backend.supports(pde.catalogue("kdv"))[0]
    assert "shapes" in backend.supports(pde.catalogue("heat-part"))[0]
    x = pde.coordinates("x")
    u = pde.unknown("u", x)
    edge = pde.Dirichlet(u, lambda points: points[:, 0])
    by_function = pde.Problem("f", [u.diff(x, 2)], pde.Interval(x, 0, 1), [edge])
    assert "function" in backend.supports(by_function)[0]


def test_recipes_are_chosen_by_name() -> None:
    assert recipe_for("burgers").source == "Burgers.py"
    assert recipe_for("poisson-u3").width == 50
    assert recipe_for("poisson-peak").source.startswith("no example")
    assert recipe_for("burgers-2d").source.startswith("no example")
    changed = DeepXDE(width=7, lbfgs=False).recipe(pde.catalogue("burgers"))
    assert (changed.width, changed.depth, changed.lbfgs) == (7, 3, False)


@pytest.mark.parametrize(
    "options",
    [{"width": 0}, {"activation": "relu"}, {"precision": "half"}, {"learning_rate": 0}, {"chunk": 0}],
)
def test_bad_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(BackendOptionError):
        DeepXDE(**options)  # type: ignore[arg-type]


def test_messages_survive_the_stream_and_a_torn_one_is_an_end() -> None:
    stream = io.BytesIO()
    send(stream, {"a": 1}, {"w": np.eye(2)})
    send(stream, {"b": None})
    whole = stream.getvalue()
    stream.seek(0)
    header, arrays = receive(stream) or ({}, {})
    assert header == {"a": 1} and np.array_equal(arrays["w"], np.eye(2))
    assert receive(stream) == ({"b": None}, {})
    assert receive(stream) is None
    assert receive(io.BytesIO(whole[:5])) is None


UNSEEN = {"periodic": [4, 5, 6]}
"""A multiple of a periodic field is as periodic."""

EXACT = """
import json
import deepxde as dde
import sympy as sp
import torch
import pdesolve as pde
from pdesolve.backends.deepxde.recipe import Recipe
from pdesolve.backends.deepxde.translation import translate
from pdesolve.declare.serialization import problem_from_json, problem_to_json
from pdesolve.residual.program import lower

dde.config.set_default_float("float64")
x, y, t = pde.coordinates("x y t")
u, v, w = pde.unknown("u", x, t), pde.unknown("v", x, t), pde.unknown("w", x, y)
box, plane = pde.Interval(x, 0, 2) * pde.Time(t, 0, 1), pde.Box((x, 0, 1), (y, 0, 2))
laplacian = w.diff(x, 2) + w.diff(y, 2)
wave = sp.sin(sp.pi * x + 1) * sp.cos(t + 1)
problems = {
    "mixed": pde.Problem("mixed", [u.diff(t) - u.diff(x, 2) + u * u.diff(x)], box,
        [pde.Initial(u, 0), pde.Neumann(u, 0, on="left"), pde.Robin(u, 0, on="right", a=2, b=3)]),
    "second": pde.Problem("second", [u.diff(t, 2) - u.diff(x, 2)], box,
        [pde.Initial(u, 0), pde.Initial(u.diff(t), 0), pde.Dirichlet(u, 0)]),
    "periodic": pde.Problem("periodic", [u.diff(t) - v.diff(x, 2), v.diff(t) - u.diff(x)], box,
        [pde.Initial(u, 0), pde.Initial(v, 0), pde.Periodic(u), pde.Periodic(v)]),
    "mixed derivative": pde.Problem("xy", [w.diff(x, y) + w.diff(x, 2, y, 2) + laplacian], plane,
        [pde.Dirichlet(w, 0, on=("left", "top")), pde.Neumann(w, 0, on=("right", "bottom")),
         pde.Value(w, 0, at={x: 1, y: 0})]),
    "shape": pde.Problem("disk", [laplacian], pde.Disk((x, y), (0, 0), 1), [pde.Dirichlet(w, 0)]),
}
fields = {"u": wave, "v": sp.cos(sp.pi * x) + t, "w": sp.sin(x + 2 * y) * sp.exp(y)}
found = {}
for name, problem in problems.items():
    exact = [fields[n] for n in problem.unknown_names]
    made = problem.manufacture(**dict(zip(problem.unknown_names, exact)))
    made = problem_from_json(json.loads(json.dumps(problem_to_json(made))))
    function = lower(made.coordinates, exact, "torch")
    for factor in (1.0, 1.1):
        data = translate(dde, made, Recipe(points=40, points_boundary=40, points_initial=20), "pseudo")
        net = dde.nn.FNN([2, 3, len(exact)], "tanh", "Glorot normal")

        def transform(x, y):
            columns = [factor * e + 0 * y[:, :1] for e in function(x[:, :1], x[:, 1:])]
            return torch.cat(columns, dim=1)

        net.apply_output_transform(transform)
        model = dde.Model(data, net)
        model.compile("adam", lr=1e-3, verbose=0)
        history, _ = model.train(iterations=0, verbose=0)
        found.setdefault(name, []).append([float(loss) for loss in history.loss_train[0]])
print(json.dumps(found))
"""


def test_the_exact_field_has_no_loss_in_any_term_and_another_has_in_each(tmp_path: Path) -> None:
    """Derivatives, parts, normals, periodicity and data are handed over as declared."""
    environment = {**os.environ, "DDE_BACKEND": "pytorch", "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", EXACT],
        capture_output=True, text=True, timeout=120, check=False, env=environment, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    counts = {name: len(losses[0]) for name, losses in found.items()}
    assert counts == {"mixed": 4, "second": 5, "periodic": 2 + 2 + 2 + 1, "mixed derivative": 6, "shape": 2}
    for name, (exact, other) in found.items():
        assert max(exact) < 1e-20, name
        unseen = [i for i, loss in enumerate(other) if loss < 1e-8]
        assert unseen == UNSEEN.get(name, []), (name, other)


def test_it_trains_elsewhere_on_the_drivers_clock(tmp_path: Path) -> None:
    problem = pde.catalogue("poisson")
    begin = time.perf_counter()
    solution = pde.solve(problem, SMALL, steps=8, progress=False)
    seconds = time.perf_counter() - begin
    assert "deepxde" not in sys.modules
    assert solution.history.step[-1] == 8
    assert "iteration 200" in solution.message
    assert solution.error().relative_l2 < 0.6 < solution.history.relative_l2[0]
    # Starting the process takes seconds, which are not counted.
    cost = solution.cost
    assert 0 < cost.seconds_setup + cost.seconds_solve < seconds - 1
    # The conditions are exact, and the field is that of its arrays.
    edge = np.array([[0.0, 0.3], [1.0, 0.7]])
    assert np.abs(solution(edge)).max() < 1e-12
    loaded = pde.load(solution.save(tmp_path / "u.h5"))
    points = problem.domain.sample(40, np.random.default_rng(0))
    assert np.allclose(solution(points), loaded(points), rtol=1e-13, atol=0)
    assert solution.provenance["versions"]["deepxde"]


@pytest.mark.slow
def test_its_failure_is_ours_in_words() -> None:
    with pytest.raises(PeerError, match="KeyError: 'nothing'"):
        pde.solve(pde.catalogue("poisson"), DeepXDE(initializer="nothing"), steps=1, progress=False)


@pytest.mark.slow
class TestDeepXDE(BackendConformance):
    backend = DeepXDE(depth=2, width=12, points=100, adam_steps=300, precision="float64", lbfgs=True)
    steps = 20
    tolerance = 2e-2
    is_exactly_repeatable = False  # a resumed run starts its optimiser anew

    def problem(self) -> pde.Problem:
        return pde.catalogue("poisson")

    def unsupported(self) -> pde.Problem:
        return pde.catalogue("kdv")
