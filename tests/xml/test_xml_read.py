"""dlib's XML as we read it: documents of others, wrong ones, large ones, and as a data set."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from dlib_reading import GRID, dlib_learns, picture

from efld_dlib.boxes import Box
from efld_dlib.errors import DataError, OptionError, Problems
from efld_dlib.landmarks import SCHEMES
from efld_dlib.records import FaceAnnotation, ImageRecord
from efld_dlib.xml.read import read_xml, read_xml_checked
from efld_dlib.xml.write import scheme_comment, write_xml

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
    first, second = read_xml(tmp_path / "testing.xml")
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
    *_, last = read_xml(tmp_path / "testing.xml")
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
    (face,) = next(read_xml(tmp_path / "testing.xml")).faces
    np.testing.assert_array_equal(face.points, GRID)
    np.testing.assert_array_equal(dlib_learns(tmp_path / "testing.xml"), GRID)


@pytest.mark.parametrize("ignore", ["1", "true", "TRUE"])
def test_ignored_boxes_are_left_out(tmp_path, ignore):
    text = document(f"<box top='1' left='2' width='3' height='4' ignore='{ignore}'/>")
    (tmp_path / "x.xml").write_text(text)
    assert next(read_xml(tmp_path / "x.xml")).faces == ()


def test_a_scheme_that_there_is_not(tmp_path):
    (tmp_path / "x.xml").write_text(document(""))
    with pytest.raises(OptionError, match="no scheme '6'; choose 68, 21"):
        next(read_xml(tmp_path / "x.xml", "6"))


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
        (box_with("<part name='nose' x='1' y='1'/>"), 5, "unknown part 'nose'"),
        (box_with("<part x='1' y='1'/>"), 5, "a part has no name"),
        (
            box_with("<part name='07' x='1' y='1'/>\n<part name='07' x='2' y='1'/>"),
            6,
            "part '07' stands twice",
        ),
        (
            box_with("<part name='07' x='1' y='1'/>\n<part name='7' x='2' y='1'/>"),
            6,
            "part '7' stands twice",
        ),
        (
            box_with("<part name='07' x='1.5' y='1'/>"),
            5,
            "x of part '07' is '1.5', not a whole number",
        ),
        (box_with("<part name='07' x='1' y='abc'/>"), 5, "y of part '07' is 'abc', not a whole"),
        (box_with("<part name='07' x='1_0' y='1'/>"), 5, "'1_0'"),
        (box_with("<part name='07' x='٣' y='1'/>"), 5, "not a whole number"),
        (box_with(f"<part name='07' x='1{'0' * 400}' y='1'/>"), 5, "not a whole number"),
        (box_with("<part name='07' y='1'/>"), 5, "x of part '07' is missing"),
        (box_with("", "top='1' left='2' width='3'"), 4, "height of box is missing"),
        (box_with("", "top='' left='2' width='3' height='4'"), 4, "top of box is ''"),
        (box_with("", "top='1' left='2' width='0' height='4'"), 4, "box of 0 x 4 pixels"),
        (document("").replace(" file='a.png'", ""), 3, "<image> has no file"),
    ],
)
def test_a_wrong_entry_is_named_with_its_line(tmp_path, text, line, said):
    path = tmp_path / "faces.xml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        list(read_xml(path, "68"))
    assert caught.value.line == line
    assert str(caught.value).startswith(f"{path}, line {line}: ")
    assert said in str(caught.value)


def test_lines_are_counted_without_limit(tmp_path):
    text = box_with("<part name='07' x='1.5' y='1'/>")
    (tmp_path / "faces.xml").write_text(text.replace("<images>", "<images>" + "\n" * 70000))
    with pytest.raises(DataError, match=r"line 70005: x of part '07'"):
        list(read_xml(tmp_path / "faces.xml"))


def test_wrong_entries_are_collected_and_the_rest_is_read(tmp_path):
    good = "<image file='{}.png'><box top='1' left='2' width='3' height='4'/></image>\n"
    bad = "<image file='bad.png'><box top='1' left='2' width='3' height='x'/></image>\n"
    images = good.format("a") + bad + good.format("b") + bad
    (tmp_path / "faces.xml").write_text(f"<dataset><images>\n{images}</images></dataset>")
    problems = Problems()
    records = list(read_xml(tmp_path / "faces.xml", problems=problems))
    assert [record.path.name for record in records] == ["a.png", "b.png"]
    assert [error.line for error in problems.errors] == [3, 5]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
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
        list(read_xml(tmp_path / "faces.xml"))
    assert caught.value.line == line


def test_binary_and_missing_files(tmp_path):
    (tmp_path / "faces.xml").write_bytes(bytes(range(256)))
    with pytest.raises(DataError, match="is not well-formed XML"):
        list(read_xml(tmp_path / "faces.xml"))
    with pytest.raises(DataError, match=r"none\.xml: cannot be read"):
        list(read_xml(tmp_path / "none.xml"))


def test_another_root_is_named(tmp_path):
    (tmp_path / "page.xml").write_text("<?xml version='1.0'?>\n<!-- page -->\n<html></html>")
    with pytest.raises(DataError, match="expected <dataset>, found <html>") as caught:
        list(read_xml(tmp_path / "page.xml"))
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
        list(read_xml(tmp_path / "faces.xml", problems=problems))
    assert "secret" not in str(caught.value) or place == "attribute"


# --- large documents ----------------------------------------------------------------------------

# In a process of its own: most of the memory is libxml2's, and only the system sees it.
MANY_FACES = r"""
import re
from pathlib import Path

