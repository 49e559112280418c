"""Unknown coefficients, and members of families of which observations are all that is known."""

import json
import pickle

import numpy as np
import pytest
import sympy as sp

import pdesolve as pde
from pdesolve.backends.registry import make_backend
from pdesolve.declare import DeclarationError
from pdesolve.declare.errors import (
    EquationCountError,
    MissingCoordinateError,
    SerializationError,
    SymbolNameError,
    UndeclaredSymbolError,
)
from pdesolve.declare.serialization import problem_from_json, problem_to_json
from pdesolve.declare.symbols import UnknownCoefficient

x, y, t = pde.coordinates("x y t")
SQUARE = pde.Box((x, 0, 1), (y, 0, 1))
POINTS = np.random.default_rng(0).uniform(0.1, 0.9, (6, 2))
VALUES = np.arange(6.0)
u = pde.unknown("u", x, y)


def darcy(medium, **more):
    equation = -(medium * u.diff(x)).diff(x) - (medium * u.diff(y)).diff(y) - 1
    return pde.Problem("darcy", [equation], SQUARE, [pde.Dirichlet(u, 0)], **more)


@pytest.fixture(scope="module")
def steady():
    return pde.family("poisson-random")


@pytest.fixture(scope="module")
def evolution():
    return pde.family("burgers-random", nu=0.05, T=0.2)


# -- coefficient() -------------------------------------------------------------------------------------


def test_coefficients_follow_the_other_symbols():
    a = pde.coefficient("a", x, y)
    b, c = pde.coefficient("b c", x)
    assert isinstance(a, UnknownCoefficient) and a.args == (x, y) and b.args == c.args == (x,)
    assert a.is_real and a == pde.coefficient("a", x, y)
    assert sp.expand((a * u.diff(x)).diff(x)) == a.diff(x) * u.diff(x) + a * u.diff(x, 2)
    with pytest.raises(MissingCoordinateError):
        b.diff(y)


def test_a_coefficient_is_no_unknown_of_the_same_name():
    a, other = pde.coefficient("a", x, y), pde.unknown("a", x, y)
    assert a != other and (a - other) != 0
    assert not isinstance(other, UnknownCoefficient)  # whichever SymPy met first


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: pde.coefficient("a"), UndeclaredSymbolError, r'coefficient\("u", x, t\)'),
        (lambda: pde.coefficient("a", "x"), UndeclaredSymbolError, "coordinates"),
        (lambda: pde.coefficient(3, x), SymbolNameError, "one string"),
        (lambda: pde.coefficient("", x), UndeclaredSymbolError, "at least one name"),
    ],
)
def test_misuse_is_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_coefficients_need_no_equation_and_unknowns_do():
    a = pde.coefficient("a", x, y)
    problem = darcy(a)
    assert problem.coefficients == (a,) and set(problem.unknowns) == {u, a}
    assert darcy(2).coefficients == ()
    with pytest.raises(EquationCountError, match=r"1 equation for 2 unknowns.*coefficient\(\)"):
        darcy(pde.unknown("a", x, y))
    with pytest.raises(EquationCountError, match="2 equations for 1 unknown"):
        problem.replace(equations=[*problem.equations.values(), a - 1])


# -- undetermined --------------------------------------------------------------------------------------


def test_inputs_become_coefficients(steady):
    problem = steady.undetermined
    assert problem.unknown_names == ("u", "a") and [str(c) for c in problem.coefficients] == ["a(x, y)"]
    assert problem.family == "poisson-random" and dict(problem.priors) == dict(steady.inputs)
    assert not problem.inputs and problem.reference is None
    a = problem.coefficients[0]
    (equation,) = problem.equations.values()
    assert sp.simplify(equation.subs(a, sp.sin(x)).doit() - (u.diff(x, 2) + u.diff(y, 2) - sp.sin(x))) == 0


def test_numbers_and_evolutions_are_not_left_open(evolution):
    with pytest.raises(UndeclaredSymbolError, match="evolutions"):
        evolution.undetermined  # noqa: B018

    def declare(k):
        return darcy(sp.Integer(1)).replace(name="rods", equations=[u.diff(x, 2) + u.diff(y, 2) + k])

    with pytest.raises(UndeclaredSymbolError, match="numbers among the inputs"):
        pde.Family("rods", declare, {"k": pde.Uniform(1, 2)}).observed({"u": (POINTS, VALUES)})


# -- observed ------------------------------------------------------------------------------------------


