import math

import pytest

from efld_dlib.evaluation.bootstrap import Figure, percent
from efld_dlib.tables import Table, as_html, as_markdown, as_text, number

TABLE = Table("Title", ("model", "NME"), (("a|b_<i>", "4.03"), ("long name", "-")), "one\ntwo")


def test_text_has_columns():
    assert as_text(TABLE).splitlines() == [
        "Title",
        "model       NME",
        "---------  ----",
        "a|b_<i>    4.03",
        "long name     -",
        "one",
        "two",
    ]


def test_markdown_is_escaped():
    assert as_markdown(TABLE).splitlines() == [
        "### Title",
        "",
        "| model | NME |",
        "|---|---:|",
        r"| a\|b\_\<i> | 4.03 |",
        "| long name | - |",
        "",
        "- one",
        "- two",
    ]


def test_html_is_escaped():
    page = as_html(TABLE)
    assert '<th scope="row">a|b_&lt;i&gt;</th><td>4.03</td>' in page
    assert '<p class="note">two</p>' in page
    assert "<i>" not in page


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (Figure(0.0403, 0.0384, 0.0424), "4.03 [3.84, 4.24]"),
        (Figure(0.0403), "4.03"),
        (Figure(math.nan), "-"),
    ],
)
def test_figures_in_per_cent(figure, text):
    assert percent(figure) == text
    assert percent(figure, interval=False) == text.split()[0]
    assert number(math.inf) == "-"
