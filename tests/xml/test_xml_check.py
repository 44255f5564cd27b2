"""Planted faults in dlib's XML, each found in its line; and dlib's own word on some of them."""

from __future__ import annotations

import os
import re
import struct
import sys

import cv2
import numpy as np
import pytest

from efld_dlib.backend import load_dlib
from efld_dlib.boxes import Box
from efld_dlib.errors import OptionError
from efld_dlib.landmarks import FACE_68, mirror_points
from efld_dlib.pose import mean_face_3d, rotation_matrix
from efld_dlib.xml.check import (
    KINDS,
    by_kind,
    check_xml,
    differing_parts,
    geometry_problems,
    point_ranges,
    swapped_groups,
)
from efld_dlib.xml.image_state import exif_orientation

HEAD = "<?xml version='1.0' encoding='UTF-8'?>\n<dataset>\n<name>n</name>\n<images>\n"
TAIL = "</images>\n</dataset>\n"
BOX_LINE = 6  # of the first face: one line is one element, from line 5 on
WIDTH, HEIGHT = 240, 200


def face_points(yaw=0.0, pitch=0.0, roll=0.0):
    face = mean_face_3d() @ rotation_matrix((yaw, pitch, roll)).T
    return np.rint(face[:, :2] * 70 + [120, 80]).astype(int)


POINTS = face_points()
BOX = "<box top='45' left='70' width='100' height='100'>"


def parts(points=POINTS, name="{:02d}".format):
    return "".join(f"<part name='{name(i)}' x='{x}' y='{y}'/>\n" for i, (x, y) in enumerate(points))


def part_line(index, box_line=BOX_LINE):
    return box_line + 1 + index


def image(content=None, file="a.png"):
    content = f"{BOX}\n{parts()}</box>\n" if content is None else content
    return f"<image file='{file}'>\n{content}</image>\n"


def document(*images):
    return HEAD + "".join(images or [image()]) + TAIL


GOOD = document()
OF_68 = GOOD.replace("</name>", "</name><comment>landmarks of scheme 68</comment>")


@pytest.fixture
def write(tmp_path):
    rng = np.random.default_rng(0)
    pixels = cv2.GaussianBlur(rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8), (9, 9), 3)
    for name in ("a.png", "b.jpg", "c.bmp", "d.tif", "e.webp"):
        assert cv2.imwrite(str(tmp_path / name), pixels)
    jpeg = (tmp_path / "b.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "notes.jpg").write_text("no picture")
    (tmp_path / "bad.png").write_bytes((tmp_path / "a.png").read_bytes()[:900])
    # EXIF of one entry: orientation 6, turned by a quarter.
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4)
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    (tmp_path / "turned.jpg").write_bytes(jpeg[:2] + segment + jpeg[2:])

    def write(text):
        target = tmp_path / "faces.xml"
        target.write_bytes(text if isinstance(text, bytes) else text.encode())
        return target

    return write


def train(source):
    """What dlib's trainer says: "" or its error."""
    dlib = load_dlib()
    options = dlib.shape_predictor_training_options()
    options.cascade_depth = options.num_trees_per_cascade_level = options.tree_depth = 1
    options.oversampling_amount = 1
    options.feature_pool_size = 10
    try:
        dlib.train_shape_predictor(str(source), str(source.with_suffix(".dat")), options)
    except (RuntimeError, UnicodeDecodeError) as error:  # the latter hides the former's text
        return str(error) or "an error"  # of which Python 3.10 loses the text
    return ""


def test_a_good_file_is_clean(write):
    second = image(file="b.jpg") + image(file="c.bmp")
    source = write(document(image(), second))
    report = check_xml(source, jobs=1)
    assert report.findings == []
    assert report.fatal is None
    assert (report.pictures, report.faces, report.ignored) == (3, 3, 0)
    assert differing_parts(report) == ""
    assert train(source) == ""


