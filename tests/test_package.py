"""The package as a whole: its public names, its modules, and what an import of it waits for."""

import pydoc
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import efld_dlib
from efld_dlib.errors import DataError, OptionError, Problems
from efld_dlib.images import read_image
from efld_dlib.xml.read import read_xml
from efld_dlib.xml.write import write_xml
from tools.sample.folder import write_pts


def test_importing_the_package_waits_for_nothing():
    code = "import sys, efld_dlib; print({'numpy', 'cv2', 'dlib', 'lxml'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "set()\n", result.stderr


def test_every_public_name_is_there_and_documented():
    for name in efld_dlib.__all__:
        thing = getattr(efld_dlib, name)
        assert name == "__version__" or thing.__doc__.strip()
    assert dir(efld_dlib) == sorted(efld_dlib.__all__)


def test_public_names_are_those_of_the_modules():
    assert efld_dlib.read_image is read_image
    assert efld_dlib.read_xml is read_xml
    assert efld_dlib.write_xml is write_xml


@pytest.mark.parametrize(
    "name", ["boxes", "crops", "datasets", "drawing", "geometry", "landmarks", "models", "pose"]
)
def test_a_module_is_reached_without_an_import_of_its_own(name):
    code = f"import efld_dlib; print(efld_dlib.{name}.__name__)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == f"efld_dlib.{name}\n", result.stderr


def test_a_name_that_is_not_there():
    for name in ("nosuch", "_private", "__wrapped__"):
        assert not hasattr(efld_dlib, name)
    with pytest.raises(AttributeError, match="module 'efld_dlib' has no attribute 'nosuch'"):
        efld_dlib.nosuch  # noqa: B018


def test_a_module_whose_requirement_is_missing_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.delitem(sys.modules, "efld_dlib.drawing", raising=False)
    monkeypatch.delattr(efld_dlib, "drawing", raising=False)
    with pytest.raises(ModuleNotFoundError, match="cv2"):
        efld_dlib.drawing  # noqa: B018


def test_help_is_a_tour():
    text = pydoc.render_doc(efld_dlib, renderer=pydoc.plaintext)
    for call in ("landmarker.detect(", ".track(", "extract(", "train(", "evaluate("):
        assert f">>> {call}" in text or call in text.split("PACKAGE CONTENTS")[0]
    assert "class Face(" in text


# --- data sets ----------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "faces"
    root.mkdir()
    write_pts(root / "a.pts", np.arange(136.0).reshape(68, 2) + 20)
    (root / "a.jpg").touch()
    return root


def test_a_folder_a_name_and_an_xml_are_data_sets(folder, tmp_path):
    (record,) = efld_dlib.open_dataset(folder)
    assert record.faces[0].points.shape == (68, 2)
    assert list(efld_dlib.open_dataset(f"300w:{folder}")) == [record]
    assert list(efld_dlib.open_dataset(str(folder), subset="train")) == [record]
    assert efld_dlib.write_xml(tmp_path / "faces.xml", [record]) == 1
    (again,) = efld_dlib.open_dataset(tmp_path / "faces.xml")
    assert np.abs(again.faces[0].points - record.faces[0].points).max() <= 0.5
    (read,) = efld_dlib.read_xml(tmp_path / "faces.xml")
    assert read == again


def test_a_data_set_that_is_none_says_what_to_give(folder):
    with pytest.raises(OptionError, match="'nosuch' in nosuch:x is no data set; there are 300w"):
        efld_dlib.open_dataset("nosuch:x")
    with pytest.raises(DataError, match="gone: does not exist"):
        efld_dlib.open_dataset("gone")
    for wrong in (None, 42, [folder]):
        with pytest.raises(OptionError, match="a data set is given as a path or NAME:PATH, not"):
            efld_dlib.open_dataset(wrong)
    with pytest.raises(OptionError, match="CFP has no option 'subset'; it takes no option"):
        efld_dlib.open_dataset(f"cfp:{folder}", subset="test")
    with pytest.raises(
        OptionError, match="300-W has no option 'pictures'; it takes subset and box"
    ):
        efld_dlib.open_dataset(folder, pictures="elsewhere")
    with pytest.raises(OptionError, match="CFP has no landmarks of scheme 21, only of 68"):
        efld_dlib.open_dataset(f"cfp:{folder}", scheme="21")


def test_a_part_that_commands_do_not_offer_can_be_named(tmp_path):
    for part, name in (("training", "A_Person_00.jpg"), ("test", "B_Person_00.jpg")):
        (tmp_path / part).mkdir()
        (tmp_path / part / name).touch()
        row = name + "".join(f",{value}" for value in range(136))
        (tmp_path / f"{part}_frames_keypoints.csv").write_text(f"{row}\n")
    source, counts = f"ytf:{tmp_path}", []
    (record,) = efld_dlib.open_dataset(source, "test", counts=counts)
    assert record.path.name == "B_Person_00.jpg"
    assert [count.found for count in counts] == [1]
    assert len(list(efld_dlib.open_dataset(source))) == 2


def test_bad_entries_of_a_data_set_are_collected(folder):
    (folder / "b.pts").write_text("nothing")
    problems = Problems()
    assert len(list(efld_dlib.open_dataset(folder, problems=problems))) == 1
    assert len(problems) == 1
    with pytest.raises(DataError, match=r"b\.pts"):
        list(efld_dlib.open_dataset(Path(folder)))