def test_a_steady_member_holds_what_was_seen_of_it(steady):
    problem = steady.observed({"u": (POINTS, VALUES), "a": (POINTS[:2], VALUES[:2])}, noise={"a": 0.1})
    found = {str(c.unknown.func): c for c in problem.of_type(pde.Observations)}
    assert set(found) == {"u", "a"} and np.array_equal(found["u"].points, POINTS)
    assert (found["u"].noise, found["a"].noise) == (0.0, 0.1)
    assert np.array_equal(found["a"].values, VALUES[:2])
    assert len(list(problem.of_type(pde.Dirichlet))) == 1 and problem.reference is None
    same = steady.observed({"u": (POINTS, VALUES)}, noise=0.2)
    assert [c.noise for c in same.of_type(pde.Observations)] == [0.2]
    assert problem.unknown_names == ("u", "a")


def test_a_reference_is_kept_for_all_unknowns(steady):
    def truth(points):
        return np.stack([points[:, 0], points[:, 1]], axis=1)

    problem = steady.observed({"u": (POINTS, VALUES)}, reference=truth)
    assert problem.reference is not None


def test_an_evolution_loses_the_start_that_is_an_input(evolution):
    places = POINTS * (1, 0.2)
    problem = evolution.observed({"u": (places, VALUES)}, noise=1e-3)
    assert not list(problem.of_type(pde.Initial)) and list(problem.of_type(pde.Periodic))
    assert problem.unknown_names == ("u",) and problem.coefficients == () and not problem.inputs
    assert list(evolution.typical.of_type(pde.Initial))  # of the family itself nothing changes


def test_a_start_that_is_no_input_stays():
    def declare(a):
        v = pde.unknown("v", x, t)
        wave = [v.diff(t, 2) - v.diff(x, 2)]
        conditions = [pde.Periodic(v), pde.Initial(v, a), pde.Initial(v.diff(t), 0)]
        return pde.Problem("string", wave, pde.Interval(x, 0, 1) * pde.Time(t, 0, 1), conditions)

    family = pde.Family("string", declare, {"a": pde.GaussianField(pde.Interval(x, 0, 1), modes=3)})
    (kept,) = family.observed({"v": (POINTS, VALUES)}).of_type(pde.Initial)
    assert kept.order == 1 and kept.value == 0


@pytest.mark.parametrize(
    ("observations", "noise", "words"),
    [
        ({}, 0.0, "none"),
        ({"w": (POINTS, VALUES)}, 0.0, "observations of u, a; got w"),
        ({"u": (POINTS, VALUES)}, {"a": 0.1}, "noise of u; got a"),
        ({"u": (POINTS, VALUES)}, {"v": 0.1}, "noise of u; got v"),
        ({"u": (POINTS, VALUES)}, -1.0, "noise >= 0"),
        ({"u": (POINTS, VALUES[:3])}, 0.0, "one value for each point"),
        ({"u": (POINTS, np.nan * VALUES)}, 0.0, "finite numbers"),
        ({"u": (POINTS + 3, VALUES)}, 0.0, "domain"),
    ],
)
def test_what_makes_no_sense_is_refused(steady, observations, noise, words):
    with pytest.raises(DeclarationError, match=words):
        steady.observed(observations, noise=noise)


# -- identity and files --------------------------------------------------------------------------------


def test_digests_tell_observations_and_priors_apart(steady):
    def made(points=POINTS, values=VALUES, noise=0.0, family=steady, name="u"):
        return family.observed({name: (points, values)}, noise=noise)

    smoother = pde.Family(
        steady.name, steady.declare, {"a": pde.GaussianField(SQUARE, gamma=3, boundary="neumann")}
    )
    every = [
        steady.undetermined,
        made(),
        made(values=VALUES + 1e-9),
        made(points=POINTS + 1e-9),
        made(noise=1e-3),
        made(name="a"),
        made(family=smoother),
    ]
    assert len({problem.digest for problem in every}) == len(every)
    assert made().digest == made().digest


def test_observed_members_go_through_json(steady, evolution):
    for problem in (
        steady.observed({"u": (POINTS, VALUES), "a": (POINTS, VALUES)}, noise=0.1),
        evolution.observed({"u": (POINTS * (1, 0.2), VALUES)}),
    ):
        back = problem_from_json(json.loads(json.dumps(problem_to_json(problem))))
        assert back.unknowns == problem.unknowns and back.coefficients == problem.coefficients
        assert back.equations == problem.equations
        assert back.family == problem.family and back.digest == problem.digest
        laws, again = ({k: law.describe() for k, law in p.priors.items()} for p in (problem, back))
        assert laws == again


