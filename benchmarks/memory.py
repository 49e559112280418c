"""The largest memory that a call takes, of the process on a CPU and of the allocator on a GPU."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

STATUS, MARKS = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # proc(5), clear_refs: the peak resident set becomes the present one


def peak_bytes(run: Callable[[], Any], device: str = "cpu") -> int | None:
    """Bytes that ``run()`` holds at its peak, beyond those held before it; None where nobody tells.

        peak = max over the run of the resident set - resident set before

    On a CPU these are VmHWM and VmRSS of the kernel, in pages of 4 KiB, for all threads and libraries of this
    process. Free memory of the C library goes back to the kernel first; what it keeps nevertheless is used
    again without being counted, so that figures below about a megabyte mean little. Run it once before:
    a first call compiles, loads libraries and makes their buffers. ``resource.getrusage`` forgets the peak
    before this call, too. On a GPU the caching allocator of torch counts to the byte.

    Args:
        run: what is measured; its result is dropped.
        device: ``cpu`` or ``cuda``, where it runs.

    Returns:
        bytes; on a CPU None where there is no ``/proc``, or where it must not be written to (not Linux,
        some containers).

    Source: Linux manual pages proc_pid_clear_refs(5), proc_pid_status(5) and malloc_trim(3).
    """
    gc.collect()
    if device != "cpu":
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        run()
        torch.cuda.synchronize()
        return int(torch.cuda.max_memory_allocated()) - int(before)
    _trim()
    try:
        MARKS.write_text(_RESET_PEAK)
        resident = _status("VmRSS")
    except OSError:
        return None
    if resident is None:
        return None
    run()
    peak = _status("VmHWM")
    return None if peak is None else max(0, peak - resident)


def _trim() -> None:
    """Free memory goes back to the kernel, where the C library can do so (glibc)."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):  # another C library; Windows has no CDLL(None)
        return


def _status(key: str) -> int | None:
    """A line of ``/proc/self/status`` in bytes; None where it has none."""
    for line in STATUS.read_text().splitlines():
        if line.startswith(f"{key}:"):
            return 1024 * int(line.split()[1])
    return None
