import csv
import io
import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from efld_dlib import FaceLandmarker, __version__
from efld_dlib.cli.main import cli
from efld_dlib.xml.read import read_xml


def run(*arguments, code=0, stdin=None):
    result = CliRunner().invoke(cli, [str(a) for a in arguments], input=stdin)
    assert result.exit_code == code, result.output
    if result.exception is not None:
        # Only an orderly exit: anything else would be a traceback for the user.
        assert isinstance(result.exception, SystemExit)
    return result


@pytest.fixture
def photo(astronaut, tmp_path):
    path = tmp_path / "photos" / "astronaut.png"
    path.parent.mkdir()
    cv2.imwrite(str(path), astronaut[:, :, ::-1])
    return path


def test_the_program_helps_and_tells_its_version():
    assert "Examples:\n" in run("--help").stdout
    assert __version__ in run("--version").stdout


def test_module_and_script_are_the_same_program(tiny_model, photo):
    outputs = [
        subprocess.run(
            [*program, "detect", str(photo), "-m", str(tiny_model)],
            capture_output=True,
            check=True,
            text=True,
        )
        for program in (
            [sys.executable, "-m", "efld_dlib"],
            [Path(sys.executable).with_name("efld-dlib")],
        )
    ]
    assert outputs[0].stdout == outputs[1].stdout
    assert len(json.loads(outputs[0].stdout)["images"][0]["faces"]) == 1
    assert "1 face in 1 picture" in outputs[0].stderr


@pytest.mark.parametrize("kind", ["json", "jsonl", "csv"])
def test_detect_writes_the_format_of_the_suffix(tiny_model, photo, tmp_path, kind):
    target = tmp_path / f"out.{kind}"
    run("detect", photo, "-m", tiny_model, "-o", target)
    text = target.read_text()
    if kind == "csv":
        (row,) = csv.DictReader(io.StringIO(text))
        assert row["file"] == str(photo)
        x = float(row["x_30"])
    else:
        entry = json.loads(text)
        entry = entry["images"][0] if kind == "json" else entry
        x = entry["faces"][0]["points"][30][0]
    assert 179 < x < 267
    # The same on stdout with --format.
    assert run("detect", photo, "-m", tiny_model, "--format", kind).stdout == text


def test_detect_takes_folders_globs_and_stdin(tiny_model, photo, tmp_path):
    cv2.imwrite(str(photo.parent / "wall.jpg"), np.full((90, 90), 99, np.uint8))
    (photo.parent / "notes.txt").write_text("no picture")
    folder = json.loads(run("detect", photo.parent, "-m", tiny_model).stdout)["images"]
    assert [len(entry["faces"]) for entry in folder] == [1, 0]
    pattern = json.loads(run("detect", photo.parent / "*.png", "-m", tiny_model).stdout)["images"]
    assert pattern == folder[:1]
    piped = run("detect", "-", "-m", tiny_model, stdin=photo.read_bytes())
    assert json.loads(piped.stdout)["images"][0]["faces"] == folder[0]["faces"]


def test_detect_annotates_without_touching_the_pictures(tiny_model, photo):
    before = photo.read_bytes()
    run("detect", photo, "-m", tiny_model, "--annotate", photo.parent)
    drawn = cv2.imread(str(photo.parent / "astronaut-landmarks.jpg"))
    original = cv2.imread(str(photo))
    assert drawn.shape == original.shape
    changed = np.abs(drawn.astype(int) - original).max(axis=2) > 100
    rows, columns = np.nonzero(changed)
    assert changed.sum() > 300
    assert rows.min() > 50
    assert rows.max() < 250
    assert columns.min() > 150
    assert columns.max() < 350
    assert photo.read_bytes() == before


def test_pictures_of_one_name_are_annotated_side_by_side(tiny_model, photo, tmp_path):
    other = tmp_path / "other" / "astronaut.png"
    other.parent.mkdir()
    other.write_bytes(photo.read_bytes())
    run("detect", photo, other, "-m", tiny_model, "--annotate", tmp_path / "drawn")
    names = sorted(path.name for path in (tmp_path / "drawn").iterdir())
    assert names == ["astronaut-landmarks-2.jpg", "astronaut-landmarks.jpg"]


def test_detect_gives_the_features_asked_for(tiny_model, photo):
    result = run("detect", photo, "-m", tiny_model, "--features", "36-45,36-45/30-48")
    face = json.loads(result.stdout)["images"][0]["faces"][0]
    points = np.array(face["points"])
    expected = np.linalg.norm(points[36] - points[45])
    assert face["features"]["d_36_45"] == pytest.approx(expected, abs=0.02)
    assert list(face["features"]) == ["d_36_45", "r_36_45_30_48"]


