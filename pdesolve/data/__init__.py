"""Data sets of families of problems."""
