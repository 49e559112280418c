"""How a job can end; all but the first come with a reason, and none is left out of a table."""

DONE = "done"
FAILED = "failed"
UNSUPPORTED = "unsupported"
TIMED_OUT = "timed out"
OUT_OF_MEMORY = "out of memory"