import numpy as np

from efld_dlib.boxes import Box
from efld_dlib.records import FaceAnnotation, ImageRecord
from efld_dlib.xml.read import read_xml
from efld_dlib.xml.write import write_xml

def peak():
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])

def records(count):
    for number in range(count):
        points = np.full((68, 2), np.nan)
        points[[0, 30, 67]] = number % 1000
        yield ImageRecord(Path(f"{number:05d}.jpg"), (FaceAnnotation(points, Box(1, 2, 30, 30)),))

def read():
    return read_xml("faces.xml")

write_xml("faces.xml", records(500))
sum(1 for _ in read())
start = peak()
boxes = write_xml("faces.xml", records(20_000))
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


def test_a_latin_name_is_in_utf_8_where_its_bytes_are(tmp_path):
    head = "<?xml version='1.0' encoding='ISO-8859-1'?>"
    for name, read in (("\xef\xbf\xbe.png", "\ufffe.png"), ("\xef\xbf.png", "\xef\xbf.png")):
        (tmp_path / "a.xml").write_bytes(raw_document(head=head, file=name))
        assert [record.path.name for record in read_xml(tmp_path / "a.xml")] == [read]


@pytest.mark.parametrize("stated", ["", "<?xml version='1.0' encoding='UTF-8'?>"])
def test_a_text_in_utf_16_is_read_whatever_it_states(tmp_path, stated):
    text = stated + document("<box top='1' left='2' width='3' height='4'/>")
    (tmp_path / "a.xml").write_bytes(text.encode("utf-16"))
    (record,) = read_xml(tmp_path / "a.xml")
    assert record.faces[0].box == Box(2, 1, 3, 4)


def test_copies_are_told_by_what_they_say(tmp_path):
    box = "<box top='1' left='2' width='30' height='40'{}><part name='00' x='5' y='6'/></box>"
    other = "<box left='2' top='1' height='40' width='30'>\n <part y='6' x='5' name='00'/></box>"
    text = document(box.format("") + other + box.format(" pose='3'"))
    (tmp_path / "a.xml").write_text(text)
    (record,) = read_xml(tmp_path / "a.xml")
    assert [face.copies for face in record.faces] == [2, 1]


def test_an_image_that_stands_elsewhere_is_read_all_the_same(tmp_path):
    (tmp_path / "a.xml").write_text("<dataset><image file='a.png'/></dataset>")
    assert [record.path.name for record in read_xml(tmp_path / "a.xml")] == ["a.png"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"<dataset><images><image file='%b", "a tag or a comment too long"),
        (b"<dataset><images><!-- %b", "a tag or a comment too long"),
        (b"<dataset>\n<name>%b", "line 2: <name> has a text too long"),
        (b"<dataset>%b", "line 1: elements are nested too deep"),
    ],
)
def test_what_would_fill_the_memory_is_refused(tmp_path, text, said):
    filler = b"<a>" * 200 if text.endswith(b"set>%b") else b"x" * 11_000_000
    (tmp_path / "a.xml").write_bytes(text % filler)
    with pytest.raises(DataError, match=said):
        list(read_xml(tmp_path / "a.xml"))


def test_an_unknown_scheme_is_refused(tmp_path):
    (tmp_path / "a.xml").write_bytes(raw_document())
    with pytest.raises(OptionError, match="there is no scheme '99'; choose 68"):
        list(read_xml(tmp_path / "a.xml", "99"))


# --- as a data set: its images must be there, and its scheme the one that is asked for ------------


@pytest.fixture
def listed(tmp_path):
    def write(scheme="21", comment=""):
        size = int(scheme)
        points = np.arange(2.0 * size).reshape(size, 2)
        face = FaceAnnotation(points, Box(0, 0, 50, 50), scheme, copies=2)
        records = [ImageRecord(tmp_path / f"{name}.jpg", (face,)) for name in ("a", "gone")]
        (tmp_path / "a.jpg").touch()
        write_xml(tmp_path / "faces.xml", records, comment=comment)
        return tmp_path / "faces.xml"

    return write


def test_missing_pictures_are_problems(listed):
    problems, counts = Problems(), []
    (record,) = read_xml_checked(listed(), SCHEMES["21"], problems, counts)
    assert record.path.name == "a.jpg"
    assert record.faces[0].copies == 2
    assert "faces.xml: names a picture that is not there: " in str(problems.errors[0])
    assert str(counts[0]) == "faces.xml: 1 faces"
    with pytest.raises(DataError, match=r"gone\.jpg"):
        list(read_xml_checked(listed(), SCHEMES["21"]))


@pytest.mark.parametrize("scheme", ["21", "19", "98", "68"])
def test_a_stated_scheme_must_be_the_wanted_one(listed, scheme):
    path = listed(scheme, scheme_comment(SCHEMES[scheme]))
    assert len(list(read_xml_checked(path, SCHEMES[scheme], Problems()))) == 1
    other = "68" if scheme != "68" else "21"
    said = f"has landmarks of scheme {scheme}, not of scheme {other}"
    with pytest.raises(DataError, match=said):
        list(read_xml_checked(path, SCHEMES[other]))


def test_a_missing_file_as_a_source(tmp_path):
    with pytest.raises(DataError, match=r"gone\.xml"):
        list(read_xml_checked(tmp_path / "gone.xml"))
