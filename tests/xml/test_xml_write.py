"""dlib's XML as we write it, read by us and by dlib itself."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from dlib_reading import BOX, GRID, dlib_learns, picture
from lxml import etree

from efld_dlib.boxes import Box
from efld_dlib.errors import DataError, Problems
from efld_dlib.records import FaceAnnotation, ImageRecord
from efld_dlib.xml.read import read_xml
from efld_dlib.xml.write import STYLESHEET_NAME, write_xml

# dlib's own reader takes a file name as it stands between the quotes.
DLIB_READS = [
    "plain.png",
    "two  spaces.png",
    "it's.png",
    'say "cheese".png',
    "Übung 東京 😀.png",
    "Screenshot 1.02\u202fPM.png",  # the narrow space of macOS
    "family \U0001f468\u200d\U0001f469\u200d\U0001f467.png",
    "a=1;#2 [3] (4) %20.png",
]
# These need entities, which dlib does not resolve in attributes.
NEEDS_ENTITIES = ['a & b\'s "c" <d>.png', "&amp;.png", "]]>.png"]


def some_of(points: np.ndarray, *given: int) -> np.ndarray:
    """The points with all but the `given` ones missing."""
    partial = np.full_like(points, np.nan)
    partial[list(given)] = points[list(given)]
    return partial


def written(tmp_path: Path, *records: ImageRecord) -> list[ImageRecord]:
    write_xml(tmp_path / "faces.xml", records)
    return list(read_xml(tmp_path / "faces.xml"))


# --- there and back -----------------------------------------------------------------------------


def test_records_come_back(tmp_path):
    records = [
        ImageRecord(
            tmp_path / "a.jpg",
            (
                FaceAnnotation(GRID, BOX),
                FaceAnnotation(some_of(GRID, 0, 9, 10, 67), Box(-3, -7, 20, 25)),
            ),
            "a.jpg",
        ),
        ImageRecord(tmp_path / "sub" / "b.png", (FaceAnnotation(GRID + 3, BOX),), "sub/b.png"),
        ImageRecord(tmp_path / "empty.png", (), "empty.png"),
    ]
    assert written(tmp_path, *records) == records


def test_coordinates_are_rounded_to_whole_pixels(tmp_path):
    face = FaceAnnotation(GRID + np.array([0.4, -0.4]), Box(3.7, 5.2, 29.8, 30.4))
    (record,) = written(tmp_path, ImageRecord(tmp_path / "a.jpg", (face,)))
    np.testing.assert_array_equal(record.faces[0].points, GRID)
    assert record.faces[0].box == BOX


def test_a_face_without_a_box_gets_that_of_its_landmarks(tmp_path):
    face = FaceAnnotation(some_of(GRID, 0, 67))
    (record,) = written(tmp_path, ImageRecord(tmp_path / "a.jpg", (face,)))
    # Points 0 and 67 are (6, 7) and (20, 25).
    assert record.faces[0].box == Box(6, 7, 15, 19)


def test_a_face_with_neither_is_an_error_and_nothing_is_written(tmp_path):
    empty = FaceAnnotation(np.full((68, 2), np.nan))
    with pytest.raises(DataError, match=r"b\.jpg: has a face with neither a box nor a landmark"):
        write_xml(
            tmp_path / "faces.xml",
            [
                ImageRecord(tmp_path / "a.jpg", (FaceAnnotation(GRID),)),
                ImageRecord(tmp_path / "b.jpg", (empty,)),
            ],
        )
    assert not (tmp_path / "faces.xml").exists()


def test_copies_are_repeated_boxes_and_come_back_as_copies(tmp_path):
    faces = (FaceAnnotation(GRID, BOX, copies=3), FaceAnnotation(GRID + 1, BOX))
    record = ImageRecord(tmp_path / "a.jpg", faces, "a.jpg")
    assert write_xml(tmp_path / "faces.xml", [record]) == 4
    assert len(etree.parse(tmp_path / "faces.xml").findall(".//box")) == 4
    assert list(read_xml(tmp_path / "faces.xml")) == [record]


@pytest.mark.parametrize("name", [*DLIB_READS, *NEEDS_ENTITIES, "back\\slash.png", " lead.png"])
def test_names_of_every_kind_come_back(tmp_path, name):
    record = ImageRecord(tmp_path / name, (FaceAnnotation(GRID, BOX),), name)
    assert written(tmp_path, record) == [record]


@pytest.mark.parametrize("name", ["tab\t.png", "line\nbreak.png", "bell\x07.png", "\udcff.png"])
def test_a_name_that_xml_cannot_hold_is_an_error(tmp_path, name):
    with pytest.raises(DataError, match="cannot be written to XML") as caught:
        write_xml(tmp_path / "faces.xml", [ImageRecord(tmp_path / name, ())])
    str(caught.value).encode("ascii")  # can be printed anywhere
    assert not (tmp_path / "faces.xml").exists()


def test_paths_are_relative_to_the_xml(tmp_path, monkeypatch):
    (tmp_path / "xml").mkdir()
    monkeypatch.chdir(tmp_path)
    records = [ImageRecord(Path("pictures/a.jpg"), ()), ImageRecord(Path("xml/crops/b.jpg"), ())]
    write_xml("xml/faces.xml", records)
    files = [e.get("file") for e in etree.parse(tmp_path / "xml" / "faces.xml").iter("image")]
    assert files == ["../pictures/a.jpg", "crops/b.jpg"]
    back = [os.path.normpath(record.path) for record in read_xml("xml/faces.xml")]
    assert back == [str(Path("pictures/a.jpg")), str(Path("xml/crops/b.jpg"))]


def test_parts_and_layout_as_dlib_wants_them(tmp_path):
    face = FaceAnnotation(some_of(GRID, 2, 10), BOX)
    write_xml(tmp_path / "faces.xml", [ImageRecord(tmp_path / "a.jpg", (face,))], "x", "y")
    root = etree.parse(tmp_path / "faces.xml").getroot()
    assert root.tag == "dataset"
    assert [child.tag for child in root] == ["name", "comment", "images"]
    (box,) = root.iter("box")
    assert dict(box.attrib) == {"top": "5", "left": "4", "width": "30", "height": "30"}
    # Points 2 and 10 are (10, 7) and (6, 10).
    assert [dict(part.attrib) for part in box] == [
        {"name": "02", "x": "10", "y": "7"},
        {"name": "10", "x": "6", "y": "10"},
    ]


def test_the_stylesheet_lies_beside_it_and_is_named_in_it(tmp_path):
    record = ImageRecord(tmp_path / "a & b.jpg", (FaceAnnotation(GRID, BOX),))
    write_xml(tmp_path / "faces.xml", [record], name="Tom & <Jerry>")
    document = etree.parse(tmp_path / "faces.xml")
    (instruction,) = document.xpath("/processing-instruction('xml-stylesheet')")
    assert instruction.get("href") == STYLESHEET_NAME
    page = str(etree.XSLT(etree.parse(tmp_path / STYLESHEET_NAME))(document))
    assert "<h1>Tom &amp; &lt;Jerry&gt;</h1>" in page
    assert page.count('class="part"') == 68
    assert "left:6px;top:7px" in page


def test_the_same_records_give_the_same_bytes(tmp_path):
    records = [ImageRecord(tmp_path / "a.jpg", (FaceAnnotation(GRID, BOX, copies=2),))]
    write_xml(tmp_path / "one.xml", records)
    write_xml(tmp_path / "two.xml", iter(records))
    assert (tmp_path / "one.xml").read_bytes() == (tmp_path / "two.xml").read_bytes()


# --- dlib itself --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DLIB_READS)
def test_dlib_reads_names_places_and_order(tmp_path, name):
    record = ImageRecord(picture(tmp_path / name), (FaceAnnotation(GRID, BOX),))
    write_xml(tmp_path / "faces.xml", [record])
    np.testing.assert_array_equal(dlib_learns(tmp_path / "faces.xml"), GRID)


def test_dlib_reads_the_head_lines_whatever_they_say(tmp_path):
    record = ImageRecord(picture(tmp_path / "a.png"), (FaceAnnotation(GRID, BOX),))
    comment = "two\nlines\tand 'all' \"of\" <this> & that"
    write_xml(tmp_path / "faces.xml", [record], name="a & b", comment=comment)
    np.testing.assert_array_equal(dlib_learns(tmp_path / "faces.xml"), GRID)
    assert etree.parse(tmp_path / "faces.xml").findtext("comment") == comment


def test_dlib_reads_copies_as_weights(tmp_path):
    faces = (FaceAnnotation(GRID, BOX, copies=3), FaceAnnotation(GRID + 4, BOX))
    write_xml(tmp_path / "faces.xml", [ImageRecord(picture(tmp_path / "a.png"), faces)])
    # The mean of three faces at 0 and one at 4.
    np.testing.assert_array_equal(dlib_learns(tmp_path / "faces.xml"), GRID + 1)


def test_dlib_passes_over_missing_parts(tmp_path):
    faces = (FaceAnnotation(GRID, BOX), FaceAnnotation(some_of(GRID + 4, 36, 45), BOX))
    write_xml(tmp_path / "faces.xml", [ImageRecord(picture(tmp_path / "a.png"), faces)])
    expected = GRID.copy()
    expected[[36, 45]] += 2
    np.testing.assert_array_equal(dlib_learns(tmp_path / "faces.xml"), expected)


def test_head_lines_with_what_xml_cannot_hold(tmp_path):
    write_xml(tmp_path / "a.xml", [], name="a\x01\udcff<", comment="two\nlines")
    root = etree.parse(tmp_path / "a.xml").getroot()
    assert (root.findtext("name"), root.findtext("comment")) == ("a??<", "two\nlines")


def test_a_picture_that_cannot_be_written_is_left_out(tmp_path):
    face = FaceAnnotation(GRID, BOX, copies=2)
    good = ImageRecord(tmp_path / "good.png", (face,))
    nothing = FaceAnnotation(np.full((68, 2), np.nan))
    wrong = [
        ImageRecord(tmp_path / "bell\x07.png", (face,)),
        ImageRecord(tmp_path / "half.png", (face, nothing)),
    ]
    problems = Problems()
    assert write_xml(tmp_path / "a.xml", [*wrong, good], problems=problems) == 2
    assert len(problems) == 2
    (record,) = read_xml(tmp_path / "a.xml")
    assert record.path == good.path
