"""dlib's XML, written and read by us and read by dlib itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import dlib
import numpy as np
import pytest
from lxml import etree

from efld_dlib.boxes import Box
from efld_dlib.errors import DataError, OptionError, Problems
from efld_dlib.records import FaceAnnotation, ImageRecord
from efld_dlib.xml.imglab import STYLESHEET_NAME, read_imglab, write_imglab

# A grid of 68 points inside of BOX.
GRID = np.array([[6 + 2 * (i % 10), 7 + 3 * (i // 10)] for i in range(68)], dtype=float)
BOX = Box(4, 5, 30, 30)

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


def picture(path: Path) -> Path:
    """A picture of 40 x 40 random gray pixels."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8)
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    return path


def written(tmp_path: Path, *records: ImageRecord) -> list[ImageRecord]:
    write_imglab(tmp_path / "faces.xml", records)
    return list(read_imglab(tmp_path / "faces.xml"))


def dlib_learns(xml: Path, box: Box = BOX) -> np.ndarray:
    """The mean shape that dlib's trainer makes of the XML's faces, placed in `box`.

    With next to no learning rate the answer is the start: the mean of the faces, in pixels of the
    box. It tells what dlib read.
    """
    options = dlib.shape_predictor_training_options()
    options.cascade_depth = options.tree_depth = options.num_trees_per_cascade_level = 1
    options.oversampling_amount = options.num_test_splits = options.num_threads = 1
    options.feature_pool_size = 10
    options.nu = 1e-9
    options.be_verbose = False
    model = xml.with_suffix(".dat")
    dlib.train_shape_predictor(str(xml), str(model), options)
    left, top, right, bottom = (int(v) for v in (box.left, box.top, box.right, box.bottom))
    shape = dlib.shape_predictor(str(model))(
        np.zeros((40, 40), np.uint8), dlib.rectangle(left, top, right, bottom)
    )
    return np.array([[part.x, part.y] for part in shape.parts()])


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
        write_imglab(
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
    assert write_imglab(tmp_path / "faces.xml", [record]) == 4
    assert len(etree.parse(tmp_path / "faces.xml").findall(".//box")) == 4
    assert list(read_imglab(tmp_path / "faces.xml")) == [record]


@pytest.mark.parametrize("name", [*DLIB_READS, *NEEDS_ENTITIES, "back\\slash.png", " lead.png"])
def test_names_of_every_kind_come_back(tmp_path, name):
    record = ImageRecord(tmp_path / name, (FaceAnnotation(GRID, BOX),), name)
    assert written(tmp_path, record) == [record]


@pytest.mark.parametrize("name", ["tab\t.png", "line\nbreak.png", "bell\x07.png", "\udcff.png"])
def test_a_name_that_xml_cannot_hold_is_an_error(tmp_path, name):
    with pytest.raises(DataError, match="cannot be written to XML") as caught:
        write_imglab(tmp_path / "faces.xml", [ImageRecord(tmp_path / name, ())])
    str(caught.value).encode("ascii")  # can be printed anywhere
    assert not (tmp_path / "faces.xml").exists()


def test_paths_are_relative_to_the_xml(tmp_path, monkeypatch):
    (tmp_path / "xml").mkdir()
    monkeypatch.chdir(tmp_path)
    records = [ImageRecord(Path("pictures/a.jpg"), ()), ImageRecord(Path("xml/crops/b.jpg"), ())]
    write_imglab("xml/faces.xml", records)
    files = [e.get("file") for e in etree.parse(tmp_path / "xml" / "faces.xml").iter("image")]
    assert files == ["../pictures/a.jpg", "crops/b.jpg"]
    back = [os.path.normpath(record.path) for record in read_imglab("xml/faces.xml")]
    assert back == [str(Path("pictures/a.jpg")), str(Path("xml/crops/b.jpg"))]


def test_parts_and_layout_as_dlib_wants_them(tmp_path):
    face = FaceAnnotation(some_of(GRID, 2, 10), BOX)
    write_imglab(tmp_path / "faces.xml", [ImageRecord(tmp_path / "a.jpg", (face,))], "x", "y")
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
    write_imglab(tmp_path / "faces.xml", [record], name="Tom & <Jerry>")
    document = etree.parse(tmp_path / "faces.xml")
    (instruction,) = document.xpath("/processing-instruction('xml-stylesheet')")
    assert instruction.get("href") == STYLESHEET_NAME
    page = str(etree.XSLT(etree.parse(tmp_path / STYLESHEET_NAME))(document))
    assert "<h1>Tom &amp; &lt;Jerry&gt;</h1>" in page
    assert page.count('class="part"') == 68
    assert "left:6px;top:7px" in page


def test_the_same_records_give_the_same_bytes(tmp_path):
    records = [ImageRecord(tmp_path / "a.jpg", (FaceAnnotation(GRID, BOX, copies=2),))]
    write_imglab(tmp_path / "one.xml", records)
    write_imglab(tmp_path / "two.xml", iter(records))
    assert (tmp_path / "one.xml").read_bytes() == (tmp_path / "two.xml").read_bytes()


# --- dlib itself --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DLIB_READS)
def test_dlib_reads_names_places_and_order(tmp_path, name):
    record = ImageRecord(picture(tmp_path / name), (FaceAnnotation(GRID, BOX),))
    write_imglab(tmp_path / "faces.xml", [record])
    np.testing.assert_array_equal(dlib_learns(tmp_path / "faces.xml"), GRID)


def test_dlib_reads_the_head_lines_whatever_they_say(tmp_path):
    record = ImageRecord(picture(tmp_path / "a.png"), (FaceAnnotation(GRID, BOX),))
    comment = "two\nlines\tand 'all' \"of\" <this> & that"
    write_imglab(tmp_path / "faces.xml", [record], name="a & b", comment=comment)
    np.testing.assert_array_equal(dlib_learns(tmp_path / "faces.xml"), GRID)
    assert etree.parse(tmp_path / "faces.xml").findtext("comment") == comment


def test_dlib_reads_copies_as_weights(tmp_path):
    faces = (FaceAnnotation(GRID, BOX, copies=3), FaceAnnotation(GRID + 4, BOX))
    write_imglab(tmp_path / "faces.xml", [ImageRecord(picture(tmp_path / "a.png"), faces)])
    # The mean of three faces at 0 and one at 4.
    np.testing.assert_array_equal(dlib_learns(tmp_path / "faces.xml"), GRID + 1)


def test_dlib_passes_over_missing_parts(tmp_path):
    faces = (FaceAnnotation(GRID, BOX), FaceAnnotation(some_of(GRID + 4, 36, 45), BOX))
    write_imglab(tmp_path / "faces.xml", [ImageRecord(picture(tmp_path / "a.png"), faces)])
    expected = GRID.copy()
    expected[[36, 45]] += 2
    np.testing.assert_array_equal(dlib_learns(tmp_path / "faces.xml"), expected)


# --- documents of others ------------------------------------------------------------------------

# As `save_image_dataset_metadata` of dlib, and so its imglab, lays it out.
IMGLAB = """<?xml version='1.0' encoding='ISO-8859-1'?>
<?xml-stylesheet type='text/xsl' href='image_metadata_stylesheet.xsl'?>
<dataset>
<name>Training faces</name>
<comment>These are images from the PASCAL VOC 2011 dataset.
   The face landmarks are by hand.</comment>
<images>
  <image file='faces/2007_007763.jpg' width='500' height='375'>
    <box top='90' left='194' width='37' height='38' difficult='1' truncated='1' occluded='1' \
angle='0.5' age='32.5' gender='female' pose='2' detection_score='0.75'>
      <label>face</label>
      <part name='00' x='201' y='107'/>
      <part name='67' x='-2' y='110'/>
    </box>
    <box top='114' left='158' width='37' height='37' ignore='1'/>
    <box top='-5' left='-8' width='36' height='37'/>
  </image>
  <image file='Übung.jpg'>
  </image>
</images>
</dataset>"""


def test_a_document_of_imglab(tmp_path):
    (tmp_path / "testing.xml").write_bytes(IMGLAB.encode())
    first, second = read_imglab(tmp_path / "testing.xml")
    assert first.path == tmp_path / "faces" / "2007_007763.jpg"
    marked, plain = first.faces
    assert marked.box == Box(194, 90, 37, 38)
    assert np.flatnonzero(marked.given).tolist() == [0, 67]
    assert marked.points[[0, 67]].tolist() == [[201, 107], [-2, 110]]
    assert plain.box == Box(-8, -5, 36, 37)
    assert not plain.given.any()
    # dlib writes names as bytes, whatever the encoding that its head line states.
    assert second.path == tmp_path / "Übung.jpg"


def test_a_document_in_true_latin_1(tmp_path):
    (tmp_path / "testing.xml").write_bytes(IMGLAB.encode("latin-1"))
    *_, last = read_imglab(tmp_path / "testing.xml")
    assert last.path == tmp_path / "Übung.jpg"


def test_dlib_reads_the_same_of_it(tmp_path):
    parts = "".join(
        f"<part name='{i:02d}' x='{x:.0f}' y='{y:.0f}'/>" for i, (x, y) in enumerate(GRID)
    )
    text = IMGLAB.replace(IMGLAB[IMGLAB.index("<label>") : IMGLAB.index("    </box>")], parts)
    text = text.replace(
        "top='90' left='194' width='37' height='38'", "top='5' left='4' width='30' height='30'"
    )
    text = text.replace("<box top='-5' left='-8' width='36' height='37'/>", "").replace(
        "faces/2007_007763.jpg", "Ä.png"
    )
    picture(tmp_path / "Ä.png")
    picture(tmp_path / "Übung.jpg")
    (tmp_path / "testing.xml").write_bytes(text.encode())
    (face,) = next(read_imglab(tmp_path / "testing.xml")).faces
    np.testing.assert_array_equal(face.points, GRID)
    np.testing.assert_array_equal(dlib_learns(tmp_path / "testing.xml"), GRID)


@pytest.mark.parametrize("ignore", ["1", "true", "TRUE"])
def test_ignored_boxes_are_left_out(tmp_path, ignore):
    text = document(f"<box top='1' left='2' width='3' height='4' ignore='{ignore}'/>")
    (tmp_path / "x.xml").write_text(text)
    assert next(read_imglab(tmp_path / "x.xml")).faces == ()


def test_a_scheme_that_there_is_not(tmp_path):
    (tmp_path / "x.xml").write_text(document(""))
    with pytest.raises(OptionError, match="no scheme '5'; choose 68, 21"):
        next(read_imglab(tmp_path / "x.xml", "5"))


# --- documents that are wrong -------------------------------------------------------------------


def document(boxes: str) -> str:
    """A document with the boxes on its line 4, in a picture on line 3."""
    return f"<dataset>\n<images>\n<image file='a.png'>\n{boxes}\n</image>\n</images>\n</dataset>\n"


def box_with(parts: str, attributes: str = "top='1' left='2' width='3' height='4'") -> str:
    return document(f"<box {attributes}>\n{parts}\n</box>")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (box_with("<part name='68' x='1' y='1'/>"), 5, "unknown part '68'"),
        (box_with("<part name='0' x='1' y='1'/>"), 5, "unknown part '0'"),
        (box_with("<part x='1' y='1'/>"), 5, "unknown part None"),
        (
            box_with("<part name='07' x='1' y='1'/>\n<part name='07' x='2' y='1'/>"),
            6,
            "part '07' stands twice",
        ),
        (
            box_with("<part name='07' x='1.5' y='1'/>"),
            5,
            "x of <part> is '1.5', not a whole number",
        ),
        (box_with("<part name='07' x='1' y='abc'/>"), 5, "y of <part> is 'abc', not a whole"),
        (box_with("<part name='07' x='1_0' y='1'/>"), 5, "'1_0'"),
        (box_with("<part name='07' x='٣' y='1'/>"), 5, "not a whole number"),
        (box_with(f"<part name='07' x='1{'0' * 400}' y='1'/>"), 5, "not a whole number"),
        (box_with("<part name='07' y='1'/>"), 5, "x of <part> is missing"),
        (box_with("", "top='1' left='2' width='3'"), 4, "height of <box> is missing"),
        (box_with("", "top='' left='2' width='3' height='4'"), 4, "top of <box> is ''"),
        (box_with("", "top='1' left='2' width='0' height='4'"), 4, "box of 0 x 4 pixels"),
        (document("").replace(" file='a.png'", ""), 3, "<image> has no file"),
    ],
)
def test_a_wrong_entry_is_named_with_its_line(tmp_path, text, line, said):
    path = tmp_path / "faces.xml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        list(read_imglab(path))
    assert caught.value.line == line
    assert str(caught.value).startswith(f"{path}, line {line}: ")
    assert said in str(caught.value)


