"""``efld-dlib xml convert`` for every data set, and NAME:PATH as a source elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.io import savemat

from efld_dlib.cli.main import cli
from efld_dlib.cli.options import describe_source, open_records
from efld_dlib.datasets.registry import DATASETS
from efld_dlib.errors import DataError, OptionError, Problems
from efld_dlib.landmarks import SCHEMES
from efld_dlib.xml.read import read_xml
from tools.sample.folder import write_pts


def run(*arguments, code=0):
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@pytest.fixture
def wflw(tmp_path):
    root = tmp_path / "WFLW"
    (root / "WFLW_images").mkdir(parents=True)
    (root / "WFLW_images" / "a.jpg").touch()
    numbers = " ".join(str(value) for value in range(196))
    text = f"{numbers} 10 20 59 89 0 0 0 0 0 0"
    (root / "list_98pt_rect_attr_train.txt").write_text(f"{text} a.jpg\n{text} gone.jpg\n")
    return root


@pytest.fixture
def merl_rav(tmp_path):
    root = tmp_path / "merl"
    root.mkdir()
    points = np.arange(136.0).reshape(68, 2) + 20
    points[4] = -points[4] - 2  # written as hidden
    write_pts(root / "image00001.pts", points)
    (root / "image00001.jpg").touch()
    return root


def test_the_help_names_every_data_set():
    text = run("xml", "convert", "--help").stdout
    for name, dataset in DATASETS.items():
        assert f"\n    {name} " in text
        assert set(dataset.schemes) <= set(SCHEMES)
    said = run("xml", "convert", "nosuch:x", "-o", "o.xml", code=2).output
    assert "'nosuch' in nosuch:x is no data set" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--pictures", "x"), "YTF has no option 'pictures'; it takes subset"),
        (("--set", "hidden=drop"), "YTF has no option 'hidden'"),
        (("--set", "hidden"), "--set takes NAME=VALUE, not 'hidden'"),
        (("--subset", "best"), "subset of YTF must be train or test or all, not 'best'"),
    ],
)
def test_an_option_that_a_data_set_does_not_have_is_named(tmp_path, options, message):
    said = run("xml", "convert", f"ytf:{tmp_path}", "-o", tmp_path / "o.xml", *options, code=2)
    assert message in said.output


def test_a_set_with_a_choice_of_schemes(wflw, tmp_path):
    target = tmp_path / "out" / "wflw.xml"
    result = run("xml", "convert", f"wflw:{wflw}", "-o", target, code=1)
    assert "line 2: its picture 'gone.jpg' is not there" in result.stderr
    assert "WFLW train: 1 faces of the official 7500" in result.stderr
    assert "1 input could not be used" in result.stderr
    (record,) = read_xml(target, "98")
    assert record.path.resolve() == (wflw / "WFLW_images" / "a.jpg").resolve()
    assert record.faces[0].box == (10, 20, 50, 70)
    run("xml", "convert", f"wflw:{wflw}", "-o", target, "--scheme", "68", code=1)
    (record,) = read_xml(target)
    assert record.faces[0].given.all()
    run("xml", "convert", f"wflw:{wflw}", "-o", tmp_path / "strict.xml", "--strict", code=2)
    assert not (tmp_path / "strict.xml").exists()
    assert (
        "WFLW has no landmarks of scheme 21, only of 98 or 68"
        in run("xml", "convert", f"wflw:{wflw}", "-o", target, "--scheme", "21", code=2).stderr
    )


def test_landmarks_that_are_left_out(merl_rav, tmp_path):
    for hidden, given in (("keep", 68), ("drop", 67)):
        run(
            "xml",
            "convert",
            f"merl-rav:{merl_rav}",
            "-o",
            tmp_path / "m.xml",
            "--set",
            f"hidden={hidden}",
        )
        (record,) = read_xml(tmp_path / "m.xml")
        assert record.faces[0].given.sum() == given


def test_an_xml_of_other_landmarks_is_no_training_data(wflw, tmp_path):
    target = tmp_path / "98.xml"
    run("xml", "convert", f"wflw:{wflw}", "-o", target, code=1)
    result = run("prepare", target, "--scheme", "68", "-o", tmp_path / "data", code=2)
    assert "98.xml: has landmarks of scheme 98, not of scheme 68" in result.stderr
    assert "no usable face" in run("prepare", target, "-o", tmp_path / "data", code=2).stderr
    run("xml", "convert", target, "--scheme", "98", "-o", tmp_path / "again.xml")
    assert len(list(read_xml(tmp_path / "again.xml", "98"))) == 1


def test_folders_with_nothing_in_them(tmp_path):
    for name, said in (
        ("300w", "has no usable .pts file"),
        ("aflw", "has no aflw.sqlite"),
        ("aflw2000", "has no usable image*.mat file"),
        ("aflw19", "has no AFLWinfo_release.mat"),
        ("merl-rav", "has no usable .pts file"),
        ("cofw68", "has no usable <number>_points.mat file"),
        ("wflw", "has no list_98pt_rect_attr_train.txt"),
        ("facesynthetics", "has no usable *_ldmks.txt file"),
        ("ytf", "has no training_frames_keypoints.csv"),
        ("cfp", "has no usable Fiducials/NNN/profile/NN.txt file with its picture in Images"),
        ("imglab", "cannot be read"),
    ):
        assert (
            said
            in run("xml", "convert", f"{name}:{tmp_path}", "-o", tmp_path / "o.xml", code=2).stderr
        )
    assert not list(tmp_path.iterdir())


# --- NAME:PATH ----------------------------------------------------------------------------------


def opened(source, subset="train", strict=True, scheme=None):
    return list(open_records(Path(source), subset, Problems(strict), scheme=scheme))


def test_named_sources_come_with_68_landmarks(wflw, merl_rav):
    (record,) = opened(f"merl-rav:{merl_rav}")
    assert record.photograph == "aflw/image00001"
    (record,) = opened(f"wflw:{wflw}", strict=False)
    assert record.faces[0].scheme.name == "68"
    # The same folder as plain .pts files: minus signs are coordinates.
    assert opened(merl_rav)[0].faces[0].points[4, 0] < 0
    assert opened(f"300w:{merl_rav}")[0].faces[0].points[4, 0] < 0


def test_a_set_whose_parts_share_persons_is_read_whole(tmp_path):
    for part in ("training", "test"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "A_Person_00.jpg").touch()
        row = "A_Person_00.jpg" + "".join(f",{value}" for value in range(136))
        (tmp_path / f"{part}_frames_keypoints.csv").write_text(f"{row}\n")
    for subset in ("train", "test-common"):
        records = opened(f"ytf:{tmp_path}", subset)
        assert [record.photograph for record in records] == ["ytf/A_Person"] * 2
    assert describe_source(Path(f"ytf:{tmp_path}"), "train") == f"ytf:{tmp_path}"
    run("xml", "convert", f"ytf:{tmp_path}", "--subset", "test", "-o", tmp_path / "test.xml")
    assert len(list(read_xml(tmp_path / "test.xml"))) == 1
    run("xml", "convert", f"ytf:{tmp_path}", "-o", tmp_path / "all.xml")
    # Split by file name, the person is not on both sides: there is nobody else.
    parts = ("--train", tmp_path / "a.xml", "--held-out", tmp_path / "b.xml", "--fraction", "0.5")
    said = run("xml", "split", tmp_path / "all.xml", *parts, code=2).stderr
    assert "0.5 of 1 photographs leaves one part empty" in said


def test_sources_that_cannot_be_used(tmp_path, wflw):
    with pytest.raises(
        OptionError, match="'nosuch' in nosuch:x is no data set; there are 300w, aflw"
    ):
        opened("nosuch:x")
    with pytest.raises(OptionError, match="AFLW-19 has no landmarks of scheme 68, only of 19"):
        opened(f"aflw19:{tmp_path}", scheme="68")
    with pytest.raises(OptionError, match="subset of WFLW must be train or test, not 'afw'"):
        opened(f"wflw:{wflw}", "afw")
    for missing in ("gone", "some/where:else", "C:/data", r"C:\data"):
        with pytest.raises(DataError, match="does not exist"):
            opened(missing)
    with pytest.raises(DataError, match=r"C:\\x\.xml: cannot be read"):
        opened(r"C:\x.xml")
    with pytest.raises(DataError, match="is not a folder"):
        opened("merl-rav:gone")


@pytest.mark.skipif(os.name == "nt", reason="no colons in names there")
def test_paths_with_colons_that_exist(merl_rav, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    merl_rav.rename(tmp_path / "aflw:mine")
    (record,) = opened("aflw:mine")
    assert record.path.name == "image00001.jpg"
    run("xml", "convert", "aflw:mine", "-o", "wflw:x.xml")
    assert len(opened("wflw:x.xml")) == 1


def test_prepare_and_evaluate_name_their_sources(tmp_path):
    assert "NAME:PATH" in run("prepare", "--help").stdout
    assert "NAME:PATH" in run("evaluate", "--help").stdout
    result = run("prepare", "nosuch:data", "-o", tmp_path / "out", code=2)
    assert "'nosuch' in nosuch:data is no data set" in result.stderr
    savemat(tmp_path / "AFLWinfo_release.mat", {"x": 1})
    of_68 = ("--scheme", "68", "-o", tmp_path / "out")
    result = run("prepare", f"aflw19:{tmp_path}", *of_68, code=2)
    assert "AFLW-19 has no landmarks of scheme 68" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.data
def test_prepare_takes_real_merl_rav_faces(data_root, tmp_path):
    few = tmp_path / "few"
    few.mkdir()
    for picture in sorted((data_root / "aflw").glob("*.jpg"))[:12]:
        for path in (picture, picture.with_suffix(".pts")):
            (few / path.name).write_bytes(path.read_bytes())
    result = run("prepare", f"merl-rav:{few}", "-o", tmp_path / "data", "-j", "1")
    assert "MERL-RAV: 12 faces" in result.stderr
    train = list(read_xml(tmp_path / "data" / "train.xml"))
    assert not all(face.given.all() for record in train for face in record.faces)
