"""The table that an extraction ends in."""

from __future__ import annotations

import csv
import io
import json
import sys

import numpy as np
import pyarrow.parquet
import pytest
from made_up_outcomes import face, outcome

from efld_dlib.errors import MissingDependencyError, OptionError
from efld_dlib.extraction import run
from efld_dlib.extraction.run import extract
from efld_dlib.extraction.settings import ExtractSettings
from efld_dlib.extraction.tables import table_writer


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "_outcomes", lambda tasks, *rest: map(outcome, tasks))

    def write(kind, names=("a.jpg", 'b, "ü".jpg', "c.jpg", "d.jpg")):
        target = tmp_path / f"t.{kind}"
        extract(names, target, ExtractSettings(features="36-45"))
        return target

    return write


def test_a_csv_has_a_row_a_face_and_one_for_what_has_none(written):
    rows = list(csv.DictReader(io.StringIO(written("csv").read_text(encoding="utf-8"))))
    assert [row["file"] for row in rows] == ["a.jpg", 'b, "ü".jpg', "c.jpg", "d.jpg", "d.jpg"]
    assert [row["status"] for row in rows] == ["face", "no face", "error", "face", "face"]
    assert [row["face"] for row in rows] == ["0", "", "", "0", "1"]
    assert [row["error"] for row in rows] == ["", "", "is grün, not a picture", "", ""]
    points = face(4).points
    assert float(rows[4]["x_30"]) == round(points[30, 0], 2)
    assert float(rows[4]["y_67"]) == round(points[67, 1], 2)
    assert float(rows[4]["d_36_45"]) == pytest.approx(
        np.linalg.norm(points[36] - points[45]), abs=1e-5
    )
    assert (rows[4]["left"], rows[4]["yaw"], rows[4]["pitch"]) == ("4.0", "1.5", "")
    assert all(rows[2][name] == "" for name in rows[2] if name not in ("file", "status", "error"))


def test_the_three_formats_hold_the_same_table(written):
    parquet = pyarrow.parquet.read_table(written("parquet"))
    lines = written("jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == parquet.to_pylist()
    rows = list(csv.DictReader(io.StringIO(written("csv").read_text(encoding="utf-8"))))
    assert list(rows[0]) == parquet.column_names
    as_text = [
        {name: "" if value is None else str(value) for name, value in row.items()}
        for row in parquet.to_pylist()
    ]
    assert rows == as_text


def test_the_columns_have_their_types_even_where_no_picture_has_a_face(written):
    some, none = written("parquet"), pyarrow.parquet.read_schema(written("parquet"))
    assert pyarrow.parquet.read_schema(some) == none
    kinds = {str(field.type) for field in none}
    assert kinds == {"string", "int32", "double"}
    only = pyarrow.parquet.read_table(written("parquet", ()))
    assert only.schema == none
    assert only.num_rows == 0


def test_an_unknown_suffix_is_refused(tmp_path):
    with pytest.raises(OptionError, match=r"t.xlsx' must end in .parquet, .csv or .jsonl"):
        table_writer(tmp_path / "t.xlsx")


def test_without_pyarrow_it_is_said_what_to_install_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingDependencyError, match=r"pip install pyarrow"):
        extract(["a.jpg"], tmp_path / "t.parquet")
    assert not list(tmp_path.iterdir())
