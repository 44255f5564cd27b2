"""The journal beside the target: what is done so far, so that a run can be continued.

The first line says what the run is of, each further one holds the outcome of a picture, in their
order. Every line begins with the checksum of the rest, so that a line which was being written when
the run ended, or was damaged since, is known for what it is.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import DataError, EfldError
from .settings import differences
from .workers import Outcome, file_state, shown

_VERSION = 1


def journal_path(target: Path) -> Path:
    """Where the journal of a target lies."""
    return target.with_name(f"{target.name}.journal")


class Journal:
    """An open journal.

    Parameters
    ----------
    path : Path
    file : binary file
        Open for reading and writing, and locked.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self.file = path, file

    def begun(self) -> dict[str, Any] | None:
        """What the run that wrote it was of; None where there is no whole first line."""
        self.file.seek(0)
        head = _value(self.file.readline())
        return head if isinstance(head, dict) and head.get("version") == _VERSION else None

    def begin(self, head: dict[str, Any]) -> None:
        """Empty it, and write down what the run is of."""
        with self._writing():
            self.file.seek(0)
            self.file.truncate()
            self.file.write(_line({"version": _VERSION, **head}))
            self.file.flush()

    def append(self, outcome: Outcome) -> None:
        """Write the outcome of the next picture."""
        with self._writing():
            self.file.write(_line(list(outcome)))
            # From here on it survives the end of this process.
            self.file.flush()

    def outcomes(self) -> Iterator[Outcome]:
        """The outcomes as far as they are whole, from the first one on."""
        for outcome, _ in self._whole():
            yield outcome

    def cut(self) -> int:
        """Number of whole outcomes; whatever stands behind them is cut off."""
        self.file.seek(0)
        count, end = 0, len(self.file.readline())
        for outcome, place in self._whole():
            count, end = outcome.number + 1, place
        with self._writing():
            self.file.seek(end)
            self.file.truncate()
        return count

    def _whole(self) -> Iterator[tuple[Outcome, int]]:
        """The whole outcomes, each with the place in bytes where its line ends."""
        self.file.seek(0)
        end = len(self.file.readline())
        for number, line in enumerate(self.file):
            value = _value(line)
            if not isinstance(value, list) or len(value) != 5 or value[0] != number:
                return
            end += len(line)
            yield Outcome(*value), end

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DataError(self.path, f"cannot be written ({error.strerror})") from error


@contextmanager
def open_journal(target: Path) -> Iterator[Journal]:
    """The journal of a target, made where there is none, and nobody else's meanwhile.

    Raises
    ------
    EfldError
        Another run is writing it.
    DataError
        It cannot be opened.
    """
    path = journal_path(target)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b")
    except OSError as error:
        raise DataError(path, f"cannot be written ({error.strerror})") from error
    try:
        _lock(path, file)
        journal = Journal(path, file)
        try:
            yield journal
        except BaseException:
            if not _holds_outcomes(path):
                # Nothing was done that could be continued.
                path.unlink(missing_ok=True)
            raise
    finally:
        # What a full disk did not take was said when it was written; closing tries again.
        with suppress(OSError):
            file.close()


def _holds_outcomes(path: Path) -> bool:
    # Opened anew: to read where something could not be written would try that again.
    with suppress(FileNotFoundError), path.open("rb") as file:
        return next(Journal(path, file).outcomes(), None) is not None
    return False


def run_head(identity: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """What the first line says: the settings, and of which pictures, in which order."""
    digest = hashlib.sha256()
    for name in names:
        digest.update(shown(name).encode() + b"\0")
    return {"settings": identity, "pictures": len(names), "names": digest.hexdigest()}


def require_same_run(path: Path, then: dict[str, Any], now: dict[str, Any]) -> None:
    """Refuse, with an `EfldError`, to continue the run `then` as the run `now`."""
    found = differences(then["settings"], now["settings"])
    if found:
        raise EfldError(
            f"{path}: the interrupted run had another {' and another '.join(found)}; "
            "give the same, or --restart"
        )
    if then["pictures"] != now["pictures"]:
        raise EfldError(
            f"{path}: the interrupted run was of {then['pictures']} pictures, and this one is of "
            f"{now['pictures']}; give the same, or --restart"
        )
    if then["names"] != now["names"]:
        raise EfldError(
            f"{path}: the interrupted run was of other pictures, or in another order; "
            "give the same, or --restart"
        )


def require_same_files(path: Path, names: Iterable[str], outcomes: Iterable[Outcome]) -> None:
    """Refuse, with an `EfldError`, to continue where a picture that is done has changed since."""
    for name, outcome in zip(names, outcomes, strict=False):
        if file_state(name) != (outcome.size, outcome.time):
            raise EfldError(
                f"{path}: {shown(name)} has changed since the interrupted run looked at it; "
                "--restart begins anew"
            )


def _line(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _value(line: bytes) -> Any:
    """What `_line` was given; None where the line is not whole."""
    checksum, _, text = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(text):
        return None
    with suppress(ValueError):
        return json.loads(text)
    return None


def _lock(path: Path, file: BinaryIO) -> None:
    try:
        import fcntl
    except ImportError:
        # On Windows it is up to the user not to write one file twice at a time.
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise EfldError(f"{path}: another run is writing it") from error
    except OSError:
        # A file system without locks.
        return
