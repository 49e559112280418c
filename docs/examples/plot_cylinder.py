"""
Flow around a cylinder
======================

A channel with a cylinder in it, as a shape: the box less the disk. The boundary parts keep the names of what
they come from, and conditions name them. Finite elements are derived from the same declaration that a network
would train on; drag and lift follow from the residual of the momentum equations on the cylinder.
"""

import numpy as np

import pdesolve as pde

x, y = pde.coordinates("x y")
u, v, p = pde.unknown("u v p", x, y)
nu = pde.parameter("nu")

# %%
# The first case of the DFG benchmark (Schäfer & Turek 1996): Re = 20, a steady flow. At the outlet the
# velocity does not change along x and the pressure is zero.

cylinder = pde.Disk((x, y), center=(0.2, 0.2), radius=0.05, name="cylinder")
channel = pde.Box((x, 0, 2.2), (y, 0, 0.41)) - cylinder
print(channel.parts)


def momentum(w, c):
    return u * w.diff(x) + v * w.diff(y) + p.diff(c) - nu * (w.diff(x, 2) + w.diff(y, 2))


walls = ("bottom", "top", "cylinder")
problem = pde.Problem(
    name="channel",
    equations={"momentum x": momentum(u, x), "momentum y": momentum(v, y), "mass": u.diff(x) + v.diff(y)},
    domain=channel,
    conditions=[
        pde.Dirichlet(u, 1.2 * y * (0.41 - y) / 0.41**2, on="left"),
        pde.Dirichlet(v, 0, on="left"),
        pde.Dirichlet(u, 0, on=walls),
        pde.Dirichlet(v, 0, on=walls),
        pde.Neumann(u, 0, on="right"),
        pde.Neumann(v, 0, on="right"),
        pde.Dirichlet(p, 0, on="right"),
    ],
    parameters={nu: 0.001},
    unknowns=(u, v, p),
    vectors={"velocity": (u, v)},
)

solution = pde.solve(problem, pde.FEM(size=0.05, rtol=2e-2), progress=False)
print(solution)

# %%
# Drag and lift coefficients, with the mean inflow 0.2 and the diameter 0.1, beside the published values.

scale = 2 / (0.2**2 * 0.1)
print(f"drag {scale * solution.reaction(u, on='cylinder'):.4f}, published 5.5795")
print(f"lift {scale * solution.reaction(v, on='cylinder'):.5f}, published 0.01062")
front, back = solution(np.array([[0.15, 0.2], [0.25, 0.2]]))[:, 2]
print(f"pressure difference {front - back:.5f}, published 0.11752")

# %%
# The solution is drawn on its own mesh; ``solution.write_vtk("out")`` writes that mesh with its curved cells
# and the velocity as a vector.

solution.plot()
