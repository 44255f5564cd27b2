"""Predictors and detectors of points that are not the 68, of things that are no faces."""

from __future__ import annotations

import json
import math
import pickle
from dataclasses import replace

import dlib
import numpy as np
import pytest

from efld_dlib.detection.registry import ObjectDetector, make_detector
from efld_dlib.errors import DataError, ModelFormatError, OptionError, TrainingError
from efld_dlib.evaluation.evaluate import evaluate
from efld_dlib.extraction.settings import ExtractSettings
from efld_dlib.images import read_image, to_gray
from efld_dlib.landmarker import FaceLandmarker
from efld_dlib.landmarks import FACE_68, find_scheme, read_scheme
from efld_dlib.models.loading import load_predictor, model_scheme
from efld_dlib.training.detector import DetectorOptions, train_detector
from efld_dlib.training.options import TrainingOptions
from efld_dlib.training.search import search_options
from efld_dlib.training.trainer import train
from efld_dlib.xml.read import read_xml
from efld_dlib.xml.write import write_xml

QUICK = TrainingOptions(4, 2, 20, oversampling_amount=10, num_threads=1)


def predicted(model, records):
    """What dlib itself makes of the boxes, shape (faces, points, 2)."""
    predictor = load_predictor(model)
    found = []
    for record in records:
        box = record.faces[0].box
        place = dlib.rectangle(*map(round, (box.left, box.top, box.right, box.bottom)))
        parts = predictor(to_gray(read_image(record.path)), place).parts()
        found.append([(part.x, part.y) for part in parts])
    return np.array(found, np.float64)


@pytest.fixture(scope="module")
def test_leaves(leaves):
    return list(read_xml(leaves / "test.xml"))


def test_a_predictor_gives_the_points_in_the_order_of_their_scheme(leaves, leaf_model, test_leaves):
    assert model_scheme(leaf_model) == find_scheme(leaves / "leaf.toml")
    truth = np.array([record.faces[0].points for record in test_leaves])
    found = predicted(leaf_model, test_leaves)
    # dlib sorts the names, in which "base" comes before "stem".
    apart = np.linalg.norm(found[:, :, None] - truth[:, None], axis=-1).mean(axis=0)
    assert apart.argmin(axis=1).tolist() == list(range(8))


def test_it_is_better_than_the_mean_shape_by_far(leaf_model, test_leaves):
    truth = np.array([record.faces[0].points for record in test_leaves])
    boxes = np.array([record.faces[0].box for record in test_leaves])
    unit = (truth - boxes[:, None, :2]) / (boxes[:, None, 2:] - 1)
    mean = unit.mean(axis=0) * (boxes[:, None, 2:] - 1) + boxes[:, None, :2]
    size = np.linalg.norm(truth[:, 1] - truth[:, 4], axis=-1)
    of_mean = (np.linalg.norm(mean - truth, axis=-1).mean(axis=1) / size).mean()
    assert evaluate(leaf_model, test_leaves, "file", jobs=1).nme < 0.8 * of_mean


def test_other_names_of_the_same_points_train_the_same_predictor(leaves, tmp_path, test_leaves):
    scheme = find_scheme(leaves / "leaf.toml")
    text = (leaves / "train.xml").read_text("utf-8").replace("images/", f"{leaves}/images/")
    head, tail = text.split("<comment>")[0], text.split("</comment>")[1]
    for number, name in enumerate(scheme.points):
        tail = tail.replace(f"name='{name}'", f"name='{number}'")
    bare = tmp_path / "numbers.xml"
    bare.write_text(head + tail, encoding="utf-8")
    result = train(bare, tmp_path / "numbers.dat", QUICK, measure=False)
    named = train(leaves / "train.xml", tmp_path / "named.dat", QUICK, measure=False)
    assert result.scheme.points == tuple("01234567")
    # Nothing but the order in which dlib adds the points up may differ.
    one, other = (predicted(each.model, test_leaves) for each in (result, named))
    assert abs(one - other).mean() < 2


def test_some_landmarks_of_the_68_are_trained_from_all(training_data, tmp_path):
    eyes = train(
        training_data / "train.xml", tmp_path / "e.dat", QUICK, points="eyes", measure=False
    )
    assert eyes.scheme == FACE_68.select(range(36, 48))
    assert FaceLandmarker(eyes.model).scheme == eyes.scheme
    mouth = train(training_data / "train.xml", tmp_path / "m.dat", QUICK, points="mouth")
    # By the eye corners of the data, which the mouth does not have.
    assert mouth.normaliser == "inter-ocular"
    again = evaluate(mouth.model, list(read_xml(training_data / "train.xml")), "file", jobs=1)
    assert mouth.train_nme == pytest.approx(float(np.nanmean(again.errors_by("inter-ocular"))))
    report = json.loads(eyes.report.read_text("utf-8"))
    assert report["scheme"] == {"name": "68", "points": [str(n) for n in range(36, 48)]}
    with pytest.raises(OptionError, match="'ears' is no landmark or part"):
        train(training_data / "train.xml", tmp_path / "x.dat", QUICK, points="ears")


