import csv
import io
import json

import numpy as np
import pytest

from efld_dlib.boxes import Box, Pose
from efld_dlib.face import Face
from efld_dlib.geometry import parse_features
from efld_dlib.writers import open_sink

CHOSEN = parse_features("36-45,36-45/30-48")


POSE = Pose(1.234, -2.0, 3.0)


def face(pose=POSE):
    points = np.zeros((68, 2))
    points[45] = [60.123, 80]
    points[30] = [3, 4]
    return Face(Box(1, 2, 30, 30), 0.98765, points, pose, 0.87654)


def written(kind):
    stream = io.StringIO()
    sink = open_sink(kind, stream, CHOSEN)
    sink.faces("a.jpg", [face(), face(Pose(np.nan, np.nan, np.nan))])
    sink.faces('b, "ü".jpg', [])
    sink.error("c.jpg", "c.jpg: is empty")
    sink.close()
    return stream.getvalue()


def test_json_document():
    entries = json.loads(written("json"))["images"]
    assert [entry["file"] for entry in entries] == ["a.jpg", 'b, "ü".jpg', "c.jpg"]
    first = entries[0]["faces"][0]
    assert first["box"] == {"left": 1, "top": 2, "width": 30, "height": 30}
    assert (first["score"], first["confidence"]) == (0.9877, 0.8765)
    assert first["pose"] == {"yaw": 1.23, "pitch": -2.0, "roll": 3.0}
    assert first["points"][45] == [60.12, 80.0]
    assert first["features"]["d_36_45"] == pytest.approx(np.hypot(60.123, 80), abs=1e-5)
    # NaN is no JSON.
    assert entries[0]["faces"][1]["pose"]["yaw"] is None
    assert entries[2] == {"file": "c.jpg", "faces": [], "error": "c.jpg: is empty"}


def test_json_lines_hold_the_same_entries():
    lines = [json.loads(line) for line in written("jsonl").splitlines()]
    assert lines == json.loads(written("json"))["images"]


def test_csv_has_a_row_for_each_face_and_for_what_has_none():
    rows = list(csv.DictReader(io.StringIO(written("csv"))))
    assert [(row["file"], row["status"], row["face"]) for row in rows] == [
        *(("a.jpg", "face", "0"), ("a.jpg", "face", "1")),
        *(('b, "ü".jpg', "no face", ""), ("c.jpg", "error", "")),
    ]
    assert rows[3]["error"] == "c.jpg: is empty"
    assert list(rows[0])[:6] == ["file", "status", "error", "face", "left", "top"]
    assert list(rows[0])[13:15] == ["x_0", "x_1"]
    assert rows[0]["confidence"] == "0.8765"
    assert float(rows[0]["x_45"]) == 60.12
    assert float(rows[0]["y_45"]) == 80
    assert float(rows[0]["r_36_45_30_48"]) == pytest.approx(np.hypot(60.123, 80) / 5, abs=1e-5)
    assert rows[1]["yaw"] == ""


def test_an_empty_json_document_is_valid():
    stream = io.StringIO()
    open_sink("json", stream, CHOSEN).close()
    assert json.loads(stream.getvalue()) == {"images": []}


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_name_that_the_stream_cannot_hold_is_escaped(encoding):
    name = "\udcff é.jpg"  # as Python has the bytes b"\xff \xc3\xa9.jpg"
    texts = {}
    for kind in ("json", "jsonl", "csv"):
        raw = io.BytesIO()
        stream = io.TextIOWrapper(raw, encoding)
        sink = open_sink(kind, stream, CHOSEN)
        sink.faces(name, [face()])
        sink.close()
        stream.flush()
        texts[kind] = raw.getvalue().decode(encoding)
    assert json.loads(texts["json"])["images"][0]["file"] == name
    assert json.loads(texts["jsonl"])["file"] == name
    shown = "\\udcff é.jpg" if encoding == "utf-8" else "\\udcff \\xe9.jpg"
    assert next(csv.DictReader(io.StringIO(texts["csv"])))["file"] == shown
