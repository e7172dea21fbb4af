"""Memory that is free goes back to the system, so that a day of windows takes no more than the first."""

import ctypes
import sys


def give_back_memory() -> None:
    """Ask glibc for what it keeps of freed tensors: their sizes differ, and the gaps between them would add up.

    Does nothing where there is no glibc.
    """
    if sys.platform == "linux":
        try:
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        except (OSError, AttributeError):
            return
