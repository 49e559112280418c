"""Regions of space: boxes, shapes of the plane, meshes, closed surfaces; all behind one interface, `Region`."""
