"""Two processes on one problem: the numbers of one process, and one set of files."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import pdesolve as pde
from pdesolve.backends.pinn import PINN
from pdesolve.distribution import DistributionError, own_device
from pdesolve.driver import RunOptionError
from pdesolve.ranks import ALONE, Ranks

HERE = Path(__file__).parent
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}


def torchrun(*arguments, count=2, **options):
    import os

    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    return subprocess.run(
        [*launcher, *map(str, arguments)],
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        timeout=300,
        **options,
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What one process and two processes have found, by name."""
    folder = tmp_path_factory.mktemp("distributed")
    pde.generate(pde.family("burgers-random"), 8, folder / "data.h5", points=16, times=4, progress=False)
    program = HERE / "distributed_program.py"
    done = torchrun(program, folder, "--distributed")
    assert done.returncode == 0, done.stderr
    alone = subprocess.run([sys.executable, program, folder], capture_output=True, text=True, timeout=300)
    assert alone.returncode == 0, alone.stderr
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in ("alone", "shared")}


@pytest.mark.parametrize(
    ("what", "tolerance"),
    [
        *((f"pinn {each}", 1e-12) for each in ("loss", "gradient", "gram")),
        *((f"{name} {each}", 1e-12) for name in ("fno", "deeponet", "unet") for each in ("loss", "gradient")),
        *((f"neuralop {each}", 1e-5) for each in ("loss", "gradient")),
    ],
)
def test_sums_over_processes_are_those_of_one(results, what, tolerance):
    one, two = (np.asarray(results[name][what]) for name in ("alone", "shared"))
    assert np.linalg.norm(one) > 0
    assert np.linalg.norm(two - one) <= tolerance * np.linalg.norm(one)


@pytest.mark.parametrize("run", ["normal", "qr", "dual", "quasi-newton", "lbfgs", "sketch", "fno"])
def test_runs_take_the_same_way(results, run):
    """Round-off grows along a training; eight steps leave it below 1e-9."""
    one, two = (np.asarray(results[name][run]) for name in ("alone", "shared"))
    assert one.shape == two.shape
    assert np.linalg.norm(two - one) <= 1e-9 * np.linalg.norm(one)


def test_processes_that_part_are_told(results):
    assert results["shared"]["parted"]


SOLVE = ("-m", "pdesolve.cli", "solve", "burgers", "--distributed", "--no-progress", "--set", "compile=False")


def test_command_line_writes_one_set_of_files(tmp_path):
    done = torchrun(*SOLVE, "--steps", 5, "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    (line,) = [each for each in done.stdout.splitlines() if each.startswith("{")]
    alone = pde.solve(pde.catalogue("burgers"), PINN(compile=False), steps=5, progress=False)
    assert json.loads(line)["relative_l2"] == pytest.approx(alone.error().relative_l2, rel=1e-9)
    assert (tmp_path / "out" / "burgers.h5").exists()


def test_runs_go_on_with_another_number_of_processes(tmp_path):
    """Three steps alone, three with two processes, one alone again: as seven alone."""

    def alone(steps, checkpoint):
        problem, method = pde.catalogue("burgers"), PINN(compile=False)
        return pde.solve(problem, method, steps=steps, checkpoint=checkpoint, progress=False)

    alone(3, tmp_path / "run")
    done = torchrun(*SOLVE, "--steps", 6, "--checkpoint", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    ways = [alone(7, tmp_path / name).field.arrays()["theta"] for name in ("run", "other")]
    before = alone(6, None).field.arrays()["theta"]
    assert np.linalg.norm(ways[0] - ways[1]) <= 1e-9 * np.linalg.norm(ways[1])
    assert np.linalg.norm(ways[1] - before) > 1e-6 * np.linalg.norm(before)  # the last step does something


def test_a_checkpoint_that_one_process_alone_has_is_refused(tmp_path):
    """As on two machines without a folder that both see."""
    pde.solve(
        pde.catalogue("burgers"), PINN(compile=False), steps=3, checkpoint=tmp_path / "0", progress=False
    )
    program = tmp_path / "program.py"
    program.write_text(
        "import os, sys, pdesolve as pde\n"
        "path = os.path.join(sys.argv[1], os.environ['RANK'])\n"
        "run = {'steps': 5, 'checkpoint': path, 'distributed': True}\n"
        "pde.solve(pde.catalogue('burgers'), pde.PINN(compile=False), **run)"
    )
    done = torchrun(program, tmp_path)
    assert done.returncode != 0
    assert "all processes see" in done.stderr


def test_refuses_what_cannot_be_shared(monkeypatch):
    with pytest.raises(RunOptionError, match="'spectral'"):
        pde.solve(pde.catalogue("burgers"), "spectral", distributed=True)
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(DistributionError, match="torchrun"):
        pde.solve(pde.catalogue("burgers"), PINN(), distributed=True, steps=1)


def test_each_process_has_its_device(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert own_device("cuda", True) == "cuda:3"
    assert own_device("cuda", False) == "cuda"
    assert own_device("cuda:1", True) == "cuda:1"
    assert own_device("cpu", True) == "cpu"


@pytest.mark.parametrize("n", [1, 7, 12])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_shares_and_parts_cover_everything_once(n, count):
    items = list(range(n))
    ranks = [Ranks(rank, count) for rank in range(count)]
    assert sorted(i for each in ranks for i in each.share(items)) == items
    assert [i for each in ranks for i in items[each.part(n)]] == items
    sizes = [len(items[each.part(n)]) for each in ranks]
    assert max(sizes) - min(sizes) <= 1


def test_alone_nothing_is_sent():
    tensor = torch.arange(3.0)
    assert ALONE.sum(tensor) is tensor
    assert ALONE.join(tensor) is tensor
    assert ALONE.first(2.5) == 2.5
    assert ALONE.agree(1.0, float("nan"))
