"""ParaView itself opens the files; skipped, with the reason, where it is not installed."""

import json
import shutil
import subprocess

import numpy as np
import pytest

import pdesolve as pde

SCRIPT = """
import json, sys
from paraview.simple import OpenDataFile, UpdatePipeline

report = {}
for path in sys.argv[1:]:
    source = OpenDataFile(path)
    assert source is not None, path
    source.UpdatePipelineInformation()
    times = list(getattr(source, "TimestepValues", []) or [])
    steps = []
    for time in times or [0.0]:
        source.UpdatePipeline(time)
        info = source.GetDataInformation()
        arrays = {}
        for i in range(source.PointData.GetNumberOfArrays()):
            array = source.PointData[i]
            n = array.GetNumberOfComponents()
            arrays[array.GetName()] = [list(array.GetRange(j)) for j in range(n)]
        steps.append({"points": info.GetNumberOfPoints(), "arrays": arrays})
    report[path] = {"times": times, "steps": steps}
print("REPORT" + json.dumps(report))
"""

pytestmark = [
    pytest.mark.skipif(shutil.which("pvpython") is None, reason="ParaView (pvpython) is not installed"),
    pytest.mark.skipif(shutil.which("xvfb-run") is None, reason="xvfb-run is not installed"),
]


@pytest.fixture
def paraview(tmp_path):
    def inspect(*paths):
        script = tmp_path / "inspect_files.py"
        script.write_text(SCRIPT)
        command = ["xvfb-run", "-a", "pvpython", str(script), *map(str, paths)]
        # its own environment: PYTHONPATH of the virtual environment would shadow ParaView's modules
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=240,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        )
        lines = [line for line in done.stdout.splitlines() if line.startswith("REPORT")]
        assert done.returncode == 0, done.stderr
        assert lines, done.stdout + done.stderr
        assert "ERR|" not in done.stderr, done.stderr
        return json.loads(lines[0].removeprefix("REPORT"))

    return inspect


def test_series_images_and_collocation_points_open_with_the_same_times_and_ranges(
    heat, flow, tmp_path, paraview
):
    line = heat.write_vtk(tmp_path / "heat", times=[0.0, 1 / 3, 2.0], shape=(31, 5))
    plane = flow.write_vtk(tmp_path / "flow", shape=(17, 17, 3))
    report = paraview(line[0], line[-2], line[-1], plane[0])

    series = report[str(line[0])]
    assert series["times"] == [0.0, 1 / 3, 2.0]
    x = np.linspace(0, np.pi, 31)
    for time, step in zip(series["times"], series["steps"], strict=True):
        u = 1.01 * np.exp(-time / 10) * np.sin(x)
        assert step["points"] == 31
        assert set(step["arrays"]) == {"u", "u_reference", "u_error", "residual_heat_equation"}
        np.testing.assert_allclose(step["arrays"]["u"][0], [u.min(), u.max()], atol=1e-14)
        np.testing.assert_allclose(step["arrays"]["u_error"][0], [0, u.max() / 101], atol=1e-14)

    image = report[str(line[-2])]["steps"][0]
    assert image["points"] == 31 * 5
    np.testing.assert_allclose(image["arrays"]["u"][0], [0, 1.01], atol=1e-14)

    cloud = report[str(line[-1])]["steps"][0]
    assert cloud["points"] == 50
    t = heat.collocation_points[:, 1]
    np.testing.assert_allclose(cloud["arrays"]["t"][0], [t.min(), t.max()])

    vortices = report[str(plane[0])]
    assert vortices["times"] == [0.0, 0.5, 1.0]
    for time, step in zip(vortices["times"], vortices["steps"], strict=True):
        assert step["points"] == 17 * 17
        size = np.exp(-2 * time)
        np.testing.assert_allclose(
            step["arrays"]["velocity"], [[-size, size], [-size, size], [0, 0]], atol=1e-14
        )
        np.testing.assert_allclose(step["arrays"]["p"][0], [-(size**2) / 2, size**2 / 2], atol=1e-14)


def test_finite_elements_open_on_their_curved_cells(tmp_path, paraview):
    """Rigid rotation of a disk: linear, so that elements hold it exactly; its cells are curved at the rim."""
    x, y = pde.coordinates("x y")
    u, v = pde.unknown("u v", x, y)
    problem = pde.Problem(
        "rotation",
        [u.diff(x, 2) + u.diff(y, 2), v.diff(x, 2) + v.diff(y, 2)],
        pde.Disk((x, y), radius=2),
        [pde.Dirichlet(u, -y), pde.Dirichlet(v, x)],
        vectors={"velocity": (u, v)},
    )
    solution = pde.solve(problem, pde.FEM(size=0.5, max_levels=1), progress=False)
    files = solution.write_vtk(tmp_path / "rotation")
    (step,) = paraview(files[0])[str(files[0])]["steps"]
    assert step["points"] == len(solution.field.mesh().points)
    np.testing.assert_allclose(step["arrays"]["velocity"], [[-2, 2], [-2, 2], [0, 0]], atol=1e-2)
    np.testing.assert_allclose(step["arrays"]["u"][0], [-2, 2], atol=1e-2)
