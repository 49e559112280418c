"""Makes the meshes beside it, and the small files that the tests read. Needs gmsh: ``pip install gmsh``.

    python -m pdesolve.meshes.make_meshes [folder [folder of the test files]]

gmsh is no dependency: the files are committed, and this script tells how they came about. Its Python wheel
needs some libraries of the system (Debian: libglu1-mesa libxft2 libxcursor1 libxinerama1).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import gmsh


@contextmanager
def model(name: str) -> Iterator[None]:
    gmsh.initialize(["gmsh", "-nt", "1"], interruptible=False)
    gmsh.option.setNumber("General.Terminal", 0)
    gmsh.option.setNumber("Mesh.MeshSizeExtendFromBoundary", 0)
    gmsh.option.setNumber("Mesh.Algorithm", 6)  # frontal Delaunay
    gmsh.model.add(name)
    try:
        yield
    finally:
        gmsh.finalize()


def name_parts(parts: Mapping[str, Sequence[int]], dimension: int, inside: Sequence[int]) -> None:
    for name, entities in parts.items():
        gmsh.model.addPhysicalGroup(dimension, list(entities), name=name)
    gmsh.model.addPhysicalGroup(dimension + 1, list(inside), name="interior")


def polygon(corners: Sequence[tuple[float, float]]) -> list[int]:
    """Lines between consecutive corners, closed; their tags."""
    points = [gmsh.model.geo.addPoint(x, y, 0) for x, y in corners]
    following = points[1:] + points[:1]
    return [gmsh.model.geo.addLine(a, b) for a, b in zip(points, following, strict=True)]


def plane(*loops: Sequence[int]) -> int:
    """The surface inside the first loop and outside of the others."""
    surface = gmsh.model.geo.addPlaneSurface([gmsh.model.geo.addCurveLoop(list(loop)) for loop in loops])
    gmsh.model.geo.synchronize()
    return int(surface)


def grade(*rules: tuple[str, Sequence[int], float, float, float]) -> None:
    """Edges of the least length that a rule gives: (``"CurvesList"`` or ``"PointsList"``, tags, length
    there, length far away, distance over which it grows)."""
    field, thresholds = gmsh.model.mesh.field, []
    for kind, tags, near, far, reach in rules:
        distance = field.add("Distance")
        field.setNumbers(distance, kind, list(tags))
        field.setNumber(distance, "Sampling", 200)
        threshold = field.add("Threshold")
        options = {"InField": distance, "SizeMin": near, "SizeMax": far, "DistMin": 0, "DistMax": reach}
        for option, value in options.items():
            field.setNumber(threshold, option, value)
        thresholds.append(threshold)
    least = field.add("Min")
    field.setNumbers(least, "FieldsList", thresholds)
    field.setAsBackgroundMesh(least)
    gmsh.option.setNumber("Mesh.MeshSizeFromPoints", 0)


def save(path: Path, version: float = 4.1, binary: bool = True) -> None:
    gmsh.option.setNumber("Mesh.MshFileVersion", version)
    gmsh.option.setNumber("Mesh.Binary", binary)
    gmsh.write(str(path))


def l_shape(folder: Path) -> None:
    """[-1, 1]² without its quarter x > 0, y < 0, graded to the re-entrant corner at the origin."""
    with model("l-shape"):
        lines = polygon([(0, 0), (0, -1), (-1, -1), (-1, 1), (1, 1), (1, 0)])
        surface = plane(lines)
        (corner, _) = (tag for _, tag in gmsh.model.getBoundary([(1, lines[0])], combined=False))
        grade(("PointsList", [corner], 0.001, 0.1, 0.8))
        name_parts({"boundary": lines}, 1, [surface])
        gmsh.model.mesh.generate(2)
        save(folder / "l-shape.msh")


def cylinder(folder: Path) -> None:
    """The channel of the DFG benchmark: 2.2 × 0.41, a cylinder of radius 0.05 at (0.2, 0.2); curved cells.

    M. Schäfer, S. Turek, Benchmark computations of laminar flow around a cylinder (1996).
    """
    with model("cylinder"):
        add = gmsh.model.geo
        bottom, outlet, top, inlet = polygon([(0, 0), (2.2, 0), (2.2, 0.41), (0, 0.41)])
        centre = add.addPoint(0.2, 0.2, 0)
        ends = [add.addPoint(*end, 0) for end in ((0.25, 0.2), (0.2, 0.25), (0.15, 0.2), (0.2, 0.15))]
        arcs = [add.addCircleArc(ends[i], centre, ends[(i + 1) % 4]) for i in range(4)]
        wake = add.addLine(ends[0], add.addPoint(0.9, 0.2, 0))
        surface = plane([bottom, outlet, top, inlet], arcs)
        grade(
            ("CurvesList", arcs, 0.0035, 0.05, 0.45),
            ("CurvesList", [wake], 0.016, 0.05, 0.35),
            ("CurvesList", [bottom, top], 0.03, 0.05, 0.2),
        )
        parts = {"inlet": [inlet], "outlet": [outlet], "walls": [bottom, top], "cylinder": arcs}
        name_parts(parts, 1, [surface])
        gmsh.model.mesh.generate(2)
        gmsh.model.mesh.setOrder(2)
        save(folder / "cylinder.msh")


def backward_step(folder: Path) -> None:
    """The channel behind a step, 0 <= x <= 30, |y| <= 1/2, with its inlet at x = 0, y > 0.

    D. K. Gartling, Int. J. Numer. Methods Fluids 11 (1990) 953.
    """
    with model("backward-step"):
        corners = [(0, 0), (0, -0.5), (30, -0.5), (30, 0.5), (0, 0.5)]
        step, bottom, outlet, top, inlet = polygon(corners)
        surface = plane([step, bottom, outlet, top, inlet])
        (corner, _) = (tag for _, tag in gmsh.model.getBoundary([(1, step)], combined=False))
        grade(("PointsList", [corner], 0.02, 0.28, 4.5), ("CurvesList", [step, inlet], 0.07, 0.2, 25))
        name_parts({"inlet": [inlet], "outlet": [outlet], "walls": [step, bottom, top]}, 1, [surface])
        gmsh.model.mesh.generate(2)
        save(folder / "backward-step.msh")


def part(folder: Path) -> None:
    """An angle bracket 1 × 0.6 × 0.8, 0.15 thick, a hole of radius 0.15 through its base; its surface."""
    with model("part"):
        add = gmsh.model.occ
        base, back = add.addBox(0, 0, 0, 1, 0.6, 0.15), add.addBox(0, 0, 0, 0.15, 0.6, 0.8)
        drill = add.addCylinder(0.65, 0.3, -0.1, 0, 0, 0.5, 0.15)
        ((_, solid),), _ = add.cut(add.fuse([(3, base)], [(3, back)])[0], [(3, drill)])
        add.synchronize()
        gmsh.model.occ.removeAllDuplicates()
        surfaces = [tag for _, tag in gmsh.model.getBoundary([(3, solid)], oriented=False)]
        boxes = {tag: gmsh.model.getBoundingBox(2, tag) for tag in surfaces}
        hole = [tag for tag in surfaces if gmsh.model.getType(2, tag) == "Cylinder"]
        bottom = [tag for tag in surfaces if boxes[tag][5] < 1e-3]
        outside = [tag for tag in surfaces if tag not in (*hole, *bottom)]
        gmsh.option.setNumber("Mesh.MeshSizeMax", 0.07)
        gmsh.option.setNumber("Mesh.MeshSizeFromCurvature", 24)
        gmsh.option.setNumber("Mesh.Algorithm3D", 1)
        name_parts({"base": bottom, "hole": hole, "outside": outside}, 2, [solid])
        gmsh.model.mesh.generate(3)
        gmsh.model.mesh.optimize("Netgen")
        save(folder / "part.msh")
        gmsh.write(str(folder / "part.stl"))


def small_files(folder: Path) -> None:
    """What the tests read: a rectangle with two named sides in every format, a curved ball."""
    import meshio

    with model("rectangle"):
        bottom, right, top, left = polygon([(0, 0), (2, 0), (2, 1), (0, 1)])
        surface = plane([bottom, right, top, left])
        gmsh.option.setNumber("Mesh.MeshSizeMax", 0.4)
        name_parts({"inlet": [left], "walls": [bottom, top]}, 1, [surface])  # `right` has no name
        gmsh.model.mesh.generate(2)
        for version, binary in ((2.2, False), (2.2, True), (4.0, False), (4.1, False), (4.1, True)):
            kind = "binary" if binary else "ascii"
            save(folder / f"rectangle-{version}-{kind}.msh".replace(".", "", 1), version, binary)
        meshio.read(folder / "rectangle-41-binary.msh").write(folder / "rectangle.vtu")
    with model("ball"):
        ball = gmsh.model.occ.addSphere(0, 0, 0, 1)
        gmsh.model.occ.synchronize()
        gmsh.option.setNumber("Mesh.MeshSizeMax", 0.7)
        surfaces = [tag for _, tag in gmsh.model.getEntities(2)]
        name_parts({"sphere": surfaces}, 2, [ball])
        gmsh.model.mesh.generate(3)
        gmsh.write(str(folder / "ball.stl"))
        gmsh.model.mesh.setOrder(2)
        save(folder / "ball-quadratic.msh")


def main() -> None:
    folders = [Path(argument) for argument in sys.argv[1:]] or [Path(__file__).parent]
    for make in (l_shape, cylinder, backward_step, part):
        make(folders[0])
    if len(folders) > 1:
        small_files(folders[1])


if __name__ == "__main__":
    main()
