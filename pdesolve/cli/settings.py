"""`--set key=value`: parameters of the problem, and options of the backend."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..declare.errors import PDESolveError


class SettingError(PDESolveError):
    """A `--set` has a wrong form, or names neither a parameter nor an option."""


def parse_settings(given: Sequence[str]) -> dict[str, Any]:
    """``["nu=0.01", "rule=r3"]`` to ``{"nu": 0.01, "rule": "r3"}``.

    A value is a Python literal where it reads as one (numbers, True, None, tuples), else a string.

    Raises:
        SettingError: an item has no ``=`` or no key, or a key comes twice.
    """
    settings: dict[str, Any] = {}
    for item in given:
        key, equals, text = item.partition("=")
        key = key.strip().replace("-", "_")
        if not equals or not key.isidentifier():
            raise SettingError("--set", "key=value", repr(item), "Write for instance --set nu=0.01.")
        if key in settings:
            raise SettingError("--set", "each key once", f"{key!r} twice", "Drop one of them.")
        settings[key] = _value(text.strip())
    return settings


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def split_settings(
    settings: Mapping[str, Any], parameters: Collection[str], options: Collection[str], backend: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings for the problem and for the backend; a name that both have goes to the problem.

    Raises:
        SettingError: a key belongs to neither.
    """
    unknown = [key for key in settings if key not in parameters and key not in options]
    if unknown:
        raise SettingError(
            "--set",
            f"a parameter of the problem ({', '.join(parameters) or 'it has none'}) "
            f"or an option of backend {backend!r} ({', '.join(options) or 'it has none'})",
            ", ".join(unknown),
            "Use one of these names.",
        )
    for_problem = {key: value for key, value in settings.items() if key in parameters}
    return for_problem, {key: value for key, value in settings.items() if key not in parameters}
