"""Data assimilation: the state of an evolution from sparse noisy observations and any stepper."""

from .cycle import Assimilation, Filter, OpenLoop, assimilate
from .errors import FilterDivergenceError, FilterOptionError
from .kalman import EnsembleKalman
from .learned import LearnedGain, TrainedGain
from .nudging import Nudging
from .observation import ObservationError, Observations, observe_every, observe_points
from .training import AssimilationTask, GainTraining, train_gain

__all__ = [
    "Assimilation",
    "AssimilationTask",
    "EnsembleKalman",
    "Filter",
    "FilterDivergenceError",
    "FilterOptionError",
    "GainTraining",
    "LearnedGain",
    "Nudging",
    "ObservationError",
    "Observations",
    "OpenLoop",
    "TrainedGain",
    "assimilate",
    "observe_every",
    "observe_points",
    "train_gain",
]
