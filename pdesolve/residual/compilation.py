"""Compilation that proves itself: compiled and eager values are compared, differences are explained."""

from __future__ import annotations

import logging
import time
import types
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..declare import PDESolveWarning

logger = logging.getLogger(__name__)

TOLERANCE = {torch.float64: 1e-9, torch.float32: 2e-4}
"""Largest relative difference between compiled and eager results that round-off explains."""


class CompilationWarning(PDESolveWarning):
    """A function could not be compiled, or compiled wrongly, and runs eagerly instead."""


class Compiled:
    """A function of tensors that is compiled at its first use and checked against itself, eagerly.

    Where compilation fails (no C++ compiler, a graph break) or yields other values, the eager function is
    used from then on and one `CompilationWarning` says why.

    Attributes:
        seconds: time that compilation and the check took; 0 before the first use.
        active: True while the compiled function is used.
    """

    def __init__(self, function: Callable[..., Any], name: str, enabled: bool = True) -> None:
        self._eager, self._name = function, name
        self._compiled: Callable[..., Any] | None = None
        self.active = enabled
        self.seconds = 0.0

    def __call__(self, *args: Any) -> Any:
        if not self.active:
            return self._eager(*args)
        if self._compiled is None:
            return self._first(*args)
        return self._compiled(*args)

    def _first(self, *args: Any) -> Any:
        begin = time.perf_counter()
        expected = self._eager(*args)
        try:
            with warnings.catch_warnings():
                # The compiler warns of its own internals; what concerns the user is compared below.
                warnings.simplefilter("ignore")
                compiled = torch.compile(_own_code(self._eager), fullgraph=True, dynamic=False)
                found = compiled(*args)
        except Exception as error:  # the compiler raises many kinds; any of them means: run eagerly
            self.seconds = time.perf_counter() - begin
            self._fall_back(f"the compiler refused it ({type(error).__name__}: {_first_line(error)})")
            return expected
        difference = relative_difference(found, expected)
        tolerance = TOLERANCE.get(_leaves(expected)[0].dtype, 1e-3)
        self.seconds = time.perf_counter() - begin
        if not difference <= tolerance:
            self._fall_back(f"compiled and eager values differ by {difference:.1e} (allowed {tolerance:.0e})")
            return expected
        logger.info("compiled %s in %.1f s, equal to eager within %.1e", self._name, self.seconds, difference)
        self._compiled = compiled
        return found

    def _fall_back(self, reason: str) -> None:
        self.active = False
        warnings.warn(
            f"{self._name} runs eagerly: {reason}. Results are right but slower; "
            "compile=False silences this message.",
            CompilationWarning,
            stacklevel=4,
        )


def _own_code(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function behind a code object of its own.

    The compiler counts recompilations for each code object and gives up after eight. Functions made by one
    factory share their code, so that the ninth problem solved in a process would run eagerly.
    """

    def call(*args: Any) -> Any:
        return function(*args)

    code = call.__code__.replace(co_name=f"call_{id(function)}")
    return types.FunctionType(code, call.__globals__, closure=call.__closure__)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else "no message"


def _leaves(result: Any) -> list[Tensor]:
    return list(torch.utils._pytree.tree_leaves(result))


def relative_difference(a: Any, b: Any) -> float:
    """Largest |a - b| / |b| over the tensors of two results, maximum norm; NaN in both is equal."""
    worst = 0.0
    for x, y in zip(map(Tensor.detach, _leaves(a)), map(Tensor.detach, _leaves(b)), strict=True):
        both = torch.isfinite(x) == torch.isfinite(y)
        if not bool(both.all()):
            return float("inf")
        finite = torch.isfinite(y)
        gap = (x - y)[finite].abs()
        if gap.numel():
            worst = max(worst, float(gap.max() / y[finite].abs().max().clamp_min(1e-300)))
    return worst
