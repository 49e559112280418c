"""Regions of space: boxes, shapes of the plane, meshes, closed surfaces, behind one interface."""
