"""Sums of kernel functions and their derivatives: the posterior mean of a process under measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...declare.domain import Array
from ...residual.program import Derivative
from ...solution.field import Field
from .corners import from_table
from .measurements import Block, applied, merged
from .radial import Operator, RadialKernel


class KernelField(Field):
    """u_k(x) = Σ_j Σ_q b_jq ∂^α_q of k(x, x') in x' at x_j, over the q that belong to unknown k,
    plus Σ c s of singular functions.

    Args:
        kernel: k.
        expansion: blocks of points, plain derivatives and coefficients b = a α.
        singular: a table of functions s and coefficients (`corners.as_table`).
    """

    def __init__(
        self, kernel: RadialKernel, expansion: Sequence[Block], singular: Array | None = None
    ) -> None:
        self.kernel, self.expansion = kernel, tuple(expansion)
        self.singular = np.zeros((0, 9)) if singular is None else singular
        # Laplacians and the like are evaluated as one operator.
        self._merged = [Block(b.points, *merged(b.operators, b.weights)) for b in self.expansion if len(b)]

    def derivatives(self, points: Array, wanted: Sequence[Derivative]) -> list[Array]:
        operators = tuple(derivative_operator(d) for d in wanted)
        rows = Block(points, operators, np.ones((len(points), len(operators))))
        total = np.zeros((len(points), len(operators)))
        for block in self._merged:
            total += applied(self.kernel, rows, block)
        for function, c in from_table(self.singular):
            for column, (k, index) in zip(total.T, wanted, strict=True):
                if k == function.unknown:
                    column += c * function.derivative(points, index)
        return list(total.T)

    def mixed(self, other: KernelField, share: float) -> KernelField:
        """(1 - share) of this and a share of another one, of the same kernel."""
        parts = ((self, 1 - share), (other, share))
        blocks = [b.scaled(np.full(len(b), factor)) for field, factor in parts for b in field.expansion]
        weights = np.concatenate([np.full(len(field.singular), factor) for field, factor in parts])
        tables = np.concatenate([field.singular for field, _ in parts])
        tables[:, -1] *= weights
        return KernelField(other.kernel, blocks, tables)

    def arrays(self) -> dict[str, Array]:
        """The kernel, singular functions, and of block i its points, derivatives and coefficients."""
        kernel = np.array([self.kernel.smoothness, self.kernel.length])
        found: dict[str, Array] = {"kernel": kernel, "singular": self.singular}
        for i, block in enumerate(self.expansion):
            found |= {f"{name}_{i}": values for name, values in packed(block).items()}
        return found

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> KernelField:
        """The field whose ``arrays`` are given."""
        smoothness, length = arrays["kernel"].tolist()
        blocks: list[Block] = []
        while f"points_{len(blocks)}" in arrays:
            i = len(blocks)
            blocks.append(
                unpacked({name: arrays[f"{name}_{i}"] for name in ("points", "derivatives", "weights")})
            )
        return cls(RadialKernel(smoothness, length), blocks, arrays["singular"])


def derivative_operator(derivative: Derivative) -> Operator:
    """One derivative of one unknown."""
    k, index = derivative
    return ((k, index, 1.0),)


def packed(block: Block) -> dict[str, Array]:
    """A block of plain derivatives as arrays: derivatives are (q, 3), unknown and orders."""
    derivatives = [[k, *index] for operator in block.operators for k, index, _ in operator]
    return {
        "points": block.points,
        "derivatives": np.array(derivatives, dtype=np.float64).reshape(-1, 3),
        "weights": block.weights,
    }


def unpacked(arrays: Mapping[str, Array]) -> Block:
    """The block that `packed` was given."""
    rows = arrays["derivatives"].astype(int).tolist()
    operators = tuple(derivative_operator((k, (i, j))) for k, i, j in rows)
    return Block(arrays["points"], operators, arrays["weights"])
