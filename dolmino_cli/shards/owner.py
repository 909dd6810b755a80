"""Which process writes: a name for it that is unique among all machines, and whether that process is gone."""

from __future__ import annotations

import functools
import hashlib
import os
import socket
from pathlib import Path


def owner() -> str:
    """This process as `MACHINE-PID-START`, in hexadecimal: what its temporary files and leases are marked with."""
    return _owner(os.getpid())


@functools.lru_cache(maxsize=1)
def _owner(pid: int) -> str:
    return f"{_machine()}-{pid:x}-{_started(pid) or 0:x}"


def is_gone(name: str) -> bool | None:
    """Has the process that `owner` called `name` ended? None where that cannot be told: of another machine, or hidden."""
    parts = name.split("-")
    if len(parts) != 3 or parts[0] != _machine():
        return None
    started, was = _started(int(parts[1], 16)), int(parts[2], 16)
    return None if started == 0 and was else started != was


@functools.lru_cache(maxsize=1)
def _machine() -> str:
    # Containers of one machine have numbers of processes of their own, and may have one host name.
    marks = [socket.gethostname()]
    for path in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        link = Path(path)
        if link.is_symlink():
            marks.append(str(link.readlink()))
        elif link.is_file():
            marks.append(link.read_text())
    return hashlib.sha256("\n".join(marks).encode()).hexdigest()[:8]


def _started(pid: int) -> int | None:
    """When the process began, in clock ticks since the machine did; None where there is none. 0 where /proc does not tell."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0 if _runs_unseen(pid) else None
    fields = stat.rpartition(")")[2].split()  # a program's name may have spaces and brackets
    return None if fields[0] in ("Z", "X") else int(fields[19])


def _runs_unseen(pid: int) -> bool:
    """Is there such a process, though it is not to be read of in /proc?"""
    try:
        os.kill(pid, 0)
    except PermissionError:  # another user's: /proc may be mounted with hidepid
        return True
    except OSError:
        return False
    return not Path("/proc/self/stat").exists()