def test_beyond_the_lines_that_libxml2_counts_the_picture_is_named(tmp_path):
    text = box_with("<part name='07' x='1.5' y='1'/>")
    (tmp_path / "faces.xml").write_text(text.replace("<images>", "<images>" + "\n" * 70000))
    with pytest.raises(
        DataError, match=r"faces\.xml: <image file='a\.png'>: x of <part>"
    ) as caught:
        list(read_imglab(tmp_path / "faces.xml"))
    assert caught.value.line is None


def test_wrong_entries_are_collected_and_the_rest_is_read(tmp_path):
    good = "<image file='{}.png'><box top='1' left='2' width='3' height='4'/></image>\n"
    bad = "<image file='bad.png'><box top='1' left='2' width='3' height='x'/></image>\n"
    images = good.format("a") + bad + good.format("b") + bad
    (tmp_path / "faces.xml").write_text(f"<dataset><images>\n{images}</images></dataset>")
    problems = Problems()
    records = list(read_imglab(tmp_path / "faces.xml", problems=problems))
    assert [record.path.name for record in records] == ["a.png", "b.png"]
    assert [error.line for error in problems.errors] == [3, 5]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", None),
        ("just text", 1),
        ("<dataset>\n<images>\n</dataset>", 3),
        ("<dataset>\n<images>\n<image file='a.png'>", 3),
        ("<dataset>\n<images>\n<image file='a & b.png'/></images></dataset>", 3),
        ("<dataset>\n<images>\n\n<image file='a.png' file='b.png'/></images></dataset>", 4),
    ],
)
def test_malformed_xml_has_a_line(tmp_path, text, line):
    (tmp_path / "faces.xml").write_text(text)
    with pytest.raises(DataError, match=r"faces\.xml.*: is not well-formed XML") as caught:
        list(read_imglab(tmp_path / "faces.xml"))
    assert caught.value.line == line


