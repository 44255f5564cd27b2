"""Signals at random moments: ``python -m tests.robustness.faults --moments 50 --seed 1``.

A command that writes over the outputs of an earlier run is ended by SIGKILL, SIGTERM or SIGINT (to
the whole group, as a terminal sends it) at a random moment. Afterwards each output must be the old
one or the new one, whole; no process may be left; and the same command must succeed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np

from efld_dlib.xml.read import read_xml
from tools.make_sample import make_sample
from tools.processes import in_session
from tools.sample.folder import Plan

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
_PROJECT = Path(__file__).resolve().parents[2]
_END = 15.0


class FaultError(AssertionError):
    """What may not be after a signal."""


@dataclass(frozen=True)
class Job:
    """A command and what it writes.

    Parameters
    ----------
    name : str
    old, new : tuple of str
        Arguments of the earlier run, and of the one that is ended; relative to the work folder.
    outputs : tuple of str
    same : tuple of str
        Those of which two runs give the same bytes.
    resume : tuple of str
        Arguments by which the ended run is told to go on.
    """

    name: str
    old: tuple[str, ...]
    new: tuple[str, ...]
    outputs: tuple[str, ...]
    same: tuple[str, ...]
    resume: tuple[str, ...] = ()


_PREPARE = ("prepare", "tree", "-o", "xml", "-j", "2")
_TRAIN = (
    "train",
    "sound",
    "-o",
    "out/m.dat",
    "-j",
    "2",
    "--set",
    "cascade_depth=4",
    "--set",
    "slim=false",
)
_TREES = ("--set", "num_trees_per_cascade_level=60", "--set", "oversampling_amount=10")
_EXTRACT = ("extract", "tree", "-o", "out/faces.csv", "-j", "2", "-m", "sound.dat")
_PACK = ("model", "compress", "sound.dat", "-o", "out/m.efld")

JOBS = {
    job.name: job
    for job in (
        Job(
            "prepare",
            (*_PREPARE, "--variants", "1", "--seed", "7"),
            (*_PREPARE, "--variants", "3"),
            ("xml/train.xml", "xml/validation.xml", "xml/prepare.json"),
            ("xml/train.xml", "xml/validation.xml"),
        ),
        Job(
            "train",
            (*_TRAIN, "--set", "num_trees_per_cascade_level=4"),
            (*_TRAIN, *_TREES),
            ("out/m.dat", "out/m.json"),
            ("out/m.dat",),
        ),
        Job(
            "compress",
            (*_PACK, "--step", "1e-3"),
            (*_PACK, "--step", "2e-3"),
            ("out/m.efld",),
            ("out/m.efld",),
        ),
        Job(
            "extract",
            (*_EXTRACT, "--features", "36-45"),
            _EXTRACT,
            ("out/faces.csv",),
            ("out/faces.csv",),
            ("--resume",),
        ),
    )
}


@dataclass
class Outcome:
    """What came of the moments of a job."""

    moments: int = 0
    old: int = 0
    new: int = 0
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)


def make_work(folder: Path, faces: int = 24) -> Path:
    """Sound inputs for all jobs."""
    make_sample(folder / "tree", Plan(faces=faces, test_faces=2, seed=5), jobs=1)
    _run(folder, ("prepare", "tree", "-o", "sound", "-j", "1", "--variants", "2"))
    _run(folder, ("train", "sound", "-o", "sound.dat", "-j", "1", *_TRAIN[6:], *_TREES))
    return folder


def run_job(job: Job, work: Path, moments: Sequence[tuple[float, signal.Signals]]) -> Outcome:
    """End the job at moments, each a fraction of the time that it takes, by a signal."""
    outcome = Outcome()
    (work / "out").mkdir(exist_ok=True)
    started = time.monotonic()
    _run(work, job.new)
    outcome.seconds = time.monotonic() - started
    new = _digests(work, job.outputs)
    _run(work, job.old)
    old = _digests(work, job.outputs)
    saved = work / "saved"
    shutil.rmtree(saved, ignore_errors=True)
    for name in ("xml", "out"):
        if (work / name).is_dir():
            shutil.copytree(work / name, saved / name)
    for number, (fraction, sign) in enumerate(moments):
        for name in ("xml", "out"):
            shutil.rmtree(work / name, ignore_errors=True)
            if (saved / name).is_dir():
                shutil.copytree(saved / name, work / name)
        try:
            _one(job, work, fraction * outcome.seconds, sign, (old, new), outcome)
        except FaultError as error:
            label = f"{job.name}, moment {number}: {sign.name} at {fraction:.3f}"
            outcome.failures.append(f"{label}: {error}")
        outcome.moments += 1
    return outcome


def _one(
    job: Job,
    work: Path,
    delay: float,
    sign: signal.Signals,
    digests: tuple[dict[str, str], dict[str, str]],
    outcome: Outcome,
) -> None:
    temporary = work / "tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    child = _start(work, job.new, temporary)
    time.sleep(delay)
    if sign == signal.SIGINT:
        os.killpg(child.pid, sign)
    else:
        child.send_signal(sign)
    try:
        _, said = child.communicate(timeout=_END)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        raise FaultError(f"still there after {_END:.0f} s") from None
    finally:
        left = _left_behind(child.pid)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
    if left:
        raise FaultError(f"{len(left)} processes left behind")
    if "Traceback" in said and "efld_dlib" in said.partition("Traceback")[2]:
        raise FaultError(f"a traceback:\n{said[-1500:]}")
    # Where the interrupt passes through an exec(), as of a dataclass that is being imported, Python
    # ends itself by SIGINT after the orderly end: for a shell 130 too.
    if child.returncode not in (0, 130, -sign, -signal.SIGINT):
        raise FaultError(f"exit code {child.returncode}: {said[-300:]}")
    _check_outputs(job, work, sign, digests, outcome)
    _run(work, (*job.new, *job.resume))
    again = _digests(work, job.same)
    if again != {name: digests[1][name] for name in job.same}:
        raise FaultError("the same command gave other outputs afterwards")


def _check_outputs(
    job: Job,
    work: Path,
    sign: signal.Signals,
    digests: tuple[dict[str, str], dict[str, str]],
    outcome: Outcome,
) -> None:
    old, new = digests
    for name, digest in _digests(work, job.outputs).items():
        if digest == old[name]:
            outcome.old += 1
        elif digest == new[name] or (name not in job.same and digest):
            outcome.new += 1
        else:
            raise FaultError(f"{name} is neither the old nor the new one")
    if job.name == "prepare":
        for name in job.same:
            gone = [record.path for record in read_xml(work / name) if not record.path.is_file()]
            if gone:
                raise FaultError(f"{name} names {len(gone)} crops that are not there")
    if sign == signal.SIGKILL:
        return
    for folder in (work / "out", work / "xml", work / "tmp"):
        hidden = [path.name for path in folder.rglob("*") if path.name.startswith((".", "efld-"))]
        if hidden:
            raise FaultError(f"left behind: {hidden}")


def _start(work: Path, arguments: Sequence[str], temporary: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "efld_dlib", *arguments],
        cwd=work,
        env={**os.environ, "PYTHONPATH": str(_PROJECT), "TMPDIR": str(temporary)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _run(work: Path, arguments: Sequence[str]) -> None:
    child = _start(work, arguments, Path(tempfile.gettempdir()))
    _, said = child.communicate()
    if child.returncode:
        raise FaultError(f"{' '.join(arguments)} ended with {child.returncode}: {said[-500:]}")


def _digests(work: Path, names: Sequence[str]) -> dict[str, str]:
    return {
        name: hashlib.sha256((work / name).read_bytes()).hexdigest()
        if (work / name).is_file()
        else ""
        for name in names
    }


def _left_behind(session: int) -> list[int]:
    """Processes of a session that are there after a moment of grace."""
    for _ in range(60):
        left = in_session(session)
        if not left:
            return []
        time.sleep(0.1)
    return left


def draw_moments(count: int, rng: np.random.Generator) -> list[tuple[float, signal.Signals]]:
    """Moments from the start to a little after the end, with the signals by turns."""
    return [(float(rng.uniform(0.02, 1.02)), SIGNALS[i % len(SIGNALS)]) for i in range(count)]


@click.command()
@click.option("--moments", default=50, show_default=True, help="Of each command.")
@click.option("--seed", default=1, show_default=True)
@click.option("--only", multiple=True, type=click.Choice(list(JOBS)))
def main(moments: int, seed: int, only: tuple[str, ...]) -> None:
    """End commands at random moments, and look at what is left."""
    totals: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="efld-faults-") as folder:
        work = make_work(Path(folder))
        for number, name in enumerate(only or JOBS):
            rng = np.random.default_rng([seed, number])
            outcome = run_job(JOBS[name], work, draw_moments(moments, rng))
            click.echo(
                f"{name:<10} {outcome.moments} moments in {outcome.seconds:.1f} s of work: "
                f"{outcome.old} outputs as before, {outcome.new} new and whole, "
                f"{outcome.moments - len(outcome.failures)} reruns succeeded, "
                f"{len(outcome.failures)} failed"
            )
            for failure in outcome.failures:
                click.echo(f"    {failure}")
            totals.update(moments=outcome.moments, failed=len(outcome.failures))
    click.echo(f"{totals['moments'] - totals['failed']} of {totals['moments']} faults survived")
    sys.exit(1 if totals["failed"] else 0)


if __name__ == "__main__":
    main()