def changed(old, new, text=GOOD):
    assert old in text
    return text.replace(old, new, 1)


PART_30 = f"<part name='30' x='{POINTS[30][0]}' y='{POINTS[30][1]}'/>"
SECOND = document(image(), image(file="b.jpg"))
SECOND_LINE = BOX_LINE + 68 + 3  # of the second <image>
SWAPPED = mirror_points(POINTS.astype(float), WIDTH).astype(int) * [-1, 1] + [WIDTH - 1, 0]

# name: text, kind, line, words of the problem, whether dlib itself stops at it
FAULTS = {
    "no top": (changed("top='45' ", ""), "attribute", BOX_LINE, "top of box is missing", True),
    "fraction": (changed("left='70'", "left='70.5'"), "attribute", BOX_LINE, "'70.5'", True),
    "word": (changed(" x='", " x='x"), "attribute", part_line(0), "x of part '00'", True),
    "no part name": (changed("name='30' ", ""), "attribute", part_line(30), "no name", True),
    "ignore": (changed(">", " ignore='yes'>", BOX).join(GOOD.split(BOX)), "attribute", BOX_LINE,
               "ignore is 'yes'", True),
    "angle": (GOOD.replace(BOX, BOX[:-1] + " angle='?'>"), "attribute", BOX_LINE, "angle", True),
    "gender": (GOOD.replace(BOX, BOX[:-1] + " gender='f'>"), "attribute", BOX_LINE, "gender", True),
    "part twice": (changed("name='31'", "name='30'"), "part-twice", part_line(31), "'30'", True),
    "no area": (changed("width='100'", "width='0'"), "box-size", BOX_LINE, "0 x 100", False),
    "one pixel": (changed("height='100'", "height='1'"), "box-size", BOX_LINE, "100 x 1", False),
    "outside": (GOOD.replace(BOX, BOX.replace("left='70'", "left='240'")), "box-outside", BOX_LINE,
                "240 x 200", False),
    "off its parts": (GOOD.replace(BOX, BOX.replace("left='70'", "left='5'")), "box-far", BOX_LINE,
                      "middle of its parts", False),
    "box too large": (GOOD.replace(BOX, "<box top='-200' left='-180' width='600' height='600'>"),
                      "box-far", BOX_LINE, "times the size", False),
    "far part": (changed(PART_30, "<part name='30' x='400' y='80'/>"), "part-far", BOX_LINE,
                 "30 up to 231 pixels", False),
    "one place": (document(image(f"{BOX}\n{parts(POINTS * 0 + 100)}</box>\n")), "one-place",
                  BOX_LINE, "68 parts", False),
    "swapped": (document(image(f"{BOX}\n{parts(SWAPPED)}</box>\n")), "swapped", BOX_LINE,
                "eyes, brows, mouth", False),
    "no landmark": (document(image(), image(f"{BOX}\n</box>\n", "b.jpg")), "no-parts",
                    SECOND_LINE + 1, "face 1 of b.jpg", False),
    "no box": (document(image(), image("", "b.jpg")), "no-box", SECOND_LINE, "b.jpg", False),
    "unknown part": (changed("</box>", "<part name='68' x='9' y='9'/></box>", OF_68), "part-name",
                     BOX_LINE, "'68'; the 68 points of 68 are 00 to 67", False),
    "sorts wrongly": (document(image(f"{BOX}\n{parts(name=str)}</box>\n")), "part-name", BOX_LINE,
                      "'0', '1', '2', '3', '4' and 5 more must have 2 digits ('00'", False),
    "two digits and one": (changed("name='31'", "name='7'"), "part-twice", BOX_LINE,
                           "'07' and '7'", False),
    "absent part": (changed(PART_30, "", OF_68), "part-absent", 2, "no face has 30", False),
    "only ignored": (
        document(image(), image(f"{BOX[:-1]} ignore='1'>\n{parts()}<part name='68' x='9' y='9'/>\n"
                                "</box>\n", "b.jpg")),
        "part-absent", 2, "68 only in ignored boxes", True),
    "no faces": (document(image("")), "no-face", 2, "no face", True),
    "no file": (changed(" file='a.png'", ""), "path", 5, "no file", True),
    "absolute": (changed("a.png", "/nowhere/a.png"), "path", 5, "absolute", True),
    "windows": (changed("a.png", "C:/a.png"), "path", 5, "absolute", True),
    "backslash": (changed("a.png", "f\\a.png"), "path", 5, "backslashes", True),
    "climbs": (changed("a.png", "../" * 60 + "a.png"), "path", 5, "climbs 60 folders up", True),
    "greater": (changed("a.png", "a>.png"), "path", 5, "cannot read a name with", True),
    "escape": (changed("a.png", "a&amp;b.png"), "escape", 5, "does not decode", True),
    "twice": (SECOND.replace("b.jpg", "./a.png"), "listed-twice", SECOND_LINE, "in line 5", False),
    "missing": (changed("a.png", "gone.png"), "picture-missing", 5, "gone.png does not", True),
    "tiff": (changed("a.png", "d.tif"), "picture-format", 5, "is TIFF", True),
    "webp": (changed("a.png", "e.webp"), "picture-format", 5, "is WebP", None),
    "text": (changed("a.png", "notes.jpg"), "picture-format", 5, "no picture", True),
    "empty": (changed("a.png", "empty.jpg"), "picture-damaged", 5, "is empty", True),
    "cut": (changed("a.png", "cut.jpg"), "picture-damaged", 5, "cut short", False),
    "bad": (changed("a.png", "bad.png"), "picture-damaged", 5, "is damaged", True),
    "turned": (changed("a.png", "turned.jpg"), "picture-turned", 5, "EXIF", False),
    "misplaced": (changed("<images>\n", "<images>\n" + "<part name='1' x='1' y='1'/>\n"),
                  "misplaced", 5, "<part> in <images>", False),
    "doctype": (changed("<dataset>", "<!DOCTYPE dataset>\n<dataset>"), "doctype", 2, "DOCTYPE",
                False),
    "entity": (changed("<dataset>", "<!DOCTYPE d [<!ENTITY e 'a'>]>\n<dataset>"), "doctype", 2,
               "entity 'e'", None),
    "root": (GOOD.replace("dataset>", "data>"), "root", 2, "found <data>", True),
    "mark": ("\ufeff" + GOOD, "encoding", 1, "byte order mark", True),
    "utf-16": (GOOD.replace("UTF-8", "UTF-16").encode("utf-16"), "encoding", 1, "UTF-16", True),
}  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "line", "words", "stops"), FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_is_found_in_its_line(write, text, kind, line, words, stops):
    source = write(text)
    found = [f for f in check_xml(source, jobs=1).findings if f.kind == kind]
    assert [f.error.line for f in found if words in f.error.problem] == [line]
    assert str(found[0].error).startswith(f"{source}, line {line}: ")
    if stops is not None:
        assert bool(train(source)) is stops


