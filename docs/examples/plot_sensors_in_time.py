"""
Fronts from five sensors
========================

Five sensors on a circle record a field that obeys Burgers' equation. Where the fronts are between them, and
how the field began, follows from the equation, but not by a straight search: a start that is far off ends in
another minimum. A generative prior knows roughly where fronts are; from its samples the search reaches
trajectories of the equation that fit every reading.
"""

import matplotlib.pyplot as plt
import numpy as np

import pdesolve as pde
from pdesolve.backends.diffusion import DiffusionPDE

# %%
# The truth is a random member of the family, which the spectral backend solves. Five places are read at 64
# times.

family = pde.family("burgers-random")
truth = pde.solve(family.sample(11), "spectral", rtol=1e-6, progress=False)
places, times = np.array([0.08, 0.27, 0.45, 0.71, 0.88]), np.linspace(0, 1, 64)
readings = np.stack([g.ravel() for g in np.meshgrid(places, times, indexing="ij")], axis=1)
problem = family.observed({"u": (readings, truth(readings)[:, 0])})

# %%
# Eight samples, as the diffusion draws them and as trajectories of the equation.

drawn, refined = (
    pde.solve(problem, DiffusionPDE(samples=8, refine=refine), seed=0, progress=False)
    for refine in (None, "auto")
)
print(refined.message)

# %%
# Errors are relative, of the mean of the samples over space and time.

axes = np.linspace(0, 1, 96), np.linspace(0, 1, 64)
points = np.stack([g.ravel() for g in np.meshgrid(*axes, indexing="ij")], axis=1)
exact = truth(points)[:, 0]
figure, panels = plt.subplots(2, 3, figsize=(9, 5), layout="constrained")
for row, (name, solution) in enumerate({"drawn": drawn, "refined": refined}.items()):
    found = solution(points)[:, 0]
    error = np.linalg.norm(found - exact) / np.linalg.norm(exact)
    columns = {
        f"{name}: mean, error {error:.1%}": found,
        "standard deviation": solution.uncertainty(points)[:, 0],
    }
    for panel, (title, values) in zip(panels[row], columns.items(), strict=False):
        picture = panel.imshow(values.reshape(96, 64).T, origin="lower", extent=(0, 1, 0, 1), aspect="auto")
        figure.colorbar(picture, ax=panel)
        panel.set(title=title, xlabel="x", ylabel="t")
        panel.vlines(places, 0, 1, color="white", linewidth=0.6)
    middle = np.stack([axes[0], np.full(96, 0.5)], axis=1)
    panels[row, 2].plot(axes[0], solution.samples(middle)[..., 0].T, color="tab:blue", linewidth=0.6)
    panels[row, 2].plot(axes[0], truth(middle)[:, 0], color="black")
    panels[row, 2].set(title="t = 0.5, truth black", xlabel="x")
plt.show()
