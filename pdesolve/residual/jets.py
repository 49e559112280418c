"""Jets: truncated multivariate Taylor expansions carried forward through a network, layer by layer.

A jet holds D^α f at n points for every α of a downward-closed set. Linear maps act on each D^α alone,
activations by the chain rule of Faà di Bruno. All are ordinary tensor operations: the parameter gradient
is the only backward pass, and ``torch.compile(fullgraph=True)`` takes the whole loss, which nested
``autograd.grad`` does not allow.

Cost: a network of width w at n points costs one (n, w) x (w, w) product a layer and D^α, so Burgers
{u, u_x, u_t, u_xx} costs four times the plain network, at any depth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..declare.problem import MultiIndex
from .activations import ACTIVATIONS, Derivatives
from .multiindex import chain_rule, closure, product_rule, unit
from .tape import Tape

ChainRules = tuple[tuple[MultiIndex, tuple[tuple[int, tuple[MultiIndex, ...]], ...]], ...]
ProductRules = tuple[tuple[MultiIndex, tuple[tuple[int, MultiIndex, MultiIndex], ...]], ...]


@dataclass(frozen=True)
class JetSpace:
    """Which derivatives a jet carries, with the chain and product rule of each as tables made once."""

    indices: tuple[MultiIndex, ...]
    rules: ChainRules
    products: ProductRules
    order: int

    @classmethod
    def of(cls, wanted: Iterable[MultiIndex]) -> JetSpace:
        indices = closure(wanted)
        rules = tuple((index, chain_rule(index)) for index in indices)
        products = tuple((index, product_rule(index)) for index in indices)
        return cls(indices, rules, products, max(sum(index) for index in indices))

    @property
    def zero(self) -> MultiIndex:
        return self.indices[0]

    def coordinates(self, points: Tensor, tape: Tape | None = None) -> Jet:
        """The jet of the identity at ``points`` (n, d): first derivatives are unit vectors, others zero."""
        dimension = points.shape[1]
        identity = torch.eye(dimension, dtype=points.dtype, device=points.device)
        parts = {self.zero: points}
        for axis in range(dimension):
            index = unit(axis, dimension)
            if index in self.indices:
                parts[index] = identity[axis : axis + 1]  # (1, d): the same at every point
        return Jet(self, parts, tape)


@dataclass(frozen=True)
class Jet:
    """D^α of a function with ``channels`` outputs: tensors (n or 1, channels); a missing α is zero.

    A ``tape`` follows the jet through the network and notes what Jacobian rows are made of.
    """

    space: JetSpace
    parts: dict[MultiIndex, Tensor]
    tape: Tape | None = None

    @property
    def value(self) -> Tensor:
        return self.parts[self.space.zero]

    def coordinate(self, axis: int) -> Jet:
        """One channel of the jet of the identity: a coordinate, with its one derivative alone."""
        index = unit(axis, len(self.space.zero))
        parts = {self.space.zero: self.value[:, axis : axis + 1]}
        if index in self.parts:
            parts[index] = self.parts[index][:, axis : axis + 1]
        return Jet(self.space, parts, self.tape)

    def linear(self, weight: Tensor, bias: Tensor | None) -> Jet:
        """W f + b: the bias touches the value alone."""
        parts = {index: part @ weight.T for index, part in self.parts.items()}
        if bias is not None:
            parts[self.space.zero] = parts[self.space.zero] + bias
        return Jet(self.space, parts, self.tape)

    def apply(self, derivatives: Derivatives) -> Jet:
        """σ(f) elementwise, by Faà di Bruno."""
        outer = derivatives(self.value, self.space.order)
        parts: dict[MultiIndex, Tensor] = {}
        for index, rule in self.space.rules:
            total = None
            for coefficient, factors in rule:
                if any(factor not in self.parts for factor in factors):
                    continue
                term = outer[len(factors)]
                for factor in factors:
                    term = term * self.parts[factor]
                if coefficient != 1:
                    term = coefficient * term
                total = term if total is None else total + term
            if total is not None:
                parts[index] = total
        return Jet(self.space, parts, self.tape)

    def parameter(self, parameter: Tensor) -> Tensor:
        """A parameter that acts elementwise: of its own shape, or on a tape ``(n, *shape)``."""
        return parameter if self.tape is None else self.tape.parameter(parameter)

    def scale(self, factor: Tensor | float) -> Jet:
        """c f for c that does not vary with the coordinates: a number, or of shape (channels,)."""
        return Jet(self.space, {index: factor * part for index, part in self.parts.items()}, self.tape)

    def shift(self, offset: Tensor | float) -> Jet:
        """f + c: touches the value alone."""
        return Jet(self.space, {**self.parts, self.space.zero: self.value + offset}, self.tape)

    def add(self, other: Jet) -> Jet:
        """f + g."""
        parts = {}
        for index in self.space.indices:
            both = [jet.parts[index] for jet in (self, other) if index in jet.parts]
            if both:
                parts[index] = both[0] + both[1] if len(both) == 2 else both[0]
        return Jet(self.space, parts, self.tape)

    def multiply(self, other: Jet) -> Jet:
        """f g channel by channel, by Leibniz' rule."""
        parts: dict[MultiIndex, Tensor] = {}
        for index, rule in self.space.products:
            total = None
            for coefficient, own, others in rule:
                if own not in self.parts or others not in other.parts:
                    continue
                term = self.parts[own] * other.parts[others]
                if coefficient != 1:
                    term = coefficient * term
                total = term if total is None else total + term
            if total is not None:
                parts[index] = total
        return Jet(self.space, parts, self.tape)

    @staticmethod
    def concatenate(jets: list[Jet]) -> Jet:
        """Channels of several jets side by side."""
        parts = {}
        for index in jets[0].space.indices:
            if not any(index in jet.parts for jet in jets):
                continue
            rows = max(jet.parts[index].shape[0] for jet in jets if index in jet.parts)
            pieces = []
            for jet in jets:
                if index in jet.parts:
                    pieces.append(jet.parts[index].expand(rows, -1))
                else:
                    pieces.append(jet.value.new_zeros(rows, jet.value.shape[1]))
            parts[index] = torch.cat(pieces, dim=1)
        return Jet(jets[0].space, parts, jets[0].tape)

    def component(self, channel: int, index: MultiIndex) -> Tensor:
        """D^index of one channel, shape (n,)."""
        n = self.value.shape[0]
        if index not in self.parts:
            return self.value.new_zeros(n)
        return self.parts[index][:, channel].expand(n)


