"""What a run has done so far survives whatever ends it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import pytest

from efld_dlib import journal
from efld_dlib.errors import DataError, OutputError
from efld_dlib.journal import open_journal


class Interruption(BaseException):
    """Ends a block as Ctrl-C does."""


@contextmanager
def interrupted(path, **options):
    """An open journal, whose run does not come to its end."""
    with suppress(Interruption), open_journal(path, **options) as opened:
        yield opened
        raise Interruption


def write(path, entries, **options):
    with interrupted(path, **options) as opened:
        for key, value in entries.items():
            opened.add(key, value)


def entries(path, keys, **options):
    with interrupted(path, **options) as opened:
        return {key: opened.get(key) for key in keys}


def test_an_interrupted_run_leaves_its_entries_and_no_other_file(tmp_path):
    path = tmp_path / "new folder" / "\udcff? ü#.journal"
    values = {0: [1, 0.1, None, "ü \udcff"], "a": {"b": []}, 1: 2.0**-1074}
    write(path, values)
    assert os.listdir(path.parent) == [path.name]
    assert entries(path, [0, "a", 1, 2]) == {**values, 2: None}
    write(path, {1: "another"})
    assert entries(path, [0, 1]) == {0: values[0], 1: "another"}


def test_a_run_that_is_done_leaves_nothing(tmp_path):
    with open_journal(tmp_path / "j") as opened:
        opened.add(0, "done")
        assert len(opened) == 1
    assert os.listdir(tmp_path) == []


def test_a_run_that_did_nothing_leaves_nothing(tmp_path):
    write(tmp_path / "j", {})
    assert os.listdir(tmp_path) == []
    write(tmp_path / "j", {"a": 1})
    with interrupted(tmp_path / "j") as opened:
        opened.clear()
    assert os.listdir(tmp_path) == []


def test_what_is_kept_has_the_same_bytes_however_it_came(tmp_path, monkeypatch):
    with open_journal(tmp_path / "one") as opened:
        for key in "abc":
            opened.add(key, [key] * 2000)
        opened.keep("abc")
    write(tmp_path / "two", {"x": "no longer asked for", "c": ["c"] * 2000})
    monkeypatch.setattr(journal, "_COMMIT_SECONDS", 0)
    write(tmp_path / "two", {"b": ["b"] * 2000})
    with open_journal(tmp_path / "two") as opened:
        opened.add("a", ["a"] * 2000)
        opened.keep("cab")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert entries(tmp_path / "two", "abx") == {"a": ["a"] * 2000, "b": ["b"] * 2000, "x": None}


KILLED = """
import sqlite3
import sys
from pathlib import Path
from efld_dlib import journal
journal._COMMIT_SECONDS = 0.01
connect = sqlite3.connect

class Lockless(sqlite3.Connection):
    def execute(self, statement, *values):
        if statement == "BEGIN EXCLUSIVE":
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(statement, *values)

def without_locks(path, *options, uri=False, **named):
    kind = sqlite3.Connection if uri else Lockless
    return connect(path, *options, uri=uri, factory=kind, **named)

if sys.argv[2] == "False":
    sqlite3.connect = without_locks
with journal.open_journal(Path(sys.argv[1])) as opened:
    # Little memory, so that entries are written to the file before they are committed.
    opened._connection.execute("PRAGMA cache_size = 4")
    start = len(opened)
    # One at least, however busy the machine is.
    opened.add(start, [start] * 300)
    opened.commit()
    print("ready", flush=True)
    for number in range(start + 1, start + 1_000_000):
        opened.add(number, [number] * 300)
"""


def kill_at_random_moments(path, times, locks=True):
    counts = []
    for number in range(times):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, path, str(locks)], stdout=subprocess.PIPE
        )
        assert process.stdout.readline() == b"ready\n"
        time.sleep(0.02 + 0.03 * number)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        with interrupted(path) as opened:
            counts.append(len(opened))
            assert opened.get(counts[-1] - 1) == [counts[-1] - 1] * 300
            assert opened.get(counts[-1]) is None
    return counts


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no such signal")
def test_a_killed_process_leaves_what_it_committed(tmp_path):
    counts = kill_at_random_moments(tmp_path / "j", 8)
    assert counts == sorted(set(counts))
    assert os.listdir(tmp_path) == ["j"]


def test_one_process_writes_at_a_time(tmp_path):
    with open_journal(tmp_path / "j") as opened:
        opened.add(0, "mine")
        code = "import sys; from pathlib import Path; from efld_dlib.journal import open_journal\n"
        code += "with open_journal(Path(sys.argv[1]), discard=True): pass"
        other = subprocess.run(
            [sys.executable, "-c", code, tmp_path / "j"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert other.stderr.rstrip().endswith("j: another run is writing it")
        opened.add(1, "still mine")
        assert len(opened) == 2


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no such signal")
def test_a_file_system_without_locks_will_do(tmp_path):
    counts = kill_at_random_moments(tmp_path / "j", 4, locks=False)
    assert counts == sorted(set(counts))


def test_a_journal_that_somebody_removes_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "_COMMIT_SECONDS", 0)
    with open_journal(tmp_path / "j") as opened:
        for number in range(20):
            opened.add(number, number)
            (tmp_path / "j").unlink(missing_ok=True)
        assert [opened.get(number) for number in range(20)] == list(range(20))
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_one_sentence_and_keeps_what_was_committed(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "_COMMIT_SECONDS", 0)
    with interrupted(tmp_path / "j") as opened:
        opened._connection.execute("PRAGMA max_page_count = 20")
        for number in range(10):
            opened.add(number, [number] * 300)
        with pytest.raises(OutputError, match=r"j: cannot be written \(.*disk is full\)"):
            opened.add(10, [10] * 30000)
    assert entries(tmp_path / "j", [0, 9]) == {0: [0] * 300, 9: [9] * 300}


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "j", tmp_path / "folder"):
        with pytest.raises(OutputError, match=r"cannot be written \("), open_journal(path):
            pass


def foreign(path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE done (key, value, checksum)")
    connection.close()


def test_a_damaged_file_is_an_error_or_emptied(tmp_path):
    path = tmp_path / "j"
    write(path, {number: [number] * 300 for number in range(50)})
    data = path.read_bytes()
    foreign(tmp_path / "foreign")
    damaged = [
        b"no database",
        data[: len(data) // 2],
        data[:-1000],
        data.replace(b"[7,7,7,7", b"[7,7,1,7", 1),
        data[:5000] + bytes(3000) + data[8000:],
        (tmp_path / "foreign").read_bytes(),
    ]
    for case in damaged:
        assert case != data
        path.write_bytes(case)
        with pytest.raises(DataError, match="is damaged or of another version"), open_journal(path):
            pass
        assert path.read_bytes() == case
        write(path, {0: "new"}, discard=True)
        assert entries(path, [0, 7]) == {0: "new", 7: None}
    path.write_bytes(data)
    assert entries(path, [7], discard=True) == {7: [7] * 300}
