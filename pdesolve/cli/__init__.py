"""The command line: `pdesolve problems | backends | solve | info`.

Exit status: 0 solved, 1 not converged (the best state is still written), 2 bad input.
"""

from __future__ import annotations


def main() -> None:
    """Entry point of the `pdesolve` command."""
    from .app import app

    app()
