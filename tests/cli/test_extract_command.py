"""`efld-dlib extract` as a user meets it."""

import csv
import io
import json
import os

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from efld_dlib.cli.main import cli


def run(*arguments, code=0, stdin=None):
    result = CliRunner().invoke(cli, [str(a) for a in arguments], input=stdin)
    assert result.exit_code == code, result.output
    if result.exception is not None:
        assert isinstance(result.exception, SystemExit)
    return result


@pytest.fixture(scope="module")
def photos(astronaut_pixels, tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    face = np.ascontiguousarray(astronaut_pixels[:240, 80:400, ::-1])
    (folder / "deeper").mkdir()
    cv2.imwrite(str(folder / "b.png"), face)
    cv2.imwrite(str(folder / "deeper" / "two.png"), np.hstack([face, face[:, ::-1]]))
    cv2.imwrite(str(folder / "a.jpg"), np.full((90, 90), 99, np.uint8))
    (folder / "c.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("no picture either")
    return folder


@pytest.fixture(scope="module")
def options(tiny_model):
    return ["-m", tiny_model, "--detector", "dlib", "--quality", "fast"]


def rows(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_a_folder_becomes_what_detect_says_of_it(photos, options, tmp_path):
    one, two = tmp_path / "one.csv", tmp_path / "new" / "two.csv"
    result = run("extract", photos, "-o", one, "--jobs", 1, *options, code=1)
    run("extract", photos, "-o", two, "--jobs", 2, *options, code=1)
    assert one.read_bytes() == two.read_bytes()
    found = rows(one)
    names = [os.path.relpath(row["file"], photos) for row in found]
    assert names == ["a.jpg", "b.png", "c.jpg", "deeper/two.png", "deeper/two.png"]
    assert [row["status"] for row in found] == ["no face", "face", "error", "face", "face"]
    assert found[2]["error"] == "is not a picture, or a damaged one"
    detected = run("detect", photos, "--format", "csv", *options, code=1)
    expected = list(csv.DictReader(io.StringIO(detected.stdout)))
    assert found == expected
    assert f"Warning: {photos}/c.jpg: is not a picture" in result.stderr
    assert "3 faces in 4 pictures; 1 could not be used" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "one.csv"]


def test_pictures_come_from_lists_in_their_order(photos, options, tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text(f"{photos}/b.png\n\n{photos}/a.jpg\n")
    target = tmp_path / "t.jsonl"
    words = ("-o", target, "--features", "36-45/30-48", *options)
    run("extract", f"@{listed}", photos / "a.jpg", "--jobs", 1, *words)
    by_at = target.read_bytes()
    entries = [json.loads(line) for line in by_at.splitlines()]
    assert [entry["file"][-5:] for entry in entries] == ["b.png", "a.jpg"]
    assert list(entries[0])[-1] == "r_36_45_30_48"
    run("extract", f"@{listed}", "--jobs", 1, *words)
    assert target.read_bytes() == by_at
    run("extract", "@-", "--jobs", 1, *words, stdin=listed.read_bytes())
    assert target.read_bytes() == by_at


def test_a_list_from_windows_is_one(photos, options, tmp_path):
    listed, target = tmp_path / "list.txt", tmp_path / "t.csv"
    listed.write_bytes(b"\xef\xbb\xbf" + f"{photos}/b.png\r\n\r\n{photos}/a.jpg\r\n".encode())
    run("extract", f"@{listed}", "-o", target, "--jobs", 1, *options)
    assert [row["file"] for row in rows(target)] == [f"{photos}/b.png", f"{photos}/a.jpg"]


def test_a_list_with_odd_names_is_taken_as_it_is(photos, options, tmp_path):
    odd = tmp_path / "two\u2028lines.png"
    odd.write_bytes((photos / "b.png").read_bytes())
    listed, target = tmp_path / "list.txt", tmp_path / "t.csv"
    # As of a file that is no list: no file can have such a name.
    listed.write_bytes(f"{odd}\n".encode() + b"a\0b\n")
    result = run("extract", f"@{listed}", "-o", target, "--jobs", 1, *options, code=1)
    assert "1 face in 2 pictures; 1 could not be used" in result.stderr
    assert [row["status"] for row in rows(target)] == ["face", "error"]


def test_a_missing_picture_has_a_row_and_strict_stops_at_it(photos, options, tmp_path):
    target = tmp_path / "t.csv"
    words = ("extract", "gone.jpg", photos / "b.png", "-o", target, "--jobs", 1, *options)
    run(*words, code=1)
    assert [(row["file"], row["status"]) for row in rows(target)] == [
        ("gone.jpg", "error"),
        (str(photos / "b.png"), "face"),
    ]
    target.unlink()
    assert "gone.jpg: cannot be read" in run(*words, "--strict", code=2).stderr
    assert not target.exists()


def test_only_the_first_bad_pictures_are_warned_of(options, tmp_path):
    names = [f"gone{number}.jpg" for number in range(30)]
    result = run("extract", *names, "-o", tmp_path / "t.csv", "--jobs", 1, *options, code=1)
    warnings = [line for line in result.stderr.splitlines() if line.startswith("Warning")]
    assert len(warnings) == 21
    assert "only in the table" in warnings[-1]
    assert len(rows(tmp_path / "t.csv")) == 30


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.jpg", "-o", "t.xlsx"], "must end in .parquet, .csv or .jsonl"),
        (["-o", "t.csv"], "Missing argument 'INPUTS...'"),
        (["-", "-o", "t.csv"], "efld-dlib detect"),
        (["@gone.txt", "-o", "t.csv"], "gone.txt: cannot be read"),
        (["@/dev/null", "-o", "t.csv"], "list without a picture"),
        (["a.jpg", "-o", "t.csv", "-m", "gone.dat"], "gone.dat"),
        (["a.jpg", "-o", "t.csv", "--features", "99-100"], "99-100"),
        (["a.jpg", "-o", "t.csv", "--detector", "yunet=gone.onnx"], "gone.onnx"),
        (["a.jpg", "-o", "t.csv", "--detector", "nonsense"], "nonsense"),
    ],
)
def test_bad_options_are_refused_before_anything_is_written(
    tmp_path, monkeypatch, arguments, words
):
    monkeypatch.chdir(tmp_path)
    assert words in run("extract", *arguments, code=2).stderr
    # Neither a table nor a journal; the measuring of coverage leaves files of its own.
    assert not list(tmp_path.glob("t.*"))
