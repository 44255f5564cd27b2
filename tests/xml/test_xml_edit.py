"""Joining and parting dlib's XML without loss."""

from __future__ import annotations

import re

import numpy as np
import pytest

from efld_dlib.datasets.split import choose_photographs, photograph_of
from efld_dlib.errors import DataError, OptionError
from efld_dlib.xml.edit import merge_xml, split_xml
from efld_dlib.xml.read import read_xml

FULL_BOX = (
    "<box top='1' left='-2' width='30' height='40' angle='0.5' pose='3' ignore='1' gender='male'>"
    "<label>me &amp; you</label><part name='nose' x='5' y='6'/><part name='00' x='7' y='8'/></box>"
)
BOX = "<box top='1' left='2' width='30' height='40'><part name='00' x='{}' y='8'/></box>"


def write(path, images, head="<name>n</name><comment>c</comment>"):
    path.parent.mkdir(exist_ok=True)
    body = "".join(f"<image file='{file}' width='9'>{boxes}</image>" for file, boxes in images)
    path.write_text(f"<dataset>{head}<images>{body}</images></dataset>")
    return path


def entries(path):
    """Picture (resolved) and the words of its boxes, white space aside."""
    text = path.read_text().replace("'", '"')
    return {
        str((path.parent / file).resolve()): re.sub(r">\s+<", "><", boxes).strip()
        for file, boxes in re.findall(r'<image file="([^"]+)"[^>]*>(.*?)</image>', text, re.DOTALL)
    }


def test_a_copy_keeps_everything_dlib_knows(tmp_path):
    source = write(tmp_path / "in" / "a.xml", [("x.jpg", FULL_BOX), ("y.jpg", "")])
    target = tmp_path / "out" / "b.xml"
    written, *_ = merge_xml([source], target)
    assert (written.images, written.boxes) == (2, 1)
    found = entries(target)
    assert found[str(tmp_path / "in/x.jpg")] == FULL_BOX.replace("'", '"')
    assert found[str(tmp_path / "in/y.jpg")] == ""
    text = target.read_text()
    assert 'file="../in/x.jpg" width="9"' in text
    assert "<name>n</name>\n<comment>c</comment>" in text
    assert (target.parent / "image_metadata_stylesheet.xsl").exists()
    again = tmp_path / "out" / "c.xml"
    merge_xml([target], again)
    assert again.read_bytes() == target.read_bytes()


def test_pictures_of_several_files_stand_once(tmp_path):
    one, two, three = (BOX.format(x) for x in (1, 2, 3))
    a = write(tmp_path / "a" / "a.xml", [("../p/x.jpg", one + one + two), ("y.jpg", one)])
    b = write(tmp_path / "b" / "b.xml", [("./../p/x.jpg", one + three + two + two)])
    target = tmp_path / "all.xml"
    _, shared_pictures, equal_boxes = merge_xml([a, b], target)
    assert (shared_pictures, equal_boxes) == (1, 2)
    shared, _ = read_xml(target)
    assert shared.path.resolve() == tmp_path / "p" / "x.jpg"
    # Of each box the larger number of copies: 2 of the first, 2 of the second, 1 of the third.
    assert {face.points[0, 0]: face.copies for face in shared.faces} == {1: 2, 2: 2, 3: 1}


def test_merging_into_a_source_is_possible(tmp_path):
    a = write(tmp_path / "a.xml", [("x.jpg", BOX.format(1))])
    b = write(tmp_path / "b.xml", [("z.jpg", BOX.format(1))])
    merge_xml([a, b], a)
    assert [record.path.name for record in read_xml(a)] == ["x.jpg", "z.jpg"]


@pytest.mark.parametrize(
    ("images", "head", "problem"),
    [
        ([("a&amp;b.jpg", "")], "", "line 1: an attribute has an &"),
        ([("", "")], "", "line 1: <image> has no file"),
        ([("a>b.jpg", "")], "", "name that dlib cannot read"),
        ([("a.jpg", "")], "<comment>scheme 21</comment>", "landmarks of scheme 21, the first"),
        ([("a.jpg", "<box>")], "", "line 1: is not well-formed"),
    ],
)
def test_what_cannot_be_merged_names_the_file_and_writes_nothing(tmp_path, images, head, problem):
    good = write(tmp_path / "good.xml", [("x.jpg", "")])
    bad = write(tmp_path / "bad.xml", images, head)
    target = tmp_path / "out.xml"
    with pytest.raises(DataError, match=re.escape(problem)):
        merge_xml([good, bad], target)
    assert not target.exists()
    with pytest.raises(DataError, match=r"gone\.xml: cannot be read"):
        merge_xml([tmp_path / "gone.xml"], target)


