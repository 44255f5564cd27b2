"""Targets that do what none may, to see that the harness notices."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np

from efld_dlib.errors import EfldError

from .judge import judged


def die(root: Path, path: Path) -> str:
    """End the process as a crash in C does."""
    os.kill(os.getpid(), signal.SIGSEGV)
    return "read"


def hang(root: Path, path: Path) -> str:
    """Wait longer than anyone would."""
    time.sleep(600)
    return "read"


def memory(root: Path, path: Path) -> str:
    """Take more memory than a case may."""
    return f"read {np.ones(900 << 20, np.uint8)[-1]}".split()[0]


def fail(root: Path, path: Path) -> str:
    """Raise an error that is not ours."""
    return judged(lambda: 1 // 0, (path.name,))


def nameless(root: Path, path: Path) -> str:
    """Raise one of ours that does not name the file."""

    def read() -> None:
        raise EfldError("something is wrong")

    return judged(read, (path.name,))