def test_every_kind_is_planted():
    assert {kind for _, kind, *_ in FAULTS.values()} == set(KINDS)


def test_a_face_is_named_by_its_number_and_picture(write):
    face = f"{BOX}\n{parts()}</box>\n"
    source = write(document(image(face + face.replace("width='100'", "width='-3'"))))
    (finding,) = check_xml(source, jobs=1).findings
    assert str(finding.error) == (
        f"{source}, line {BOX_LINE + 70}: face 2 of a.png: "
        "box of -3 x 100 pixels has no area for dlib"
    )


def test_all_problems_are_found_in_one_run_in_the_order_of_lines(write):
    text = changed("top='45'", "top='x'", changed(" x='", " x='x", SECOND))
    text = text.replace("b.jpg", "gone.jpg")
    report = check_xml(write(text), jobs=1)
    assert [(f.kind, f.error.line) for f in report.findings] == [
        ("attribute", BOX_LINE),
        ("attribute", part_line(0)),
        ("picture-missing", SECOND_LINE),
    ]


def test_a_part_name_of_thousands_of_digits(write):
    source = write(changed("</box>", f"<part name='{'1' * 5000}' x='9' y='9'/></box>", OF_68))
    (finding,) = check_xml(source, pictures=False).findings
    assert finding.kind == "part-name"
    assert "unknown part" in str(finding.error)