def test_an_xml_with_some_of_the_68_trains_those(training_data, tmp_path):
    records = list(read_xml(training_data / "train.xml"))[:20]
    text = (training_data / "train.xml").read_text("utf-8")
    lines = [
        line.replace("file='", f"file='{training_data}/").replace(
            'file="', f'file="{training_data}/'
        )
        for line in text.splitlines()
        if "<part" not in line or any(f"'{n}'" in line for n in (36, 39, 42, 45))
    ]
    some = tmp_path / "corners.xml"
    some.write_text("\n".join(lines), encoding="utf-8")
    result = train(some, tmp_path / "corners.dat", QUICK)
    assert result.scheme.labels == ("36", "39", "42", "45")
    assert result.normaliser == "inter-ocular"
    assert 0 < result.train_nme < 0.1
    # Measured beside any other model of the 68, on the points that it has.
    assert evaluate(result.model, records, "file", jobs=1).errors.shape == (len(records),)


def test_a_model_and_data_of_different_things_are_not_compared(leaf_model, training_data):
    records = list(read_xml(training_data / "validation.xml"))
    with pytest.raises(DataError, match="cannot be compared: the 68 points of 68"):
        evaluate(leaf_model, records, "file", jobs=1)


def test_things_are_found_only_by_a_detector_that_is_named(leaf_model, test_leaves):
    landmarker = FaceLandmarker(leaf_model)
    record = test_leaves[0]
    with pytest.raises(OptionError, match="no detector is known for them"):
        landmarker.detect(record.path)
    (leaf,) = landmarker.landmarks(record.path, [record.faces[0].box])
    assert leaf.part("midrib").shape == (4, 2)
    assert set(leaf.to_dict()) == {"box", "score", "points", "features"}
    assert list(leaf.to_dict()["points"]) == list(leaf.scheme.points)
    assert leaf.draw(record.path).shape == (280, 320, 3)
    # A box twice as high for its width is not taken for a square one.
    box = record.faces[0].box
    (other,) = landmarker.landmarks(record.path, [box._replace(height=1.3 * box.height)])
    assert not np.allclose(other.points, leaf.points)


def test_a_scheme_must_have_as_many_points_as_the_model(leaf_model):
    with pytest.raises(ModelFormatError, match="predicts 8 landmarks, and scheme 5 has 5"):
        FaceLandmarker(leaf_model, scheme=read_scheme("5"))


def test_a_detector_of_things_finds_most_of_them(leaf_detector, test_leaves, leaf_model):
    detector = leaf_detector
    assert detector.things == 8
    assert detector.found >= 4
    assert detector.others <= 2
    report = json.loads(detector.report.read_text("utf-8"))
    assert report["held_out"]["found"] == detector.found
    found = make_detector(str(detector.files[0]))
    landmarker = FaceLandmarker(leaf_model, found)
    counts = [len(landmarker.detect(record.path)) for record in test_leaves]
    assert sum(counts) == detector.found + detector.others
    assert pickle.loads(pickle.dumps(found)).threshold == detector.threshold
    # dlib's own programs read it too.
    dlib.simple_object_detector(str(detector.files[0]))


def test_things_of_mixed_forms_get_a_window_each(leaves, tmp_path):
    text = (leaves / "train.xml").read_text("utf-8").replace("images/", f"{leaves}/images/")
    wide = text.replace("width='", "width='1").replace("left='", "left='-")
    mixed = tmp_path / "mixed.xml"
    body = wide.split("<images>")[1].split("</images>")[0]
    mixed.write_text(text.replace("</images>", body.replace("leaf00", "leaf00") + "</images>"))
    result = train_detector(mixed, tmp_path / "m.svm", DetectorOptions(epsilon=1, C=0.1))
    assert len(result.windows) > 1
    assert len(ObjectDetector(result.files[0]).detectors) == len(result.windows)
    result.files[1].unlink()
    with pytest.raises(DataError, match=r"m-2\.svm: does not exist"):
        ObjectDetector(result.files[0])


def test_a_damaged_detector_is_named(tmp_path):
    bad = tmp_path / "bad.svm"
    bad.write_bytes(b"no detector")
    with pytest.raises(ModelFormatError, match=r"bad\.svm: is no object detector"):
        make_detector(str(bad))


@pytest.mark.parametrize("wrong", [{"C": 0}, {"epsilon": -1}, {"upsample_limit": 9}])
def test_options_of_a_detector_out_of_range(wrong):
    with pytest.raises(OptionError):
        DetectorOptions(**wrong)


def test_a_search_goes_on_where_it_was_and_is_no_worse_than_its_start(leaves, tmp_path):
    kept, said = tmp_path / "s.json", []
    first = search_options(leaves / "train.xml", QUICK, 0.03, kept, say=said.append)
    assert first.trials >= 1
    assert first.error <= first.start_error
    assert said[0].startswith("trial 1: ")
    leaves_before = QUICK.cascade_depth * QUICK.num_trees_per_cascade_level * 2**QUICK.tree_depth
    own = first.options
    size = own.cascade_depth * own.num_trees_per_cascade_level * 2**own.tree_depth
    assert 0.6 < size / leaves_before < 1.6
    again = search_options(leaves / "train.xml", QUICK, 0.01, kept, say=said.append)
    assert again.trials >= first.trials
    assert any("continues after" in line for line in said)
    other = TrainingOptions(4, 2, 20, nu=0.3, oversampling_amount=10, num_threads=1)
    with pytest.raises(OptionError, match="another start"):
        search_options(leaves / "train.xml", other, 0.02, kept)
    assert "held-out error" in str(again)


