"""`DiffusionPDE`: a generative prior over inputs and solutions, conditioned on what was observed."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from ...declare import Initial, Problem
from ...declare.domain import Array
from ...residual.stencil import Response, response
from ...solution.status import Status
from .. import card as cards
from ..base import Capabilities, Context, Progress
from ..learner import Learner, Trainable
from ..sample_field import SampleField
from .denoiser import LAW, Denoiser
from .encoding import DEVIATION, JointEncoding
from .equations import Equations, equations
from .guidance import DDS, DPS, Guidance, Guide, Kriging, Moments, Particles, PiGDM, PublishedRule, Setting
from .guidance.guidance import Residual
from .law import GaussianLaw
from .observing import observed
from .randomised import Likelihood, RandomisedLikelihood, Search, reasons_against
from .samplers import SAMPLERS, DPMSolver, GaussianExponential, Heun, Sampler, Trajectory

PRIORS = Path(__file__).parent / "priors"
"""Priors that come with the package, one for each family."""


PAIRS = 16
"""Images by which the size of residuals is measured."""


@dataclass
class Sampling:
    """A run: the trajectory of all samples, the estimate of x₀ at its noise level, the search after it."""

    trajectory: Trajectory
    estimate: Tensor
    search: Search | None
    generator: torch.Generator
    likelihood: Any = field(metadata={"transient": True})
    sampler: Any = field(metadata={"transient": True})
    guide: Any = field(metadata={"transient": True})
    encoding: Any = field(metadata={"transient": True})
    channels: Any = field(metadata={"transient": True})


@dataclass(frozen=True)
class DiffusionPDE(Trainable):
    """Samples of all fields that fit what was observed, from a generative prior of the family.

        x = x₀ + σ ε,   dx/dσ = (x - D_y(x; σ))/σ,   D_y ≈ E[x₀ | x, y],   σ from 80 to 0

    The prior is a denoiser D of inputs and solutions together, trained once on a family. Observations of
    any of them, at any points and with any noise, enter at sampling: forward and inverse problems, joint
    recovery and the future from the past are one call with other observations. The answer is the mean of
    the samples; `Solution.uncertainty` their deviation, `Solution.samples` the samples themselves.

    Args:
        weights: the file of a trained prior; None takes the one that comes with the package.
        samples: drawn side by side.
        sampler: of `samplers`. Noise in every step forgets what a guidance got wrong in the steps before.
        guidance: of `guidance`. `Kriging` needs no gradient and is stable; `Moments` takes the covariance
            from the network, of which that has to be a good derivative.
        eliminate: noise level below which every estimate's solution is computed from its coefficients (or
            its trajectory from its initial values) by the equations on the prior's grid, so that samples
            satisfy them to the solver's tolerance. None leaves them as they are drawn.
        refine: `RandomisedLikelihood` makes each sample a trajectory of the integrator that fits what was
            observed, where an initial field with a Gaussian law determines it. "auto" does so wherever it
            can and the guidance knows nothing but sensors; None leaves samples as they are drawn.
        rank: principal components of the data in the Gaussian law that the network starts from; 0 for the
            plain preconditioning of Karras et al.
        declared: take the law from the declaration instead, where a family is Gaussian by it and rank is
            not 0. Nothing is then left to be learned.
        width, blocks, patch: channels of the U-Net's finest level, blocks a level, and the size of the
            squares of nodes that are channels to it.
        batch, learning_rate, weight_decay, warm_up: of AdamW.
        half_life: images after which the moving average of the weights has forgotten half.

    Good values: the defaults; where the prior is Gaussian, ``DPMSolver(steps=20)`` gives the same in less
    time.

    Source: Huang, Yang, Wang & Park, NeurIPS 2024 (arXiv 2406.17763). Its own rule is
    ``DiffusionPDE(sampler=Heun(steps=2000), guidance=PublishedRule(), samples=1)``.
    """

    weights: str | None = None
    samples: int = 16
    sampler: Sampler = field(default_factory=lambda: DPMSolver(steps=50, stochastic=True))
    guidance: Guidance = field(default_factory=Kriging)
    eliminate: float | None = None
    refine: RandomisedLikelihood | Literal["auto"] | None = "auto"
    rank: int = 256
    declared: bool = True
    width: int = 48
    blocks: int = 1
    patch: int = 2
    batch: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    warm_up: float = 0.03
    half_life: int = 2000

    name: ClassVar[str] = "diffusion"
    summary: ClassVar[str] = "generative prior of a family, sampled given observations"
    encoding: ClassVar[type[JointEncoding]] = JointEncoding
    packages: ClassVar[tuple[str, ...]] = ("safetensors",)
    capabilities: ClassVar[Capabilities] = Capabilities(
        needs_tensor_grid=True, gives_uncertainty=True, stochastic=True, dtypes=("float64",)
    )
    option_kinds: ClassVar[tuple[type, ...]] = (
        *SAMPLERS.values(),
        *(DDS, DPS, Kriging, Moments, Particles, PiGDM, PublishedRule, RandomisedLikelihood),
    )
    citations: ClassVar[tuple[str, ...]] = (
        "J. Huang, G. Yang, Z. Wang, J. J. Park: DiffusionPDE: Generative PDE-solving under partial "
        "observation. NeurIPS 2024.",
        "T. Karras, M. Aittala, T. Aila, S. Laine: Elucidating the design space of diffusion-based "
        "generative models. NeurIPS 2022.",
    )

    def __post_init__(self) -> None:
        self.require_count("samples", "width", "blocks", "patch", "batch", "half_life")
        self.require_count("rank", least=0)
        self.require_positive("learning_rate", *(() if self.eliminate is None else ("eliminate",)))
        self.require("width", self.width % 8 == 0, "a multiple of 8")
        for option in ("weight_decay", "warm_up"):
            value = getattr(self, option)
            self.require(option, isinstance(value, int | float) and 0 <= value < 1, "a number in [0, 1)")
        self.require("sampler", isinstance(self.sampler, Sampler), "a sampler, such as DPMSolver(steps=20)")
        self.require("guidance", isinstance(self.guidance, Guidance), "a guidance, such as Kriging()")
        own_steps = isinstance(self.guidance, Particles | PublishedRule)
        self.require(
            "eliminate", self.eliminate is None or not own_steps, "None with a rule of its own steps"
        )
        fine = self.refine in (None, "auto") or isinstance(self.refine, RandomisedLikelihood)
        self.require("refine", fine, "RandomisedLikelihood(), 'auto' or None")
        fine = self.guidance.by_sensors_alone or self.refine in (None, "auto")
        self.require(
            "refine", fine, f"None with {type(self.guidance).__name__}, which knows more than sensors"
        )
        if isinstance(self.guidance, PublishedRule):
            plain = isinstance(self.sampler, Heun) and not self.sampler.churn
            self.require(
                "sampler", plain, "Heun(steps=...) without churn, which the published rule is made of"
            )

    # -- the prior -----------------------------------------------------------------------------------

    def learner(self) -> Learner:
        from .training import PriorTraining  # here: the training speaks of DiffusionPDE

        return PriorTraining(self)

    def network(self, encoding: JointEncoding, law: GaussianLaw, generator: torch.Generator) -> Denoiser:
        """The denoiser, untrained."""
        with torch.random.fork_rng(devices=[]):  # torch's layers draw from the global generator
            torch.manual_seed(generator.initial_seed())
            return Denoiser(
                encoding.shape, encoding.periodic, law, width=self.width, blocks=self.blocks, patch=self.patch
            )

    def law(
        self, problem: Problem, encoding: JointEncoding, clean: Tensor, generator: torch.Generator
    ) -> tuple[GaussianLaw, bool]:
        """That of the declaration, and True; or that of the data (n, channels, *grid), and False."""
        if not self.rank:
            return GaussianLaw.isotropic(int(np.prod(encoding.shape)), DEVIATION**2, clean), False
        declared = declared_law(problem, encoding) if self.declared else None
        if declared is not None:
            return declared, True
        return GaussianLaw.of_samples(clean.flatten(1), self.rank, generator), False

    def trained(self, problem: Problem) -> tuple[JointEncoding, Denoiser]:
        """The prior of a problem's family, in evaluation mode."""
        card, weights = cards.read(self._file(problem), JointEncoding)
        made = self.with_options({k: card.options[k] for k in ("rank", "width", "blocks", "patch")})
        assert isinstance(made, DiffusionPDE)
        encoding = card.encoding
        tensors = {name: t.double() if name in LAW else t.float() for name, t in weights.items()}
        if "mean" in tensors:
            basis, _ = torch.linalg.qr(tensors["vectors"])  # files keep few digits of it
            signs = (basis * tensors["vectors"]).sum(dim=0).sign()
            law = GaussianLaw(tensors["mean"], basis * signs, tensors["variances"], tensors["rest"])
        else:
            found = declared_law(problem, encoding)
            assert found is not None
            law = found
        network = made.network(encoding, law, torch.Generator().manual_seed(0))
        given = {name: getattr(law, name) for name in LAW}
        network.load_state_dict({**tensors, **given})
        return encoding, network.eval().requires_grad_(False)

    def _file(self, problem: Problem) -> str | Path:
        return self.weights if self.weights is not None else PRIORS / f"{problem.family}.safetensors"

    # -- solving -------------------------------------------------------------------------------------

    def supports(self, problem: Problem) -> list[str]:
        if self.weights is None and not (problem.family and Path(self._file(problem)).exists()):
            if not problem.family:
                return ["the problem is a member of no family (make it by family.observed())"]
            return [f"no prior of {problem.family!r} comes with the package: train one, and give weights="]
        card, _ = cards.read(self._file(problem), JointEncoding)
        encoding = card.encoding
        if problem.family != card.family["family"]:
            return [f"its prior is of the family {card.family['family']!r}, not {problem.family!r}"]
        reasons = []
        laws = {name: law.describe() for name, law in problem.priors.items()}
        if laws and laws != card.family["inputs"]:
            reasons.append("its prior is of members that were drawn from other random fields")
        own = {str(key): float(value) for key, value in problem.parameters.items()}
        different = [f"{k} = {own.get(k)}, not {v}" for k, v in card.parameters.items() if own.get(k) != v]
        if different:
            reasons.append(f"its prior was trained with other parameters: here {', '.join(different)}")
        if tuple(tuple(map(float, b)) for b in problem.domain.bounds) != encoding.bounds:
            reasons.append("its prior was trained on another domain")
        missing = [name for name in problem.unknown_names if name not in encoding.names]
        if missing:
            reasons.append(f"its prior is of {', '.join(encoding.names)}, and not of {', '.join(missing)}")
        if self.eliminate is not None and not reasons and equations(problem, encoding) is None:
            reasons.append("the equations have no solver on its prior's grid: leave eliminate out")
        if isinstance(self.refine, RandomisedLikelihood) and not reasons:
            reasons += [f"refine: {r}" for r in reasons_against(problem, equations(problem, encoding))]
        known = [name for name in encoding.names if name in problem.inputs] or any(problem.of_type(Initial))
        if known:
            reasons.append("its inputs are known, and nothing is left open (see Family.observed)")
        return reasons

    def start(self, problem: Problem, context: Context) -> Sampling:
        encoding, denoiser = self.trained(problem)
        law = denoiser.law.to(torch.zeros((), dtype=torch.float64))
        system = equations(problem, encoding)
        setting = Setting(denoiser.at, law, observed(problem, encoding), encoding.physical)
        if system is not None:
            setting.residual = relative(system, law, encoding, context.generator(1))
        if self.eliminate is not None:
            assert system is not None
            below = self.eliminate
            setting.solved = lambda z, sigma: system.solved(z) if sigma < below else z
        channels = [encoding.names.index(name) for name in problem.unknown_names]
        sampler = self.sampler
        if isinstance(sampler, GaussianExponential) and sampler.filter is None:
            sampler = sampler.with_filter(lambda x, f: law.function(x.flatten(1), f).view_as(x))
        trajectory = sampler.begin(
            (self.samples, *encoding.shape), context.generator(0), torch.float64, context.device
        )
        estimate = law.mean.view(1, *encoding.shape).repeat(self.samples, *[1] * len(encoding.shape))
        refine, likelihood = RandomisedLikelihood() if self.refine == "auto" else self.refine, None
        refine = refine if self.guidance.by_sensors_alone else None
        if refine is not None and not reasons_against(problem, system) and len(setting.observed):
            likelihood = Likelihood(refine, problem, law, encoding, setting.observed)
        guide, generator = self.guidance.begin(setting), context.generator(2)
        return Sampling(trajectory, estimate, None, generator, likelihood, sampler, guide, encoding, channels)

    def advance(self, state: Sampling) -> Progress:
        """One step of the sampler, or of the search from its samples."""
        done, total, likelihood = state.trajectory.index, self.sampler.steps, state.likelihood
        if done < total:
            state.estimate = state.guide.step(state.sampler, state.trajectory)
            done = state.trajectory.index
        else:
            if state.search is None:
                state.search = likelihood.begin(state.estimate, state.generator)
            likelihood.step(state.search)
            state.estimate = likelihood.images(state.search.place)
        left = state.guide.setting.misfit(state.estimate)
        misfit = float(left.square().mean().sqrt() / DEVIATION) if left.numel() else 0.0
        over = done >= total and (likelihood is None or likelihood.is_over(state.search))
        status = Status.COMPLETED if over else None
        if likelihood is not None:
            done += 0 if state.search is None else state.search.steps
            total += likelihood.options.iterations
        said = f"{self.samples} samples, misfit {misfit:.1e} of the fields' deviation"
        return Progress(
            misfit,
            1.0 if over else done / total,
            status,
            said if status is None else f"{said}; {self.describe(state)}",
        )

    def field(self, state: Sampling) -> SampleField:
        encoding: JointEncoding = state.encoding
        draws = encoding.physical(state.estimate).numpy()[:, state.channels]
        spread = draws.std(axis=0, ddof=1) if len(draws) > 1 else np.full_like(draws[0], np.nan)
        degrees = [encoding.degrees[k] for k in state.channels]
        return SampleField(encoding.axes, encoding.periods, draws.mean(axis=0), spread, draws, degrees)

    def restore(self, problem: Problem, arrays: dict[str, Array]) -> SampleField:  # type: ignore[override]
        return SampleField.from_arrays(arrays)

    def describe(self, state: Sampling) -> str:
        """Evaluations, and how well the samples satisfy the equations."""
        said = f"{state.trajectory.evaluations} evaluations of the prior for {self.samples} samples"
        guide: Guide = state.guide
        said += guide.said()
        if state.search is not None:
            settled = int(state.search.settled.sum())
            return (
                f"{said}; trajectories of the equations, {settled} of them at a minimum of their likelihood"
            )
        setting = guide.setting
        if setting.solved is not None:
            wrong = setting.solved(state.estimate, 0.0) - state.estimate
            share = float(wrong.norm() / state.estimate.norm())
            return f"{said}; solutions differ from the solver's by {share:.1e}"
        residual = setting.residual
        if residual is None:
            return said
        left = float(residual(state.estimate).square().mean().sqrt())
        return f"{said}; residual {left:.1e} of that of pairs that do not belong together"


