"""Runs cases in a process of its own: ``python -m tests.robustness.batch SAMPLES`` < cases.

A case is a line ``TARGET SEED``. Before each the line ``start TARGET SEED`` is printed, and after
it ``done OUTCOME`` or ``failed`` with the reason as JSON: a crash, or a hang that the caller ends,
has a name so.
"""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import shutil
import sys
import tempfile
import warnings
import zlib
from pathlib import Path

import numpy as np

from tools.benchmarks.load import peak_memory

from .judge import Failure
from .targets import SELF_TEST, TARGETS, Target

MEMORY = 4 << 30
"""Bytes of address space that a case may take. Python, OpenCV, dlib and SciPy take more than one
before they do anything."""

RESIDENT = 800 << 20
"""Bytes of memory that a batch may take in all."""


def run_case(target: Target, seed: int, root: Path) -> str:
    """Damage a file below `root` as the seed says, run the target, and put all back."""
    rng = np.random.default_rng([zlib.crc32(target.name.encode()), seed])
    before = set(os.listdir(root))
    # `Path.glob` would leave the order to the file system.
    files = sorted(path for path in root.glob(target.files) if path.is_file())
    path = files[int(rng.integers(len(files)))]
    sound = path.read_bytes()
    path.write_bytes(target.damage(sound, rng))
    try:
        return target.run(root, path)
    finally:
        path.write_bytes(sound)
        for name in set(os.listdir(root)) - before:
            left = root / name
            shutil.rmtree(left) if left.is_dir() else left.unlink()


def _run(line: str, root: Path) -> str:
    name, seed = line.split()
    try:
        outcome = run_case({**TARGETS, **SELF_TEST}[name], int(seed), root)
    except Failure as failure:
        return "failed " + json.dumps(str(failure))
    except Exception as error:
        return "failed " + json.dumps(f"outside of the toolkit: {error!r}")
    # In bytes; not what Linux lets a process inherit of its parent's.
    peak = peak_memory() or 0
    if peak > RESIDENT:
        return "failed " + json.dumps(f"{peak >> 20} MB of memory")
    return f"done {outcome}"


def main(samples: str) -> None:
    """Run the cases on stdin, on a copy of the samples."""
    faulthandler.enable()
    warnings.simplefilter("error")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    # What C libraries print to stdout, and the toolkit too, must not be taken for outcomes.
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    with tempfile.TemporaryDirectory(prefix="efld-robustness-") as folder:
        root = Path(folder) / "files"
        shutil.copytree(samples, root)
        for line in sys.stdin:
            print("start", line.strip(), file=channel)
            print(_run(line, root), file=channel)
            if peak_memory() > RESIDENT:
                break  # the peak would be held against the next case too
        print(f"memory {peak_memory()}", file=channel)


if __name__ == "__main__":
    main(sys.argv[1])
