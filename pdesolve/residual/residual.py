"""The one residual evaluation: values, loss, gradient, Jacobian rows and Jacobian products, compiled.

All functions take the parameters as one flat vector θ, so that optimisers know vectors and not networks.
The loss is a weighted sum of squares over all terms,

    loss(θ) = Σ_terms Σ_i w_i r_i(θ)²,

with weights that the caller chooses (for a mean over n points w_i = 1/n).
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from .compilation import Compiled
from .model import Model
from .program import Derivative, LoweredTerm, Program
from .tape import Tap, Tape, rows_of

Points = np.ndarray[Any, np.dtype[np.float64]]

BLOCK = 2048
"""Points a block: its intermediate values stay in the processor's cache."""


class Background(Protocol):
    """A known field that is added to the trial function, such as an earlier solution."""

    def derivatives(self, points: Points, wanted: Sequence[Derivative]) -> Sequence[Points]:
        """The wanted derivatives at ``points`` (n, d), each (n,)."""
        ...


class GroupBatch(NamedTuple):
    """Points (n, d) that m terms share, and what is known at them before any training.

    Attributes:
        inputs: (i, n), inputs of all terms in order.
        background: (k, n), the background's share in each of the k derivatives; (0, n) without one.
        weights: (m, n).
    """

    points: Tensor
    inputs: Tensor
    background: Tensor
    weights: Tensor


