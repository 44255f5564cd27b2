"""The commands on dlib's XML files, as a user calls them."""

from __future__ import annotations

import base64
import json
import re

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from efld_dlib.boxes import Box
from efld_dlib.cli.main import cli
from efld_dlib.drawing import POINT_COLOUR, contact_sheet, face_tile
from efld_dlib.pose import mean_face_3d, rotation_matrix
from efld_dlib.records import FaceAnnotation, ImageRecord
from efld_dlib.xml.read import read_xml
from efld_dlib.xml.write import write_xml

COMMANDS = ("info", "check", "view", "merge", "split")


def run(*arguments, code=0):
    result = CliRunner().invoke(cli, ["xml", *map(str, arguments)])
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def face(yaw=0.0):
    points = (mean_face_3d() @ rotation_matrix((yaw, 0, 0)).T)[:, :2] * 40 + [80, 60]
    return FaceAnnotation(np.rint(points), Box(45, 40, 70, 70))


@pytest.fixture
def faces(tmp_path):
    """Six pictures <&> names apart, one face each; the fifth turned, the last with a part off."""
    records = []
    for number in range(6):
        path = tmp_path / "p" / f"{number} é.png"
        path.parent.mkdir(exist_ok=True)
        data = cv2.imencode(".png", np.full((120, 160), 40 * number, np.uint8))[1]
        path.write_bytes(data.tobytes())
        annotation = face(50 if number == 4 else 3 * number)
        if number == 5:
            annotation.points[8] += 30
        records.append(ImageRecord(path, (annotation,)))
    target = tmp_path / "faces.xml"
    write_xml(target, records)
    return target


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps_with_an_example(command):
    assert f"efld-dlib xml {command}" in run(command, "--help").stdout
    assert command in run("--help").stdout


def test_info_on_stdout_and_as_json(faces, tmp_path):
    target = tmp_path / "info.json"
    text = run("info", faces, "-o", target).stdout
    assert re.search(r"^faces +6$", text, re.MULTILINE)
    assert "45 to 60       1 #" in text
    contents = json.loads(target.read_text())
    assert contents["faces"] == contents["full_faces"] == 6
    assert contents["pose"]["yaw"]["maximum"] == pytest.approx(50, abs=4)
    assert contents["unreadable_pictures"] == 0


def test_info_skips_wrong_entries_and_says_so(faces):
    faces.write_text(faces.read_text().replace("width='70'", "width='x'", 1))
    result = run("info", faces, "--no-pictures", code=1)
    assert "Warning" in result.stderr
    assert re.search(r"^faces +5$", result.stdout, re.MULTILINE)


def test_json_has_null_where_there_is_no_number(tmp_path):
    empty, target = tmp_path / "e.xml", tmp_path / "e.json"
    write_xml(empty, [])
    run("info", empty, "-o", target)
    assert json.loads(target.read_text())["box_width"]["mean"] is None


def test_check_exit_codes_and_streams(faces):
    clean = run("check", faces, "-j", 1)
    assert clean.stdout == ""
    assert "no problem in 6 pictures with 6 faces" in clean.stderr
    (faces.parent / "p" / "2 é.png").unlink()
    faces.write_text(faces.read_text().replace("height='70'", "height='0'"))
    found = run("check", faces, "-j", 1, "--most", 2, code=1)
    lines = found.stdout.splitlines()
    assert len(lines) == 3
    assert (
        lines[0]
        == f"{faces}, line 8: face 1 of p/0 é.png: box of 70 x 0 pixels has no area for dlib"
    )
    assert re.fullmatch(rf"{re.escape(str(faces))}, line \d+: p/2 é.png does not exist", lines[2])
    assert "6  a box without area (4 not shown)" in found.stderr
    assert "7 problems in" in found.stderr
    assert "not exist" not in run("check", faces, "--no-pictures", code=1).stdout
    faces.write_text("hello")
    assert "not well-formed XML" in run("check", faces, code=2).stderr
    assert "cannot be read" in run("check", faces.parent / "gone.xml", code=2).stderr
    run("check", faces, "--scheme", "17", code=2)


def captions(page):
    return re.findall(r"<figcaption>(.*?)</figcaption>", page)


@pytest.mark.parametrize(
    ("order", "first"), [("file", "p/0 é.png"), ("rarest", "p/4 é.png"), ("worst", "p/5 é.png")]
)
def test_view_puts_the_asked_for_faces_first(faces, tmp_path, order, first):
    target = tmp_path / "sheet.html"
    run("view", faces, "-o", target, "--order", order, "--limit", 4)
    page = target.read_text("utf-8")
    assert len(captions(page)) == 4
    assert captions(page)[0].startswith(first)


