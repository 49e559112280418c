"""
A medium from sixty sensors
===========================

Pressure was measured at sixty places in a medium of two phases. Where is which phase, what is the pressure
everywhere else, and how sure is that? A generative prior of the family, which comes with the package, draws
media with their pressures that fit the sensors. Their mean is the answer, their spread says how sure it is.
"""

import matplotlib.pyplot as plt
import numpy as np

import pdesolve as pde

# %%
# A member of the family is solved by finite elements; then all but sixty values of its pressure are
# forgotten.

family = pde.family("darcy-random")
problem = pde.observe(family, 7, {"u": 60}, seed=1)
print(problem.unknowns, problem.coefficients)

# %%
# The solution has the medium as an unknown like any other.

solution = pde.solve(problem, "diffusion", seed=0, progress=False)
print(solution)

# %%
# Truth, mean, and standard deviation of pressure and medium.

side = np.linspace(0, 1, 64)
points = np.stack([g.ravel() for g in np.meshgrid(side, side, indexing="ij")], axis=1)
columns = {
    "truth": solution.reference.values(points),
    "mean of the samples": solution(points),
    "standard deviation": solution.uncertainty(points),
}
places = problem.conditions[-1].points
figure, panels = plt.subplots(2, 3, figsize=(9, 5.5), layout="constrained")
for column, (title, values) in enumerate(columns.items()):
    for row, name in enumerate(problem.unknown_names):
        panel = panels[row, column]
        picture = panel.imshow(values[:, row].reshape(64, 64).T, origin="lower", extent=(0, 1, 0, 1))
        figure.colorbar(picture, ax=panel)
        panel.set_title(f"{name}, {title}", fontsize=9)
    panels[0, column].plot(*places.T, ".", color="white", markersize=2)
plt.show()
