"""
A problem of your own
=====================

Two substances diffuse in a slab; A turns into B at the rate k, and both leave through the right face:

.. math::

    a_t = D a_{xx} - k a, \\qquad b_t = D b_{xx} + k a, \\qquad
    \\partial_n a + h a = \\partial_n b + h b = 0 \\text{ at } x = 1,

with no flux at x = 0 (symmetry). Started from a = cos(μx), b = 0 with μ tan μ = h, the answer is known:
a = exp(-(k + Dμ²)t) cos(μx) and a + b = exp(-Dμ²t) cos(μx). Here μ = 1.

The file defines ``problem``, which is all that the command line asks for::

    pdesolve solve my_problem.py --budget 20 --set points=1000 --set width=16 --out out
"""

from sympy import cos, exp, tan

import pdesolve as pde

x, t = pde.coordinates("x t")
a, b = pde.unknown("a b", x, t)
D, k = pde.parameter("D k")

h = tan(1)
total = exp(-D * t) * cos(x)

problem = pde.Problem(
    name="decay-chain",
    equations={
        "A": a.diff(t) - D * a.diff(x, 2) + k * a,
        "B": b.diff(t) - D * b.diff(x, 2) - k * a,
    },
    domain=pde.Interval(x, 0, 1) * pde.Time(t, 0, 1),
    conditions=[
        pde.Initial(a, cos(x)),
        pde.Initial(b, 0),
        pde.Neumann(a, 0, on="left"),
        pde.Neumann(b, 0, on="left"),
        pde.Robin(a, 0, on="right", a=h, b=1),
        pde.Robin(b, 0, on="right", a=h, b=1),
    ],
    parameters={D: 0.5, k: 2.0},
    reference={a: exp(-k * t) * total, b: (1 - exp(-k * t)) * total},
)
