"""The process of DeepXDE: ``python -m pdesolve.backends.deepxde.worker``, spoken to by its streams.

It says when DeepXDE is there, gets the job, sends the weights to start from, and then trains one unit of
work whenever it is asked to. While nobody asks it waits, so that no time passes for it.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, BinaryIO

from .messages import receive, send


class Gone(Exception):
    """Whoever asked is gone."""


def main() -> None:
    """Serve one job."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the other process to handle
    outlet = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what DeepXDE prints is no message
    inlet = sys.stdin.buffer
    try:
        import deepxde
        import torch

        # A GPU becomes DeepXDE's default device at its import; points of ours are on the CPU.
        send(outlet, {"ready": deepxde.__version__})
        asked = receive(inlet)
        if asked is None:
            raise Gone
        job, weights = asked
        torch.set_num_threads(int(job["threads"]))
        _train(deepxde, job, weights, inlet, outlet)
    except Gone:
        return
    except Exception as error:
        send(outlet, {"error": f"{type(error).__name__}: {error}"[:500]})


def _train(dde: Any, job: dict[str, Any], weights: dict[str, Any], inlet: BinaryIO, outlet: BinaryIO) -> None:
    from ...declare.serialization import problem_from_json
    from .training import Training

    dde.config.set_default_float(job["precision"])
    dde.config.set_random_seed(int(job["seed"]))

    def report(header: dict[str, Any], arrays: dict[str, Any]) -> None:
        """Say how far it came, and wait until asked to go on."""
        send(outlet, header, arrays)
        if receive(inlet) is None:
            raise Gone

    training = Training(dde, problem_from_json(job["problem"]), job, report)
    if weights:
        training.load(weights)
    training.run()


if __name__ == "__main__":
    main()