def test_some_of_points_that_are_but_numbers_are_trained(leaves, tmp_path):
    points = tuple("01234567")
    records = [
        replace(
            record, faces=tuple(replace(f, scheme=read_scheme({"points": 8})) for f in record.faces)
        )
        for record in read_xml(leaves / "train.xml")
    ]
    write_xml(tmp_path / "numbers.xml", records)
    result = train(
        *(tmp_path / "numbers.xml", tmp_path / "some.dat", QUICK),
        points="1,3..4",
        validation=tmp_path / "numbers.xml",
    )
    assert result.scheme.labels == (points[1], points[3], points[4])
    assert 0 < result.train_nme == result.validation_nme < 0.2
    # The points are those of the leaf: base, left_high, tip.
    truth = np.array([record.faces[0].points[[1, 3, 4]] for record in records])
    found = predicted(result.model, records)
    apart = np.linalg.norm(found[:, :, None] - truth[:, None], axis=-1).mean(axis=0)
    assert apart.argmin(axis=1).tolist() == [0, 1, 2]
    found = search_options(
        *(tmp_path / "numbers.xml", QUICK, 0.001, tmp_path / "s.json"), points="1,3..4"
    )
    assert math.isfinite(found.error)


@pytest.mark.parametrize(
    "kept", ["", "{", "[]", '{"search": {}}', '{"search": {}, "faces": 9, "trials": [1]}']
)
def test_trials_that_are_damaged_are_named(leaves, tmp_path, kept):
    (tmp_path / "s.json").write_text(kept, encoding="utf-8")
    with pytest.raises(DataError, match=r"s\.json: is not what a search keeps"):
        search_options(leaves / "train.xml", QUICK, 0.02, tmp_path / "s.json")


def test_boxes_too_small_for_a_detector_are_named(leaves, tmp_path):
    record = next(read_xml(leaves / "train.xml"))
    (leaf,) = record.faces
    tiny = replace(record, faces=(replace(leaf, box=leaf.box._replace(width=10, height=10)),))
    write_xml(tmp_path / "tiny.xml", [tiny])
    with pytest.raises(TrainingError, match=r"tiny\.xml.*invalid boxes.*leaf0000\.jpg"):
        train_detector(tmp_path / "tiny.xml", tmp_path / "tiny.svm")


@pytest.mark.parametrize(
    ("boxes", "said"), [("pipeline", "no detector is known"), ("ground-truth", "--boxes file")]
)
def test_boxes_that_nobody_knows_are_not_measured_from(leaf_model, test_leaves, boxes, said):
    with pytest.raises(OptionError, match=said):
        evaluate(leaf_model, test_leaves, boxes, jobs=1)


def test_what_is_for_faces_is_refused_for_things(leaf_model):
    with pytest.raises(OptionError, match="the landmark network is for faces"):
        FaceLandmarker(leaf_model, network=True)
    with pytest.raises(OptionError, match="are for a detector"):
        FaceLandmarker(leaf_model, min_face=30)


def test_a_search_needs_photographs_to_judge_by(leaves, tmp_path):
    text = (leaves / "test.xml").read_text("utf-8").replace("images/", f"{leaves}/images/")
    few = tmp_path / "few.xml"
    few.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="too few photographs"):
        search_options(few, QUICK, 0.01, tmp_path / "s.json")


def test_an_extraction_notices_another_threshold_of_its_detector(leaf_detector, leaf_model):
    detector = leaf_detector
    settings = ExtractSettings(model=leaf_model, detector=str(detector.files[0]))
    before = settings.identity()
    report = json.loads(detector.report.read_text("utf-8"))
    detector.report.write_text(json.dumps(report | {"threshold": 0.7}), encoding="utf-8")
    after = settings.identity()
    detector.report.write_text(json.dumps(report), encoding="utf-8")
    assert before != after
    assert settings.identity() == before


def test_points_in_another_order_are_compared_by_their_names(leaves, test_leaves, tmp_path):
    # Without the comment the model knows the names only, in the order in which dlib sorts them.
    text = (leaves / "train.xml").read_text("utf-8").replace("images/", f"{leaves}/images/")
    bare = tmp_path / "bare.xml"
    bare.write_text(text.split("<comment>")[0] + text.split("</comment>")[1], encoding="utf-8")
    own = train(bare, tmp_path / "own.dat", QUICK, measure=False)
    named = train(leaves / "train.xml", tmp_path / "named.dat", QUICK, measure=False)
    assert own.scheme.points != named.scheme.points
    one, other = (evaluate(each.model, test_leaves, "file", jobs=1) for each in (own, named))
    np.testing.assert_allclose(one.errors, other.errors, rtol=1e-6)
