"""Declarations on shapes and meshes: what is right is accepted, what is wrong is refused by its own name."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import sympy as sp
from region_problems import (
    CHANNEL,
    DISK,
    L_SHAPE,
    ON_REGIONS,
    PARABOLA,
    acoustics,
    anisotropic_l_shape,
    cylinder,
    cylinder_in_time,
    cylinder_with_given_outflow,
    flow,
    heat_block,
    heat_disk,
    laplacian,
    p,
    plate,
    poisson_disk_neumann,
    poisson_l_shape,
    q,
    qp,
    qu,
    qv,
    rotation,
    s,
    slip_channel,
    stream_function_disk,
    t,
    u,
    v,
    x,
    y,
    z,
)
from sympy import exp, sin

import pdesolve.declare as pde
from pdesolve.declare import errors
from pdesolve.declare.mesh_domain import MeshDomain
from pdesolve.declare.regions.region import Region


@pytest.mark.parametrize("build", ON_REGIONS, ids=lambda build: build.__name__)
def test_accepted_without_a_warning(build: Callable[[], pde.Problem]) -> None:
    problem = build()  # warnings are errors here
    assert len(problem.unknowns) == len(problem.equations)


ON_SHAPES = [
    cylinder,
    cylinder_in_time,
    cylinder_with_given_outflow,
    poisson_disk_neumann,
    plate,
    heat_disk,
    rotation,
    stream_function_disk,
    acoustics,
]


@cache
def meshed(region: Region) -> Region:
    """A coarse mesh of a shape: 32 chords stand for its circle."""
    mesh = region.mesh(0.5)
    return MeshDomain(mesh, region.coordinates).region


def on_mesh(build: Callable[[], pde.Problem]) -> pde.Problem:
    good = build()
    return good.replace(domain=pde.Domain(meshed(good.domain.region), good.domain.time))


@pytest.mark.parametrize("build", ON_SHAPES, ids=lambda build: build.__name__)
def test_accepted_on_a_coarse_mesh(build: Callable[[], pde.Problem]) -> None:
    """Chords are off the circle by 0.5 % of the radius, their normals by 6 degrees."""
    assert on_mesh(build).domain.region.to_json()["kind"] == "mesh"


@pytest.mark.parametrize(
    ("build", "kind", "words"),
    [
        (
            lambda: cylinder_with_given_outflow(1.01 * PARABOLA),
            errors.PressureGaugeError,
            "imbalance of 0.00082 ",
        ),
        (lambda: poisson_disk_neumann(flux=2), errors.IncompatibleNeumannError, "imbalance of -2"),
        (lambda: poisson_disk_neumann(source=5), errors.IncompatibleNeumannError, "imbalance of -1"),
    ],
)
def test_an_imbalance_on_a_mesh(build: Callable[[], pde.Problem], kind: type, words: str) -> None:
    """Flat ends are exact, also where a curved part lets nothing through."""
    with pytest.raises(kind) as on_shape:
        build()
    assert words in str(on_shape.value)
    with pytest.raises(kind) as caught, pytest.MonkeyPatch.context() as patch:
        patch.setattr("region_problems.CHANNEL", pde.Domain(meshed(CHANNEL.region)))
        patch.setattr("region_problems.DISK", pde.Domain(meshed(DISK.region)))
        build()
    assert words in str(caught.value)


def added(build: Callable[[], pde.Problem], *conditions: Any) -> Callable[[], pde.Problem]:
    return lambda: (good := build()).replace(conditions=[*good.conditions, *conditions])


def without(build: Callable[[], pde.Problem], kind: type, unknown: Any, part: str = "") -> Callable[[], Any]:
    """A good problem without the conditions of a class on an unknown and, where one is given, a part."""

    def make() -> pde.Problem:
        good = build()
        kept = [
            c
            for c in good.conditions
            if not (isinstance(c, kind) and c.unknown == unknown and part in ("", *c.parts(good.domain)))
        ]
        return good.replace(conditions=kept)

    return make


def on_l_shape(*conditions: Any) -> pde.Problem:
    return pde.Problem("l", -laplacian(s) - 1, L_SHAPE, conditions)


def moved(velocity: tuple[Any, Any], *conditions: Any) -> pde.Problem:
    """Transport through the channel with a hole."""
    equation = q.diff(t) + velocity[0] * q.diff(x) + velocity[1] * q.diff(y)
    return pde.Problem("moved", equation, CHANNEL * pde.Time(t, 0, 1), [pde.Initial(q, 0), *conditions])


REFUSED: dict[str, tuple[Callable[[], Any], type[errors.PDESolveError], list[str]]] = {
    "a part of boxes": (
        lambda: on_l_shape(pde.Dirichlet(s, 0, on="left")),
        errors.UnknownPartError,
        ["Dirichlet(s)", "one of the parts wall", "'left'"],
    ),
    "a part with another spelling": (
        added(cylinder, pde.Dirichlet(v, 0, on="Outlet")),
        errors.UnknownPartError,
        ["outlet", "walls", "inlet", "cylinder", "'Outlet'"],
    ),
    "no condition": (
        lambda: on_l_shape(),
        errors.MissingBoundaryConditionError,
        ["1 condition on each part", "too few on wall", 'Dirichlet(s, 0, on="wall").'],
    ),
    "a part without a condition": (
        without(cylinder, pde.Neumann, v),
        errors.MissingBoundaryConditionError,
        ["'flow', v", "too few on outlet"],
    ),
    "second order along one axis": (
        lambda: pde.Problem("one-way", s.diff(x, 2) - s.diff(y), L_SHAPE, []),
        errors.MissingBoundaryConditionError,
        ["1 condition on each part for order 2 in x", "too few on wall"],
    ),
    "two parts without a condition": (
        without(cylinder, pde.Dirichlet, u, "walls"),
        errors.MissingBoundaryConditionError,
        ["'flow', u", "too few on walls, cylinder"],
    ),
    "fourth order with one condition": (
        without(plate, pde.Neumann, s),
        errors.MissingBoundaryConditionError,
        ["2 conditions on each part", "order 4", "circle"],
    ),
    "fourth order with three": (
        lambda: (good := plate()).replace(conditions=[*good.conditions, pde.Robin(s, 0)]),
        errors.OverdeterminedBoundaryError,
        ["circle"],
    ),
    "a part with two conditions": (
        added(cylinder, pde.Dirichlet(v, 0, on="outlet")),
        errors.DuplicateConditionError,
        ["v on outlet", "neumann, dirichlet"],
    ),
    "the same part by two lists": (
        added(cylinder, pde.Dirichlet(u, 0, on=("cylinder",))),
        errors.DuplicateConditionError,
        ["u on cylinder", "dirichlet, dirichlet"],
    ),
    "value and flux everywhere": (
        added(poisson_l_shape, pde.Neumann(s, 0)),
        errors.OverdeterminedBoundaryError,
        ["wall"],
    ),
    "periodic in all": (
        lambda: on_l_shape(pde.Periodic(s)),
        errors.PeriodicPairError,
        ["Periodic(s)", "a box", "Shape with the parts wall", "Interval or Box"],
    ),
    "periodic along an axis": (
        lambda: on_l_shape(pde.Periodic(s, x)),
        errors.PeriodicPairError,
        ["Periodic(s)", "a box"],
    ),
    "no initial condition": (
        without(heat_disk, pde.Initial, q),
        errors.InitialConditionError,
        ["Initial(q, ...)"],
    ),
    "a value in the hole": (
        added(cylinder, pde.Value(p, 0, at={x: 0.2, y: 0.2})),
        errors.BoundaryDataError,
        ["Value(p)", "inside the domain", "got x = 0.2, y = 0.2."],
    ),
    "a value in the corner of the bounding box": (
        lambda: on_l_shape(pde.Dirichlet(s, 0), pde.Value(s, 0, at={x: 0.5, y: -0.5})),
        errors.BoundaryDataError,
        ["Value(s)", "y = -0.5"],
    ),
    "a value on a line": (
        added(poisson_l_shape, pde.Value(s, 0, at={x: 0})),
        errors.BoundaryDataError,
        ["Value(s)", "all of x, y", "y left free"],
    ),
    "a value after the end": (
        added(cylinder_in_time, pde.Value(qp, 0, at={x: 1, y: 0.2, t: 9})),
        errors.BoundaryDataError,
        ["t between 0 and 8", "got 9"],
    ),
    "observations in the hole": (
        added(cylinder, pde.Observations(u, [[1.0, 0.2], [0.2, 0.21]], [0.0, 0.0])),
        errors.BoundaryDataError,
        ["Observations(u)", "1 outside", "[0.2, 0.21]"],
    ),
    "no gauge": (
        without(cylinder_with_given_outflow, pde.Value, p),
        errors.PressureGaugeError,
        ["p under derivatives only", "Value(p, 0, at={x:"],
    ),
    "a gauge at one instant": (
        lambda: (good := cylinder_in_time()).replace(
            conditions=[
                *(c for c in good.conditions if c.unknown != qp),
                pde.Value(qp, 0, at={x: 1, y: 0.2, t: 0}),
            ]
        ),
        errors.PressureGaugeError,
        ["at all times", "leave t out"],
    ),
    "one per cent more out than in": (
        # the inlet takes in 2/3 · 0.3 · 0.41 = 0.082
        lambda: cylinder_with_given_outflow(1.01 * PARABOLA),
        errors.PressureGaugeError,
        ["continuity", "imbalance of 0.00082 "],
    ),
    "more out than in between walls that slip": (
        lambda: slip_channel(1.01 * PARABOLA),
        errors.PressureGaugeError,
        ["continuity", "imbalance of 0.00082 "],
    ),
    "more out than in, in a narrow jet": (
        # 0.01 of 0.082 again; the jet carries 0.03 √π times its peak
        lambda: cylinder_with_given_outflow(
            1.01 * 0.082 / (0.03 * np.sqrt(np.pi)) * exp(-(((y - 0.205) / 0.03) ** 2))
        ),
        errors.PressureGaugeError,
        ["continuity", "imbalance of 0.00082 "],
    ),
    "pure Neumann without a value": (
        without(poisson_disk_neumann, pde.Value, s),
        errors.IncompatibleNeumannError,
        ["s under derivatives only", "Value(s, 0, at={x: "],
    ),
    "a flux that is half of what the source asks for": (
        # ∮ 2 - ∫ 4 = 2 · 4π - 4 · 4π
        lambda: poisson_disk_neumann(flux=2),
        errors.IncompatibleNeumannError,
        ["imbalance of -25.1 "],
    ),
    "a flux through one part of many sides that is one per mille too large": (
        # 6.006 - 6: the sides are flat, so that nothing excuses it
        lambda: (good := anisotropic_l_shape()).replace(
            conditions=[
                pde.Neumann(s, 2.002, on=("left", "right")),
                *(c for c in good.conditions if c.value == 0),
            ]
        ),
        errors.IncompatibleNeumannError,
        ["imbalance of 0.006 ", "12 in total"],
    ),
    "a flux through curved parts by a function": (
        lambda: poisson_disk_neumann(flux=lambda points: points[:, 0] - 1, source=1),
        errors.IncompatibleNeumannError,
        ["imbalance of -12.6 "],  # ∮ (x - 1) = 0, ∫ 1 = 4π
    ),
    "a function of a wrong shape": (
        lambda: on_l_shape(pde.Dirichlet(s, lambda points: points)),
        errors.BoundaryDataError,
        ["Dirichlet(s)", "shape (5, 2)", "shape (n,)"],
    ),
    "data that are infinite on a part": (
        lambda: on_l_shape(pde.Dirichlet(s, 1 / sp.Max(0, y - x - 0.5))),
        errors.BoundaryDataError,
        ["Dirichlet(s) on wall", "finite values"],
    ),
    "transport without inflow": (
        lambda: moved((0.5, 0)),
        errors.MissingBoundaryConditionError,
        ["none on inlet, cylinder, where it enters with speed 0.5"],
    ),
    "transport out of a hole without a condition there": (
        lambda: moved((0.5, 0), pde.Dirichlet(q, 0, on="inlet")),
        errors.MissingBoundaryConditionError,
        ["none on cylinder", 'on="cylinder").'],
    ),
    "a disk that turns about another point": (
        lambda: rotation().replace(equations=q.diff(t) - y * q.diff(x) + x * q.diff(y)),
        errors.MissingBoundaryConditionError,
        ["none on circle"],
    ),
    "a wall with one condition for two unknowns": (
        lambda: (good := stream_function_disk()).replace(
            conditions=list(good.of_type(pde.Dirichlet)),
        ),
        errors.MissingBoundaryConditionError,
        ["psi", "too few on circle"],
    ),
    "a part of a mesh without a condition": (
        lambda: (good := heat_block()).replace(
            conditions=[c for c in good.conditions if not isinstance(c, pde.Robin)]
        ),
        errors.MissingBoundaryConditionError,
        ["h", "too few on cooled", "1 condition on each part"],
    ),
    "a part that the mesh lacks": (
        lambda: (good := heat_block()).replace(
            conditions=[*good.conditions, pde.Dirichlet(good.unknowns[0], 0, on="top")]
        ),
        errors.UnknownPartError,
        ["heated, cooled, sides", "'top'"],
    ),
    "periodic on a mesh": (
        lambda: (good := heat_block()).replace(
            conditions=[*good.of_type(pde.Initial), pde.Periodic(good.unknowns[0])]
        ),
        errors.PeriodicPairError,
        ["MeshRegion with the parts heated, cooled, sides"],
    ),
    "a first-order system": (
        lambda: (good := acoustics()).replace(conditions=list(good.of_type(pde.Initial))),
        errors.MissingBoundaryConditionError,
        ["a, b, c", "inflow", "none on circle"],
    ),
    "a first-order equation": (
        lambda: pde.Problem("eikonal", s.diff(x) ** 2 + s.diff(y) ** 2 - 1, L_SHAPE, []),
        errors.MissingBoundaryConditionError,
        ["inflow", "none on wall", 'on="wall").'],
    ),
    "no box, and no domain": (
        lambda: pde.Problem("p", laplacian(s), "square", [pde.Dirichlet(s, 0)]),
        errors.ExpressionTypeError,
        ["domain", "'square'"],
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    build, kind, words = REFUSED[case]
    with pytest.raises(errors.PDESolveError) as caught:
        build()
    assert type(caught.value) is kind, str(caught.value)
    missing = [word for word in words if word not in str(caught.value)]
    assert not missing, f"{missing} not in: {caught.value}"
    assert caught.value.remedy.endswith(".")


def test_the_proposed_gauge_is_accepted() -> None:
    """The point that the error proposes lies in the domain, also where the bounding box has holes."""
    bare = without(cylinder_with_given_outflow, pde.Value, p)
    with pytest.raises(errors.PressureGaugeError) as caught:
        bare()
    at = caught.value.remedy.split("at={")[1].split("}")[0]
    point = {c: float(value.split(":")[1]) for c, value in zip((x, y), at.split(","), strict=True)}
    good = cylinder_with_given_outflow()
    kept = [c for c in good.conditions if not isinstance(c, pde.Value)]
    good.replace(conditions=[*kept, pde.Value(p, 0, at=point)])


def test_points_of_the_circle_count_as_inside() -> None:
    """They lie outside the chords, by up to π²/(2·512²) radii."""
    angles = np.linspace(0, 6, 50)
    circle = np.stack([1 + 2 * np.cos(angles), 0.5 + 2 * np.sin(angles)], axis=1)
    good = poisson_disk_neumann()
    seen = pde.Observations(s, circle, np.full(50, 4.0))
    assert good.replace(conditions=[*good.conditions, seen]).terms[-1].points is seen.points
    with pytest.raises(errors.BoundaryDataError, match="50 outside"):
        good.replace(conditions=[*good.conditions, pde.Observations(s, circle + 10, np.zeros(50))])


def test_the_lid_driven_cavity_in_time_warns_of_the_lid_alone() -> None:
    square = pde.Box((x, 0, 1), (y, 0, 1)) * pde.Time(t, 0, 1)
    conditions = [
        pde.Dirichlet(qu, 1, on="top"),
        pde.Dirichlet(qu, 0, on=("left", "right", "bottom")),
        pde.Dirichlet(qv, 0),
        pde.Initial(qu, 0),
        pde.Initial(qv, 0),
        pde.Value(qp, 0, at={x: 0, y: 0}),
    ]
    with pytest.warns(errors.CompatibilityWarning, match=r"Dirichlet\(u\) on top: .*by 1 ") as caught:
        flow(square, conditions, (qu, qv, qp))
    assert len(caught) == 1


def test_initial_data_that_contradict_a_curved_part() -> None:
    good = heat_disk()
    with pytest.warns(errors.CompatibilityWarning, match=r"Dirichlet\(q\) on circle: .*by 0\.5 "):
        good.replace(conditions=[pde.Initial(q, 1), pde.Dirichlet(q, 0.5)])


def test_a_speed_that_depends_on_the_solution_warns_of_inflow() -> None:
    with pytest.warns(errors.InflowWarning, match="no condition on circle"):
        rotation().replace(equations=q.diff(t) + q * q.diff(x))


# -- manufactured problems -----------------------------------------------------------------------------

FIELD = exp(x / 2) * sin(y) + x * y
GRADIENT = (exp(x / 2) * sin(y) / 2 + y, exp(x / 2) * sp.cos(y) + x)


def radial_slope(points: np.ndarray, center: tuple[float, float]) -> np.ndarray:
    """The slope of `FIELD` away from a point."""
    away = points[:, :2] - center
    away = away / np.linalg.norm(away, axis=1)[:, None]
    gradient = np.stack([sp.lambdify((x, y), g)(*points[:, :2].T) for g in GRADIENT], axis=1)
    return np.asarray(np.sum(away * gradient, axis=1))


def test_the_flux_through_a_circle_is_the_radial_slope() -> None:
    made = poisson_disk_neumann().manufacture({s: FIELD})
    (flux,) = (c.value for c in made.of_type(pde.Neumann))
    points = DISK.sample(200, np.random.default_rng(0), "circle")
    np.testing.assert_allclose(flux(points), radial_slope(points, (1, 0.5)), rtol=1e-12)


def test_data_of_each_part_of_a_channel() -> None:
    """Outward is inward of the cylinder; Robin data hold the field too; flat parts keep expressions."""
    declared = pde.Problem(
        "channel",
        laplacian(s) - 1,
        CHANNEL,
        [
            pde.Dirichlet(s, 0, on="walls"),
            pde.Neumann(s, 0, on=("inlet", "outlet")),
            pde.Robin(s, 0, on="cylinder", a=3, b=2),
        ],
    )
    made = declared.manufacture({s: FIELD})
    data = {part: c.value for c in made.conditions for part in c.on}
    assert list(data) == ["walls", "inlet", "outlet", "cylinder"]
    assert data["walls"] == FIELD
    assert sp.expand(data["inlet"] + GRADIENT[0]) == 0
    assert sp.expand(data["outlet"] - GRADIENT[0]) == 0
    points = CHANNEL.sample(100, np.random.default_rng(1), "cylinder")
    values = sp.lambdify((x, y), FIELD)(*points.T)
    expected = 3 * values - 2 * radial_slope(points, (0.2, 0.2))
    np.testing.assert_allclose(data["cylinder"](points), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("build", "fields"),
    [
        (poisson_l_shape, {s: FIELD}),
        (poisson_disk_neumann, {s: FIELD}),
        (plate, {s: FIELD}),
        (heat_disk, {q: FIELD * exp(-t)}),
        (heat_block, {heat_block().unknowns[0]: FIELD * exp(-t) * sp.cos(z)}),
        (lambda: on_mesh(poisson_disk_neumann), {s: FIELD}),
        (cylinder, {u: sin(x) * y, v: -sp.cos(x) * y**2 / 2, p: x * y}),
    ],
    ids=lambda case: getattr(case, "__name__", ""),
)
def test_the_field_makes_every_term_vanish(build: Callable[[], pde.Problem], fields: dict[Any, Any]) -> None:
    """Every term, its inputs included, at points where it holds."""
    made = build().manufacture(fields)
    rng = np.random.default_rng(2)
    for term in made.terms:
        points = term.sample(made.domain, 64, rng)
        symbols = list(term.inputs)
        residual = sp.lambdify([*made.coordinates, *symbols], term.expression.subs(fields).doit())
        values = residual(*points.T, *(term.inputs[symbol](points) for symbol in symbols))
        np.testing.assert_allclose(values, np.zeros(len(points)), atol=1e-12, err_msg=term.name)


def test_terms_on_flat_parts_hold_what_the_normal_picks() -> None:
    """Round-off in a mesh's normals asks for no further derivative."""
    made = on_mesh(cylinder)
    (outlet,) = (term for term in made.terms if term.name == "neumann u on outlet")
    assert outlet.expression == u.diff(x)

    def on_b(vertices: list[tuple[float, float]]) -> sp.Expr:
        names = ("a", "b", "c", "d")[: len(vertices)]
        domain = pde.Polygon((x, y), vertices, names=names)
        problem = pde.Problem("p", laplacian(s) - s, domain, [pde.Neumann(s, 0)])
        return next(term.expression for term in problem.terms if term.region == "b")

    assert on_b([(0.1, 0.1), (0.1 + 0.2, 0.1), (0.3, 0.7), (0.1, 0.7)]) == s.diff(x)  # 0.1 + 0.2 > 0.3
    b = on_b([(0, 0), (3, 0), (0, 4)])
    assert [float(b.coeff(s.diff(c))) for c in (x, y)] == pytest.approx([0.8, 0.6], rel=1e-14)


def test_a_flux_through_a_curve_holds_the_present_parameters() -> None:
    k = pde.parameter("k", positive=True)
    declared = pde.Problem("k", laplacian(s) - s, DISK, [pde.Robin(s, 0, b=k)], {k: 3})
    made = declared.manufacture({s: x})
    (robin,) = made.conditions
    points = DISK.sample(10, np.random.default_rng(3), "circle")
    normal_x = (points[:, 0] - 1) / np.hypot(points[:, 0] - 1, points[:, 1] - 0.5)
    np.testing.assert_allclose(robin.value(points), points[:, 0] + 3 * normal_x, rtol=1e-12)
