"""`import pdesolve` is quick, and changes nothing in the process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import pdesolve

SNAPSHOT = """
import hashlib, json, logging, os, random, signal, sys, warnings
import numpy, torch

def state():
    return {
        "random": repr(random.getstate()),
        "numpy": repr(numpy.random.get_state()),
        "torch": torch.get_rng_state().tolist(),
        "dtype": str(torch.get_default_dtype()),
        "device": str(torch.get_default_device()),
        "threads": [torch.get_num_threads(), torch.get_num_interop_threads()],
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "matmul": torch.get_float32_matmul_precision(),
        "grad": torch.is_grad_enabled(),
        "filters": repr(warnings.filters),
        "env": dict(os.environ),
        "cwd": [os.getcwd(), sorted(os.listdir("."))],
        "signals": repr([signal.getsignal(s) for s in signal.valid_signals()]),
        "handlers": repr(logging.getLogger().handlers) + repr(logging.getLogger("pdesolve").handlers),
        "floats": repr(numpy.geterr()) + repr(numpy.get_printoptions()),
        "excepthook": repr(sys.excepthook),
    }

before = state()
"""


def in_fresh_process(code: str, cwd: Path) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", SNAPSHOT + code],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # One line, ours: the import itself printed nothing.
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()
    found = json.loads(line)
    assert isinstance(found, dict)
    return found


def test_import_changes_nothing(tmp_path: Path) -> None:
    found = in_fresh_process(
        "import pdesolve\nafter = state()\n"
        "print(json.dumps({'changed': [k for k in before if before[k] != after[k]],"
        " 'loaded': sorted(sys.modules)}))",
        tmp_path,
    )
    assert found["changed"] == []
    loaded = found["loaded"]
    assert isinstance(loaded, list)
    assert "pdesolve" in loaded
    for heavy in (
        "matplotlib",
        "pyvista",
        "vtk",
        "vtkmodules",
        "scipy.stats",
        "shapely",
        "meshio",
        "skfem",
        "h5py",
        "sympy",
        "rich",
        "typer",
    ):
        assert heavy not in loaded


def test_declaring_a_problem_changes_nothing(tmp_path: Path) -> None:
    # SymPy itself adds a warnings filter when it is imported; what is ours starts after that.
    found = in_fresh_process(
        "import sympy\nbefore = state()\nimport pdesolve as pde\nx, t = pde.coordinates('x t')\n"
        "u = pde.unknown('u', x, t)\n"
        "pde.Problem('heat', [u.diff(t) - u.diff(x, 2)], pde.Interval(x, 0, 1) * pde.Time(t, 0, 1),"
        " [pde.Initial(u, 0), pde.Dirichlet(u, 0)])\n"
        "after = state()\n"
        "print(json.dumps({'changed': [k for k in before if before[k] != after[k]],"
        " 'loaded': sorted(sys.modules)}))",
        tmp_path,
    )
    assert found["changed"] == []
    loaded = found["loaded"]
    assert isinstance(loaded, list)
    assert not {"matplotlib", "pyvista", "h5py", "shapely", "meshio", "skfem"} & set(loaded)


def test_import_is_quick(tmp_path: Path) -> None:
    """Under 0.5 s on top of torch; CPU time, since a loaded machine stretches wall time."""
    found = in_fresh_process(
        "import time\nstart = time.process_time()\nimport pdesolve\n"
        "print(json.dumps({'seconds': time.process_time() - start}))",
        tmp_path,
    )
    seconds = found["seconds"]
    assert isinstance(seconds, float)
    assert seconds < 0.5


@pytest.mark.parametrize("name", pdesolve.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(pdesolve, name) is not None
    assert name in dir(pdesolve)


def test_all_of_declare_is_public() -> None:
    from pdesolve import declare

    assert set(declare.__all__) <= set(pdesolve.__all__)


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'sovle'"):
        _ = pdesolve.sovle
