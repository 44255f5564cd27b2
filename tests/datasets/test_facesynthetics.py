"""FaceSynthetics' 70 points as text."""

from __future__ import annotations

import numpy as np
import pytest

from efld_dlib.datasets.facesynthetics import read_facesynthetics
from efld_dlib.errors import DataError, Problems


def write(folder, stem, count=70, picture=".png"):
    rows = "".join(f"{i}.250 {i + 100}.5\n" for i in range(count))
    (folder / f"{stem}_ldmks.txt").write_text(rows)
    if picture:
        (folder / f"{stem}{picture}").touch()
        (folder / f"{stem}_seg.png").touch()


def test_68_points_as_they_are_written(tmp_path):
    write(tmp_path, "000001", picture=".PNG")
    write(tmp_path, "000000")
    counts = []
    records = list(read_facesynthetics(tmp_path, counts=counts))
    assert [record.path.name for record in records] == ["000000.png", "000001.PNG"]
    assert records[0].faces[0].points.shape == (68, 2)
    assert records[0].faces[0].points[67].tolist() == [67.25, 167.5]
    assert str(counts[0]) == "FaceSynthetics: 2 faces of the official 100000"


def test_bad_files(tmp_path):
    write(tmp_path, "000000", 68)
    write(tmp_path, "000001", picture="")
    (tmp_path / "000001_seg.png").touch()
    (tmp_path / "000002_ldmks.txt").write_text("1 2\nx y\n")
    (tmp_path / "README.txt").write_text("not landmarks")
    problems = Problems()
    assert not list(read_facesynthetics(tmp_path, problems=problems))
    said = [str(error).removeprefix(f"{tmp_path}/") for error in problems.errors]
    assert said == [
        "000000_ldmks.txt, line 68: expected 70 points, found 68",
        "000001_ldmks.txt: has no picture beside it",
        "000002_ldmks.txt, line 2: expected two numbers, found 'x y'",
    ]
    with pytest.raises(DataError, match="is not a folder"):
        list(read_facesynthetics(tmp_path / "gone"))


@pytest.mark.data
def test_the_original_files(data_root, tmp_path):
    for path in (data_root / "formats" / "facesynthetics").glob("*_ldmks.txt"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
        (tmp_path / path.name.replace("_ldmks.txt", ".png")).touch()
    for record in read_facesynthetics(tmp_path):
        points = record.faces[0].points
        assert ((points > 0) & (points < 512)).all()
        # Left eye left of the right one, brows over eyes, eyes over nose over mouth over chin.
        assert points[36:42, 0].mean() < points[42:48, 0].mean()
        heights = [points[part, 1].mean() for part in (range(17, 27), range(36, 48), [30])]
        heights += [points[48:68, 1].mean(), points[8, 1]]
        assert heights == sorted(heights)
        assert np.ptp(points[:, 1]) > 50
