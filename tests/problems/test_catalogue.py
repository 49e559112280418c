"""The catalogue as a whole: every entry declares, and wrong names are refused with what was meant."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

from pdesolve.backends.spectral import Spectral
from pdesolve.declare import PDESolveError, Problem
from pdesolve.declare.errors import ParameterValueError
from pdesolve.problems import (
    CATALOGUE,
    ProblemVariantError,
    UnknownProblemError,
    UnknownProblemParameterError,
    catalogue,
    names,
    parameters_of,
)

VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in names()),
    ("allen-cahn", {"variant": "smooth"}),
    ("allen-cahn", {"variant": "dirichlet", "diffusivity": 1e-3}),
    ("allen-cahn-2d", {"diffusivity": 0.01, "T": 1}),
    ("burgers", {"nu": 0.1}),
    ("burgers-2d", {"nu": 0.02, "T": 2}),
    ("convection", {"beta": 50}),
    ("backward-step", {"Re": 100}),
    ("cylinder", {"variant": "2D-2"}),
    ("eikonal", {"eps": 0.5}),
    ("heat", {"nu": 1}),
    ("heat-2d", {"diffusivity": 1, "T": 2}),
    ("heat-part", {"Bi": 0}),
    ("helmholtz", {"a1": 6, "a2": 6}),
    ("helmholtz", {"a1": 1.5, "k": 2}),
    ("kdv", {"variant": "two-soliton"}),
    ("kovasznay", {"Re": 40}),
    ("kuramoto-sivashinsky", {"variant": "chaotic"}),
    ("lid-driven-cavity", {"Re": 1000}),
    ("lid-driven-cavity", {"lid": "regularised"}),
    ("lid-driven-cavity", {"lid": "parabolic"}),
    ("lid-driven-cavity", {"lid": "smooth"}),
    ("navier-stokes-torus", {"variant": "decaying"}),
    ("navier-stokes-torus", {"nu": 1e-4, "T": 10}),
    ("poisson", {"a": 2, "b": 0.5}),
    ("taylor-green", {"nu": 0.1, "T": 2}),
    ("taylor-green", {"dimension": 3}),
    ("wave", {"c": 1}),
]


def test_the_names_of_the_foundation_are_there() -> None:
    wanted = "allen-cahn burgers convection heat helmholtz kdv kovasznay kuramoto-sivashinsky poisson"
    assert {*wanted.split(), "taylor-green", "wave"} <= set(names()) == set(CATALOGUE)


@pytest.mark.parametrize(("name", "parameters"), VARIANTS, ids=str)
def test_declares_without_warnings(name: str, parameters: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        problem = catalogue(name, **parameters)
    assert isinstance(problem, Problem) and problem.name.startswith(name)
    assert problem.description and problem.reference is not None and problem.reference.description
    assert not any(key.startswith("equation") for key in problem.equations)  # each has a name of its own
    assert catalogue(name, **parameters).digest == problem.digest


def test_parameters_and_variants_make_different_problems() -> None:
    digests = {catalogue(name, **parameters).digest for name, parameters in VARIANTS}
    assert len(digests) == len(VARIANTS)


@pytest.mark.parametrize("name", names())
def test_docstrings_state_what_a_reader_needs(name: str) -> None:
    import importlib

    module, _, function = CATALOGUE[name].partition(":")
    text = getattr(importlib.import_module(f"pdesolve.problems.{module}"), function).__doc__
    assert "Source:" in text and "=" in text and ("Args:" in text) == bool(parameters_of(name))
    for parameter in parameters_of(name):
        assert f"{parameter}" in text


@pytest.mark.parametrize(("name", "key"), [(name, key) for name in names() for key in parameters_of(name)])
def test_no_parameter_is_ever_run_as_code(name: str, key: str, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    with pytest.raises(PDESolveError, match="__import__"):
        catalogue(name, **{key: f"__import__('pathlib').Path({str(proof)!r}).touch() or 1"})
    assert not proof.exists()


def test_flows_name_their_vector_and_equations() -> None:
    for name in ("taylor-green", "kovasznay", "lid-driven-cavity", "cylinder", "backward-step"):
        problem = catalogue(name)
        assert problem.vectors == {"velocity": problem.unknowns[:2]}
        assert list(problem.equations) == ["momentum x", "momentum y", "continuity"]
        assert problem.unknown_names == ("u", "v", "p")


def test_which_entries_the_spectral_backend_takes() -> None:
    refused = {name for name in names() if Spectral().supports(catalogue(name))}
    shapes = {name for name in names() if not catalogue(name).domain.is_box}
    # The lid jumps in the corners; ten coordinates have too many tensor points.
    assert refused == shapes | {"lid-driven-cavity", "poisson-10d"}
    assert Spectral().supports(catalogue("lid-driven-cavity", lid="regularised")) == []


@pytest.mark.parametrize(
    ("name", "parameters", "error", "word"),
    [
        ("burger", {}, UnknownProblemError, "burgers"),
        ("kuramoto", {}, UnknownProblemError, "kuramoto-sivashinsky"),
        ("", {}, UnknownProblemError, "allen-cahn"),
        ("burgers", {"mu": 1}, UnknownProblemParameterError, "nu"),
        ("kdv", {"variant": "three"}, ProblemVariantError, "two-soliton"),
        ("heat", {"nu": float("nan")}, ParameterValueError, "nu"),
        ("poisson", {"a": "abc"}, ParameterValueError, "a=.*'abc'"),
        ("helmholtz", {"k": float("nan")}, ParameterValueError, "k=.*finite"),
        ("burgers", {"nu": "abc"}, ParameterValueError, "nu=.*'abc'"),
        ("heat", {"nu": -1}, ParameterValueError, "nu"),
    ],
)
def test_refusals(name: str, parameters: dict[str, Any], error: type[Exception], word: str) -> None:
    with pytest.raises(error, match=word):
        catalogue(name, **parameters)