def test_a_picture_with_a_name_of_another_encoding(write, tmp_path):
    try:
        os.rename(tmp_path / "a.png", os.fsencode(tmp_path) + b"/\xe9.png")
    except OSError:
        pytest.skip("the system takes names in UTF-8 only")
    latin = changed("UTF-8", "ISO-8859-1").replace("a.png", "\xe9.png").encode("latin-1")
    assert check_xml(write(latin), jobs=1).findings == []


def test_lines_are_told_beyond_the_limit_of_libxml2(write):
    filler = "<!-- -->\n" * 70000
    source = write(changed("<images>\n", "<images>\n" + filler, changed("top='45' ", "")))
    (finding,) = check_xml(source, pictures=False).findings
    assert finding.error.line == BOX_LINE + 70000


@pytest.mark.parametrize(
    ("text", "line"), [(GOOD.replace("</images>", ""), 78), ("no XML", 1), ("", 1)]
)
def test_what_is_not_xml_is_fatal_and_what_came_before_is_kept(write, text, line):
    report = check_xml(write(text.replace("top='45'", "top='x'")), jobs=1)
    assert report.fatal is not None
    assert "not well-formed" in str(report.fatal)
    assert report.fatal.line in (line, line - 1)
    assert [f.kind for f in report.findings] == (["attribute"] if len(text) > 99 else [])


@pytest.mark.parametrize("encoding", ["UT", "SHIFT_JIS"])
def test_an_encoding_that_is_not_known_is_fatal(write, encoding):
    report = check_xml(write(GOOD.replace("UTF-8", encoding)), jobs=1)
    assert "line 1: has an encoding" in str(report.fatal)


def test_ignored_boxes_are_counted_and_may_be_odd(write):
    odd = f"{BOX[:-1]} ignore='true'>\n</box>\n"
    report = check_xml(write(document(image(f"{BOX}\n{parts()}</box>\n{odd}"))), jobs=1)
    assert report.findings == []
    assert (report.faces, report.ignored) == (1, 1)


def test_differing_part_sets_are_allowed_but_told(write):
    report = check_xml(write(changed(PART_30, "", SECOND)), jobs=1)
    assert report.findings == []
    assert differing_parts(report) == "1 of 2 faces lack some landmarks, which dlib allows"


def test_copies_of_a_face_are_no_problem(write):
    face = f"{BOX}\n{parts()}</box>\n"
    report = check_xml(write(document(image(face * 3))), jobs=1)
    assert (report.findings, report.faces) == ([], 3)


def test_names_are_the_bytes_in_the_file_as_dlib_takes_them(write, tmp_path):
    (tmp_path / "é.png").write_bytes((tmp_path / "a.png").read_bytes())
    text = changed("a.png", "é.png")
    for encoding in ("UTF-8", "ISO-8859-1"):  # dlib declares the latter whatever it writes
        source = write(text.replace("UTF-8", encoding).encode("utf-8"))
        assert check_xml(source, jobs=1).findings == []
        assert train(source) == ""
    source = write(text.replace("UTF-8", "ISO-8859-1").encode("latin-1"))
    assert [f.kind for f in check_xml(source, jobs=1).findings] == ["picture-missing"]
    assert train(source) != ""


def test_pictures_can_be_left_closed(write):
    assert check_xml(write(changed("a.png", "gone.png")), pictures=False).findings == []


