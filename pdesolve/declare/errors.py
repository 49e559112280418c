"""Errors and warnings: who complains, what was expected, what came, and what to do.

Every exception that the library raises on purpose derives from `PDESolveError`. `DeclarationError` and
its subclasses are raised while a problem is being declared, before any work starts.
"""

from __future__ import annotations


class PDESolveError(Exception):
    """Base of all errors raised on purpose.

    The four parts are kept as attributes and joined to one message:
    ``who: expected ...; got .... Remedy.``
    """

    def __init__(self, who: str, expected: str, got: str, remedy: str) -> None:
        self.who, self.expected, self.got, self.remedy = who, expected, got, remedy
        super().__init__(f"{who}: expected {expected}; got {got}. {remedy}")

    def __reduce__(self) -> tuple[type, tuple[str, str, str, str]]:
        return type(self), (self.who, self.expected, self.got, self.remedy)


class DeclarationError(PDESolveError):
    """The declaration of a problem is wrong."""


class UndeclaredFunctionError(DeclarationError):
    """An equation or condition uses a function that is not an unknown of the problem."""


class EquationCountError(DeclarationError):
    """There are more or fewer equations than unknowns."""


class MissingCoordinateError(DeclarationError):
    """A derivative is taken in a coordinate that the domain lacks."""


class UndeclaredSymbolError(DeclarationError):
    """An expression holds a symbol that is neither a coordinate nor a parameter with a value."""


class NoUnknownError(DeclarationError):
    """An equation holds no unknown."""


class TrivialEquationError(DeclarationError):
    """An equation is identically zero after simplification."""


class ComplexCoefficientError(DeclarationError):
    """A coefficient or a datum is complex; the library solves real equations."""


class InitialOrderError(DeclarationError):
    """The number of initial conditions does not match the order in time."""


class InitialConditionError(DeclarationError):
    """A steady problem has an initial condition, or a transient one lacks it."""


class NameClashError(DeclarationError):
    """One name stands for two different things."""


class ExpressionTypeError(DeclarationError):
    """An equation or datum is not a SymPy expression (strings are never evaluated)."""


class ParameterValueError(DeclarationError):
    """A parameter's value is not a finite number, or breaks the parameter's own assumption."""


class UndeterminedParameterError(DeclarationError):
    """A parameter is to be identified, but nothing was observed that determines it."""


class SymbolNameError(DeclarationError):
    """A name is no identifier, or one that the library reserves."""


class BackwardDiffusionError(DeclarationError):
    """A diffusivity is negative: the equation is ill-posed forward in time."""


class SingularLimitError(DeclarationError):
    """A parameter value of zero removes the highest derivative of an equation."""


class UnknownPartError(DeclarationError):
    """A condition names a boundary part that the domain lacks."""


class MissingBoundaryConditionError(DeclarationError):
    """A boundary part carries no condition for an unknown that needs one there."""


class DuplicateConditionError(DeclarationError):
    """Two conditions stand on the same part and unknown."""


class OverdeterminedBoundaryError(DeclarationError):
    """Both value and flux are prescribed everywhere on the boundary."""


class IncompatibleNeumannError(DeclarationError):
    """A pure Neumann problem has no solution, or one only up to a constant."""


class PressureGaugeError(DeclarationError):
    """The pressure is fixed up to a constant only, or the prescribed flow does not conserve mass."""


class PeriodicPairError(DeclarationError):
    """A periodic condition does not name a matching pair of faces."""


class BoundaryDataError(DeclarationError):
    """A boundary function returns a wrong shape or type, or values that are not finite."""


class RobinCoefficientError(DeclarationError):
    """Both coefficients of a Robin condition are zero."""


class EmptyDomainError(DeclarationError):
    """An interval is empty, inverted or of zero measure."""


class ShapeError(DeclarationError):
    """Vertices, coordinates or names do not make up a shape of the plane."""


class SelfIntersectionError(DeclarationError):
    """The boundary of a shape crosses itself."""


class DisconnectedDomainError(DeclarationError):
    """A region falls into several pieces."""


class MeshingError(DeclarationError):
    """A shape cannot be filled with triangles of the wanted size."""


class MeshFileError(DeclarationError):
    """A mesh file is missing, unreadable, incomplete or in a format that is not understood."""


class MeshDimensionError(DeclarationError):
    """A mesh does not fill a region of as many dimensions as there are coordinates."""


class NonFiniteMeshError(DeclarationError):
    """A node of a mesh has a coordinate that is NaN or infinite."""


class MeshConnectivityError(DeclarationError):
    """A cell or facet of a mesh names a node that does not exist."""


class DegenerateCellError(DeclarationError):
    """A cell of a mesh has no volume, or is inverted: it overlaps a neighbour or folds over itself."""


class DuplicateMeshError(DeclarationError):
    """A mesh holds the same node or the same cell twice."""


class MeshTopologyError(DeclarationError):
    """Cells or facets do not fit together: hanging nodes, separate pieces, an open surface."""


class ReferenceDataError(DeclarationError):
    """A reference has a form that cannot be evaluated."""


class ManufacturedFieldError(DeclarationError):
    """A field given to manufacture() does not fit the problem."""


class SerializationError(PDESolveError):
    """A problem or expression cannot be written to, or read from, a file."""


class PDESolveWarning(UserWarning):
    """Base of all warnings of the library."""


class PeriodicityWarning(PDESolveWarning):
    """Initial data or coefficients jump across a periodic face."""


class CompatibilityWarning(PDESolveWarning):
    """Initial and boundary data disagree where they meet."""


class IllPosedWarning(PDESolveWarning):
    """A diffusivity changes its sign in the domain: the equation is ill-posed in a part of it."""


class InflowWarning(PDESolveWarning):
    """A face without a condition, where the solution itself decides whether it enters there."""


class OutsideDomainWarning(PDESolveWarning):
    """Points outside the domain were evaluated; their values are NaN."""