def test_binary_and_missing_files(tmp_path):
    (tmp_path / "faces.xml").write_bytes(bytes(range(256)))
    with pytest.raises(DataError, match="is not well-formed XML"):
        list(read_imglab(tmp_path / "faces.xml"))
    with pytest.raises(DataError, match=r"none\.xml: cannot be read"):
        list(read_imglab(tmp_path / "none.xml"))


def test_another_root_is_named(tmp_path):
    (tmp_path / "page.xml").write_text("<?xml version='1.0'?>\n<!-- page -->\n<html></html>")
    with pytest.raises(DataError, match="expected <dataset>, found <html>") as caught:
        list(read_imglab(tmp_path / "page.xml"))
    assert caught.value.line == 3


BOMB = "<!DOCTYPE dataset [<!ENTITY a0 'aaaaaaaaaa'>{}]>".format(
    "".join(f"<!ENTITY a{i} '{f'&a{i - 1};' * 10}'>" for i in range(1, 12))
)


@pytest.mark.parametrize(
    "doctype",
    [
        BOMB,
        "<!DOCTYPE dataset [<!ENTITY secret SYSTEM 'secret.txt'>]>",
        "<!DOCTYPE dataset SYSTEM 'secret.txt'>",
        "<!DOCTYPE dataset>",
    ],
    ids=["entity bomb", "external entity", "external DTD", "plain"],
)
@pytest.mark.parametrize("place", ["text", "attribute"])
def test_doctypes_are_refused(tmp_path, doctype, place):
    (tmp_path / "secret.txt").write_text("secret")
    entity = "&a11;" if doctype is BOMB else "&secret;" if "secret SYSTEM" in doctype else ""
    name, file = (entity, "a.png") if place == "text" else ("", entity or "a.png")
    (tmp_path / "faces.xml").write_text(
        f"<?xml version='1.0'?>\n{doctype}\n<dataset><name>{name}</name>"
        f"<images><image file='{file}'/></images></dataset>"
    )
    problems = Problems()  # not a matter of one entry: nothing of such a file is taken
    with pytest.raises(DataError, match=r"DOCTYPE|not well-formed") as caught:
        list(read_imglab(tmp_path / "faces.xml", problems=problems))
    assert "secret" not in str(caught.value) or place == "attribute"