def test_one_bad_picture_of_several_is_skipped(tiny_model, photo, tmp_path):
    empty = tmp_path / "empty.jpg"
    empty.touch()
    result = run("detect", empty, "gone.jpg", photo, "-m", tiny_model, code=1)
    entries = json.loads(result.stdout)["images"]
    assert "is empty" in entries[0]["error"]
    assert entries[1]["file"] == "gone.jpg"
    assert "cannot be read" in entries[1]["error"]
    assert len(entries[2]["faces"]) == 1
    assert "empty.jpg: is empty" in result.stderr
    assert "2 inputs could not be used" in result.stderr
    strict = run("detect", empty, photo, "-m", tiny_model, "--strict", code=2)
    assert "empty.jpg" in strict.stderr


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("gone.jpg", None, "cannot be read"),
        ("empty.jpg", b"", "is empty"),
        ("text.jpg", b"this is no picture", "is not a picture"),
        ("cut.png", "half", "cut.png"),
    ],
)
def test_a_bad_picture_alone_is_one_line_and_exit_code_2(
    tiny_model, photo, tmp_path, name, content, words
):
    path = tmp_path / name
    if content == "half":
        content = photo.read_bytes()[:40]
    if content is not None:
        path.write_bytes(content)
    result = run("detect", path, "-m", tiny_model, "-o", tmp_path / "out.json", code=2)
    assert words in result.stderr
    assert str(path) in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out.json").exists()


