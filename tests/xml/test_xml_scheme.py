"""What an XML says of its points, and a scheme made of them."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

from efld_dlib.boxes import Box
from efld_dlib.cli.main import cli
from efld_dlib.errors import DataError
from efld_dlib.landmarks import FACE_68, SCHEMES, find_scheme, read_scheme
from efld_dlib.records import FaceAnnotation, ImageRecord
from efld_dlib.xml.check import check_xml
from efld_dlib.xml.read import read_xml, xml_scheme
from efld_dlib.xml.write import write_xml


@pytest.fixture
def xml(tmp_path):
    def write(*names, comment=""):
        parts = "".join(
            f"<part name='{name}' x='{number}' y='{number * number % 7}'/>\n"
            for number, name in enumerate(names)
        )
        box = "<box left='0' top='0' width='9' height='9'>\n"
        path = tmp_path / "some.xml"
        path.write_text(
            f"<dataset><comment>{comment}</comment><images><image file='a.png'>\n{box}{parts}"
            "</box></image></images></dataset>",
            encoding="utf-8",
        )
        return path

    return write


def numbers(*ranges):
    return [f"{number:02d}" for each in ranges for number in each]


@pytest.mark.parametrize(
    "names",
    [numbers(range(68)), numbers(range(36, 48)), numbers(range(17, 68)), ["30"], ["1", "45"], []],
    ids=lambda names: f"{names[:1]} to {names[-1:]}",
)
def test_numbers_that_only_the_68_have_are_the_68(xml, names):
    assert xml_scheme(xml(*names)) == FACE_68


@pytest.mark.parametrize("count", [1, 2, 5, 12, 67, 69, 81, 194])
def test_numbers_from_0_without_a_gap_may_be_anything(xml, count):
    scheme = xml_scheme(xml(*map(str, range(count))))
    assert (scheme.name, scheme.mirror) == ("", None)
    assert scheme.points == tuple(map(str, range(count)))


@pytest.mark.parametrize("count", [2, 12, 66, 68])
def test_numbers_from_1_without_a_gap_may_be_anything(xml, count):
    scheme = xml_scheme(xml(*map(str, range(1, count + 1))))
    assert (scheme.name, scheme.size, scheme.points[0]) == ("", count, "1")


def test_names_are_in_the_order_in_which_dlib_sorts_them(xml):
    assert xml_scheme(xml("tip", "base", "Left", "ä")).points == ("Left", "base", "tip", "ä")


def test_the_comment_says_more_than_the_names(xml):
    assert xml_scheme(xml("00", "01", comment="landmarks of scheme 68")) is FACE_68
    own = 'x; landmarks of scheme {"name": "leaf", "points": ["b", "a"], "mirror": [["a", "b"]]}; y'
    leaf = xml_scheme(xml("a", comment=own))
    assert (leaf.name, leaf.points, leaf.mirror) == ("leaf", ("b", "a"), (1, 0))
    with pytest.raises(DataError, match="in its comment that is none"):
        xml_scheme(xml("a", comment='scheme {"points": 7.5}'))


def test_points_of_a_scheme_come_back_as_they_were_written(tmp_path):
    leaf = read_scheme({"name": "leaf", "points": ["tip", "base", "7"], "mirror": []})
    points = np.array([[3.0, 4.0], [np.nan, np.nan], [8.0, 1.0]])
    record = ImageRecord(tmp_path / "a.png", (FaceAnnotation(points, Box(0, 0, 9, 9), leaf),))
    write_xml(tmp_path / "leaf.xml", [record], comment="drawn")
    (again,) = read_xml(tmp_path / "leaf.xml")
    assert again.faces == record.faces


def test_one_file_has_one_scheme(tmp_path):
    faces = [FaceAnnotation(np.ones((n, 2)), scheme=SCHEMES[str(n)]) for n in (21, 19)]
    records = [ImageRecord(tmp_path / "a.png", (face,)) for face in faces]
    with pytest.raises(DataError, match="another scheme than the first"):
        write_xml(tmp_path / "both.xml", records)


def test_a_wrong_name_is_told_with_the_right_ones(xml):
    with pytest.raises(DataError, match="unknown part 'wing'; the 5 points of 5 are 00 to 04"):
        list(read_xml(xml("wing"), "5"))
    # Numbers may be written with or without zeros.
    (record,) = read_xml(xml("3", "004"), "5")
    assert record.faces[0].given.tolist() == [False, False, False, True, True]


def test_three_digits_sort_as_well_as_two(xml):
    def problems(names):
        return [str(each.error) for each in check_xml(xml(*names), pictures=False).findings]

    assert not any("sorts" in each for each in problems([f"{n:03d}" for n in range(68)]))
    assert any(
        "must have 2 digits ('00' for '0')" in each for each in problems(map(str, range(68)))
    )


def run(*words):
    return CliRunner().invoke(cli, [*map(str, words)])


def test_mirror_pairs_are_proposed_and_used_once_confirmed(leaves, tmp_path):
    bare = tmp_path / "bare.xml"
    text = (leaves / "train.xml").read_text(encoding="utf-8")
    head, tail = text.split("<comment>")[0], text.split("</comment>")[1]
    bare.write_text(head + tail.replace("images/", f"{leaves}/images/"), encoding="utf-8")
    target = tmp_path / "leaf.toml"
    result = run("xml", "scheme", bare, "-o", target)
    assert result.exit_code == 0, result.output
    assert "8 points, 2 mirror pairs proposed; look at" in result.output
    assert (tmp_path / "leaf.png").stat().st_size > 1000
    assert find_scheme(target).mirror is None
    target.write_text(target.read_text("utf-8").replace("# mirror", "mirror").replace("# ]", "]"))
    lines = target.read_text("utf-8").replace("#     [", "    [")
    target.write_text(lines, encoding="utf-8")
    leaf = find_scheme(target)
    pairs = {leaf.points[one]: leaf.points[other] for one, other in enumerate(leaf.mirror)}
    assert pairs == {
        **{name: name for name in ("base", "middle", "stem", "tip")},
        **{"left_high": "right_high", "right_high": "left_high"},
        **{"left_low": "right_low", "right_low": "left_low"},
    }
    assert run("xml", "scheme", bare, "-o", target, "--mirror").exit_code == 0
    assert find_scheme(target).mirror == leaf.mirror


def test_what_is_not_symmetric_gets_no_pairs(xml, tmp_path):
    result = run("xml", "scheme", xml(*"abcde"), "-o", tmp_path / "x.toml")
    assert "not symmetric" in result.output
    assert find_scheme(tmp_path / "x.toml").points == tuple("abcde")


def test_a_point_that_is_nowhere_is_named_with_its_file(xml, tmp_path):
    stated = 'scheme {"name": "leaf", "points": ["base", "tip", "left"]}'
    path = xml("base", "tip", comment=stated)
    said = CliRunner().invoke(cli, ["xml", "scheme", str(path), "-o", str(tmp_path / "x.toml")])
    assert said.exit_code == 2
    assert "some.xml: has the point 'left' of scheme leaf nowhere" in said.output


def test_what_a_file_says_of_its_points_is_kept(leaves, tmp_path):
    result = run("xml", "scheme", leaves / "train.xml", "-o", tmp_path / "other.toml")
    assert "2 mirror pairs" in result.output
    assert find_scheme(tmp_path / "other.toml") == find_scheme(leaves / "leaf.toml")


def test_a_scheme_of_the_toolkit_is_not_written_again(training_data, tmp_path):
    result = run("xml", "scheme", training_data / "train.xml", "-o", tmp_path / "own.toml")
    assert result.exit_code == 2
    assert (
        "scheme 68 comes with the toolkit: say --scheme 68" in str(result.exception) + result.output
    )


def test_a_box_of_two_points_is_not_blamed_for_its_size(xml):
    kinds = {each.kind for each in check_xml(xml("left", "right"), pictures=False).findings}
    assert "box-far" not in kinds
