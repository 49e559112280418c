"""The one residual evaluation: values, loss, gradient, Jacobian rows and Jacobian products, compiled.

All functions take the parameters as one flat vector θ, so that optimisers know vectors and not networks.
The loss is a weighted sum of squares over all terms,

    loss(θ) = Σ_terms Σ_i w_i r_i(θ)²,

with weights that the caller chooses (for a mean over n points w_i = 1/n).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from .compilation import Compiled
from .model import Model
from .program import Program

BLOCK = 2048
"""Points a block: its intermediate values stay in the processor's cache, which gains 10 to 20 %."""


class TermBatch(NamedTuple):
    """Points (n, d) of one term with its data (n,) and weights (n,)."""

    points: Tensor
    data: Tensor
    weights: Tensor


Batch = tuple[TermBatch, ...]
"""One `TermBatch` for each active term."""


class _Holder(nn.Module):
    """Lets `torch.func.functional_call` put θ into the model while any function of it runs."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, function: Callable[..., Any], *args: Any) -> Any:
        return function(*args)


class Residual:
    """Residuals of a model as functions of its flat parameter vector.

    Args:
        program: the lowered problem.
        model: trial function; its parameters give the start of θ. It is copied, not changed.
        active: indices of the program's terms that are minimised; by default all that the model's ansatz
            does not meet exactly.
        compile: compile loss and gradient by torch.compile(fullgraph=True).
        dtype, device: of θ and of all batches.
    """

    def __init__(
        self,
        program: Program,
        model: Model,
        active: Sequence[int] | None = None,
        *,
        compile: bool = False,
        dtype: torch.dtype = torch.float64,
        device: str | torch.device = "cpu",
    ) -> None:
        self.program, self.dtype, self.device = program, dtype, torch.device(device)
        self.model = copy.deepcopy(model).to(device=self.device, dtype=dtype)
        if active is None:
            active = [i for i, term in enumerate(program.terms) if not model.ansatz.is_exact(term.term)]
        self.active = tuple(active)
        self._holder = _Holder(self.model)
        self._functions = [term.function("torch") for term in self.terms]
        for term in self.terms:
            self.model.prepare(term.derivatives)
        self._shapes = [(name, p.shape, p.numel()) for name, p in self._holder.named_parameters()]
        self.compile(compile)

    def compile(self, enabled: bool = True) -> None:
        """Compile loss and gradient at their next use, or stop using the compiled form."""
        self._gradient_and_loss = Compiled(
            torch.func.grad_and_value(self._loss), "loss and gradient", enabled=enabled
        )

    def warm_up(self, block: Batch) -> None:
        """Compile now, and compare with eager at the start parameters.

        There the residual is of order one; near convergence cancellation would make two right gradients
        differ by more than round-off.
        """
        self._gradient_and_loss(self.start(), block)

    @property
    def is_compiled(self) -> bool:
        """True while loss and gradient run compiled, or will at their first use."""
        return self._gradient_and_loss.active

    @property
    def compile_seconds(self) -> float:
        """Time that compilation took; 0 before the first use."""
        return self._gradient_and_loss.seconds

    # -- parameters --------------------------------------------------------------------------------

    @property
    def terms(self) -> tuple[Any, ...]:
        """The active terms, in the order of every batch."""
        return tuple(self.program.terms[i] for i in self.active)

    def start(self) -> Tensor:
        """θ of the model as it was given, shape (p,)."""
        with torch.no_grad():
            return torch.cat([p.reshape(-1) for p in self._holder.parameters()]).clone()

    def unflatten(self, theta: Tensor) -> dict[str, Tensor]:
        """θ as named views with the shapes of the modules' parameters."""
        pieces = torch.split(theta, [count for _, _, count in self._shapes])
        return {name: piece.view(shape) for (name, shape, _), piece in zip(self._shapes, pieces, strict=True)}

    # -- batches -----------------------------------------------------------------------------------

    def batch(
        self,
        points: Sequence[np.ndarray[Any, Any]],
        weights: Sequence[float | np.ndarray[Any, Any]] | None = None,
    ) -> Batch:
        """Tensors from one array of points (n, d) for each active term.

        ``weights[i]`` is the weight of term i's mean square (default 1), or an array of n point weights.
        """
        batches = []
        for i, (term, p) in enumerate(zip(self.terms, points, strict=True)):
            weight = np.asarray(1.0 if weights is None else weights[i], dtype=np.float64)
            w = np.full(len(p), weight / max(len(p), 1)) if weight.ndim == 0 else weight
            data = term.term.data(p) if term.term.data is not None else np.zeros(len(p))
            batches.append(TermBatch(*(self.tensor(a) for a in (p, data, w))))
        return tuple(batches)

    def tensor(self, array: Any) -> Tensor:
        """An array on this residual's device, in its dtype."""
        return torch.as_tensor(np.ascontiguousarray(array), dtype=self.dtype, device=self.device)

    @staticmethod
    def blocks(batch: Batch, size: int = BLOCK) -> list[Batch]:
        """The batch cut into blocks of equal shape, the last one padded by points of weight zero.

        Equal shapes mean one compilation.
        """
        count = max(1, max(-(-len(term.points) // size) for term in batch))
        if count == 1:
            return [batch]
        pieces = []
        for term in batch:
            n = len(term.points)
            step = -(-n // count)
            short = step * count - n
            padded = TermBatch(
                torch.cat([term.points, term.points[:1].expand(short, -1)]),
                torch.cat([term.data, term.data[:1].expand(short)]),
                torch.cat([term.weights, term.weights.new_zeros(short)]),
            )
            pieces.append(
                [TermBatch(*parts) for parts in zip(*(torch.split(t, step) for t in padded), strict=True)]
            )
        return [tuple(block) for block in zip(*pieces, strict=True)]

    # -- evaluation --------------------------------------------------------------------------------

    def _with(self, theta: Tensor, function: Callable[..., Any], *args: Any) -> Any:
        """``function(*args)`` while the model's parameters are θ."""
        return torch.func.functional_call(self._holder, self.unflatten(theta), (function, *args))

    def _term(self, i: int, term: TermBatch) -> Tensor:
        lowered = self.terms[i]
        derivatives = self.model.derivatives(term.points, lowered.derivatives)
        return self._functions[i](  # type: ignore[no-any-return]
            *derivatives, *term.points.unbind(1), *self.model.parameter_values(), term.data
        )

    def _residuals(self, batch: Batch) -> list[Tensor]:
        return [self._term(i, term) for i, term in enumerate(batch)]

    def _loss(self, theta: Tensor, batch: Batch) -> Tensor:
        residuals = self._with(theta, self._residuals, batch)
        return sum(  # type: ignore[return-value]
            torch.dot(term.weights, r * r) for r, term in zip(residuals, batch, strict=True)
        )

    def values(self, theta: Tensor, batch: Batch) -> list[Tensor]:
        """Residuals r_i of each active term, unweighted, each (n,)."""
        with torch.no_grad():
            return self._with(theta, self._residuals, batch)  # type: ignore[no-any-return]

    def term_values(self, theta: Tensor, i: int, points: Tensor) -> Tensor:
        """Residual of the i-th active term at other points (n, d) of its region, shape (n,)."""
        function = self.terms[i].term.data
        data = points.new_zeros(len(points))
        if function is not None:
            data = self.tensor(function(points.double().cpu().numpy()))
        with torch.no_grad():
            return self._with(theta, self._term, i, TermBatch(points, data, data))  # type: ignore[no-any-return]

    def loss(self, theta: Tensor, batch: Batch) -> Tensor:
        """Σ w_i r_i², a scalar; differentiable by autograd."""
        return self._loss(theta, batch)

    def loss_and_gradient(self, theta: Tensor, batch: Batch | list[Batch]) -> tuple[Tensor, Tensor]:
        """The loss and its gradient (p,), block by block; give `blocks` to cut a batch only once."""
        blocks = batch if isinstance(batch, list) else self.blocks(batch)
        pairs = [self._gradient_and_loss(theta, block) for block in blocks]
        return sum(loss for _, loss in pairs), sum(gradient for gradient, _ in pairs)  # type: ignore[return-value]

    def rows(self, theta: Tensor, batch: Batch) -> Tensor:
        """All residuals scaled by the roots of their weights, one vector: loss = |rows|²."""
        residuals = self._with(theta, self._residuals, batch)
        return torch.cat([w.sqrt() * r for r, (_, _, w) in zip(residuals, batch, strict=True)])

    def jacobian(self, theta: Tensor, batch: Batch) -> Tensor:
        """∂ rows / ∂θ, shape (number of rows, p): exact, one backward pass a point, vectorised."""
        pieces = []
        for i, term in enumerate(batch):

            def row(th: Tensor, x: Tensor, d: Tensor, w: Tensor, i: int = i) -> Tensor:
                point = TermBatch(x[None], d[None], w[None])
                return w.sqrt() * self._with(th, self._term, i, point)[0]  # type: ignore[no-any-return]

            rows = torch.func.vmap(torch.func.grad(row), in_dims=(None, 0, 0, 0))
            pieces.append(rows(theta, *term))
        return torch.cat(pieces)

    def jvp(self, theta: Tensor, batch: Batch, vector: Tensor) -> Tensor:
        """J v for v (p,): how all rows change along v."""
        return torch.func.jvp(lambda th: self.rows(th, batch), (theta,), (vector,))[1]  # type: ignore[no-any-return]

    def vjp(self, theta: Tensor, batch: Batch, vector: Tensor) -> Tensor:
        """Jᵀ w for w (number of rows,)."""
        return torch.func.vjp(lambda th: self.rows(th, batch), theta)[1](vector)[0]  # type: ignore[no-any-return]

    # -- the field at θ ----------------------------------------------------------------------------

    def derivatives(self, theta: Tensor, points: Tensor, wanted: Sequence[Any]) -> list[Tensor]:
        """Derivatives of the unknowns at ``points`` (n, d), each (n,)."""
        self.model.prepare(wanted)
        with torch.no_grad():
            return self._with(theta, self.model.derivatives, points, tuple(wanted))  # type: ignore[no-any-return]

    def parameters(self, theta: Tensor) -> dict[str, float]:
        """Values of the unknown parameters at θ, by name."""
        with torch.no_grad():
            values = self._with(theta, self.model.parameter_values)
        names = [p.name for p in self.program.parameters]
        return {name: float(v) for name, v in zip(names, values, strict=True)}
