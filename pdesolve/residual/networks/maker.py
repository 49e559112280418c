"""One maker for all networks, by name."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from ...declare import Domain
from ...declare.domain import Array
from ..activations import ACTIVATIONS
from .error import NetworkError
from .features import Features, Mirrored, axis_features, box_features, even_features, fourier_of
from .linear import zero_linear
from .mlp import mlp
from .modified_mlp import modified_mlp
from .pirate import pirate
from .readout import readout
from .separable import separable
from .waves import waves

NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "mlp": mlp,
    "modified-mlp": modified_mlp,
    "pirate": pirate,
    "separable": separable,
    "readout": readout,
    "waves": waves,
}
"""Functions (features, outputs, generator, **options) that make networks; see each for its options."""

_OF_THE_PROBLEM = ("periodic", "parities", "harmonics")

LINEAR = ("readout", "waves")
"""Networks that are linear in their parameters."""


def make_network(
    name: str,
    domain: Domain,
    outputs: int,
    generator: torch.Generator,
    *,
    periodic: Sequence[int] = (),
    harmonics: int = 1,
    fourier: int = 0,
    sigma: float = 1.0,
    parities: Mapping[int, int] | None = None,
    **options: Any,
) -> nn.Module:
    """A network from (n, d) points of a domain to (n, outputs) values, in float64.

    Args:
        name: a key of `NETWORKS`.
        domain: coordinates are scaled by its bounds.
        outputs: number of channels.
        generator: draws the start; the global one is left alone.
        periodic: axes with a periodic embedding of ``harmonics`` waves.
        fourier: number of random Fourier features on top of these, or 0; ``sigma``: their spread, 1 for
            smooth fields, up to 10 for oscillating ones.
        parities: axes along which the network is even (1) or odd (-1): the sum or the difference of a
            network and its mirror image, or along periodic axes cosines alone where it is even.
        options: those of the network, such as ``width`` and ``activation``.

    Raises:
        NetworkError: no such network or option, or a value out of range.
    """
    if name not in NETWORKS:
        raise NetworkError("make_network", f"one of {', '.join(NETWORKS)}", repr(name), "Correct the name.")
    maker = NETWORKS[name]
    known = [o for o in list(inspect.signature(maker).parameters)[3:] if o not in _OF_THE_PROBLEM]
    for option in options:
        if option not in known:
            who, expected = f"make_network({name!r})", f"options among {', '.join(known)}"
            raise NetworkError(who, expected, option, "Remove the option.")
    for option, value in {**options, "harmonics": harmonics, "fourier": fourier, "sigma": sigma}.items():
        holds, expected = _RANGES[option]
        if not holds(value):
            raise NetworkError(f"make_network({option}=)", expected, repr(value), "Change the option.")

    def embed(features: Features) -> Features:
        return fourier_of(features, fourier, sigma, generator) if fourier else features

    if maker is separable:
        each = [embed(axis_features(domain, i, periodic, harmonics)) for i in range(len(domain.axes))]
        apart = separable(each, outputs, generator, **options)
        for axis, parity in (parities or {}).items():  # each body sees one coordinate
            apart.bodies[axis] = _mirrored(apart.bodies[axis], domain.bounds[axis : axis + 1], {0: parity})
        return apart
    if maker is waves:
        if fourier:
            who = "make_network('waves', fourier=)"
            raise NetworkError(who, "0: waves are features themselves", str(fourier), "Remove the option.")
        plain = box_features(domain)
        made: nn.Module = waves(
            plain, outputs, generator, periodic=periodic, parities=parities, harmonics=harmonics, **options
        )
    else:
        features = box_features(domain, periodic, harmonics)
        even = [axis for axis, parity in (parities or {}).items() if parity == 1 and axis in periodic]
        if even:
            features = even_features(features, domain, even)
            parities = {axis: parity for axis, parity in (parities or {}).items() if axis not in even}
        made = maker(embed(features), outputs, generator, **options)
    if not parities:
        return made
    if name not in LINEAR:
        return _mirrored(made, domain.bounds, parities)
    assert isinstance(made, nn.Sequential)
    last = made[-1]
    assert isinstance(last, nn.Linear)
    is_even = all(parity == 1 for parity in parities.values())  # a constant is
    hidden = _mirrored(made[:-1], domain.bounds, parities)
    return nn.Sequential(hidden, zero_linear(last.in_features, outputs, bias=is_even))


def _mirrored(body: nn.Module, bounds: Array, parities: Mapping[int, int]) -> nn.Module:
    for axis, parity in parities.items():
        body = Mirrored(body, torch.as_tensor(bounds, dtype=torch.float64), axis, parity)
    return body


def _is_count(value: Any, least: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def _are_scales(value: Any) -> bool:
    values = value if isinstance(value, Sequence) else [value]
    return len(values) > 0 and all(map(_is_positive, values))


_COUNT = (_is_count, "a whole number of at least 1")
_RANGES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "width": _COUNT,
    "depth": _COUNT,
    "rank": _COUNT,
    "harmonics": _COUNT,
    "fourier": (lambda value: _is_count(value, 0), "a whole number"),
    "sigma": (_is_positive, "a positive number"),
    "spread": (_are_scales, "a positive number, or several"),
    "activation": (lambda value: value in ACTIVATIONS, f"one of {', '.join(ACTIVATIONS)}"),
    "factorised": (lambda value: isinstance(value, bool), "True or False"),
}
"""For each option, whether a value holds, and what does."""
