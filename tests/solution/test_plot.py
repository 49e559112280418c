"""Pictures render, show what they should, and touch nothing global."""

import subprocess
import sys

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure
from symbolic_fields import make_solution, poisson

from pdesolve.solution import Status


def pixels(figure, path):
    figure.savefig(path)
    return matplotlib.image.imread(path)[..., :3]


def labels(figure):
    texts = [a.get_title(loc) for a in figure.axes for loc in ("left", "right")]
    return {*texts, *(a.get_xlabel() for a in figure.axes), *(a.get_ylabel() for a in figure.axes)}


def test_space_time_shows_image_slices_and_error_with_units(heat, tmp_path):
    figure = heat.plot()
    image = pixels(figure, tmp_path / "u.png")
    # three panels, none of them blank
    for third in np.array_split(image, 3, axis=1):
        assert third.std() > 0.05
    assert {"u [K]", "error of u [K]", "x [m]", "t [s]"} <= labels(figure)
    title = figure.get_suptitle()
    assert "heat 1-D" in title
    assert "symbolic" in title
    assert "0.01" in title
    slices = figure.axes[1].get_lines()
    drawn = [line for line in slices if line.get_label().startswith("t = ")]
    assert len(drawn) == 4
    x = drawn[0].get_xdata()
    np.testing.assert_allclose(drawn[0].get_ydata(), 1.01 * np.sin(x), atol=1e-14)
    np.testing.assert_allclose(drawn[-1].get_ydata(), 1.01 * np.sin(x) * np.exp(-0.2), atol=1e-14)


def test_images_have_the_first_coordinate_to_the_right(tmp_path):
    """A field that grows along x alone must be constant from bottom to top."""
    solution = poisson(2)
    x, _ = solution.problem.coordinates
    figure = make_solution(solution.problem, [x], reference=None).plot()
    mesh = figure.axes[0].collections[0]
    values = np.asarray(mesh.get_array()).reshape(129, 129)
    assert np.ptp(values[:, 5]) == 0
    np.testing.assert_allclose(values[0], np.linspace(0, 1, 129))


@pytest.mark.parametrize(("dimensions", "panels"), [(1, 2), (2, 2), (3, 2), (5, 2)])
def test_steady_problems(dimensions, panels, tmp_path):
    figure = poisson(dimensions).plot()
    assert len(figure.axes) == panels
    assert pixels(figure, tmp_path / "u.png").std() > 0.05


def test_each_unknown_has_a_row_and_the_last_time_is_shown(flow, tmp_path):
    figure = flow.plot()
    assert len(figure.axes) == 6
    assert "t = 1" in labels(figure)
    assert pixels(figure, tmp_path / "u.png").std() > 0.05


def test_a_given_figure_is_cleared_and_used(heat):
    figure = Figure(figsize=(5, 3))
    figure.subplots()
    assert heat.plot(figure) is figure
    assert len(figure.axes) == 3


def test_failures_and_missing_references_are_told(heat):
    figure = make_solution(heat.problem, [0], reference=None, status=Status.NOT_FINITE).plot()
    assert len(figure.axes) == 2
    assert "not finite" in figure.get_suptitle()


def test_pyplot_is_never_imported():
    code = (
        "import sys; sys.path.insert(0, 'tests/solution'); from symbolic_fields import poisson;"
        "before = [m for m in ('h5py', 'matplotlib', 'pyvista', 'torch') if m in sys.modules];"
        "poisson(2).plot();"
        "print(before, 'matplotlib.pyplot' in sys.modules)"
    )
    from pathlib import Path

    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] False"
