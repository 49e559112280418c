"""
Burgers: a steep front
======================

.. math::  u_t + u u_x = \\nu u_{xx}, \\qquad u(x, 0) = -\\sin \\pi x, \\qquad u(\\pm 1, t) = 0,

with ν = 0.01/π: a front of width about ν forms at x = 0. The Cole–Hopf transform gives the exact answer to
compare with.
"""

import matplotlib.pyplot as plt
import numpy as np

import pdesolve as pde

# %%
# The declaration
# ---------------
# The catalogue holds it; `parameters`, `conditions` and all else can be looked at.

problem = pde.catalogue("burgers")
for name, residual in problem.equations.items():
    print(f"{name}: {residual} = 0")
print(problem.domain.bounds, [condition.who for condition in problem.conditions])

# %%
# Solve
# -----
# A physics-informed network: initial and boundary conditions hold exactly by construction, the residual is
# minimised by Adam and then by the self-scaled Broyden method in float64. The budget is in seconds. This page
# has to be built quickly: a small network, few points, and no compilation, which pays in longer runs only.
# ``make demo`` takes the defaults and a minute.

method = pde.PINN(width=16, depth=3, points=1500, adam_steps=200, compile=False)
solution = pde.solve(problem, method, budget=40, steps=4000, seed=0)
print(solution)

# %%
# Look
# ----

figure = solution.plot(plt.figure(figsize=(10, 3.5)))

# %%
# The error against time, which is what methods should be compared by:

history = solution.history
measured = np.isfinite(history.relative_l2)
figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
axes.semilogy(np.array(history.seconds)[measured], np.array(history.relative_l2)[measured], marker=".")
axes.set(xlabel="seconds", ylabel="relative $L_2$ error")
axes.grid(alpha=0.3)

# %%
# And one number that this page insists on:

assert solution.error().relative_l2 < 1e-2
