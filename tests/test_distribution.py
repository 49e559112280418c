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


@pytest.mark.parametrize("what", ["pinn loss", "pinn gradient", "pinn gram", "fno loss", "fno gradient"])
def test_sums_over_processes_are_those_of_one(results, what):
    one, two = (np.asarray(results[name][what]) for name in ("alone", "shared"))
    assert np.linalg.norm(one) > 0
    assert np.linalg.norm(two - one) <= 1e-12 * np.linalg.norm(one)


@pytest.mark.parametrize("run", ["normal", "qr", "dual", "quasi-newton", "lbfgs", "sketch", "fno"])
def test_runs_take_the_same_way(results, run):
    """Round-off grows along a training; eight steps leave it below 1e-9."""
    one, two = (np.asarray(results[name][run]) for name in ("alone", "shared"))
    assert one.shape == two.shape
    assert np.linalg.norm(two - one) <= 1e-9 * np.linalg.norm(one)


def test_command_line_writes_one_set_of_files(tmp_path):
    options = ["--steps", 5, "--set", "compile=False", "--out", tmp_path / "out", "--json", "--no-progress"]
    done = torchrun("-m", "pdesolve.cli", "solve", "burgers", "--distributed", *options)
    assert done.returncode == 0, done.stderr
    (line,) = [each for each in done.stdout.splitlines() if each.startswith("{")]
    assert json.loads(line)["relative_l2"] < 2
    assert (tmp_path / "out" / "burgers.h5").exists()


def test_resumes_after_the_checkpoint_of_two(tmp_path):
    """A run that two processes began goes on in one."""
    options = ["--set", "compile=False", "--checkpoint", tmp_path / "run.ckpt", "--no-progress"]
    done = torchrun("-m", "pdesolve.cli", "solve", "burgers", "--distributed", "--steps", 5, *options)
    assert done.returncode == 0, done.stderr
    solution = pde.solve(
        pde.catalogue("burgers"),
        PINN(compile=False),
        steps=7,
        checkpoint=tmp_path / "run.ckpt",
        progress=False,
    )
    assert solution.history.step[-1] == 7


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