def test_another_scheme_is_taken_from_the_comment_or_given(write):
    text = changed("<images>", "<comment>landmarks of scheme 21</comment>\n<images>")
    report = check_xml(write(text), pictures=False)
    assert report.scheme.name == "21"
    assert "'21', '22'" in report.findings[0].error.problem
    assert check_xml(write(text), scheme="68", pictures=False).findings == []
    with pytest.raises(OptionError, match="no scheme '6'"):
        check_xml(write(text), scheme="6")


def test_a_bomb_of_entities_does_not_go_off(write):
    levels = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 12))
    bomb = f"<!DOCTYPE d [<!ENTITY e0 'ha'>{levels}]>\n<dataset>&e11;"
    report = check_xml(write(changed("<dataset>", bomb)), jobs=1)
    assert {f.kind for f in report.findings} == {"doctype"}


def test_first_findings_of_each_kind(write):
    report = check_xml(write(GOOD.replace(" x='", " x='x")), jobs=1)
    assert len(report.findings) == 68
    assert by_kind(report.findings, 3) == report.findings[:3]


@pytest.mark.parametrize("yaw", [-80, -40, 0, 40, 80])
@pytest.mark.parametrize("roll", [0, 90, 180, -120])
def test_left_and_right_are_told_by_the_up_direction(yaw, roll):
    points = face_points(yaw, 10, roll).astype(float)
    assert swapped_groups(points) == []
    mirrored = mirror_points(points, WIDTH)
    assert swapped_groups(mirrored) == []  # a mirror image with its labels put right
    if abs(yaw) < 60:
        assert "eyes" in swapped_groups(points * [-1, 1])  # with its labels left as they were


def test_geometry_of_few_landmarks_is_judged_by_what_there_is():
    points = np.full((68, 2), np.nan)
    box = Box(0, 0, 100, 100)
    assert geometry_problems(points, box) == []
    points[8] = (50, 130)  # a chin under the box
    assert geometry_problems(points, box) == []
    points[8] = (50, 250)
    ((kind, problem),) = geometry_problems(points, box)
    assert kind == "part-far"
    assert re.fullmatch("08 up to 151 pixels outside the box", problem)


def test_ranges_of_points():
    assert point_ranges(FACE_68, [0, 1, 2, 5, 7, 8]) == "00-02, 05, 07-08"


def test_a_part_named_by_thousands_of_digits(write):
    long = "9" * 5000
    text = OF_68.replace("name='67'", f"name='{long}'")
    kinds = check_xml(write(text), jobs=1).kinds
    assert set(kinds) == {"part-name", "part-absent"}
    (finding,) = [f for f in check_xml(write(text), jobs=1).findings if f.kind == "part-name"]
    assert "unknown part '9999" in str(finding.error)
    padded = check_xml(write(GOOD.replace("name='05'", "name='00005'")), jobs=1)
    assert set(padded.kinds) == {"part-name"}
    assert "('05' for '00005')" in str(padded.findings[0].error)


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are UTF-8 there")
def test_a_picture_whose_name_is_not_utf_8(write, tmp_path):
    source = write(
        GOOD.replace("UTF-8", "ISO-8859-1").replace("a.png", "\xe9.png").encode("latin-1")
    )
    os.rename(tmp_path / "a.png", os.fsencode(tmp_path) + b"/\xe9.png")
    assert not check_xml(source, jobs=1).findings


@pytest.mark.parametrize(("stated", "found"), [(1, 1), (8, 8), (9, 0), (65535, 0)])
def test_orientations_that_exif_does_not_know_turn_nothing(stated, found):
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, stated, 0)
    data = b"\xff\xd8\xff\xe1  Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry
    assert exif_orientation(data) == found


def test_a_superscript_is_no_size_of_a_picture(write):
    text = GOOD.replace("<image file", "<image width='240' height='\u00b2' file")
    assert check_xml(write(text), jobs=1).kinds == {"attribute": 1}