@pytest.mark.parametrize(
    "law",
    [
        pde.GaussianField(SQUARE, sigma=7**1.5, modes=5, boundary="neumann", zero_mean=True),
        pde.TwoPhase(pde.GaussianField(SQUARE), above=1.0, below=0.1),
        pde.LogNormal(pde.GaussianField(pde.Box((x, -1, 2), (y, 0, sp.pi)))),
        pde.RandomSines(pde.Interval(x, 0, 64)),
        pde.Uniform(1, 2),
        pde.LogUniform(0.1, 10.0),
    ],
)
def test_priors_go_through_json(law):
    problem = darcy(pde.coefficient("a", x, y), priors={"a": law})
    (back,) = problem_from_json(json.loads(json.dumps(problem_to_json(problem)))).priors.values()
    assert type(back) is type(law) and back.describe() == law.describe()
    if law.is_field:
        axes = [np.linspace(0.1, 0.9, 3)] * (1 if isinstance(law, pde.RandomSines) else 2)
        drawn, again = (f.values(np.random.default_rng(0), axes) for f in (law, back))
        assert np.allclose(drawn, again, rtol=1e-12)


def test_priors_of_ones_own_are_not_written():
    class Constant(pde.Uniform):
        pass

    with pytest.raises(SerializationError, match="one of GaussianField"):
        problem_to_json(darcy(pde.coefficient("a", x, y), priors={"a": Constant(0, 1)}))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "Constant"}, "kind of random field"),
        ({"sigma": -1.0}, "positive"),
        ({"sigma": "big"}, "TypeError"),
        ({"domain": [["x", 0.0]]}, "ValueError"),
        ({"extra": 1}, "TypeError"),
    ],
)
def test_damaged_priors_are_refused(steady, change, words):
    content = problem_to_json(steady.undetermined)
    content["priors"][0][1].update(change)
    with pytest.raises(SerializationError, match=words):
        problem_from_json(content)


def test_coefficients_are_not_unknowns_after_reading():
    problem = darcy(pde.coefficient("a", x, y))
    content = problem_to_json(problem)
    back = problem_from_json(content)
    assert back.digest == problem.digest and len(back.coefficients) == 1
    with pytest.raises(SerializationError, match="as many equations as unknowns"):
        problem_from_json(json.loads(json.dumps(content).replace('"coefficient"', '"function"')))


def test_coefficients_go_to_other_processes():
    a = pde.coefficient("a", x, y)
    assert pickle.loads(pickle.dumps(a * u.diff(x))) == a * u.diff(x)


@pytest.mark.parametrize("name", ["fem", "spectral", "teng"])
@pytest.mark.parametrize("is_observed", [True, False])
def test_solvers_of_determined_problems_say_why_not(name, is_observed, steady, evolution):
    backend = make_backend(name)
    problem = steady.observed({"u": (POINTS, VALUES)}) if is_observed else steady.undetermined
    started = evolution.observed({"u": (POINTS * (1, 0.2), VALUES)})
    for each in (problem, started):
        reasons = backend.supports(each)
        assert reasons and all(len(reason) > 10 for reason in reasons)


@pytest.mark.parametrize("name", ["fem", "spectral", "teng"])
def test_an_unknown_coefficient_of_an_evolution_is_refused(name):
    w, k = pde.unknown("w", x, t), pde.coefficient("k", x, t)
    equation = [w.diff(t) - w.diff(x, 2) - k]
    conditions = [pde.Initial(w, 0), pde.Dirichlet(w, 0)]
    problem = pde.Problem("rod", equation, pde.Interval(x, 0, 1) * pde.Time(t, 0, 1), conditions)
    assert "coefficients" in make_backend(name).supports(problem)[0]


def test_evolutions_that_differ_in_more_than_their_start_are_refused():
    v = pde.unknown("v", x, t)

    def heat(v0, nu):
        line = pde.Interval(x, 0, 1)
        return pde.Problem(
            "heat",
            [v.diff(t) - nu * v.diff(x, 2)],
            line * pde.Time(t, 0, 1),
            [pde.Initial(v, v0), pde.Periodic(v)],
        )

    start = pde.GaussianField(pde.Interval(x, 0, 1), modes=2)
    family = pde.Family("heats", heat, {"v0": start, "nu": pde.Uniform(0.1, 0.2)})
    with pytest.raises(UndeclaredSymbolError, match="initial values"):
        family.observed({"v": (POINTS, VALUES)})
