"""The residual of one slab of time: its trial function, and the field that it goes on from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ...declare import Problem
from ...residual.ansatz import build_ansatz
from ...residual.model import Model
from ...residual.networks.parallel import parallel
from ...residual.outputs import stream_function_map
from ...residual.periodicity import periodic_terms
from ...residual.program import Program
from ...residual.residual import Residual
from ...residual.symmetry import Parity, parities
from ..base import Context
from ..slabs import Carried, during
from .field import NetworkField
from .network import pinn_network

if TYPE_CHECKING:
    from .pinn import PINN


def symmetries_of(backend: PINN, problem: Problem) -> dict[int, Parity]:
    """Parities that the network takes on."""
    if not backend.symmetry or backend.stream_function or callable(backend.network):
        return {}
    return parities(problem)


def trial_residual(
    backend: PINN, problem: Problem, context: Context, earlier: list[NetworkField], ends: list[float]
) -> Residual:
    """The residual of the slab after ``earlier`` ones; slabs meet at ``ends``."""
    index = len(earlier)
    part = problem if len(ends) == 2 else during(problem, *ends[index : index + 2])
    background = None
    if earlier:
        background = Carried(earlier[-1], problem, ends[index], earlier[-1].carried)
    is_periodic = backend.periodicity == "exact"
    program = Program(part, [*part.terms, *([] if is_periodic else periodic_terms(part))])
    ansatz = build_ansatz(part, backend.exact_conditions, carried=index > 0, periodic=is_periodic)
    generator = context.generator(0)
    copies = 1 if backend.subdomains is None else len(backend.subdomains.cuts) + 1
    symmetries = symmetries_of(backend, problem)  # of the whole: the state carried is not a term of the part
    outputs = stream_function_map(part) if backend.stream_function else None
    channels = len(part.unknowns) // copies if outputs is None else outputs.channels
    bodies = [
        pinn_network(backend, part, ansatz.periodic, symmetries, generator, channels) for _ in range(copies)
    ]
    return Residual(
        program,
        Model(program, bodies[0] if copies == 1 else parallel(bodies), ansatz, outputs),
        background=background,
        dtype=getattr(torch, context.dtype),
        device=context.device,
    )
