"""Trained networks as files: weights in safetensors, and in its header a card that says what they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from torch import Tensor

from ..declare.errors import PDESolveError
from ..solution.output import atomic_file

VERSION = 1


class CardError(PDESolveError):
    """A file holds no trained network, or one that this version cannot read."""


class Described(Protocol):
    """The shape and statistics of a task, as plain values; ``schema`` names the kind of file."""

    schema: ClassVar[str]

    def plain(self) -> dict[str, Any]: ...

    @classmethod
    def from_plain(cls, content: Mapping[str, Any]) -> Self: ...


E = TypeVar("E", bound=Described)


@dataclass(frozen=True)
class Card(Generic[E]):
    """What a trained network is, and what is known of it.

    Attributes:
        operator: name of the backend; ``options`` are its options.
        family: recipe of the family; ``parameters`` the known parameters of its members.
        encoding: shape and statistics of the task.
        grid: points of the training data on each axis.
        ranges: of each input in training, ``[least, greatest]``: of the root mean square for a field.
        metrics: errors on data that training did not see.
        data: digests, sizes and seeds of the data sets.
        training: seconds, steps, seed, versions, threads.
    """

    operator: str
    options: Mapping[str, Any]
    family: Mapping[str, Any]
    parameters: Mapping[str, float]
    encoding: E
    grid: tuple[int, ...]
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        content = {name: getattr(self, name) for name in self.__dataclass_fields__}
        content["encoding"] = self.encoding.plain()
        return {"schema": self.encoding.schema, "version": VERSION, **content}


def write_file(path: str | Path, card: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
    """Write weights in safetensors with a card of plain values in the header, whole or not at all."""
    from safetensors.torch import save_file

    with atomic_file(Path(path)) as temporary:
        save_file(
            {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()},
            temporary,
            metadata={"card": json.dumps(card)},
        )


def read_file(path: str | Path, schema: str, version: int) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The card and the weights of a file; no code in it is run.

    Raises:
        CardError: the file is missing, damaged, or of another schema or version.
    """
    from safetensors import SafetensorError, safe_open

    who, remedy = f"trained file {path}", "Give a file that a training of this release wrote."
    try:
        with safe_open(str(path), "pt") as file:
            header = (file.metadata() or {}).get("card")
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise CardError(who, "a safetensors file", str(error)[:100], remedy) from error
    content: dict[str, Any] = json.loads(header) if header else {}
    found = content.pop("schema", None), content.pop("version", None)
    if found != (schema, version):
        raise CardError(who, f"a card of schema {schema}, version {version}", f"{found}", remedy)
    return content, weights


def write(path: str | Path, card: Card[Any], weights: Mapping[str, Tensor]) -> None:
    """Write a trained network."""
    write_file(path, card.plain(), weights)


def read(path: str | Path, encoding: type[E]) -> tuple[Card[E], dict[str, Tensor]]:
    """The card and the weights of a trained network, whose task is described by an ``encoding``.

    Raises:
        CardError: see `read_file`.
    """
    content, weights = read_file(path, encoding.schema, VERSION)
    content["encoding"] = encoding.from_plain(content["encoding"])
    content["grid"] = tuple(content["grid"])
    content["ranges"] = {key: tuple(value) for key, value in content["ranges"].items()}
    return Card(**content), weights


__all__ = ["Card", "CardError", "read", "read_file", "write", "write_file"]
