import base64
import re
import sys
from html.parser import HTMLParser
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from made_up import made_up, shifted

from efld_dlib.errors import DataError
from efld_dlib.evaluation.charts import colour, heat
from efld_dlib.evaluation.figures import study
from efld_dlib.evaluation.report import (
    report_page,
    shown_faces,
    write_report,
)

ODD = "<b>&'\".png"
VOID = {"meta", "input", "br", "img"}


class Balance(HTMLParser):
    """Checks that every element is closed, and keeps what was met."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.addresses = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.addresses += [v for k, v in attributes if k in ("href", "src", "srcset")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.addresses += [v for k, v in attributes if k in ("href", "src")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def a_study(tmp_path):
    paths = [tmp_path / name for name in (ODD, "b.png", "c.png", "d.png")]
    for path in paths:
        cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8))
    predictions = [shifted(2), shifted(30), None, shifted(900)]
    outcomes = [made_up(predictions, name, paths) for name in ("new", "<i>old")]
    return study("set & more", "detector", outcomes)


def curve_address(page):
    (address,) = re.findall(r'src="(data:image/svg\+xml;base64,[^"]+)"', page)
    return address


def test_the_page_stands_alone(a_study, tmp_path):
    page = write_report(tmp_path / "report", [a_study])
    assert [path.name for path in page.parent.iterdir()] == ["index.html"]
    text = page.read_text()
    parser = Balance()
    parser.feed(text)
    assert not parser.open
    assert "script" not in parser.tags
    assert "link" not in parser.tags
    faces = [each for each in parser.addresses if each.startswith("data:image/jpeg;base64,")]
    # Each model has three faces that it was run on, among the worst and about the median.
    assert len(faces) == 2 * (3 + 3) + 1
    assert set(parser.addresses) - set(faces) == {curve_address(text)}
    assert not re.search(r"url\(|@import", text)
    assert "nan" not in re.sub(r"base64,[^\"]*", "", text)


def test_the_page_shows_what_was_measured(a_study):
    text = report_page([a_study])
    for part in ("Missed faces", "worst faces", "median faces", "Paired comparison", "1 missed"):
        assert part in text
    assert "landmark 67: " in text
    svg = ElementTree.fromstring(base64.b64decode(curve_address(text).partition(",")[2]))
    drawn = ElementTree.tostring(svg, encoding="unicode")
    # A curve and its key in the legend.
    assert [drawn.count(f"stroke: {colour(index)}") for index in range(3)] == [2, 2, 0]


def test_the_same_figures_give_the_same_page(a_study):
    assert report_page([a_study]) == report_page([a_study])


def test_without_matplotlib_the_page_says_what_to_install(a_study, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    text = report_page([a_study])
    assert "Not drawn" in text
    assert "pip install &quot;efld-dlib[plot]&quot;" in text
    assert "svg+xml" not in text
    assert "Missed faces" in text


def test_names_are_escaped(a_study):
    text = report_page([a_study])
    assert "set &amp; more" in text
    assert "&lt;i&gt;old" in text
    assert "<i>" not in text
    assert "&lt;b&gt;&amp;&#x27;&quot;.png" in text


def test_a_page_of_missed_faces_only(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((300, 300), np.uint8))
    outcome = made_up([None] * 11, paths=[tmp_path / "a.png"] * 11)
    text = report_page([study("set", "detector", [outcome])])
    assert "Missed faces, 10 of 11" in text
    assert text.count("<b>missed</b>") == 10
    assert "worst faces" not in text


def test_the_folder_must_be_one(a_study, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="is a file"):
        write_report(tmp_path / "file", [a_study])


def test_which_faces_are_shown():
    errors = np.array([0.3, np.inf, 0.1, 0.2, np.nan, 0.5, 0.4])
    assert shown_faces(errors, 2, 3) == {"worst": [5, 6], "median": [3, 0, 6]}


def test_colours_run_from_yellow_to_purple():
    assert (heat(-1), heat(0), heat(2)) == ("#facc15", "#facc15", "#581c87")
