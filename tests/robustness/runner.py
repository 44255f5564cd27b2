"""Runs cases in child processes, two at a time, and ends those that hang."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np

from .targets import TARGETS

Case = tuple[str, int]

HANG = 10.0
"""Seconds after which a case hangs."""

_START = 60.0
_PROJECT = Path(__file__).resolve().parents[2]


@dataclass
class Tally:
    """What came of the cases.

    Parameters
    ----------
    outcomes : Counter
        Cases by target and outcome.
    failures : dict
        Reason by case.
    memory : int
        Most bytes of memory that a batch took.
    """

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: dict[Case, str] = field(default_factory=dict)
    memory: int = 0

    @property
    def cases(self) -> int:
        return self.outcomes.total()

    def count(self, outcome: str) -> int:
        return sum(n for (_, found), n in self.outcomes.items() if found == outcome)

    def add(self, case: Case, said: str) -> None:
        outcome, _, rest = said.partition(" ")
        if outcome == "done":
            self.outcomes[case[0], rest] += 1
        else:
            self.outcomes[case[0], "failed"] += 1
            self.failures[case] = json.loads(rest) if rest.startswith('"') else rest

    def join(self, other: Tally) -> None:
        self.outcomes += other.outcomes
        self.failures |= other.failures
        self.memory = max(self.memory, other.memory)


def draw_cases(count: int, seed: int, names: Iterable[str] = TARGETS) -> list[Case]:
    """`count` cases, each target by its share and at least once."""
    chosen = [TARGETS[name] for name in names]
    shares = np.array([target.share for target in chosen])
    numbers = np.maximum(1, np.floor(count * shares / shares.sum())).astype(int)
    numbers[int(np.argmax(shares))] += max(0, count - int(numbers.sum()))
    return [
        (target.name, seed * 1_000_000 + i)
        for target, number in zip(chosen, numbers, strict=True)
        for i in range(number)
    ]


def run_cases(
    cases: Sequence[Case], samples: Path, processes: int = 2, hang: float = HANG
) -> Tally:
    """Run cases side by side.

    Parameters
    ----------
    cases : sequence of (target, seed)
    samples : Path
        As `samples.make_samples` writes them.
    processes : int
    hang : float
        Seconds after which a case hangs, but for the first of a process.
    """
    parts = [list(cases[i::processes]) for i in range(processes)]
    tally = Tally()
    with ThreadPoolExecutor(processes) as pool:
        for part in pool.map(lambda part: _run_part(part, samples, hang), parts):
            tally.join(part)
    return tally


def _run_part(cases: list[Case], samples: Path, hang: float) -> Tally:
    tally = Tally()
    while cases:
        # Made here, since a child that is ended removes nothing.
        with (
            tempfile.TemporaryFile() as complaints,
            tempfile.TemporaryDirectory(prefix="efld-robustness-") as folder,
        ):
            cases = _run_batch(cases, samples, tally, complaints, (folder, hang))
    return tally


def _run_batch(
    cases: list[Case], samples: Path, tally: Tally, complaints: IO[bytes], limits: tuple[str, float]
) -> list[Case]:
    """Run a batch to its end, or to a case that ends it; returns the cases after that one."""
    folder, hang = limits
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.robustness.batch", str(samples)],
        cwd=_PROJECT,
        env={
            **os.environ,
            "OPENBLAS_NUM_THREADS": "1",
            "PYTHONIOENCODING": "utf-8",
            "TMPDIR": folder,
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(child.stdout, lines), daemon=True).start()
    threading.Thread(target=_feed, args=(child.stdin, cases), daemon=True).start()
    done, limit = 0, _START
    running = False
    try:
        while line := lines.get(timeout=limit):
            if line.startswith("memory "):
                tally.memory = max(tally.memory, int(line.split()[1]))
            elif line.startswith("start "):
                limit, running = (hang if done else _START), True
            else:
                tally.add(cases[done], line.strip())
                done, running = done + 1, False
        problem = f"the process ended with code {child.wait()}"
    except queue.Empty:
        problem = f"hangs for {limit:.0f} s"
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    if done == len(cases) or (done and not running and child.returncode == 0):
        return cases[done:]
    complaints.seek(0)
    said = complaints.read()[-1500:].decode("utf-8", "replace")
    tally.add(cases[done], f"failed {problem if running else 'between cases: ' + problem}\n{said}")
    return cases[done + 1 :]


def _listen(stream: IO[str], lines: queue.Queue[str]) -> None:
    for line in stream:
        lines.put(line)
    lines.put("")


def _feed(stream: IO[str], cases: list[Case]) -> None:
    try:
        with stream:
            stream.writelines(f"{name} {seed}\n" for name, seed in cases)
    except BrokenPipeError:
        pass