# --- large documents ----------------------------------------------------------------------------

# In a process of its own: most of the memory is libxml2's, and only the system sees it.
MANY_FACES = r"""
import re
from pathlib import Path

import numpy as np

from efld_dlib.boxes import Box
from efld_dlib.records import FaceAnnotation, ImageRecord
from efld_dlib.xml.imglab import read_imglab, write_imglab

def peak():
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])

def records(count):
    for number in range(count):
        points = np.full((68, 2), np.nan)
        points[[0, 30, 67]] = number % 1000
        yield ImageRecord(Path(f"{number:05d}.jpg"), (FaceAnnotation(points, Box(1, 2, 30, 30)),))

def read():
    return read_imglab("faces.xml")

write_imglab("faces.xml", records(500))
sum(1 for _ in read())
start = peak()
boxes = write_imglab("faces.xml", records(20_000))
written = peak()
faces = sum(len(record.faces) for record in read())
print(boxes, faces, written - start, peak() - written)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_memory_stays_flat_for_20000_faces(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", MANY_FACES], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    boxes, faces, for_writing, for_reading = map(int, done.stdout.split())
    assert boxes == faces == 20_000
    # In kilobytes; the records would take 37 MB, the parsed XML 93 MB.
    assert for_writing < 5_000
    assert for_reading < 5_000


def raw_document(attributes="", head="", file="a.png"):
    box = f"<box top='1' left='2' width='30' height='40'{attributes}>"
    text = f"{head}<dataset><images><image file='{file}'>{box}</box></image></images></dataset>"
    return text.encode("latin-1")


def test_a_box_that_has_no_canonical_form(tmp_path):
    (tmp_path / "a.xml").write_bytes(raw_document(" xmlns:a='relative'"))
    with pytest.raises(DataError, match=r"line 1: <box> has no usual form"):
        list(read_imglab(tmp_path / "a.xml"))


def test_a_latin_name_that_is_no_name_in_utf_8(tmp_path):
    head = "<?xml version='1.0' encoding='ISO-8859-1'?>"
    name = "\xef\xbf\xbe.png"
    (tmp_path / "a.xml").write_bytes(raw_document(head=head, file=name))
    assert [record.path.name for record in read_imglab(tmp_path / "a.xml")] == [name]


def test_an_unknown_scheme_is_refused(tmp_path):
    (tmp_path / "a.xml").write_bytes(raw_document())
    with pytest.raises(OptionError, match="there is no scheme '99'; choose 68"):
        list(read_imglab(tmp_path / "a.xml", "99"))


def test_head_lines_with_what_xml_cannot_hold(tmp_path):
    write_imglab(tmp_path / "a.xml", [], name="a\x01\udcff<", comment="two\nlines")
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
    assert write_imglab(tmp_path / "a.xml", [*wrong, good], problems=problems) == 2
    assert len(problems) == 2
    (record,) = read_imglab(tmp_path / "a.xml")
    assert record.path == good.path
