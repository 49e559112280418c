"""`python -m pdesolve.cli`, for where the `pdesolve` script is not on the path."""

from . import main

main()
