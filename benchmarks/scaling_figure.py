"""The figure of the scale study."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pdesolve.benchmarks.growth import upper_half
from pdesolve.benchmarks.records import Record


def plot(records: Mapping[str, Record], file: Path) -> None:
    """Seconds against size, with the fitted exponent of each curve in its legend."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(15, 8.5), layout="constrained")
    curves: dict[str, dict[str, Record]] = {name: each.get("curves", {}) for name, each in records.items()}
    steps, on_grids = curves.get("points", {}), curves.get("grid", {})
    spectral = {k: v for k, v in on_grids.items() if k.startswith(("Fourier", "collocation"))}
    others = {k: v for k, v in on_grids.items() if k not in spectral}
    _lines(axes[0, 0], steps, "collocation points", "points")
    _memory(axes[0, 1], steps)
    _lines(axes[0, 2], curves.get("parameters", {}), "parameters", "parameters")
    _lines(axes[1, 0], spectral, "nodes", "grid: spectral")
    _lines(axes[1, 1], others, "degrees of freedom", "grid: fem and FNO")
    _totals(axes[1, 2], records.get("solves"))
    figure.savefig(file, dpi=110)
    plt.close(figure)


def _plain(axes: Any, size: str, cost: str, title: str) -> None:
    """Labels, and no numbers between the powers of ten, which would overlap."""
    from matplotlib.ticker import NullFormatter

    axes.set(xlabel=size, ylabel=cost, title=title)
    axes.xaxis.set_minor_formatter(NullFormatter())


def _lines(axes: Any, curves: Mapping[str, Record], size: str, title: str) -> None:
    """Seconds, and the fitted power beside those that it was fitted to."""
    if not curves:  # a run of some cases only
        axes.set_axis_off()
        return
    for name, each in curves.items():
        (line,) = axes.loglog(
            each["sizes"], each["seconds"], "o-", ms=4, label=f"{name}: {each['exponent']:.2f}"
        )
        half = upper_half(len(each["sizes"]))
        n, y = (np.array(each[key], dtype=float)[half] for key in ("sizes", "seconds"))
        factor = np.exp(np.log(y).mean() - each["exponent"] * np.log(n).mean())
        axes.loglog(n, factor * n ** each["exponent"], ":", color=line.get_color(), lw=3)
    _plain(axes, size, "seconds", title)
    axes.legend(fontsize=8, title="fitted exponent")


def _memory(axes: Any, curves: Mapping[str, Record]) -> None:
    """Peaks of steps, with what is expected."""
    known = {name: each for name, each in curves.items() if None not in each["peak_bytes"]}
    if not known:
        axes.set_axis_off()
        return
    for name, each in known.items():
        (line,) = axes.loglog(each["sizes"], each["peak_bytes"], "o-", ms=4, label=name)
        if "expected_bytes" in each:
            expected = each["expected_bytes"]
            axes.loglog(each["sizes"], expected, ":", color=line.get_color(), label=f"{each['bytes']} bytes")
    _plain(axes, "collocation points", "bytes at the peak of a step", "points: memory")
    axes.legend(fontsize=8)


def _totals(axes: Any, record: Record | None) -> None:
    """Seconds of all solves, with those at which the operator has repaid itself."""
    if record is None:
        axes.set_axis_off()
        return
    known = record["totals"]
    for name, values in known.items():
        if name != "solves":
            axes.loglog(known["solves"], values, label=name)
    for after in record["breaks_even_after"].values():
        if after is not None:
            axes.axvline(after, color="grey", ls=":", lw=1)
            axes.text(after, axes.get_ylim()[0], f" {after}", rotation=90, va="bottom", fontsize=8)
    error = f"{100 * record['relative_l2']:.1f} %"
    axes.set(xlabel="solves", ylabel="seconds in all", title=f"data + training + solves, error {error}")
    axes.legend(fontsize=8)
