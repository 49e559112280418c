"""One residual evaluation for all methods: lowering, jets, compilation, Jacobian products."""

from .program import Derivative, LoweredTerm, Program, derivative_name

__all__ = ["Derivative", "LoweredTerm", "Program", "derivative_name"]
