import csv
import json
import shutil
import sys
from pathlib import Path

import dlib
import numpy as np
import pytest
from click.testing import CliRunner

from efld_dlib.cli.main import cli
from efld_dlib.cli.model import split_arguments
from efld_dlib.cli.options import measured_subsets
from efld_dlib.errors import OptionError
from efld_dlib.models.loading import DEFAULT_MODEL
from efld_dlib.xml.read import read_xml


def run(*arguments, code=0):
    result = CliRunner().invoke(cli, ["evaluate", *map(str, arguments)])
    assert result.exit_code == code, result.output
    if result.exception is not None:
        assert isinstance(result.exception, SystemExit)
    return result


@pytest.fixture
def crops(training_data):
    return training_data / "validation.xml"


@pytest.fixture
def five_point_model(tmp_path):
    """A predictor of another number of landmarks, trained by dlib in a moment."""
    options = dlib.shape_predictor_training_options()
    options.cascade_depth, options.num_trees_per_cascade_level, options.tree_depth = 2, 2, 2
    options.be_verbose, options.num_threads = False, 1
    picture = tmp_path / "gray.png"
    dlib.save_image(np.random.default_rng(0).integers(0, 255, (90, 90), np.uint8), str(picture))
    parts = "".join(f"<part name='{i}' x='{20 + 9 * i}' y='{30 + i}'/>" for i in range(5))
    box = f"<box top='10' left='10' width='60' height='60'>{parts}</box>"
    xml = tmp_path / "five.xml"
    xml.write_text(f"<dataset><images><image file='gray.png'>{box}</image></images></dataset>")
    dlib.train_shape_predictor(str(xml), str(tmp_path / "five.dat"), options)
    return tmp_path / "five.dat"


def test_help_keeps_its_examples_on_lines_of_their_own():
    lines = run("--help").stdout.splitlines()
    assert "    efld-dlib evaluate 300w/" in lines


