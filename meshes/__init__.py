"""Mesh files, and the scripts that make them."""
