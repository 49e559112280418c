"""Checkpoints: the state of a run as plain tensors and numbers, written whole or not at all.

`pack` turns a backend's state (dataclasses of tensors, arrays, numbers, generators, optimisers) into what
``torch.load(weights_only=True)`` accepts: no class is named in the file and no code is run when it is read.
`unpack` puts it back by the type hints of the state that ``start`` has made anew.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
import torch
from torch import Tensor

from .declare import PDESolveError
from .solution.output import atomic_file

SCHEMA = 1


class CheckpointError(PDESolveError):
    """A checkpoint cannot be read: truncated, not ours, or of another schema."""


class CheckpointMismatchError(PDESolveError):
    """A checkpoint belongs to another problem, backend, seed or precision."""


def is_transient(f: Any) -> bool:
    """True for fields of a state that ``start`` rebuilds."""
    return bool(f.metadata.get("transient"))


def pack(value: Any) -> Any:
    """A state as nested dictionaries and lists of tensors, numbers and strings."""
    if value is None or isinstance(value, bool | int | float | complex | str):
        return value
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, np.ndarray):
        return {"array": torch.from_numpy(np.array(value, order="C"))}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.random.Generator):
        return {"rng": value.bit_generator.state}
    if isinstance(value, torch.Generator):
        return {"generator": value.get_state()}
    if is_dataclass(value):
        return {
            "fields": {f.name: pack(getattr(value, f.name)) for f in fields(value) if not is_transient(f)}
        }
    if isinstance(value, list | tuple):
        return {"items": [pack(item) for item in value]}
    if isinstance(value, Mapping):
        return {"entries": [[pack(key), pack(item)] for key, item in value.items()]}
    if hasattr(value, "state_dict"):
        return {"state_dict": value.state_dict()}
    raise TypeError(f"a state may not hold {type(value).__name__}; mark the field transient")


def unpack(packed: Any, old: Any, hint: Any = None, device: str = "cpu") -> Any:
    """The value that was packed. ``old`` (from a fresh start) and the type hint tell what to make.

    Raises:
        ValueError: a tensor has another shape than in the fresh start.
    """
    if isinstance(packed, Tensor):
        if isinstance(old, Tensor) and old.shape != packed.shape:
            raise ValueError(f"a tensor of shape {tuple(packed.shape)} where {tuple(old.shape)} is due")
        return packed.to(device)
    if not isinstance(packed, dict):
        return packed
    if "array" in packed:
        return packed["array"].numpy()
    if "rng" in packed:
        old.bit_generator.state = packed["rng"]
        return old
    if "generator" in packed:
        old.set_state(packed["generator"])
        return old
    if "state_dict" in packed:
        old.load_state_dict(packed["state_dict"])
        return old
    if "items" in packed:
        container, inner = _items(hint)
        olds = old if isinstance(old, list | tuple) and len(old) == len(packed["items"]) else None
        made = [
            unpack(item, olds[i] if olds else None, inner[i] if i < len(inner) else inner[-1], device)
            for i, item in enumerate(packed["items"])
        ]
        return tuple(made) if container is tuple or isinstance(old, tuple) else made
    if "entries" in packed:
        of = get_args(hint)[-1] if get_args(hint) else None
        return {unpack(key, None): unpack(item, None, of, device) for key, item in packed["entries"]}
    return _unpack_dataclass(packed["fields"], old, hint, device)


def _unpack_dataclass(packed: dict[str, Any], old: Any, hint: Any, device: str) -> Any:
    kind: Any = type(old) if is_dataclass(old) else _dataclass_of(hint)
    hints = get_type_hints(kind)
    values = {
        f.name: unpack(packed[f.name], getattr(old, f.name, None), hints[f.name], device)
        for f in fields(kind)
        if not is_transient(f)
    }
    if not is_dataclass(old):
        return kind(**values)
    for name, value in values.items():
        object.__setattr__(old, name, value)  # also for frozen parts: the object is ours and fresh
    return old


def _options(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _dataclass_of(hint: Any) -> Any:
    for option in _options(hint):
        if is_dataclass(option):
            return option
    raise TypeError(f"a checkpoint holds a dataclass where {hint} is due")


def _items(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """Container and item types of list[X], tuple[X, ...], tuple[X, Y], or their union with None."""
    for option in _options(hint):
        container = get_origin(option)
        if container in (list, tuple):
            return container, tuple(a for a in get_args(option) if a is not ...) or (None,)
        if option in (list, tuple):
            return option, (None,)
    return list, (None,)


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write a checkpoint by a temporary file and a rename: a kill at any time leaves the old one readable."""
    with atomic_file(path) as temporary:
        torch.save({"pdesolve": SCHEMA, **content}, temporary)


def read(path: Path) -> dict[str, Any]:
    """Read a checkpoint; no code in it is run.

    Raises:
        CheckpointError: the file is no readable checkpoint of this schema.
    """
    remedy = "Delete the file to start anew, or name another one."
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds on damaged or hostile files
        raise CheckpointError(
            f"checkpoint {path}",
            "a checkpoint of pdesolve",
            f"a file that cannot be read ({_first(error)})",
            remedy,
        ) from error
    if not isinstance(content, dict) or content.get("pdesolve") != SCHEMA:
        found = content.get("pdesolve") if isinstance(content, dict) else type(content).__name__
        raise CheckpointError(f"checkpoint {path}", f"schema {SCHEMA}", str(found), remedy)
    return content


def check_identity(path: Path, content: Mapping[str, Any], identity: Mapping[str, Any]) -> None:
    """Refuse a checkpoint whose run was another one.

    Raises:
        CheckpointMismatchError: naming the first property that differs.
    """
    recorded = content.get("identity")
    for name, mine in identity.items():
        theirs = recorded.get(name) if isinstance(recorded, Mapping) else "no record of its run"
        if theirs != mine:
            raise CheckpointMismatchError(
                f"checkpoint {path}",
                f"{name} = {mine}",
                f"{theirs}",
                "Give the same arguments as the run that wrote it, or name another checkpoint file.",
            )


def plain(value: Any) -> Any:
    """Options as JSON-able values, for identities and provenance; objects as their ``kind`` and options."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Enum):
        return value.name
    if is_dataclass(value) and not isinstance(value, type):
        options = {f.name: plain(getattr(value, f.name)) for f in fields(value) if f.init}
        return {"kind": type(value).__name__, **options}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return getattr(value, "__qualname__", type(value).__qualname__)


def _first(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