Batch = tuple[GroupBatch, ...]
"""One `GroupBatch` for each of ``Residual.groups``."""


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
        background: a known field that is added to the model.
        compile: compile loss and gradient by torch.compile(fullgraph=True).
        dtype, device: of θ and of all batches.
    """

    def __init__(
        self,
        program: Program,
        model: Model,
        active: Sequence[int] | None = None,
        *,
        background: Background | None = None,
        compile: bool = False,
        dtype: torch.dtype = torch.float64,
        device: str | torch.device = "cpu",
    ) -> None:
        self.program, self.dtype, self.device = program, dtype, torch.device(device)
        self.model = copy.deepcopy(model).to(device=self.device, dtype=dtype)
        if active is None:
            active = [i for i, term in enumerate(program.terms) if not model.ansatz.is_exact(term.term)]
        self.active = tuple(active)
        self.background = background
        self._holder = _Holder(self.model)
        self.groups = _groups(self.terms)
        self._functions = [term.function("torch") for term in self.terms]
        self._wanted = [_union(self.terms, group) for group in self.groups]
        self._shifts = [self._shift(self.terms[group[0]]) for group in self.groups]
        for wanted in self._wanted:
            self.model.prepare(wanted)
        self._shapes = [(name, p.shape, p.numel()) for name, p in self._holder.named_parameters()]
        self._taps = [self._find_taps(g) for g in range(len(self.groups))]
        self.compile(compile)

    def compile(self, enabled: bool = True) -> None:
        """Compile loss and gradient at their next use, or stop using the compiled form."""
        self._gradient_and_loss = Compiled(
            torch.func.grad_and_value(self.loss), "loss and gradient", enabled=enabled
        )
        self._rows = Compiled(self._all_rows, "weighted residuals", enabled=enabled)
        self._linearise = [
            Compiled(
                functools.partial(self._linearise_each if taps is None else self._linearise_taped, g),
                "residual and Jacobian",
                enabled=enabled and taps is not None,
            )
            for g, taps in enumerate(self._taps)
        ]

    def warm_up(self, block: Batch, rows: bool = False) -> None:
        """Compile loss and gradient now, or with ``rows`` the Jacobian, and compare with eager.

        At the start parameters the residual is of order one; near convergence cancellation would make two
        right gradients differ by more than round-off.
        """
        if rows:
            self.linearise(self.start(), block)
            with torch.no_grad():
                self.rows(self.start(), block)
        else:
            self._gradient_and_loss(self.start(), block)

    @property
    def is_compiled(self) -> bool:
        """True while loss and gradient run compiled, or will at their first use."""
        return self._gradient_and_loss.active

    @property
    def compile_seconds(self) -> float:
        """Time that compilation took; 0 before the first use."""
        return sum(each.seconds for each in (self._gradient_and_loss, self._rows, *self._linearise))

    def adopt(self, other: Residual) -> None:
        """Become the residual of another slab of time, which differs in its buffers alone; stay compiled.

        Raises:
            ValueError: the other one has another form.
        """
        if [i.name for i in self.terms] != [i.name for i in other.terms]:
            raise ValueError("residuals of different terms")
        for own, theirs in zip(self.model.buffers(), other.model.buffers(), strict=True):
            own.copy_(theirs)

    # -- parameters --------------------------------------------------------------------------------

    @property
    def terms(self) -> tuple[LoweredTerm, ...]:
        """The active terms; `groups` holds their positions."""
        return tuple(self.program.terms[i] for i in self.active)

    def start(self) -> Tensor:
        """θ of the model as it was given, shape (p,)."""
        with torch.no_grad():
            return torch.cat([p.reshape(-1) for p in self._holder.parameters()]).clone()

    def unflatten(self, theta: Tensor) -> dict[str, Tensor]:
        """θ as named views with the shapes of the modules' parameters."""
        pieces = torch.split(theta, [count for _, _, count in self._shapes])
        return {name: piece.view(shape) for (name, shape, _), piece in zip(self._shapes, pieces, strict=True)}

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the tensors that θ consists of, in order."""
        return [tuple(shape) for _, shape, _ in self._shapes]

    def constants(self) -> Tensor:
        """What the network holds beside θ, (c,): scales, random features. Seeds decide on it, as on θ."""
        return torch.cat([each.reshape(-1) for each in self._constants()] or [self.tensor([])])

    def set_constants(self, values: Tensor) -> None:
        """Take up the `constants` of another residual with such a network."""
        own = self._constants()
        for each, piece in zip(own, torch.split(values, [each.numel() for each in own]), strict=True):
            each.copy_(piece.view_as(each))

    def _constants(self) -> list[Tensor]:
        return [each for each in self.model.network.buffers() if each.is_floating_point()]

    # -- batches -----------------------------------------------------------------------------------

    def batch(
        self, points: Sequence[Points], weights: Sequence[float | np.ndarray[Any, Any]] | None = None
    ) -> Batch:
        """Tensors from one array of points (n, d) for each group.

        ``weights[i]`` is the weight of the i-th active term's mean square (default 1), or an array of n
        point weights.
        """
        batches = []
        for g, (group, p) in enumerate(zip(self.groups, points, strict=True)):
            spread = []
            for i in group:
                weight = np.asarray(1.0 if weights is None else weights[i], dtype=np.float64)
                spread.append(np.full(len(p), weight / max(len(p), 1)) if weight.ndim == 0 else weight)
            arrays = (p, self._inputs(group, p), self._behind(g, p), np.asarray(spread))
            batches.append(GroupBatch(*map(self.tensor, arrays)))
        return tuple(batches)

    def _shift(self, term: LoweredTerm) -> Tensor | None:
        """By how much (d,) the points of a group are moved; None where they are not."""
        axes = range(len(self.program.problem.coordinates))
        shift = term.term.shift
        return self.tensor([shift.get(axis, 0.0) for axis in axes]) if shift else None

    def _inputs(self, group: tuple[int, ...], points: Points) -> Points:
        """Values (i, n) of the inputs of all terms of a group, one after the other."""
        rows = [function(points) for i in group for function in self.terms[i].term.inputs.values()]
        return np.stack(rows) if rows else np.empty((0, len(points)))

    def _behind(self, g: int, points: Points) -> Points:
        """The background's derivatives (k, n) in a group."""
        if self.background is None:
            return np.empty((0, len(points)))
        own = np.stack(list(self.background.derivatives(points, self._wanted[g])))
        shift = self._shifts[g]
        if shift is None:
            return own
        moved = points + shift.double().cpu().numpy()
        return own - np.stack(list(self.background.derivatives(moved, self._wanted[g])))

    def tensor(self, array: Any) -> Tensor:
        """An array on this residual's device, in its dtype."""
        return torch.as_tensor(np.ascontiguousarray(array), dtype=self.dtype, device=self.device)

    @staticmethod
    def blocks(batch: Batch, size: int = BLOCK, multiple: int = 1) -> list[Batch]:
        """The batch cut into blocks of equal shape, the last ones padded by points of weight zero.

        Equal shapes mean one compilation. The number of blocks is a multiple of ``multiple``, so that as
        many processes have equal shares.
        """
        count = max(1, *(-(-len(group.points) // size) for group in batch))
        count = -(-count // multiple) * multiple
        if count == 1:
            return [batch]
        pieces = []
        for points, inputs, behind, weights in batch:
            n = len(points)
            step = -(-n // count)
            short = step * count - n
            padded = (
                torch.cat([points, points[:1].expand(short, -1)]).split(step),  # type: ignore[no-untyped-call]
                torch.cat([inputs, inputs[:, :1].expand(-1, short)], dim=1).split(step, dim=1),  # type: ignore[no-untyped-call]
                torch.cat([behind, behind[:, :1].expand(-1, short)], dim=1).split(step, dim=1),  # type: ignore[no-untyped-call]
                torch.cat([weights, weights.new_zeros(len(weights), short)], dim=1).split(step, dim=1),  # type: ignore[no-untyped-call]
            )
            pieces.append([GroupBatch(*parts) for parts in zip(*padded, strict=True)])
        return [tuple(block) for block in zip(*pieces, strict=True)]

    # -- evaluation --------------------------------------------------------------------------------

    def _with(self, theta: Tensor, function: Callable[..., Any], *args: Any) -> Any:
        """``function(*args)`` while the model's parameters are θ."""
        return torch.func.functional_call(self._holder, self.unflatten(theta), (function, *args))

    def _group(self, g: int, batch: GroupBatch, tape: Tape | None = None) -> Tensor:
        """Residuals (m, n) of one group: its terms share the network's derivatives."""
        return self.pointwise(g, self._derivatives(g, batch.points, tape), batch, tape)

    def _derivatives(self, g: int, points: Tensor, tape: Tape | None = None) -> list[Tensor]:
        """The model's derivatives in a group, each (n,): less those at the points that it is shifted to."""
        own = self.model.derivatives(points, self._wanted[g], tape)
        shift = self._shifts[g]
        if shift is None:
            return own
        moved = self.model.derivatives(points + shift, self._wanted[g], tape)
        return [a - b for a, b in zip(own, moved, strict=True)]

    def pointwise(
        self, g: int, derivatives: Sequence[Tensor] | Tensor, batch: GroupBatch, tape: Tape | None = None
    ) -> Tensor:
        """Residuals (m, n) of one group from the model's derivatives."""
        own = list(derivatives)
        if len(batch.background):
            own = [a + b for a, b in zip(own, batch.background.unbind(0), strict=True)]
        found = dict(zip(self._wanted[g], own, strict=True))
        coordinates, parameters = batch.points.unbind(1), self.model.parameter_values(tape)
        inputs = iter(batch.inputs.unbind(0))
        rows = [
            self._functions[i](
                *(found[d] for d in self.terms[i].derivatives),
                *coordinates,
                *parameters,
                *(next(inputs) for _ in self.terms[i].term.inputs),
            )
            for i in self.groups[g]
        ]
        return torch.stack(rows)

    def _residuals(self, batch: Batch) -> list[Tensor]:
        return [self._group(g, group) for g, group in enumerate(batch)]

    def loss(self, theta: Tensor, batch: Batch) -> Tensor:
        """Σ w_i r_i², a scalar; differentiable by autograd."""
        residuals = self._with(theta, self._residuals, batch)
        parts = [(group.weights * r * r).sum() for r, group in zip(residuals, batch, strict=True)]
        return torch.stack(parts).sum()

    def values(self, theta: Tensor, batch: Batch) -> list[Tensor]:
        """Unweighted residuals of each group, each (m, n)."""
        with torch.no_grad():
            return self._with(theta, self._residuals, batch)  # type: ignore[no-any-return]

    def tangent_values(self, theta: Tensor, move: Tensor, batch: Batch) -> list[Tensor]:
        """`values` on the tangent plane at θ: of the field with D^α u = D^α u(θ) + ∂D^α u/∂θ · move.

        Exact in ``move``, however long: only what terms make of the field is non-linear.
        """

        def on_plane(g: int, group: GroupBatch) -> Tensor:
            def derivatives(at: Tensor) -> Tensor:
                own = self._with(at, self._derivatives, g, group.points)
                return torch.stack(own)

            found: Any = torch.func.jvp(derivatives, (theta,), (move,))
            base, along = found
            values: Tensor = self._with(theta, self.pointwise, g, list(base + along), group)
            return values

        with torch.no_grad():
            return [on_plane(g, group) for g, group in enumerate(batch)]

    def group_values(self, theta: Tensor, g: int, points: Points) -> np.ndarray[Any, Any]:
        """Residuals (m, n) of one group at other points (n, d) of its region."""
        x, inputs = self.tensor(points), self.tensor(self._inputs(self.groups[g], points))
        behind = self.tensor(self._behind(g, points))
        batch = GroupBatch(x, inputs, behind, x.new_zeros(len(self.groups[g]), len(x)))
        with torch.no_grad():
            values: Tensor = self._with(theta, self._group, g, batch)
        return values.double().cpu().numpy()  # type: ignore[no-any-return]

    def loss_and_gradient(self, theta: Tensor, batch: Batch | list[Batch]) -> tuple[Tensor, Tensor]:
        """The loss and its gradient (p,), block by block; give `blocks` to cut a batch only once."""
        blocks = batch if isinstance(batch, list) else self.blocks(batch)
        pairs = [self._gradient_and_loss(theta, block) for block in blocks]
        return sum(loss for _, loss in pairs), sum(gradient for gradient, _ in pairs)  # type: ignore[return-value]

    def rows(self, theta: Tensor, batch: Batch) -> Tensor:
        """All residuals scaled by the roots of their weights, one vector; its square is the loss.

        Group by group, within a group term by term.
        """
        rows: Tensor = self._rows(theta, batch)
        return rows

    def _all_rows(self, theta: Tensor, batch: Batch) -> Tensor:
        residuals = self._with(theta, self._residuals, batch)
        scaled = [group.weights.sqrt() * r for r, group in zip(residuals, batch, strict=True)]
        return torch.cat([r.reshape(-1) for r in scaled])

    def jacobian(self, theta: Tensor, batch: Batch) -> Tensor:
        """∂ rows / ∂θ, shape (number of rows, p)."""
        return self.linearise(theta, batch)[1]

    def linearise(self, theta: Tensor, batch: Batch | list[Batch]) -> tuple[Tensor, Tensor]:
        """`rows` and `jacobian` together, from one backward pass for each term.

        With `blocks` the rows come block by block.
        """
        blocks = batch if isinstance(batch, list) else [batch]
        rows, jacobians = [], []
        for block in blocks:
            for g, group in enumerate(block):
                r, jacobian = self._linearise[g](theta, *group)
                rows.append(r)
                jacobians.append(jacobian)
        return torch.cat(rows), torch.cat(jacobians)

    def _linearise_taped(
        self, g: int, theta: Tensor, points: Tensor, inputs: Tensor, background: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Rows (m n,) and Jacobian (m n, p) of one group; see `pdesolve.residual.tape`."""
        batch, roots = GroupBatch(points, inputs, background, weights), weights.sqrt()
        taped = functools.partial(self._with, theta, self._group, g, batch)
        values, jacobians = self._pull(g, theta, len(points), taped, roots)
        return (roots * values).reshape(-1), torch.cat(jacobians)

    def derivative_rows(self, g: int, theta: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """The model's derivatives D (k, n) that a group needs, and ∂D/∂θ (n, k, p).

        For taped networks of problems without unknown parameters.
        """

        def derivatives(tape: Tape) -> Tensor:
            return torch.stack(self._with(theta, self._derivatives, g, points, tape))

        ones = torch.ones(len(self._wanted[g]), len(points), dtype=theta.dtype, device=theta.device)
        values, jacobians = self._pull(g, theta, len(points), derivatives, ones)
        return values, torch.stack(jacobians, dim=1)

    def derivative_count(self, g: int) -> int:
        """How many derivatives a group needs."""
        return len(self._wanted[g])

    @property
    def is_taped(self) -> bool:
        """Whether Jacobian rows come from one backward pass, see `pdesolve.residual.tape`."""
        return all(taps is not None for taps in self._taps)

    def _pull(
        self, g: int, theta: Tensor, n: int, taped: Callable[[Tape], Tensor], scales: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        """Values (m, n) of a function of a tape, and their Jacobians, m of (n, p), times scales (m, n)."""
        taps = self._taps[g]
        assert taps is not None

        def residuals(*perturbations: Tensor) -> tuple[Tensor, list[Tensor]]:
            tape = Tape(n, perturbations)
            return taped(tape), tape.inputs

        zeros = [theta.new_zeros(n, *tap.shape) for tap, _ in taps]
        pulled: Any = torch.func.vjp(residuals, *zeros, has_aux=True)
        values, pull_back, layer_inputs = pulled
        jacobians = []
        for j in range(len(values)):
            cotangent = torch.zeros_like(values)
            cotangent[j] = scales[j]
            columns: dict[int, Tensor] = {}
            for (tap, offsets), sensitivity, given in zip(
                taps, pull_back(cotangent), layer_inputs, strict=True
            ):
                for offset, piece in zip(offsets, rows_of(tap, sensitivity, given), strict=True):
                    columns[offset] = columns[offset] + piece if offset in columns else piece
            jacobians.append(torch.cat([columns[offset] for offset in sorted(columns)], dim=1))
        return values, jacobians

    def _linearise_each(
        self, g: int, theta: Tensor, points: Tensor, inputs: Tensor, background: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The same by one backward pass a row, vectorised: for modules that no tape can follow."""

        def row(th: Tensor, x: Tensor, d: Tensor, b: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
            batch = GroupBatch(x[None], d[:, None], b[:, None], w[:, None])
            values = w.sqrt() * self._with(th, self._group, g, batch)[:, 0]
            return values, values

        each = torch.func.vmap(
            torch.func.jacrev(row, has_aux=True), in_dims=(None, 0, 1, 1, 1), out_dims=(1, 1)
        )
        jacobian, values = each(theta, points, inputs, background, weights)
        return values.reshape(-1), jacobian.reshape(-1, len(theta))

    def _find_taps(self, g: int) -> list[tuple[Tap, tuple[int, ...]]] | None:
        """Where parameters act in a group, with their offsets in θ; None where a tape misses some."""
        tape = Tape(1)
        d = len(self.program.problem.coordinates)
        inputs = sum(len(self.terms[i].term.inputs) for i in self.groups[g])
        point, data, nothing = (self.tensor(np.zeros(shape)) for shape in ((1, d), (inputs, 1), (0, 1)))
        with torch.no_grad():
            self._group(g, GroupBatch(point, data, nothing, point), tape)
        offsets, at = {}, 0
        for parameter in filter(torch.numel, self._holder.parameters()):
            offsets[id(parameter)] = at
            at += parameter.numel()
        found = [(tap, tuple(offsets[id(p)] for p in tap.parameters)) for tap in tape.taps]
        complete = {o for _, own in found for o in own} == set(offsets.values())
        return found if complete else None

    def jvp(self, theta: Tensor, batch: Batch, vector: Tensor) -> Tensor:
        """J v for v (p,): how all rows change along v."""
        return torch.func.jvp(lambda th: self._all_rows(th, batch), (theta,), (vector,))[1]  # type: ignore[no-any-return]

    def vjp(self, theta: Tensor, batch: Batch, vector: Tensor) -> Tensor:
        """Jᵀ w for w (number of rows,)."""
        return torch.func.vjp(lambda th: self._all_rows(th, batch), theta)[1](vector)[0]  # type: ignore[no-any-return]

    # -- the field at θ ----------------------------------------------------------------------------

    def derivatives(self, theta: Tensor, points: Tensor, wanted: Sequence[Any]) -> list[Tensor]:
        """Derivatives of the unknowns at ``points`` (n, d), each (n,)."""
        self.model.prepare(wanted)
        with torch.no_grad():
            own: list[Tensor] = self._with(theta, self.model.derivatives, points, tuple(wanted))
        if self.background is None:
            return own
        behind = self.background.derivatives(points.double().cpu().numpy(), wanted)
        return [a + self.tensor(b) for a, b in zip(own, behind, strict=True)]

    def parameters(self, theta: Tensor) -> dict[str, float]:
        """Values of the unknown parameters at θ, by name."""
        with torch.no_grad():
            values = self._with(theta, self.model.parameter_values)
        names = [p.name for p in self.program.parameters]
        return {name: float(v) for name, v in zip(names, values, strict=True)}


def _groups(terms: Sequence[LoweredTerm]) -> tuple[tuple[int, ...], ...]:
    """Positions of terms that can share points: those that hold everywhere on the same region."""
    found: dict[Any, list[int]] = {}
    for i, term in enumerate(terms):
        free = term.term.points is None and not term.term.fixed
        shared = term.term.region, term.term.is_equation, *term.term.shift.items()
        found.setdefault(shared if free else i, []).append(i)
    return tuple(map(tuple, found.values()))


def _union(terms: Sequence[LoweredTerm], group: tuple[int, ...]) -> tuple[Derivative, ...]:
    """All derivatives that the terms of a group need."""
    return tuple(sorted({d for i in group for d in terms[i].derivatives}))
