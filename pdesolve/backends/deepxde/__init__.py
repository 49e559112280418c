"""DeepXDE as a backend: the same declaration, its networks and training, in a process of its own.

DeepXDE is never imported here: its import changes the process (default dtypes, seeds, the backend of
Matplotlib). `worker` is the other process.
"""

from .backend import DeepXDE
from .peer import PeerError

__all__ = ["DeepXDE", "PeerError"]