JetRule = Callable[[nn.Module, Jet], Jet]

RULES: dict[type[nn.Module], JetRule] = {}
"""How each type of module acts on a jet. Modules of other types are differentiated by torch.func."""


def jet_rule(kind: type[nn.Module]) -> Callable[[JetRule], JetRule]:
    """Register the rule of a module type; the decorated function maps (module, jet) to a jet."""

    def register(rule: JetRule) -> JetRule:
        RULES[kind] = rule
        return rule

    return register


class JetModule(nn.Module):
    """A network that says once, in `jet`, what it computes; values are the jet of order zero.

    Subclasses are known to `push` and may be parts of other networks. Parameters act through `push` of
    linear layers and through `Jet.parameter`, so that a tape sees them.
    """

    def __init_subclass__(cls) -> None:
        RULES[cls] = cls.jet  # type: ignore[assignment]

    def jet(self, jet: Jet) -> Jet:
        """The jet of this network ∘ f."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        zero = (0,) * x.shape[1]
        return self.jet(Jet(JetSpace.of([zero]), {zero: x})).value


@jet_rule(nn.Linear)
def _linear(module: nn.Module, jet: Jet) -> Jet:
    assert isinstance(module, nn.Linear)
    result = jet.linear(module.weight, module.bias)
    if jet.tape is None:
        return result
    return Jet(jet.space, jet.tape.linear(module, jet.parts, result.parts), jet.tape)


@jet_rule(nn.Sequential)
def _sequential(module: nn.Module, jet: Jet) -> Jet:
    for layer in module.children():
        jet = push(layer, jet)
    return jet


@jet_rule(nn.Identity)
def _identity(module: nn.Module, jet: Jet) -> Jet:
    return jet


def _activation_rule(derivatives: Derivatives) -> JetRule:
    return lambda module, jet: jet.apply(derivatives)


for _activation in ACTIVATIONS.values():
    RULES[_activation.module] = _activation_rule(_activation.derivatives)


def _is_exact(module: nn.Module) -> bool:
    """Settings that the rules assume: the exact GELU and the plain softplus."""
    if isinstance(module, nn.GELU):
        return module.approximate == "none"
    if isinstance(module, nn.Softplus):
        return module.beta == 1.0 and module.threshold >= 20.0  # beyond 20 the difference is below 3e-9
    return True


def unruled(module: nn.Module) -> list[str]:
    """Names of the module types without a jet rule; empty where jets can carry the whole module."""
    if type(module) is nn.Sequential:
        return sorted({name for child in module.children() for name in unruled(child)})
    return [] if type(module) in RULES and _is_exact(module) else [type(module).__name__]


def push(module: nn.Module, jet: Jet) -> Jet:
    """The jet of module ∘ f."""
    return RULES[type(module)](module, jet)


def autodiff_jet(module: nn.Module, points: Tensor, space: JetSpace) -> Jet:
    """The jet of any module by nested forward mode of torch.func: 2^|α| network passes for D^α."""

    def derivative(function: Callable[[Tensor], Tensor], axis: int) -> Callable[[Tensor], Tensor]:
        def directional(x: Tensor) -> Tensor:
            tangent = torch.zeros_like(x)
            tangent[:, axis] = 1.0
            return torch.func.jvp(function, (x,), (tangent,))[1]  # type: ignore[no-any-return]

        return directional

    functions: dict[MultiIndex, Callable[[Tensor], Tensor]] = {space.zero: module}
    for index in space.indices[1:]:
        axis = next(i for i, k in enumerate(index) if k)
        below = tuple(k - (i == axis) for i, k in enumerate(index))
        functions[index] = derivative(functions[below], axis)
    return Jet(space, {index: function(points) for index, function in functions.items()})


def network_jet(module: nn.Module, points: Tensor, space: JetSpace, tape: Tape | None = None) -> Jet:
    """The jet of a network at ``points`` (n, d): by rules where all types have one, else by torch.func."""
    if unruled(module):
        return autodiff_jet(module, points, space)
    return push(module, space.coordinates(points, tape))