@pytest.mark.parametrize(
    ("file", "photograph"),
    [
        ("crops-1/000012-134212_1-mirror.jpg", "134212"),
        ("crops-1/000012-134212_1.jpg", "134212"),
        ("crops-1/000012-134212_1-0.jpg", "134212"),
        ("crops-2/000013-134212_2-11.jpg", "134212"),
        ("crops-1/000014-image_0001-1.jpg", "image_0001"),
        ("crops-1/000015-0002-image04733-1.jpg", "image04733"),
        ("aflw/0002-image04733.jpg", "aflw/image04733"),
        ("helen/trainset/1051618982_1.jpg", "helen/trainset/1051618982"),
        ("lfpw/image_0001.png", "lfpw/image_0001"),
        ("a/b.c.jpg", "a/b.c"),
        ("_1.jpg", "_1"),
        ("training/Al-Hakim_O'Neil_51.jpg", "Al-Hakim_O'Neil"),
        ("../ytf/test/Al-Hakim_O'Neil_02.jpg", "../ytf/Al-Hakim_O'Neil"),
        ("crops-1/000016-Adam_Sandler_40-1.jpg", "Adam_Sandler"),
        ("test/000017-134212_11.jpg", "134212"),
        ("cfp/Images/train/001/profile/04.jpg", "cfp/Images/train/001"),
        ("001/profile/01.jpg", "001"),
    ],
)
def test_photographs_by_name(file, photograph):
    assert photograph_of(file) == photograph


def test_a_split_parts_no_photograph_and_loses_nothing(tmp_path):
    names = [f"{i:06d}-{i // 2}_{i % 2 + 1}-{sample}.jpg" for i in range(40) for sample in range(3)]
    source = write(tmp_path / "all.xml", [(name, FULL_BOX) for name in names])
    train, held_out = tmp_path / "t" / "train.xml", tmp_path / "v" / "validation.xml"
    counts = split_xml(source, train, held_out, fraction=0.2)
    # 20 photographs of two faces with three samples each.
    assert [(count.images, count.boxes) for count in counts] == [(96, 96), (24, 24)]
    parts = entries(train), entries(held_out)
    assert {**parts[0], **parts[1]} == entries(source)
    photographs = [{photograph_of(file.split("/")[-1]) for file in part} for part in parts]
    assert not photographs[0] & photographs[1]
    assert len(photographs[1]) == 4

    before = train.read_bytes(), held_out.read_bytes()
    split_xml(source, train, held_out, fraction=0.2, seed=1)
    assert (train.read_bytes(), held_out.read_bytes()) == before
    split_xml(source, train, held_out, fraction=0.2, seed=2)
    assert held_out.read_bytes() != before[1]


def test_what_cannot_be_split(tmp_path):
    source = write(tmp_path / "all.xml", [("p_1.jpg", ""), ("p_2.jpg", "")])
    a, b = tmp_path / "a.xml", tmp_path / "b.xml"
    with pytest.raises(DataError, match=r"0\.5 of 1 photographs leaves one part empty"):
        split_xml(source, a, b, 0.5)
    assert not a.exists()
    with pytest.raises(OptionError, match="above 0"):
        split_xml(source, a, b, 1)
    with pytest.raises(OptionError, match="both parts"):
        split_xml(source, a, tmp_path / "x" / ".." / "a.xml")


def test_choice_does_not_hang_on_the_order():
    names = [str(i) for i in range(50)]
    chosen = choose_photographs(names, 0.1, np.random.default_rng(3))
    assert len(chosen) == 5
    assert chosen == choose_photographs([*reversed(names), "7"], 0.1, np.random.default_rng(3))


def test_a_file_named_by_what_xml_cannot_hold(tmp_path):
    source = write(tmp_path / "a\x01.xml", [("x.jpg", BOX.format(1))], head="")
    merge_xml([source], tmp_path / "b.xml")
    assert "<name>a?.xml</name>" in (tmp_path / "b.xml").read_text()
    assert len(list(read_xml(tmp_path / "b.xml"))) == 1