def test_the_page_holds_its_pictures_and_escapes_names(tmp_path):
    name = """"><script>alert('é')</script>.png""".replace("/", "_")
    path = tmp_path / name
    path.write_bytes(cv2.imencode(".png", np.full((120, 160, 3), 90, np.uint8))[1].tobytes())
    source, target = tmp_path / "a.xml", tmp_path / "a.html"
    write_xml(source, [ImageRecord(path, (face(),))])
    run("view", source, "-o", target, "--size", 100)
    page = target.read_text("utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "src=" in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    (data,) = re.findall(r"base64,([^\"]+)", page)
    tile = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    assert tile.shape == (100, 100, 3)


def test_view_as_a_picture_in_random_order(faces, tmp_path):
    sheets = []
    for name, order in (("a", "random"), ("b", "random"), ("c", "file")):
        target = tmp_path / f"{name}.png"
        run("view", faces, "-o", target, "--order", order, "--size", 60)
        sheets.append(target.read_bytes())
    assert sheets[0] == sheets[1] != sheets[2]
    sheet = cv2.imread(str(target))
    assert sheet.shape[1] % 60 == 0
    assert sheet.shape[0] % 2 == 0


def test_view_skips_pictures_that_are_missing(faces, tmp_path):
    (faces.parent / "p" / "1 é.png").unlink()
    target = tmp_path / "s.html"
    result = run("view", faces, "-o", target, code=1)
    assert "1 é.png: cannot be read" in result.stderr
    assert len(captions(target.read_text("utf-8"))) == 5


def test_view_says_no_before_it_works(faces, tmp_path):
    assert "neither in .html" in run("view", faces, "-o", tmp_path / "s.xyz", code=2).stderr
    faces.write_text(faces.read_text().replace("<comment>", "<comment>scheme 194"))
    sheet = tmp_path / "s.png"
    said = run("view", faces, "-o", sheet, "--order", "rarest", code=2).stderr
    assert "the pose, which scheme 194 does not tell" in said
    empty = tmp_path / "e.xml"
    write_xml(empty, [])
    assert "no face to show" in run("view", empty, "-o", sheet, code=2).stderr
    assert not sheet.exists()


def test_merge_and_split_make_files_that_are_clean(faces, tmp_path):
    moved = tmp_path / "elsewhere" / "all.xml"
    result = run("merge", faces, faces, "-o", moved)
    assert "6 pictures, 6 boxes" in result.stderr
    assert "6 entries were of pictures already there, 6 of their boxes the same" in result.stderr
    train, rest = tmp_path / "t.xml", tmp_path / "x" / "v.xml"
    result = run("split", moved, "--train", train, "--held-out", rest, "--fraction", "0.33")
    assert "4 pictures" in result.stderr
    for file, count in ((train, 4), (rest, 2)):
        run("check", file, "-j", 1)
        assert len(list(read_xml(file))) == count
    run("split", moved, "--train", train, "--held-out", rest, "--fraction", "1", code=2)
    run("merge", "-o", train, code=2)


def test_contact_sheet_places_tiles_row_by_row():
    tiles = [np.full((20, 40, 3), value, np.uint8) for value in (50, 100, 150)]
    tiles[1] = np.full((30, 30), 100, np.uint8)
    sheet = contact_sheet(tiles, ["a", "", "é" * 99], columns=2, size=80)
    strip = sheet.shape[0] // 2 - 80
    assert sheet.shape == (2 * (80 + strip), 160, 3)
    assert strip > 10
    assert (sheet[40, 40] == 50).all()
    assert (sheet[19, 40] == 24).all()  # 40 x 20 fills the middle half of its square
    assert (sheet[:80, 80:] == 100).all()
    assert (sheet[80 + strip + 40, 40] == 150).all()
    assert (sheet[80 + strip :, 80:] == 24).all()
    written = (sheet[-strip:, :80] != 24).any(axis=(0, 2))
    assert written[:78].sum() > 30
    assert not written[79:].any()  # cut to its tile
    with pytest.raises(ValueError, match="1 tiles and 2 captions"):
        contact_sheet(tiles[:1], ["a", "b"])


@pytest.mark.parametrize("box", [None, Box(-30, -20, 70, 70)])
def test_a_tile_shows_the_face_in_its_middle(box):
    image = np.full((400, 500), 90, np.uint8)
    points = np.full((68, 2), np.nan)
    points[[0, 1]] = [(200, 100), (300, 300)]
    tile = face_tile(image, FaceAnnotation(points, box), 200)
    assert tile.shape == (200, 200, 3)
    rows, columns = np.nonzero(np.abs(tile.astype(int) - POINT_COLOUR).sum(axis=2) < 60)
    if box is None:
        # 201 pixels high with margins: the points stand 0.5 / 1.24 of the tile off its middle.
        assert rows.min() == pytest.approx(100 - 100 / 1.24, abs=4)
        assert (columns.min() + columns.max()) / 2 == pytest.approx(100, abs=2)
    else:
        assert rows.max() < 200
        assert (tile[2, 2] == 0).all()  # outside the picture
