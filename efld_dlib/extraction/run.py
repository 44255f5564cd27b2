"""The whole of an extraction: pictures to a table, by way of a journal that outlives a crash."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from ..errors import DataError, EfldError, OptionError
from ..files import atomic_path
from ..journal import Journal, open_journal
from ..parallel import progress, resolve_jobs
from ..writers import Row, table_columns, table_rows
from .settings import ExtractSettings
from .tables import table_writer
from .workers import Outcome, Task, Workers, file_state, shown

# Where the journal says what the run is of, beside the outcomes under the images' numbers.
_RUN_KEY = "run"

Earlier = Literal["refuse", "resume", "restart"]
"""What to do about the journal of an interrupted run: refuse to touch it, go on from it, or throw
it away. Where there is none, the run begins in any case."""


@dataclass
class ExtractSummary:
    """What came of an extraction.

    Parameters
    ----------
    pictures, faces, errors : int
        Of all inputs; errors are the pictures that could not be used.
    continued : int
        How many of the pictures an earlier, interrupted run had done.
    """

    pictures: int = 0
    faces: int = 0
    errors: int = 0
    continued: int = 0


def extract(
    pictures: Iterable[str | Path],
    output: str | Path,
    settings: ExtractSettings | None = None,
    *,
    jobs: int | None = None,
    cluster: str | None = None,
    earlier: Earlier = "refuse",
    strict: bool = False,
    report: Callable[[EfldError], None] | None = None,
    show_progress: bool = False,
) -> ExtractSummary:
    """Write the faces of many pictures into one table.

    The table has one row a face, in the order of the pictures, whatever the number of processes; a
    picture without a face, or one that cannot be used, has a row that says so. What is done is kept
    in a journal beside the output until all is: a run that was killed can be continued, and ends in
    the same bytes as one that was not.

    Parameters
    ----------
    pictures : iterable of path
        A picture that is named twice is taken once.
    output : path
        Ends in .csv, .jsonl or .parquet.
    settings : ExtractSettings, optional
    jobs : int, optional
        Number of processes, by default one a core.
    cluster : str, optional
        Address of a Dask scheduler, whose workers do the work instead.
    earlier : {"refuse", "resume", "restart"}
        See `Earlier`.
    strict : bool
        Stop at the first picture that cannot be used; the journal stays.
    report : callable, optional
        Called with a `DataError` for each picture that cannot be used.
    show_progress : bool
        A bar on stderr, where that is a terminal.

    Returns
    -------
    ExtractSummary

    Raises
    ------
    EfldError
        An option, the model or the output is unusable; there is a journal of an interrupted run
        (with "refuse"), or of other settings or pictures (with "resume"); processes die whatever
        they do; another run writes the same output.

    Examples
    --------
    >>> from efld_dlib import ExtractSettings, extract
    >>> pictures = ["a.jpg", "b.jpg"]
    >>> extract(pictures, "faces.csv", ExtractSettings(quality="fast"))  # doctest: +SKIP
    ExtractSummary(pictures=2, faces=3, errors=0, continued=0)
    """
    settings = settings if settings is not None else ExtractSettings()
    identity = settings.identity()
    if earlier not in get_args(Earlier):
        raise OptionError(f"earlier must be {', '.join(get_args(Earlier))}, not {earlier!r}")
    target = Path(output)
    names = list(dict.fromkeys(os.fspath(picture) for picture in pictures))
    write = table_writer(target)
    if target.is_dir():
        raise DataError(target, "is a folder, not a file to write")
    with open_journal(journal_path(target), discard=earlier == "restart") as journal:
        run = _described(identity, names)
        done = _begin(journal, run, names, earlier, strict)
        tasks = (Task(n, os.path.abspath(names[n])) for n in range(done, len(names)))
        outcomes = _outcomes(tasks, len(names) - done, settings, jobs, cluster)
        for outcome in progress(outcomes, len(names), "extracting", show_progress, done):
            error = _error(names, outcome)
            if error is not None and strict:
                raise error
            if error is not None and report is not None:
                report(error)
            if outcome.number == 0:
                # Not before, so that a journal without an outcome is empty.
                journal.add(_RUN_KEY, run)
            journal.add(outcome.number, outcome)
        summary = ExtractSummary(continued=done)
        scheme = settings.landmarks()
        columns = table_columns(settings.chosen(scheme), settings.point_confidence, scheme)
        finished = progress(_done(journal, len(names)), len(names), "writing", show_progress)
        with atomic_path(target) as temporary:
            try:
                write(temporary, columns, _rows(names, finished, len(columns), summary))
            except OSError as error:
                raise DataError(target, f"cannot be written ({error.strerror})") from error
    return summary


def journal_path(target: Path) -> Path:
    """Where the journal of a target lies."""
    return target.with_name(f"{target.name}.journal")


def _outcomes(
    tasks: Iterable[Task],
    count: int,
    settings: ExtractSettings,
    jobs: int | None,
    cluster: str | None,
) -> Iterator[Outcome]:
    processes = min(resolve_jobs(jobs), count)
    if not count:
        return iter(())
    if cluster is None:
        return Workers(settings, processes)(tasks)
    from .cluster import cluster_outcomes

    return cluster_outcomes(cluster, settings.absolute(), tasks)


def _described(identity: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """What the run is of: the settings, and which pictures in which order."""
    digest = hashlib.sha256()
    for name in names:
        digest.update(shown(name).encode() + b"\0")
    return {"settings": identity, "pictures": len(names), "names": digest.hexdigest()}


def _begin(
    journal: Journal, run: dict[str, Any], names: Sequence[str], earlier: Earlier, strict: bool
) -> int:
    """The number of outcomes that the journal of the same run has; else an `EfldError`."""
    if earlier == "restart":
        journal.clear()
    then = journal.get(_RUN_KEY)
    if then is None:
        return 0
    done = len(journal) - 1
    if earlier == "refuse":
        raise EfldError(
            f"{journal.path}: an interrupted run has done {done} of {then['pictures']} pictures; "
            "--resume continues it, --restart begins anew"
        )
    _require_same_run(journal.path, then, run)
    for outcome in _done(journal, done):
        name = names[outcome.number]
        if file_state(name) != (outcome.size, outcome.time):
            raise EfldError(
                f"{journal.path}: {shown(name)} has changed since the interrupted run looked at "
                "it; --restart begins anew"
            )
        error = _error(names, outcome)
        if error is not None and strict:
            raise error
    return done


def _error(names: Sequence[str], outcome: Outcome) -> DataError | None:
    problem = outcome.error
    return None if problem is None else DataError(shown(names[outcome.number]), problem)


def _require_same_run(path: Path, then: dict[str, Any], now: dict[str, Any]) -> None:
    settings = now["settings"]
    found = [name for name in settings if then["settings"].get(name) != settings[name]]
    if found:
        problem = f"had another {' and another '.join(found)}"
    elif then["pictures"] != now["pictures"]:
        problem = f"was of {then['pictures']} pictures, and this one is of {now['pictures']}"
    elif then["names"] != now["names"]:
        problem = "was of other pictures, or in another order"
    else:
        return
    raise EfldError(f"{path}: the interrupted run {problem}; give the same, or --restart")


def _done(journal: Journal, count: int) -> Iterator[Outcome]:
    """The first `count` outcomes."""
    return (Outcome(*journal.get(number)) for number in range(count))


def _rows(
    names: Sequence[str], outcomes: Iterable[Outcome], columns: int, summary: ExtractSummary
) -> Iterator[Row]:
    """Rows of the table; `summary` is filled in on the way."""
    for name, outcome in zip(names, outcomes, strict=True):
        summary.pictures += 1
        summary.faces += len(outcome.faces)
        summary.errors += outcome.error is not None
        yield from table_rows(shown(name), outcome.error, outcome.faces, columns)
