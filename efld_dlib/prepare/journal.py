"""Making samples so that an interrupted run goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..boxes import Box
from ..files import appending, write_text
from ..parallel import parallel_map, progress
from ..records import FaceAnnotation, ImageRecord
from .samples import CropJob, make_samples

JOURNAL = "journal.jsonl"


def resumable_samples(
    jobs: Sequence[CropJob], folder: Path, processes: int, show_progress: bool
) -> Iterator[list[ImageRecord]]:
    """Samples of each job, in order; those that an earlier run made are not made again.

    Parameters
    ----------
    jobs : sequence of CropJob
        The same ones as in the run that is continued; the folder's name vouches for that.
    folder : Path
        Where the crops go. The journal in it has one line a finished job, and is removed when all
        are done.
    processes : int
    show_progress : bool

    Yields
    ------
    list of ImageRecord
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / JOURNAL
    done = _read(path, jobs)
    write_text(path, "".join(done))
    with appending(path) as journal:
        for job, line in zip(jobs, done, strict=False):
            yield _records(job, line)
        rest = list(jobs[len(done) :])
        made = parallel_map(make_samples, rest, processes)
        for records in progress(made, len(rest), "crops", show_progress):
            journal.write(_line(records))
            journal.flush()
            yield records
    path.unlink()


def _line(records: Sequence[ImageRecord]) -> str:
    """What cannot be told from the job: names and landmarks; the box is where it always is."""
    entries = [
        {
            "file": record.path.name,
            "box": list(record.faces[0].box or ()),
            "points": [None if np.isnan(v) else v for v in record.faces[0].points.ravel()],
        }
        for record in records
    ]
    return json.dumps(entries) + "\n"


def _records(job: CropJob, line: str) -> list[ImageRecord]:
    return [
        ImageRecord(
            job.folder / entry["file"],
            (
                FaceAnnotation(
                    np.array(entry["points"], dtype=np.float64).reshape(-1, 2), Box(*entry["box"])
                ),
            ),
            job.face.photograph,
        )
        for entry in json.loads(line)
    ]


def _read(path: Path, jobs: Sequence[CropJob]) -> list[str]:
    """The whole lines of a journal whose crops are all there, up to the first that is not."""
    if not path.is_file():
        return []
    lines: list[str] = []
    text = path.read_text(encoding="utf-8", errors="replace")
    for job, line in zip(jobs, text.splitlines(keepends=True), strict=False):
        try:
            records = _records(job, line)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            break
        whole = len(records) == len(job.samples)
        if not line.endswith("\n") or not whole or not all(r.path.is_file() for r in records):
            break
        lines.append(line)
    return lines
