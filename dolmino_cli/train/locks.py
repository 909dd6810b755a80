"""The system's locks on files and folders: they end with the process that has them, however that ends."""

from __future__ import annotations

import fcntl


def take(descriptor: int, *, wait: bool = False) -> bool:
    """Have it for this process alone until it is closed. False where another process has it, unless that is waited for.

    True also on a file system that has no locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True
