"""The command line: `pdesolve problems | backends | solve | info | generate | train | bench`.

Exit status: 0 solved, 1 not converged (the best state is still written), 2 bad input.
"""

from __future__ import annotations

import os
import sys

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells count it."""


def main() -> None:
    """Entry point of the `pdesolve` command: whatever happens, ``--json`` gets its object."""
    # Small parallel loops wait for each other thousands of times a second. Where other processes keep a core
    # busy, threads that spin at each of these waits make a solve much slower; a short spin costs
    # little on an idle machine. Must be set before torch is loaded; a library would not touch it.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")

    from .app import app
    from .output import Output

    output = Output("--json" in sys.argv[1:])
    try:
        status = app(standalone_mode=False)
    except Exception as error:
        explain = getattr(error, "format_message", None)  # a usage error of typer, in any of its versions
        output.result({"error": explain() if explain else str(error), "error_type": type(error).__name__})
        if explain is None:
            raise  # a mistake of ours: with its traceback
        error.show()  # type: ignore[attr-defined]
        status = error.exit_code  # type: ignore[attr-defined]
    if status == INTERRUPTED:
        output.result({"error": "interrupted", "error_type": "KeyboardInterrupt"})
    sys.exit(status)
