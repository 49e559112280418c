"""Learned time steppers: networks that tell how the state of a periodic evolution moves on."""

from .files import load_stepper, write_stepper
from .labels import differences, rates
from .stepper import Stepper, StepperError, TrainedStepper
from .steps import ClassicalStep, Step
from .training import SteppingTask, SteppingTraining

__all__ = [
    "ClassicalStep",
    "Step",
    "Stepper",
    "StepperError",
    "SteppingTask",
    "SteppingTraining",
    "TrainedStepper",
    "differences",
    "load_stepper",
    "rates",
    "write_stepper",
]
