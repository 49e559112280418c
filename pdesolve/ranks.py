"""`Ranks`: the processes that share the work of one run, and what they tell each other.

Every process runs the same program on the same points with the same random numbers, evaluates its share of
them, and adds up sums with the others. Parameters, decisions and answers are then the same everywhere.
torch's DistributedDataParallel is not used: it knows neither second derivatives nor least squares, and
refuses losses that leave a parameter without gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """This process among those of torch's process group; alone by default, when every method costs nothing.

    All methods but `share` and `part` are collective: each process must call them in the same order.

    Attributes:
        rank: number of this process, from 0.
        count: of all processes.
        device: on which numbers travel, ``cpu`` or a CUDA device.
    """

    rank: int = 0
    count: int = 1
    device: str = "cpu"

    @property
    def is_first(self) -> bool:
        """True for the one process that writes files and shows progress."""
        return self.rank == 0

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """This process's share of items that cost the same: every count-th."""
        return items[self.rank :: self.count]

    def part(self, n: int) -> slice:
        """This process's part of n things in a row; parts differ by one at most."""
        return slice(n * self.rank // self.count, n * (self.rank + 1) // self.count)

    def sum(self, tensor: Tensor) -> Tensor:
        """Σ over processes of tensors of one shape."""
        if self.count == 1:
            return tensor
        import torch.distributed as dist

        total = tensor.detach().clone()
        dist.all_reduce(total)
        return total

    def join(self, tensor: Tensor) -> Tensor:
        """The tensors of all processes one after the other; they may differ in length."""
        if self.count == 1:
            return tensor
        import torch
        import torch.distributed as dist

        lengths = torch.zeros(self.count, dtype=torch.int64, device=self.device)
        lengths[self.rank] = len(tensor)
        dist.all_reduce(lengths)
        padded = tensor.new_zeros(int(lengths.max()), *tensor.shape[1:])
        padded[: len(tensor)] = tensor
        pieces = [torch.empty_like(padded) for _ in range(self.count)]
        dist.all_gather(pieces, padded)
        return torch.cat([piece[:n] for piece, n in zip(pieces, lengths.tolist(), strict=True)])

    def first(self, number: float) -> float:
        """The number of process 0: what depends on a clock or a signal is decided there."""
        if self.count == 1:
            return number
        import torch
        import torch.distributed as dist

        told = torch.tensor(number, dtype=torch.float64, device=self.device)
        dist.broadcast(told, 0)
        return float(told)

    def wait(self) -> None:
        """Until all processes are here: files of the first one are then there for all."""
        if self.count > 1:
            import torch.distributed as dist

            dist.barrier()

    def agree(self, *numbers: float) -> bool:
        """Whether all processes have the same numbers, to the last bit; NaN is the same as NaN."""
        if self.count == 1:
            return True
        import torch

        own = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        return all(torch.allclose(each, own, rtol=0, atol=0, equal_nan=True) for each in self.join(own[None]))


ALONE = Ranks()
"""One process."""
