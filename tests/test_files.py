"""Outputs are whole or not there at all."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
import threading

import pytest

from efld_dlib import files
from efld_dlib.errors import DataError
from efld_dlib.files import atomic_path, is_file, read_bytes, write_json, write_text


def test_the_target_appears_only_at_the_end(tmp_path):
    target = tmp_path / "new folder" / "out.jpg"
    with atomic_path(target) as temporary:
        assert temporary.parent == target.parent  # or the renaming would copy
        assert temporary.suffix == ".jpg"
        temporary.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert os.listdir(target.parent) == ["out.jpg"]


def test_the_old_file_stays_until_then(tmp_path):
    target = tmp_path / "out.txt"
    target.write_text("old")
    with atomic_path(target) as temporary:
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, error):
    target = tmp_path / "out.txt"
    target.write_text("old")

    def fail():
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["out.txt"]


def test_a_folder_as_target_is_refused(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match="is a folder") as caught:
        write_text(tmp_path / "out", "text")
    assert caught.value.source == str(tmp_path / "out")
    assert os.listdir(tmp_path) == ["out"]


def test_a_path_below_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("old")
    with pytest.raises(DataError, match="cannot be written") as caught:
        write_text(tmp_path / "file" / "out.txt", "text")
    assert caught.value.source == str(tmp_path / "file" / "out.txt")
    assert (tmp_path / "file").read_text() == "old"


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="needs a user who can be locked out"
)
def test_a_locked_folder_cannot_be_written(tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(DataError, match=r"out\.txt: cannot be written"):
        write_text(locked / "out.txt", "text")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_or_device_is_not_replaced_by_a_file(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(DataError, match="not a file to write"):
        write_text(pipe, "text")
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert os.listdir(tmp_path) == ["pipe"]


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_follow_the_umask(tmp_path, umask, mode):
    # In a process of its own: the mask belongs to the whole process.
    code = (
        f"import os; os.umask({umask}); from efld_dlib.files import write_text; "
        f"write_text({str(tmp_path / 'out.txt')!r}, 'text')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert stat.S_IMODE((tmp_path / "out.txt").stat().st_mode) == mode


def test_reading_the_umask_does_not_change_it():
    code = (
        "import os; os.umask(0o027); import efld_dlib.files; "
        "raise SystemExit(0 if os.umask(0) == 0o027 else 1)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_text_is_utf_8_with_plain_line_ends(tmp_path):
    write_text(tmp_path / "out.txt", "Zürich\n東京\n")
    assert (tmp_path / "out.txt").read_bytes() == "Zürich\n東京\n".encode()


def test_json_is_readable_by_people_and_programs(tmp_path):
    value = {"name": "Zürich", "numbers": [1, 2.5, None]}
    write_json(tmp_path / "out.json", value)
    text = (tmp_path / "out.json").read_text(encoding="utf-8")
    assert json.loads(text) == value
    assert "Zürich" in text
    assert text.endswith("}\n")


def test_a_value_that_json_cannot_hold_leaves_the_old_file(tmp_path):
    write_json(tmp_path / "out.json", [1])
    with pytest.raises(TypeError):
        write_json(tmp_path / "out.json", [object()])
    assert json.loads((tmp_path / "out.json").read_text()) == [1]
    assert os.listdir(tmp_path) == ["out.json"]


def test_there_is_no_room_left(tmp_path):
    target = tmp_path / "out.txt"
    target.write_text("old")

    def fail(error):
        with atomic_path(target):
            raise error

    with pytest.raises(DataError, match=r"out\.txt: cannot be written \(No space left on device\)"):
        fail(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    # Of another file, and of another kind: no matter of the output.
    for error in (OSError(errno.EIO, "gone", "in.jpg"), FileNotFoundError(errno.ENOENT, "no")):
        with pytest.raises(type(error)) as caught:
            fail(error)
        assert caught.value is error
    assert os.listdir(tmp_path) == ["out.txt"]
    assert target.read_text() == "old"


def test_only_files_are_read(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert read_bytes(tmp_path / "link") == b"x" * 3_000_000
    (tmp_path / "zero").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    for name in ("zero", "pipe"):
        with pytest.raises(OSError, match="a device, a pipe or a socket"):
            read_bytes(tmp_path / name)
    with pytest.raises(IsADirectoryError):
        read_bytes(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "gone")


def test_a_pipe_is_read_where_it_will_do(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(b"data",))
    writer.start()
    assert read_bytes(tmp_path / "pipe", pipes=True) == b"data"
    writer.join()


def test_a_file_that_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_BYTES", 1000)
    (tmp_path / "a").write_bytes(b"x" * 1000)
    assert len(read_bytes(tmp_path / "a")) == 1000
    (tmp_path / "a").write_bytes(b"x" * 1001)
    with pytest.raises(OSError, match="larger than"):
        read_bytes(tmp_path / "a")


def test_no_name_is_an_error_to_ask_for(tmp_path):
    assert is_file(__file__)
    assert not is_file(tmp_path / ("a" * 5000))
    assert not is_file("a\0b")


def test_a_name_that_is_no_text_is_written_all_the_same(tmp_path):
    name = os.fsdecode(b"a\xff\xc3\xa9.png")
    write_json(tmp_path / "out.json", {"file": name, "more": "é"})
    assert json.loads((tmp_path / "out.json").read_text("utf-8")) == {"file": name, "more": "é"}
    write_text(tmp_path / "out.md", name)
    assert (tmp_path / "out.md").read_text("utf-8") == "a\\udcffé.png"


@pytest.mark.parametrize("name", ["a\0.png", "a\ud800.png"], ids=["zero byte", "surrogate"])
def test_a_name_that_no_file_can_have(name):
    with pytest.raises(OSError, match="none that a file can have"):
        read_bytes(name)