@pytest.mark.skipif(
    tuple(map(int, cv2.__version__.split(".")[:2])) < (4, 11),
    reason="an older OpenCV writes it whatever one sets",
)
def test_opencv_adds_nothing_to_what_is_said_of_a_damaged_picture(tmp_path):
    # It logs what it cannot decode, without the file's name.
    path = tmp_path / "damaged.hdr"
    path.write_bytes(b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 20 +X 20\n" + bytes(200))
    result = subprocess.run(
        [sys.executable, "-m", "efld_dlib", "detect", path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert result.stderr == f"Error: {path}: is not a picture, or a damaged one\n"


def test_a_name_that_no_file_can_have_is_skipped_like_any_other(tiny_model, photo):
    name = "a" * 5000 + ".jpg"
    result = run("detect", name, photo, "-m", tiny_model, "--format", "jsonl", code=1)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert "File name too long" in lines[0]["error"]
    assert "error" not in lines[1]


def test_a_picture_that_takes_too_much_memory_is_skipped(tiny_model, photo, monkeypatch):
    other = photo.with_name("other.png")
    shutil.copy(photo, other)
    detect = FaceLandmarker.detect
    answers = iter([MemoryError(), None])

    def short_of_memory(self, image, color):
        if (error := next(answers)) is not None:
            raise error
        return detect(self, image, color)

    monkeypatch.setattr(FaceLandmarker, "detect", short_of_memory)
    result = run("detect", photo, other, "-m", tiny_model, "--format", "jsonl", code=1)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert lines[0]["error"] == "needs more memory than there is"
    assert "error" not in lines[1]


def test_detect_needs_no_model_of_its_own(photo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (face,) = json.loads(run("detect", photo).stdout)["images"][0]["faces"]
    assert len(face["points"]) == 68


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--features", "99-100"], "99-100"),
        (["-o", "out.xlsx"], "--format"),
        (["-m", "gone.dat"], "gone.dat"),
    ],
)
def test_detect_refuses_bad_options(tiny_model, photo, arguments, words):
    if "-m" not in arguments:
        arguments = [*arguments, "-m", tiny_model]
    assert words in run("detect", photo, *arguments, code=2).stderr


def test_folders_without_pictures_and_globs_without_files(tiny_model, tmp_path):
    assert "without a picture" in run("detect", tmp_path, "-m", tiny_model, code=2).stderr
    assert "no file" in run("detect", tmp_path / "*.jpg", "-m", tiny_model, code=2).stderr


def test_xml_convert_counts_and_skips(sample, tmp_path):
    target = tmp_path / "out.xml"
    result = run("xml", "convert", sample, "--subset", "helen/testset", "-o", target)
    records = list(read_xml(target))
    assert f"helen/testset: {len(records)} faces of the official 330" in result.stderr
    bad = tmp_path / "faces"
    bad.mkdir()
    (bad / "lonely.pts").write_text("1 2\n" * 68)
    (bad / "short.pts").write_text("1 2\n" * 67)
    good = records[0].path
    (bad / good.name).write_bytes(good.read_bytes())
    (bad / good.name).with_suffix(".pts").write_bytes(good.with_suffix(".pts").read_bytes())
    result = run("xml", "convert", bad, "-o", target, code=1)
    assert "lonely.pts: has no picture" in result.stderr
    assert "expected 68 points, found 67" in result.stderr
    assert len(list(read_xml(target))) == 1
    run("xml", "convert", bad, "-o", tmp_path / "strict.xml", "--strict", code=2)
    assert not (tmp_path / "strict.xml").exists()


def test_xml_convert_of_nothing(tmp_path):
    assert (
        "no usable .pts" in run("xml", "convert", tmp_path, "-o", tmp_path / "o.xml", code=2).stderr
    )
    assert (
        "does not exist"
        in run("xml", "convert", tmp_path / "gone", "-o", tmp_path / "o.xml", code=2).stderr
    )


def test_prepare_train_and_evaluate(sample, tmp_path):
    data, model = tmp_path / "xml", tmp_path / "m.dat"
    result = run("prepare", sample, "--subset", "lfpw/trainset", "-o", data, "-j", "1")
    assert "boxes:" in result.stdout
    assert "held out" in result.stdout
    quick = ["--set", "num_trees_per_cascade_level=5", "--set", "cascade_depth=3"]
    result = run(
        *("train", data, "-o", model, "--preset", "nano", *quick, "-j", "1"),
        *("--licence", "only a test"),
    )
    assert "validation NME" in result.stdout
    assert "licence: only a test" in run("model", "info", model).stdout
    assert json.loads(model.with_suffix(".json").read_text())["options"]["num_threads"] == 1
    figures = tmp_path / "figures.json"
    result = run(
        "evaluate", model, data / "validation.xml", "--boxes", "file", "-j", "1", "-o", figures
    )
    written = json.loads(figures.read_text())
    (measured,) = written["data"][0]["models"]
    assert measured["missed"] == 0
    assert f"{100 * measured['nme']['inter-ocular']['value']:.2f}" in result.stdout
    whole = run("evaluate", model, sample, "--subset", "helen/testset", "-j", "1")
    assert "missed" in whole.stdout


def test_preview_draws_a_row_a_face_and_prepares_nothing(sample, tmp_path):
    sheet, data = tmp_path / "sheet.png", tmp_path / "data"
    said = run("prepare", sample, "-o", data, "--augment", "all", "--preview", sheet, "-j", "1")
    assert "sheet.png" in said.stdout
    assert not data.exists()
    drawn = cv2.imread(str(sheet))
    # Six faces; as they are, under each of six augmentations, and three times under all of them.
    assert drawn.shape[1] == 10 * 220
    assert drawn.shape[0] >= 6 * 220
    # A face that an augmentation left alone would be drawn like the first column.
    tiles = [drawn[:220, 220 * column : 220 * (column + 1)] for column in range(10)]
    assert all(np.abs(tile.astype(int) - tiles[0]).mean() > 0.5 for tile in tiles[1:])


def test_prepare_goes_on_from_xml_too(sample, tmp_path):
    run("xml", "convert", sample, "--subset", "helen/testset", "-o", tmp_path / "in.xml")
    result = run("prepare", tmp_path / "in.xml", "-o", tmp_path / "data", "-j", "1")
    assert "held out" in result.stdout
    assert list(read_xml(tmp_path / "data" / "train.xml"))


def test_emphasis_is_on_the_first_source(sample, tmp_path):
    run("xml", "convert", sample, "--subset", "helen/testset", "-o", tmp_path / "in.xml")
    options = ["--variants", "2", "--weights", "none", "--validation", "0", "-j", "1"]
    many = ["--emphasis", "3", *options, "-o", tmp_path / "data"]
    run("prepare", tmp_path / "in.xml", sample, "--subset", "lfpw/trainset", *many)
    records = read_xml(tmp_path / "data" / "train.xml")
    samples = Counter(record.path.name.partition("-")[0] for record in records)
    first = sum(len(record.faces) for record in read_xml(tmp_path / "in.xml"))
    assert Counter(samples.values()) == {6: first, 2: len(samples) - first}
    assert len(samples) > first


def test_bad_data_for_prepare_train_and_evaluate(tiny_model, tmp_path):
    unknown = tmp_path / "unknown.xml"
    unknown.write_text(
        "<dataset><comment>scheme 68</comment><images>\n"
        "<image file='a.jpg'><box top='1' left='1' width='9' height='9'>\n"
        "<part name='nose' x='1' y='1'/></box></image></images></dataset>"
    )
    for command in (
        ["train", unknown, "-o", tmp_path / "m.dat"],
        ["evaluate", tiny_model, unknown],
    ):
        said = run(*command, code=2).stderr
        assert "unknown.xml, line 3: unknown part 'nose'" in said
    text = tmp_path / "notes.txt"
    text.write_text("x")
    assert "neither a folder nor an .xml" in run("prepare", text, code=2).stderr
    assert "does not exist" in run("prepare", tmp_path / "gone", code=2).stderr
    assert "no option 'mu'" in run("train", unknown, "--set", "mu=1", code=2).stderr
    said = run("train", unknown, "--set", "mu", code=2).stderr
    assert "--set takes NAME=VALUE, not 'mu'" in said
    not_a_model = tmp_path / "not.dat"
    not_a_model.write_text("x")
    assert (
        "not.dat: is not a dlib shape predictor"
        in run("evaluate", not_a_model, tmp_path, code=2).stderr
    )


def test_a_closed_pipe_is_no_traceback(tiny_model, photo):
    command = f"{sys.executable} -m efld_dlib detect {photo} -m {tiny_model} | true"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert "Traceback" not in result.stderr