def test_several_models_and_all_outputs(tiny_model, crops, tmp_path):
    out = tmp_path / "out"
    result = run(
        *(tiny_model, f"again={tiny_model}", crops, "--boxes", "file", "-j", 1),
        *("--resamples", 100, "-o", out / "f.json", "-o", out / "f.csv"),
        *("-o", out / "f.md", "-o", out / "ced.svg", "-o", out / "report"),
    )
    assert "boxes from the data; 0 missed" in result.stdout
    assert "again minus tiny" in result.stdout
    data = json.loads((out / "f.json").read_text())["data"][0]
    assert [model["name"] for model in data["models"]] == ["tiny", "again"]
    assert data["comparisons"][0]["difference"] == {"value": 0, "low": 0, "high": 0}
    with (out / "f.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 2 * data["faces"]
    nme = f"{100 * data['models'][0]['nme']['inter-ocular']['value']:.2f} ["
    for text in (
        result.stdout,
        (out / "f.md").read_text(),
        (out / "report/index.html").read_text(),
    ):
        assert nme in text
    assert "<svg" in (out / "ced.svg").read_text()
    assert sorted(path.name for path in out.iterdir()) == [
        *("ced.svg", "f.csv", "f.json", "f.md", "report")
    ]


def test_each_data_set_is_reported_by_itself(tiny_model, crops, sample):
    result = run(tiny_model, crops, sample, "--subset", "helen/testset", "--boxes", "ground-truth")
    assert f"{crops}: " in result.stdout
    assert f"{sample} (helen/testset): 10 faces, boxes from the true landmarks" in result.stdout


def faces_in(sample, folder):
    return len(list((sample / folder).glob("*.pts")))


def test_the_test_part_and_the_pipeline_are_measured_by_default(tiny_model, sample, tmp_path):
    folders = [
        each for each in ("helen/testset", "lfpw/testset", "ibug") if (sample / each).exists()
    ]
    faces = sum(faces_in(sample, each) for each in folders)
    result = run(tiny_model, sample, "--resamples", 0)
    assert f"{sample} ({', '.join(folders)}): {faces} faces, the whole pipeline; " in result.stdout
    tree = shutil.copytree(sample, tmp_path / "tree")
    shutil.copytree(tree / "helen" / "testset", tree / "ibug")
    result = run(tiny_model, f"300w:{tree}", "--resamples", 0)
    assert f"300w:{tree} (helen/testset, ibug): 20 faces, the whole pipeline; " in result.stdout
    one_archive = run(tiny_model, tree / "helen", "--resamples", 0).stdout
    assert f"{tree / 'helen'} (testset): 10 faces" in one_archive


def test_training_faces_are_measured_only_on_demand(tiny_model, sample, tmp_path):
    tree = shutil.copytree(sample, tmp_path / "tree", ignore=shutil.ignore_patterns("testset"))
    for source in (tree, f"300w:{tree}", tmp_path, tree / "helen"):
        result = run(tiny_model, source, code=2)
        assert f"{source}: has training faces and none of 300-W's test folders" in result.stderr
        assert "with --subset train" in result.stderr
        assert not result.stdout
    result = run(tiny_model, tree, "--subset", "train", "--boxes", "ground-truth")
    trained = sum(faces_in(tree, each) for each in ("afw", "helen/trainset", "lfpw/trainset"))
    assert f"{tree} (train): {trained} faces, boxes from the true landmarks" in result.stdout


def test_the_held_out_faces_are_those_that_prepare_holds_out(tiny_model, sample, tmp_path):
    prepared = tmp_path / "xml"
    words = ["prepare", sample, "-o", prepared, "--validation", 0.3, "--variants", 1, "-j", 1]
    CliRunner().invoke(cli, list(map(str, words)), catch_exceptions=False)
    crops = {record.path.stem.split("-")[1] for record in read_xml(prepared / "validation.xml")}
    words = ("--held-out", 0.3, "--boxes", "ground-truth", "--resamples", 0, "-j", 1)
    run(tiny_model, sample, *words, "-o", tmp_path / "faces.csv")
    with (tmp_path / "faces.csv").open() as file:
        measured = {Path(row["file"]).stem for row in csv.DictReader(file)}
    assert measured == crops


def test_what_has_no_test_part_is_measured_whole(tiny_model, crops, sample):
    faces = len(list(read_xml(crops)))
    assert f"{crops}: {faces} faces, boxes from the data" in run(crops, "--boxes", "file").stdout
    plain = sample / "helen" / "trainset"
    assert f"{plain}: {faces_in(plain, '.')} faces, " in run(tiny_model, plain).stdout


def test_other_sets_with_subsets_are_measured_on_their_test_part(tmp_path):
    for source, subsets in (
        (f"wflw:{tmp_path}", ("test",)),
        (f"aflw19:{tmp_path}", ("test",)),
        (f"merl-rav:{tmp_path}", ("train",)),
        (tmp_path, ("train",)),
    ):
        assert measured_subsets(Path(source)) == subsets
    said = run(f"wflw:{tmp_path}", code=2).stderr
    assert "has no list_98pt_rect_attr_test.txt" in said
    assert "'nosuch' in nosuch:x is no data set" in run("nosuch:x", code=2).stderr


def test_named_readers_are_data_too(tiny_model, sample):
    result = run(tiny_model, f"300w:{sample}", "--subset", "helen/testset", "--resamples", 0)
    assert f"300w:{sample} (helen/testset): 10 faces" in result.stdout


def test_a_subset_of_which_a_folder_is_missing_is_said(tiny_model, sample):
    result = run(tiny_model, sample, "--subset", "test-common", "--resamples", 0)
    assert f"{sample} has no lfpw/testset: 224 faces of 'test-common' are missing" in result.stderr
    result = run(tiny_model, sample, "--subset", "helen/testset", "--resamples", 0)
    assert "missing" not in result.stderr


def test_any_number_of_processes_prints_the_same(tiny_model, crops):
    one, two = (run(tiny_model, crops, "--boxes", "file", "-j", jobs).stdout for jobs in (1, 2))
    assert one == two


def test_without_a_model_that_of_the_package_is_measured(crops):
    printed = run(crops, "--boxes", "file", "--resamples", 50).stdout
    row = next(line for line in printed.splitlines() if line.startswith("package"))
    assert row.split()[1] == f"{DEFAULT_MODEL.stat().st_size / 1e6:.1f}"


def test_data_are_needed(tiny_model, crops, tmp_path):
    assert "no data is given" in run(tiny_model, code=2).stderr
    assert "Missing argument" in run(code=2).stderr
    assert "no such model" in run("gone.dat", crops, code=2).stderr
    assert "does not exist" in run(tiny_model, tmp_path / "gone", code=2).stderr
    twice = run(f"a={tiny_model}", f"a={tiny_model}", crops, code=2).stderr
    assert "two models are called 'a'" in twice


def test_a_model_of_other_landmarks_is_refused(five_point_model, tiny_model, crops):
    report = five_point_model.with_suffix(".json")
    about = {"bytes": five_point_model.stat().st_size, "scheme": {"name": "leaf", "points": 5}}
    report.write_text(json.dumps(about))
    said = run(tiny_model, five_point_model, crops, "--boxes", "file", code=2)
    assert "landmarks that cannot be compared" in said.stderr
    assert "the 5 points of leaf are 00 to 04" in said.stderr
    assert not said.stdout


def test_an_empty_set_is_said(tiny_model, tmp_path):
    empty = tmp_path / "empty.xml"
    empty.write_text("<dataset><images></images></dataset>")
    said = run(tiny_model, empty, code=2).stderr
    assert "empty.xml: " in said
    (tmp_path / "folder").mkdir()
    assert "no annotated face" in run(tiny_model, tmp_path / "folder", code=2).stderr


def test_a_bad_picture_is_skipped_counted_and_strict_on_demand(tiny_model, sample, tmp_path):
    tree = shutil.copytree(sample / "helen" / "testset", tmp_path / "faces")
    next(iter(sorted(tree.glob("*.pts")))).with_suffix(".jpg").write_bytes(b"no picture")
    result = run(tiny_model, tree, code=1)
    assert ": 9 faces" in result.stdout
    assert "1 input could not be used" in result.stderr
    run(tiny_model, tree, "--strict", code=2)


def test_truth_without_eye_corners_is_said(tiny_model, training_data, tmp_path):
    data = shutil.copytree(training_data, tmp_path / "data")
    xml = data / "validation.xml"
    lines = xml.read_text().splitlines()
    lines.pop(next(i for i, line in enumerate(lines) if "name='36'" in line))
    xml.write_text("\n".join(lines))
    result = run(tiny_model, xml, "--boxes", "file")
    assert "1 without the true landmarks that inter-ocular needs" in result.stdout
    assert "without the true" not in run(tiny_model, xml, "--boxes", "file", "--by", "box").stdout


def test_a_plot_without_matplotlib_is_refused_at_once(tiny_model, crops, tmp_path, monkeypatch):
    assert "'x.bmp' ends in none of .json" in run(tiny_model, crops, "-o", "x.bmp", code=2).stderr
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = run(tiny_model, crops, "-o", tmp_path / "x.png", code=2)
    assert 'pip install "efld-dlib[plot]"' in result.stderr
    assert not result.stdout


def test_models_are_told_from_data_and_named(tmp_path):
    odd = tmp_path / "a=b.dat"
    odd.touch()
    models, data = split_arguments(["x/m.dat", "y/m.DAT", "new=z/m.efld", str(odd), "d.xml", "w"])
    assert list(models) == ["x/m.dat", "y/m.DAT", "new", "a=b"]
    assert [str(path) for path in models.values()][2:] == ["z/m.efld", str(odd)]
    assert list(map(str, data)) == ["d.xml", "w"]
    with pytest.raises(OptionError, match="called 'm'"):
        split_arguments(["m=a.dat", "m=b.dat"])
    # A name has no slash: this is a file in a folder, which is not there.
    assert split_arguments(["runs/lr=1/m.dat"])[0] == {"m": Path("runs/lr=1/m.dat")}
