"""Running dlib's trainers in a child process, which is killed if this one is interrupted."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from ..backend import load_dlib
from ..errors import TrainingError

Progress = Callable[[float], None]
"""Called with the fraction of the training that is done, between 0 and 1."""


def run_worker(
    kind: str, xml: Path, output: Path, options: Mapping[str, Any], heard: Callable[[str], None]
) -> None:
    """Train as `training.worker` does, and listen to what dlib says meanwhile.

    Parameters
    ----------
    kind : {"predictor", "detector"}
    xml, output : Path
    options : mapping
        Those of dlib's trainer.
    heard : callable
        Gets the last of dlib's output whenever there is more.

    Raises
    ------
    TrainingError
        dlib refused the data; says why.
    OSError
        The output could not be written.
    """
    load_dlib()
    job = {"kind": kind, "xml": str(xml), "output": str(output), "options": dict(options)}
    with (
        # A file, since dlib would wait for whoever reads a pipe.
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(
            [sys.executable, "-m", "efld_dlib.training.worker", json.dumps(job)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
        ) as child,
    ):
        assert child.stdout is not None
        try:
            _follow(child.stdout, heard)
            code = child.wait()
        finally:
            # Also on Ctrl-C: dlib itself does not hear it.
            child.kill()
        complaints.seek(0)
        said = complaints.read().decode("utf-8", "replace").strip().splitlines()
    if code != 0:
        reason = said[-1] if said else f"the trainer ended with code {code}"
        if "serializ" in reason:  # what dlib says if the disk is full
            raise OSError(errno.EIO, reason, str(output))
        raise TrainingError(f"dlib could not train on {xml}: {reason}")


def _follow(stream: IO[bytes], heard: Callable[[str], None]) -> None:
    """Read dlib's output to its end."""
    text = ""
    while chunk := stream.read1(4096):  # type: ignore[attr-defined]
        text = (text + chunk.decode("utf-8", "replace"))[-200:]
        heard(text)
