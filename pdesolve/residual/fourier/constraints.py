"""Algebraic unknowns eliminated mode by mode.

For each wavenumber a problem with constraints is a small linear differential-algebraic system

    d' = L d + F a + P ê,      0 = C d + E a + S ê

of the dynamic components d, the algebraic ones a and the transformed terms ê. Where E can be inverted, a
follows at once (a stream function from the vorticity). Where U^H E = 0 the rows U^H C d = -U^H S ê restrict
d itself: differentiated once they determine a (the pressure of incompressible flow), and d stays on them.
This is index reduction (Kunkel & Mehrmann, Differential-Algebraic Equations, 2006, section 3.2) in the case
of an index of at most two, with the rank decided for each mode.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Matrices = np.ndarray[Any, np.dtype[np.complex128]]

ROUND_OFF = 1e-11
"""Singular values and entries below it, relative to what they are made of, are zero."""


@dataclass(frozen=True)
class System:
    """The matrices of one system for every mode, the modes first: (modes, rows, columns)."""

    L: Matrices
    F: Matrices
    P: Matrices
    C: Matrices
    E: Matrices
    S: Matrices


@dataclass(frozen=True)
class Reduced:
    """What is left without the constraints; (modes, rows, columns), ê' being the time derivative of ê.

        d' = linear d + forcing ê + forcing_rate ê'
        a  = response d + direct ê + direct_rate ê'
        d  = keep d + shift ê      on the constraints

    Attributes:
        free: (modes, algebraic) where no equation determines a component; it is zero there.
    """

    linear: Matrices
    forcing: Matrices
    forcing_rate: Matrices
    response: Matrices
    direct: Matrices
    direct_rate: Matrices
    keep: Matrices
    shift: Matrices
    free: np.ndarray[Any, np.dtype[np.bool_]]


def eliminate(s: System) -> Reduced:
    """The system without its constraints.

    Raises:
        ValueError: the algebraic components are neither determined nor free one by one; the text is a reason
            for `Backend.supports`.
    """
    size_e, size_c = _size(s.E), _size(s.C)
    null = np.eye(s.E.shape[1]) - s.E @ _pseudo_inverse(s.E, size_e)  # projector U U^H
    null[np.abs(null) < ROUND_OFF] = 0
    restricting = null @ s.C
    stacked = np.concatenate([s.E, restricting @ s.F], axis=1)
    inverse = _pseudo_inverse(stacked, np.maximum(size_e, size_c * _size(s.F)))
    of_rows, of_hidden = np.split(inverse, 2, axis=2)
    undetermined = np.eye(s.E.shape[2]) - inverse @ stacked
    free = np.abs(np.diagonal(undetermined, axis1=1, axis2=2)) > 0.5
    if np.abs(undetermined - np.eye(s.E.shape[2]) * free[:, :, None]).max(initial=0.0) > 1e-6:
        raise ValueError("the equations determine algebraic unknowns in combinations only")

    hidden = of_hidden @ null
    response = -of_rows @ s.C - hidden @ s.C @ s.L
    direct = -of_rows @ s.S - hidden @ s.C @ s.P
    direct_rate = -hidden @ s.S
    onto = _pseudo_inverse(restricting, size_c)
    keep = np.eye(s.L.shape[1]) - onto @ restricting
    shift = -onto @ null @ s.S
    # Off the constraints `response` is of no use; without it there, a pressure that merely projects (C L a
    # multiple of C) leaves L as it is, diagonal.
    direct = direct + response @ shift
    size = _size(response)
    response = response @ keep
    response[np.abs(response) < ROUND_OFF * size] = 0
    return Reduced(
        linear=s.L + s.F @ response,
        forcing=s.P + s.F @ direct,
        forcing_rate=s.F @ direct_rate,
        response=response,
        direct=direct,
        direct_rate=direct_rate,
        keep=keep,
        shift=shift,
        free=free,
    )


def _size(a: Matrices) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The largest entry of each matrix, (modes, 1, 1)."""
    return np.asarray(np.abs(a).max(axis=(1, 2), initial=0.0))[:, None, None]


def _pseudo_inverse(a: Matrices, size: np.ndarray[Any, np.dtype[np.float64]]) -> Matrices:
    """Moore-Penrose, singular values below round-off of ``size`` being zero."""
    left, values, right = np.linalg.svd(a, full_matrices=False)
    keep = values > ROUND_OFF * size[:, :, 0]
    inverse = np.where(keep, 1 / np.where(keep, values, 1.0), 0.0)
    adjoint = right.conj().transpose(0, 2, 1) * inverse[:, None, :]
    return np.asarray(adjoint @ left.conj().transpose(0, 2, 1))
