"""Outputs that cannot be written: no room, no folder, nobody who reads."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir

import pytest

from efld_dlib.journal import open_journal
from efld_dlib.prepare.build import RUNNING

from .judge import PRECIOUS, run_command
from .writers import WRITERS, arguments

PROJECT = Path(__file__).resolve().parents[2]


@contextmanager
def little_room(size):
    """No file may grow over `size` bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_said_and_harms_nothing(name, samples, tmp_path):
    file = WRITERS[name][1]
    output = tmp_path / "out" / file
    with little_room(100):
        result = run_command(
            arguments(name, samples, output), ("out", gettempdir()), output if file else None
        )
    assert result.exit_code == 2
    assert "cannot be " in result.stderr  # written, or made a folder
    assert [path for path in tmp_path.rglob(".*") if path.is_file()] == []


@pytest.mark.parametrize("name", WRITERS)
def test_a_place_that_cannot_be_written_to_is_said(name, samples, tmp_path):
    (tmp_path / "file").write_bytes(PRECIOUS)
    output = tmp_path / "file" / (WRITERS[name][1] or "folder")
    result = run_command(arguments(name, samples, output), ("file",))
    assert result.exit_code == 2
    assert (tmp_path / "file").read_bytes() == PRECIOUS


def shell(script, samples, **environment):
    return subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, "PYTHONPATH": str(PROJECT), "S": str(samples), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


EFLD = f'"{sys.executable}" -m efld_dlib'
DETECT = f"{EFLD} detect $S/pictures/p.jpg $S/pictures/p.png -m $S/models/full.dat --detector dlib"


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        (f"{DETECT} --format jsonl | head -1 | wc -l", 0, "1"),
        (f"set -o pipefail; {EFLD} --help | true", None, ""),
        (f"{DETECT} >&-", 0, "0 faces in 2 pictures"),
        (f"{DETECT} 2>&-", 0, '"images"'),
        (f"{DETECT} > /dev/full", 2, "the output: No space left on device"),
        (f"{EFLD} model info $S/models/full.dat > /dev/full", 2, "No space left on device"),
        (f"{EFLD} --version > /dev/full", 2, "No space left on device"),
        (f"{EFLD} detect - -m $S/models/full.dat <&-", 2, "<stdin>: is empty"),
        (f"{EFLD} detect nothing.jpg 2>&1 >&-", 2, "nothing.jpg: cannot be read"),
        (f"{EFLD} detect <(cat $S/pictures/p.jpg) -m $S/models/full.dat", 0, "0 faces in 1 pic"),
    ],
)
def test_streams_that_are_closed_full_or_read_no_further(script, code, said, samples):
    result = shell(script, samples)
    assert "Traceback" not in result.stderr
    assert "Exception ignored" not in result.stderr
    assert said in result.stdout + result.stderr
    if code is not None:
        assert result.returncode == code


def test_a_run_that_fails_at_its_first_picture_prints_no_half_document(samples):
    result = shell(f"{EFLD} detect nothing.jpg -m $S/models/full.dat", samples)
    assert result.returncode == 2
    assert result.stdout == ""


def test_two_runs_do_not_prepare_one_folder(samples, tmp_path):
    with open_journal(tmp_path / "out" / RUNNING):
        result = run_command(arguments("prepare", samples, tmp_path / "out"), ("out",))
        assert result.exit_code == 2
        assert f"{RUNNING}: another run is writing it" in result.stderr
    assert run_command(arguments("prepare", samples, tmp_path / "out"), ()).exit_code == 0


def test_of_two_runs_at_once_one_wins_whole(samples, tmp_path):
    script = f"{EFLD} model compress $S/models/full.dat -o out/m.efld --step "
    both = shell(f"cd {tmp_path}; {script} 1e-3 & {script} 2e-3; wait", samples)
    assert both.returncode == 0, both.stderr
    written = (tmp_path / "out" / "m.efld").read_bytes()
    alone = {}
    for step in ("1e-3", "2e-3"):
        shell(f"cd {tmp_path}; {script} {step}", samples)
        alone[step] = (tmp_path / "out" / "m.efld").read_bytes()
    assert written in alone.values()
    assert os.listdir(tmp_path / "out") == ["m.efld"]


def test_in_a_bulk_run_what_is_sound_is_read(samples, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"")
    (tmp_path / "b.png").symlink_to("/dev/zero")
    (tmp_path / "c.png").symlink_to("gone")
    os.mkfifo(tmp_path / "d.jpg")
    (tmp_path / "e.jpg").write_bytes((samples / "pictures" / "p.jpg").read_bytes())
    model = str(samples / "models" / "full.dat")
    result = run_command(["detect", str(tmp_path), "-m", model, "--format", "jsonl"], ())
    assert result.exit_code == 1
    lines = {Path(line["file"]).name: line for line in map(json.loads, result.stdout.splitlines())}
    assert "error" not in lines["e.jpg"]
    assert all("error" in line for name, line in lines.items() if name != "e.jpg")
    assert {"a.jpg", "e.jpg"} <= set(lines)
