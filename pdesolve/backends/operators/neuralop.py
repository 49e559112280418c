"""`NeuralopModel`: models of the package neuraloperator as a backend."""

from __future__ import annotations

import importlib.util
import os
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...declare import Problem
from ..base import BackendOptionError, Context
from ..learner import Learner, TrainingDataError
from .encoding import Encoding
from .networks.coordinates import feature_count, grid_features
from .networks.film import check_parameters
from .networks.transforms import Kind
from .operator import NeuralOperator, Prediction

MODELS = {"fno": "FNO", "tfno": "TFNO"}
"""Our names of the models, and the library's."""

TFNO_RANK = 0.1
"""The library's own choice."""


@dataclass(frozen=True)
class NeuralopModel(NeuralOperator):
    """The Fourier neural operators of neuraloperator, the library of the method's authors.

        v ← σ(M(σ(W v + b + F⁻¹(R_k (F v)_k, k < K))) + s v),   four layers between a lift and a projection

    with a perceptron M at each point and factors s of the channels; no σ in the last layer. ``fno`` has a
    matrix R_k for each wavenumber, ``tfno`` Tucker factors of all of them together. Lift and projection have
    2 ``width`` hidden units; all else is as the library sets it, its grid embedding excepted: the model sees
    the coordinates that `FNO` sees, and none where the equations are invariant under translations. Numbers of
    a member are constant channels.

    Args:
        model: ``fno`` or ``tfno``.
        modes: K, wavenumbers 0..K-1 of each axis as in `FNO`, of both signs relative to the other axes: the
            library's ``n_modes`` is 2K - 1.
        width, layers: channels of v, and how often it is convolved.
        rank: share of the numbers of R that the factors of ``tfno`` have, at most 1; None for 0.1.

    Limits of the library: it computes in float32 alone, and wrongly where an axis other than the last has an
    odd number of points, so that both are refused. It treats open axes as periodic: on another grid than that
    of the training it is another function there. Its import takes a second or two, which are not counted as
    time of a run.

    Good values: those of `FNO`; on open axes half its modes, since wavenumbers are 2πk and not πk.

    Raises:
        BackendOptionError: neuraloperator is not installed (when it is trained or used), or a value is wrong.
        TrainingDataError: the grid of the data is odd (when it is trained or used).

    Source: neuraloperator 2.0.0. Kossaifi et al., arXiv 2412.10354; TFNO: Kossaifi, Kovachki, Azizzadenesheli
    & Anandkumar, TMLR 2024 (arXiv 2310.00120).
    """

    model: str = "fno"
    modes: int = 32
    width: int = 64
    layers: int = 4
    rank: float | None = None

    name: ClassVar[str] = "neuralop"
    summary: ClassVar[str] = "FNO and TFNO of the package neuraloperator, trained on a family of problems"
    packages: ClassVar[tuple[str, ...]] = ("safetensors", "neuraloperator")
    citations: ClassVar[tuple[str, ...]] = (
        "J. Kossaifi, N. Kovachki, Z. Li, D. Pitt, M. Liu-Schiaffini, V. Duruisseaux, R. J. George, "
        "B. Bonev, K. Azizzadenesheli, J. Berner, A. Anandkumar: A library for learning neural operators. "
        "arXiv 2412.10354 (2024).",
        "Z. Li, N. Kovachki, K. Azizzadenesheli, B. Liu, K. Bhattacharya, A. Stuart, A. Anandkumar: Fourier "
        "neural operator for parametric partial differential equations. ICLR 2021.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("model", self.model in MODELS, f"one of {', '.join(MODELS)}")
        self.require_count("modes", "width", "layers")
        if self.rank is not None:
            self.require("rank", self.model == "tfno", "None: the weights of fno have no factors")
            self.require_positive("rank")
            self.require("rank", self.rank <= 1, "at most 1")
        self.require("precision", self.precision == "float32", "float32, in which the library computes")

    def network(self, encoding: Encoding, grid: tuple[int, ...], generator: torch.Generator) -> nn.Module:
        check_grid("NeuralopModel()", grid)
        models = library()
        kinds: Any = encoding.axes
        coordinates = not encoding.translation
        features = feature_count(kinds) if coordinates else 0
        options: dict[str, Any] = {}
        if self.model == "tfno":
            options["rank"] = TFNO_RANK if self.rank is None else float(self.rank)
        with drawing_from(generator):
            model = getattr(models, MODELS[self.model])(
                n_modes=(2 * self.modes - 1,) * len(kinds),
                in_channels=len(encoding.fields) + len(encoding.numbers) + features,
                out_channels=encoding.channels,
                hidden_channels=self.width,
                n_layers=self.layers,
                positional_embedding=None,
                **options,
            )
        return Adapter(model, kinds, len(encoding.numbers), coordinates)

    def learner(self) -> Learner:
        library()  # before the clock of the training starts
        return super().learner()

    def supports(self, problem: Problem) -> list[str]:
        if not is_installed():
            return ["neuraloperator is not installed: pip install 'pdesolve[neuraloperator]'"]
        reasons = super().supports(problem)
        if self.weights is not None and self.points is not None:
            grid = self._grid(self.card())
            if is_odd(grid):
                reasons.append(f"the library computes wrongly on odd grids, and points={self.points}")
        return reasons

    def start(self, problem: Problem, context: Context) -> Prediction:
        begin = time.perf_counter()
        library()
        context.exclude(time.perf_counter() - begin)
        return super().start(problem, context)


class Adapter(nn.Module):
    """A model of the library, from fields to fields, as a network of fields and numbers.

    Args:
        model: from (n, channels, *grid) to (n, outputs, *grid).
        kinds: "periodic" or "open", of each axis.
        parameters: numbers of a sample, which the model sees as constant channels, the last ones.
        coordinates: whether it sees `features` of the coordinates, as channels between fields and numbers.
    """

    def __init__(self, model: nn.Module, kinds: Sequence[Kind], parameters: int, coordinates: bool) -> None:
        super().__init__()
        self.model, self.kinds = model, tuple(kinds)
        self.parameter_count, self.coordinates = parameters, coordinates
        self.register_state_dict_post_hook(_without_metadata)  # type: ignore[no-untyped-call]

    def forward(self, fields: Tensor, parameters: Tensor | None = None) -> Tensor:
        """(n, fields, *grid) and (n, numbers) to (n, outputs, *grid)."""
        check_parameters("NeuralopModel()", self.parameter_count, parameters)
        grid = tuple(fields.shape[2:])
        check_grid("NeuralopModel()", grid)
        channels = [fields]
        if self.coordinates:
            x = grid_features(self.kinds, grid, fields.dtype, fields.device)
            channels.append(x.view(-1, *grid).expand(len(fields), -1, *grid))
        if parameters is not None:
            channels.append(parameters[(...,) + (None,) * len(grid)].expand(-1, -1, *grid))
        values: Tensor = self.model(torch.cat(channels, dim=1))
        return values


def is_installed() -> bool:
    return importlib.util.find_spec("neuralop") is not None


def library() -> Any:
    """The module ``neuralop.models``; what its import changes in the process is put back.

    It adds a filter of warnings and, by what it imports in turn, a variable of the environment.

    Raises:
        BackendOptionError: it is not installed.
    """
    if not is_installed():
        raise BackendOptionError(
            "NeuralopModel()",
            "the package neuraloperator",
            "an environment without it",
            "pip install 'pdesolve[neuraloperator]'.",
        )
    before = dict(os.environ)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from neuralop import models
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    return models


@contextmanager
def drawing_from(generator: torch.Generator) -> Iterator[None]:
    """What is drawn from torch's global generator inside comes from ``generator``; the global one is kept."""
    seed = int(torch.randint(2**62, (), generator=generator))
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would set those of GPUs as well
        yield


def is_odd(grid: Sequence[int]) -> bool:
    """Whether an axis other than the last is odd: along those the library shifts spectra back by fftshift."""
    return any(n % 2 for n in grid[:-1])


def check_grid(who: str, grid: Sequence[int]) -> None:
    """Refuse grids on which the library computes wrongly.

    Raises:
        TrainingDataError: `is_odd`.
    """
    if is_odd(grid):
        raise TrainingDataError(
            who,
            "an even number of points on each axis but the last: neuraloperator is wrong on others",
            f"{tuple(grid)} points",
            "Generate data with an even number of points, or use FNO().",
        )


def _without_metadata(module: nn.Module, state: dict[str, Any], prefix: str, local: Any) -> None:
    """The library adds the arguments of its constructor to the state, which files of weights do not hold."""
    state.pop("_metadata", None)


__all__ = ["NeuralopModel"]
