"""What a PDE is: coordinates, unknowns, equations, conditions, domains. No torch in here."""

from .conditions import Condition, Dirichlet, Initial, Neumann, Observations, Periodic, Robin, Value
from .distributions import GaussianField, LogNormal, LogUniform, RandomSines, TwoPhase, Uniform
from .domain import Box, Domain, Grid, Interval, Time
from .errors import DeclarationError, PDESolveError, PDESolveWarning
from .family import Family
from .mesh_domain import MeshDomain, SurfaceDomain
from .problem import Problem, Term
from .reference import Reference
from .shapes import Disk, Ellipse, Polygon
from .symbols import coefficient, coordinates, parameter, unknown

__all__ = [
    "Box",
    "Condition",
    "DeclarationError",
    "Dirichlet",
    "Disk",
    "Domain",
    "Ellipse",
    "Family",
    "GaussianField",
    "Grid",
    "Initial",
    "Interval",
    "LogNormal",
    "LogUniform",
    "MeshDomain",
    "Neumann",
    "Observations",
    "PDESolveError",
    "PDESolveWarning",
    "Periodic",
    "Polygon",
    "Problem",
    "RandomSines",
    "Reference",
    "Robin",
    "SurfaceDomain",
    "Term",
    "Time",
    "TwoPhase",
    "Uniform",
    "Value",
    "coefficient",
    "coordinates",
    "parameter",
    "unknown",
]
