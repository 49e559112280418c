"""Learned operators in the matrix: data, training and one solve, each with its own time."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from pdesolve.backends.base import Backend

from .job import Job, thawed

TEST_SEED = 1_000_000
"""Added to the job's seed for members that the error is measured on, beside the job's own."""


def is_untrained(method: Backend) -> bool:
    """Whether a job of this method begins with a training."""
    from pdesolve.backends.operators import NeuralOperator

    return isinstance(method, NeuralOperator) and method.weights is None


def trained(job: Job, operator: Any) -> tuple[Backend, dict[str, float]]:
    """The operator with weights; seconds of ``data`` and ``training``, and its mean error on a test set.

    Raises:
        UnsupportedProblemError: the job's problem is no known member of a family.
    """
    from pdesolve.driver import UnsupportedProblemError
    from pdesolve.generation import generate
    from pdesolve.problems import FAMILIES, family
    from pdesolve.training import evaluate, train

    if job.problem not in FAMILIES or "sensors" in job.parameters:
        got = "a recovery" if job.problem in FAMILIES else "a single problem"
        raise UnsupportedProblemError(
            job.backend, "a family to learn from", f"{got}: it learns from known members of a family", ""
        )
    parameters = thawed(job.parameters)
    parameters.pop("member", None)
    drawn_from = family(job.problem, **parameters)
    sizes = dict(job.data)
    members, tests = int(sizes.pop("members", 200)), int(sizes.pop("test", 20))
    folder = Path(tempfile.mkdtemp(prefix="pdesolve-learned-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)  # the weights are read until the job's end
    begin = time.perf_counter()
    data = generate(drawn_from, members, folder / "train.h5", seed=job.seed, progress=False, **sizes)
    seconds_data = time.perf_counter() - begin
    begin = time.perf_counter()
    ready = train(
        drawn_from,
        operator,
        data,
        folder / "weights",
        budget=job.budget,
        steps=job.steps,
        seed=job.seed,
        device=job.device,
        progress=False,
    )
    seconds_training = time.perf_counter() - begin
    test = generate(drawn_from, tests, folder / "test.h5", seed=job.seed + TEST_SEED, progress=False, **sizes)
    found = evaluate(ready, test)
    return ready, {
        "data": seconds_data,
        "training": seconds_training,
        "test_relative_l2": found["relative_l2"],
    }
