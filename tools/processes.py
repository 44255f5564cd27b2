"""What Linux tells of running processes, in /proc."""

from __future__ import annotations

import os
from pathlib import Path

# Fields of /proc/PID/stat after the name in brackets, which may hold anything.
_STATE, _SESSION = 0, 3


def resident(pid: int | str = "self") -> int:
    """Bytes of memory that a process has now; 0 where it is gone."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in text.split()]


def in_session(session: int) -> list[int]:
    """The processes of a session that have not ended."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[_STATE] != "Z" and int(fields[_SESSION]) == session:
            found.append(int(name))
    return found
