"""`join`: take part in a run of several processes, as `torchrun` starts them."""

from __future__ import annotations

import atexit
import os
from datetime import timedelta

from .declare import PDESolveError
from .ranks import ALONE, Ranks

TIMEOUT = timedelta(minutes=10)
"""How long a process waits for the others: more than a compilation takes, less than a night."""

_CUDA_TOO = "cpu:gloo,cuda:nccl"
_NEEDED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


class DistributionError(PDESolveError):
    """Processes cannot be joined, or their results differ."""


def join(who: str, wanted: bool, device: str) -> Ranks:
    """The processes that share this run: all that `torchrun` has started, or this one where not ``wanted``.

    A process group that exists is used. Otherwise one is made, of gloo on the CPU and NCCL on CUDA. It serves
    all later runs of the process: torch cannot make a second one from what torchrun tells.

    Raises:
        DistributionError: the process was started by itself.
    """
    if not wanted:
        return ALONE
    import torch
    import torch.distributed as dist

    if device.startswith("cuda"):
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        missing = [name for name in _NEEDED if name not in os.environ]
        if missing:
            raise DistributionError(
                f"{who}(distributed=True)",
                "processes started by torchrun",
                f"an environment without {', '.join(missing)}",
                "Start it as `torchrun --nproc-per-node 2 script.py`, or leave distributed=False.",
            )
        dist.init_process_group(_CUDA_TOO if torch.cuda.is_available() else "gloo", timeout=TIMEOUT)
        atexit.register(dist.destroy_process_group)
    return Ranks(dist.get_rank(), dist.get_world_size(), device)


def is_first_started() -> bool:
    """Whether this is the first process that `torchrun` has started, or the only one."""
    return os.environ.get("RANK", "0") == "0"


def own_device(device: str, wanted: bool) -> str:
    """``cuda`` as the device of this process among those of its machine, anything else as it is."""
    if wanted and device == "cuda":
        return f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    return device
