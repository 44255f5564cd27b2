"""How fast `efld-dlib extract` is with more processes, and how much memory it takes.

``python -m tools.benchmarks extract PICTURES`` runs the program itself. The ratio is the median
over pairs, a run with one process and one with ``--jobs`` taking turns, so that what else the
machine does meets both; the time until the first picture is done, loading the model, is in it. For
the memory, the same pictures are linked under many names, and the resident memory of the program
and of its workers is read at intervals.
"""

from __future__ import annotations

import itertools
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import click

from efld_dlib.extraction.run import journal_path
from tools.processes import children, resident

_SAMPLES = 10
_MEGABYTE = 1 << 20


@click.command()
@click.argument("pictures", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--count", default=1000, show_default=True, help="Pictures of a run of a pair.")
@click.option("--pairs", default=3, show_default=True, help="Pairs of runs.")
@click.option("--jobs", default=2, show_default=True, help="Processes that one is compared with.")
@click.option("--memory", default=5000, show_default=True, help="Pictures of the run for memory.")
@click.option("--quality", default="balanced", show_default=True)
def extract(pictures: Path, count: int, pairs: int, jobs: int, memory: int, quality: str) -> None:
    """Measure `efld-dlib extract` on the PICTURES of a folder."""
    found = sorted(path.resolve() for path in pictures.rglob("*.jpg"))
    if not found:
        raise click.ClickException(f"{pictures}: no .jpg in it")
    with tempfile.TemporaryDirectory(prefix="efld-benchmark-") as name:
        work = Path(name)
        if pairs:
            compare(link(found, work / "speed", count), work, pairs, jobs, quality)
        if memory:
            watch(link(found, work / "memory", memory), work, jobs, quality)


def link(pictures: list[Path], folder: Path, count: int) -> Path:
    """A folder of `count` links that go through the pictures again and again."""
    folder.mkdir()
    for number, picture in zip(range(count), itertools.cycle(pictures)):
        (folder / f"{number:06}{picture.suffix}").symlink_to(picture)
    return folder


def start(folder: Path, target: Path, jobs: int, quality: str) -> subprocess.Popen[bytes]:
    """Begin a run that nothing is left of an earlier one for."""
    target.unlink(missing_ok=True)
    words = [sys.executable, "-m", "efld_dlib", "extract", str(folder), "-o", str(target)]
    return subprocess.Popen([*words, "--jobs", str(jobs), "--quality", quality])


def finish(process: subprocess.Popen[bytes]) -> None:
    """Wait for a run; whatever goes wrong ends the measuring."""
    if process.wait():
        raise click.ClickException(f"extract ended with exit code {process.returncode}")


def spare_cores(jobs: int) -> float:
    """How many times the work of one busy loop `jobs` of them do at present."""
    loop = [sys.executable, "-c", "for _ in range(20_000_000): pass"]
    seconds = []
    for count in (1, jobs):
        begun = time.perf_counter()
        for process in [subprocess.Popen(loop) for _ in range(count)]:
            process.wait()
        seconds.append(time.perf_counter() - begun)
    return jobs * seconds[0] / seconds[1]


def compare(folder: Path, work: Path, pairs: int, jobs: int, quality: str) -> None:
    """Print the seconds of each pair, and the median of their ratios."""
    ratios = []
    count = len(list(folder.iterdir()))
    for number in range(pairs):
        seconds = {}
        # By turns in either order: the second of a pair finds the files in memory.
        for processes in (1, jobs) if number % 2 == 0 else (jobs, 1):
            begun = time.perf_counter()
            finish(start(folder, work / f"{processes}.csv", processes, quality))
            seconds[processes] = time.perf_counter() - begun
        ratios.append(seconds[1] / seconds[jobs])
        print(
            f"pair {number + 1}: 1 process {seconds[1]:.1f} s ({count / seconds[1]:.1f} pictures/s)"
            f", {jobs} processes {seconds[jobs]:.1f} s ({count / seconds[jobs]:.1f} pictures/s), "
            f"ratio {ratios[-1]:.2f} (busy loops: {spare_cores(jobs):.2f})"
        )
        same = (work / "1.csv").read_bytes() == (work / f"{jobs}.csv").read_bytes()
        if not same:
            raise click.ClickException("the two tables differ")
    print(
        f"{jobs} processes are {statistics.median(ratios):.2f} times as fast as one (median of "
        f"{pairs} pairs of {count} pictures); their tables are the same, byte for byte"
    )


def watch(folder: Path, work: Path, jobs: int, quality: str) -> None:
    """Print the resident memory of a run's processes as it goes on."""
    count = len(list(folder.iterdir()))
    target = work / "memory.csv"
    process = start(folder, target, jobs, quality)
    seen: list[tuple[float, float]] = []
    print("pictures done  program MB  workers MB")
    try:
        for sample in range(1, _SAMPLES + 1):
            wanted = count * sample // (_SAMPLES + 1)
            while (done := pictures_done(journal_path(target))) < wanted and process.poll() is None:
                time.sleep(0.2)
            sizes = [resident(pid) / _MEGABYTE for pid in children(process.pid)]
            # Python's own helpers, which load nothing of ours, are small.
            workers = [size for size in sizes if size > 50]
            seen.append((resident(process.pid) / _MEGABYTE, max(workers, default=0.0)))
            shown = ", ".join(f"{size:.0f}" for size in workers)
            print(f"{done:13}  {seen[-1][0]:10.0f}  {shown}")
        finish(process)
    finally:
        process.kill()
        process.wait()
    for number, what in enumerate(("program", "largest worker")):
        values = [each[number] for each in seen]
        print(
            f"{what}: {values[0]:.0f} MB at first, {values[-1]:.0f} MB at the end, "
            f"at most {max(values):.0f} MB, over {count} pictures"
        )


def pictures_done(journal: Path) -> int:
    """Pictures that a journal has so far; it may be read while a run is writing it."""
    try:
        # Regardless of the run's lock.
        address = f"{journal.absolute().as_uri()}?immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            (count,) = connection.execute("SELECT count(*) FROM done").fetchone()
    except sqlite3.Error:  # there is none yet, or it is just being written
        return 0
    return max(0, int(count) - 1)