def relative(
    system: Equations, law: GaussianLaw, encoding: JointEncoding, generator: torch.Generator
) -> Residual:
    """The residual in units of that of images whose solutions and coefficients are strangers."""
    n, r = law.vectors.shape
    normal = torch.randn(PAIRS, n + r, generator=generator, dtype=torch.float64)
    across = law.rest.sqrt() * normal[:, :n]
    drawn = law.mean + across + (normal[:, n:] * law.variances.sqrt()) @ law.vectors.T
    images = drawn.view(-1, *encoding.shape)
    strangers = images.roll(1, 0)
    if len(encoding.names) > encoding.unknowns:
        strangers[:, encoding.unknowns :] = images[:, encoding.unknowns :]
    else:
        strangers[..., 1::2] = images[..., 1::2]
    size = system.residual(strangers).square().mean().sqrt()
    return lambda z: system.residual(z) / size


def declared_law(problem: Problem, encoding: JointEncoding) -> GaussianLaw | None:
    """The exact law of a problem that is Gaussian by its declaration; None where it is not."""
    if len(set(encoding.grid)) != 1 or any(encoding.periodic):
        return None
    try:
        found = response(problem, encoding.grid[0])
    except (ValueError, ArithmeticError):  # another kind of problem, or beyond resonance
        return None
    return _law(found, encoding)


@functools.lru_cache(maxsize=2)  # a second and more of linear algebra, the same for all observations
def _law(found: Response, encoding: JointEncoding) -> GaussianLaw:
    mean = encoding.normalised(torch.from_numpy(found.mean)[None])[0]
    factor = torch.from_numpy(found.factor).movedim(-1, 0)
    unit = encoding.normalised(factor) - encoding.normalised(torch.zeros_like(factor[:1]))
    return GaussianLaw.of_factor(mean.flatten(), unit.flatten(1).T)


__all__ = ["DiffusionPDE"]
