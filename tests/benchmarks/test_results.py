"""The documents' tables that are made of kept results."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from efld_dlib.errors import DataError
from efld_dlib.tables import Table
from tools.benchmarks.__main__ import benchmarks
from tools.benchmarks.results import filled, tell

PLACE = "Before.\n\n<!-- table: speed {} -->\n\nold\n\n<!-- end of table -->\n\nAfter.\n"


@pytest.fixture
def results(tmp_path):
    tables = [
        Table(name, ("who", "ms"), [("ours", value)]) for name, value in (("a", "1"), ("b", "2"))
    ]
    tell(tables, tmp_path / "speed.json")
    return tmp_path


def test_a_table_comes_into_its_place(results):
    text = filled(PLACE.format(2), results)
    assert text.startswith("Before.\n\n<!-- table: speed 2 -->\n\n| who | ms |\n")
    assert "| ours | 2 |" in text
    assert "old" not in text
    assert text.endswith("<!-- end of table -->\n\nAfter.\n")
    assert filled(text, results) == text


def test_a_result_that_is_missing_is_named(results):
    with pytest.raises(DataError, match=r"speed\.json: has no table 3"):
        filled(PLACE.format(3), results)
    with pytest.raises(DataError, match=r"gone\.json: has no table 1"):
        filled(PLACE.format(1).replace("speed", "gone"), results)


def test_the_documents_say_what_the_results_say():
    result = CliRunner().invoke(benchmarks, ["documents", "--check"])
    assert result.exit_code == 0, result.output
