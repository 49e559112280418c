"""Solvers that are interchangeable on one declaration; none imports another."""
