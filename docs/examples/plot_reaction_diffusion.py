"""
Reaction and diffusion: a system of your own
============================================

A problem that is not in the catalogue: two unknowns, Neumann and Robin conditions. First a linear chain with
a closed form, then a nonlinear system without one, and how to trust an answer to that.
"""

import matplotlib.pyplot as plt
import numpy as np
from my_problem import problem
from sympy import cos, exp, pi

import pdesolve as pde

# %%
# A decay chain
# -------------
# :doc:`my_problem.py </gallery/my_problem>` declares it. On the command line:
# ``pdesolve solve my_problem.py``; from Python:

small = pde.PINN(width=16, depth=3, points=1000, adam_steps=200)  # enough for smooth fields
solution = pde.solve(problem, small, budget=15, seed=0)
print(solution)
figure = solution.plot(plt.figure(figsize=(11, 6.5)))

# %%
assert solution.error().relative_l2 < 1e-2

# %%
# Prey and predators
# ------------------
# Prey u grows logistically and is eaten; predators v live on it and leave through the right end:
#
# .. math::  u_t = D u_{xx} + u (1 - u) - u v, \qquad v_t = D v_{xx} + u v - v/2.

x, t = pde.coordinates("x t")
u, v = pde.unknown("u v", x, t)
D = pde.parameter("D")

predators = pde.Problem(
    name="prey-and-predators",
    equations={
        "prey": u.diff(t) - D * u.diff(x, 2) - u * (1 - u) + u * v,
        "predators": v.diff(t) - D * v.diff(x, 2) - u * v + v / 2,
    },
    domain=pde.Interval(x, 0, 1) * pde.Time(t, 0, 2),
    conditions=[
        pde.Initial(u, 1),
        pde.Initial(v, cos(pi * x / 2) ** 2),
        pde.Neumann(u, 0),
        pde.Neumann(v, 0, on="left"),
        pde.Robin(v, 0, on="right", a=1, b=1),
    ],
    parameters={D: 0.1},
)

# %%
# There is no closed form. `manufacture` adds the sources and data that make fields of our choice exact: the
# same operators, the same conditions, a known answer. It shows that declaration and method fit each other.

known = predators.manufacture(u=1 + exp(-t) * cos(3 * x) / 2, v=exp(-x) * (1 + t) / 2)
check = pde.solve(known, small, budget=15, seed=0)
print(check)
assert check.error().relative_l2 < 1e-2

# %%
# Then the problem itself:

answer = pde.solve(predators, small, budget=15, seed=0)
figure = answer.plot(plt.figure(figsize=(8, 6.5)))

ends = np.array([[0.0, 2.0], [1.0, 2.0]])
print("prey and predators at both ends, t = 2:", answer(ends).round(3).tolist())
