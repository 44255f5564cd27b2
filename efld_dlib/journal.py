"""What a long run has done so far, kept in a SQLite file so that the run can be continued.

However the process ends, the file holds the entries that were committed, whole: SQLite undoes what
was being written when the file is opened next. It uses a plain rollback journal, since network
drives do not support its write-ahead log.
"""

from __future__ import annotations

import json
import sqlite3
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from .errors import DataError, OutputError
from .files import atomic_path

# SQLite has no checksums: it does not notice a value that was damaged on the disk.
_TABLE = "CREATE TABLE done (key PRIMARY KEY, value BLOB, checksum INTEGER) WITHOUT ROWID"
_SELECT = "SELECT key, value, checksum FROM done WHERE key = ?"
_INSERT = "INSERT OR REPLACE INTO done VALUES (?, ?, ?)"

# A commit waits some milliseconds for the disk, and a process that is killed loses what it did
# since the last one.
_COMMIT_SECONDS = 0.2

# How long a run waits for another one that is just starting or ending.
_LOCK_SECONDS = 1.0


class Journal:
    """An open journal: JSON values, each under a number or a text; `open_journal` makes it.

    Parameters
    ----------
    path : Path
    connection : sqlite3.Connection
        With a lock on the file.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._committed = time.monotonic()
        self._kept: list[str] = []

    def __len__(self) -> int:
        return int(self._rows("SELECT count(*) FROM done")[0][0])

    def get(self, key: int | str) -> Any:
        """The value under `key`; None if there is none."""
        found = self._rows(_SELECT, key)
        return json.loads(found[0][1]) if found else None

    def _rows(self, statement: str, *values: int | str) -> list[tuple[Any, ...]]:
        with _output_errors(self.path):
            return self._connection.execute(statement, values).fetchall()

    def add(self, key: int | str, value: Any) -> None:
        """Put `value` under `key`; it is committed together with others.

        Raises
        ------
        OutputError
            There is no room left, or the file cannot be written.
        """
        text = json.dumps(value, separators=(",", ":")).encode()
        with _output_errors(self.path):
            self._connection.execute(_INSERT, (key, text, _checksum(key, text)))
            if time.monotonic() - self._committed > _COMMIT_SECONDS:
                self.commit()

    def clear(self) -> None:
        """Remove all entries."""
        self._rows("DELETE FROM done")

    def commit(self) -> None:
        """Let everything so far survive the end of this process."""
        self._connection.commit()
        self._connection.execute("BEGIN")
        self._committed = time.monotonic()

    def keep(self, keys: Iterable[str]) -> None:
        """The entries that stay when the run is done; without this the whole file goes."""
        self._kept = sorted(keys)

    def finish(self) -> None:
        """Close and remove the file, or write what is to be kept into a new one.

        Its bytes depend on nothing but the entries, not on the order or the runs they come from.
        """
        with _output_errors(self.path):
            rows = [row for key in self._kept for row in self._rows(_SELECT, key)]
            self._connection.commit()
            self._connection.close()
            if not rows:
                # Somebody may have removed it already.
                self.path.unlink(missing_ok=True)
                return
            with atomic_path(self.path) as temporary, closing(sqlite3.connect(temporary)) as new:
                new.execute(_TABLE)
                new.executemany(_INSERT, rows)
                new.commit()


@contextmanager
def open_journal(path: Path, discard: bool = False) -> Iterator[Journal]:
    """The journal in `path`, made if it is missing, and no other process's meanwhile.

    When the block ends well, the work is done: the file is removed, but for what `Journal.keep`
    names. When the block raises, everything so far is committed, and only an empty file is removed.

    Parameters
    ----------
    path : Path
    discard : bool
        Whether a damaged file is emptied, instead of being an error.

    Raises
    ------
    OutputError
        Another run is writing it, or it cannot be written.
    DataError
        It is damaged, or not a journal of this version.
    """
    with _output_errors(path):
        connection = _connection(path, discard)
    with closing(connection):
        journal = Journal(path, connection)
        try:
            with _output_errors(path):
                if not _schema(connection):
                    connection.execute(_TABLE)
                # Whether the file can be written is seen now; and SQLite removes what a killed
                # process left beside it when something was written.
                connection.execute("PRAGMA user_version = 1")
                journal.commit()
            yield journal
            journal.finish()
        except BaseException:
            # Why the run ends is what matters, and SQLite undoes what a full disk does not take.
            with suppress(sqlite3.Error, OutputError):
                journal.commit()
                if not len(journal):
                    journal.finish()
            raise


def _connection(path: Path, discard: bool) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Says why better than SQLite does.
    path.touch()
    try:
        connection = _locked(path)
        if _is_whole(connection):
            return connection
        connection.close()
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        pass
    if not discard:
        problem = "is damaged or of another version, so that it cannot be continued"
        raise DataError(path, f"{problem}; --restart starts over")
    path.write_bytes(b"")
    return _locked(path)


def _locked(path: Path, lockless: bool = False) -> sqlite3.Connection:
    """A connection in a transaction, whose lock stays until it is closed."""
    name = f"{path.absolute().as_uri()}?nolock=1" if lockless else path
    connection = sqlite3.connect(name, _LOCK_SECONDS, isolation_level=None, uri=lockless)
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("BEGIN EXCLUSIVE")
    except BaseException as error:
        connection.close()
        if lockless or str(error) != "disk I/O error":
            raise
        # A file system without locks, as on some network drives: it is up to the user there not to
        # write one file twice at a time.
        return _locked(path, lockless=True)
    return connection


def _schema(connection: sqlite3.Connection) -> list[tuple[str]]:
    return connection.execute("SELECT sql FROM sqlite_master").fetchall()


def _is_whole(connection: sqlite3.Connection) -> bool:
    """Whether it is empty, or has the table and nothing damaged in it."""
    with suppress(sqlite3.Error):
        return not _schema(connection) or (
            _schema(connection) == [(_TABLE,)]
            and connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
            and all(
                isinstance(value, bytes) and checksum == _checksum(key, value)
                for key, value, checksum in connection.execute("SELECT * FROM done")
            )
        )
    return False


def _checksum(key: int | str, value: bytes) -> int:
    return zlib.crc32(value, zlib.crc32(repr(key).encode()))


@contextmanager
def _output_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system say into an `OutputError`."""
    try:
        yield
    except sqlite3.Error as error:
        locked = "locked" in str(error)
        problem = "another run is writing it" if locked else f"cannot be written ({error})"
        raise OutputError(path, problem) from error
    except OSError as error:
        raise OutputError(path, f"cannot be written ({error.strerror})") from error
