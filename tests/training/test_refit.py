from dataclasses import replace

import numpy as np
import pytest

from efld_dlib.errors import DataError, TrainingError
from efld_dlib.evaluation.evaluate import evaluate
from efld_dlib.models.dat import write_dat
from efld_dlib.models.loading import load_arrays
from efld_dlib.training import options, trainer
from efld_dlib.training.options import TrainingOptions
from efld_dlib.training.refit import refit_leaves
from efld_dlib.xml.read import read_xml


@pytest.fixture(scope="module")
def faces(training_data):
    return list(read_xml(training_data / "train.xml"))


@pytest.fixture(scope="module")
def held_out(training_data):
    return list(read_xml(training_data / "validation.xml"))


def nme(predictor, faces, folder):
    path = folder / "model.dat"
    write_dat(predictor, path)
    return evaluate(path, faces, "file", 1).nme


def test_held_out_faces_are_landmarked_better(tiny_model, faces, held_out, tmp_path):
    whole = load_arrays(tiny_model)
    better = refit_leaves(whole, faces, runs=300)
    assert nme(better, held_out, tmp_path) < 0.95 * nme(whole, held_out, tmp_path)
    # Trees and pixels stay: the file has the same size and speed.
    assert replace(better, leaves=whole.leaves) == whole


def test_a_large_ridge_changes_nothing_to_speak_of(tiny_model, faces):
    whole = load_arrays(tiny_model)
    held = refit_leaves(whole, faces[:20], ridge=1e6, runs=20)
    assert np.abs(held.leaves - whole.leaves).max() < 1e-5
    assert np.abs(refit_leaves(whole, faces[:20], runs=20).leaves).max() > 1e-3


def test_one_tree_moves_to_the_mean_of_its_faces(tiny_model, faces):
    # One cascade of one tree, no ridge: a leaf is the mean of what its faces are from the start.
    whole = load_arrays(tiny_model)
    names = ("first", "second", "thresholds", "leaves")
    one = replace(
        whole,
        anchors=whole.anchors[:1],
        deltas=whole.deltas[:1],
        **{name: getattr(whole, name)[:1, :1] for name in names},
    )
    fitted = refit_leaves(one, faces, ridge=1e-6, runs=len(faces))
    shares, means = [], []
    for record in faces:
        face = record.faces[0]
        corner, extent = np.array(face.box[:2]), np.array(face.box[2:]) - 1
        means.append((face.points - corner) / extent - one.mean_shape)
    reached = reached_by(one, faces)
    for leaf in range(one.splits + 1):
        own = np.array(means)[reached == leaf]
        shares.append(len(own))
        if len(own):
            assert fitted.leaves[0, 0, leaf] == pytest.approx(own.mean(axis=0).ravel(), abs=0.002)
    assert sum(shares) == len(faces)


def reached_by(predictor, faces):
    from efld_dlib.crops import canonical_crop
    from efld_dlib.images import read_image, to_gray
    from efld_dlib.models.compress import reached_leaves

    crops = [canonical_crop(to_gray(read_image(r.path)), r.faces[0].box) for r in faces]
    return reached_leaves(predictor, crops)[:, 0, 0]


def test_absent_landmarks_pull_at_nothing(tiny_model, faces):
    whole = load_arrays(tiny_model)
    bare = []
    for record in faces:
        points = record.faces[0].points.copy()
        points[:17] = np.nan
        bare.append(replace(record, faces=(replace(record.faces[0], points=points),)))
    fitted = refit_leaves(whole, bare, runs=100)
    jaw = slice(0, 34)
    assert np.allclose(fitted.leaves[..., jaw], whole.leaves[..., jaw], atol=1e-6)
    assert not np.allclose(fitted.leaves[..., 34:], whole.leaves[..., 34:], atol=1e-3)


def test_bad_input(tiny_model, faces, monkeypatch):
    whole = load_arrays(tiny_model)
    with pytest.raises(DataError, match="no face"):
        refit_leaves(whole, [])
    five = replace(whole, mean_shape=whole.mean_shape[:5])
    with pytest.raises(DataError, match="68 landmarks, and the predictor has 5"):
        refit_leaves(five, faces)
    monkeypatch.setattr(options, "available_memory", lambda: 1000)
    with pytest.raises(TrainingError, match="memory"):
        refit_leaves(whole, faces)


def test_the_trainer_fits_and_shortens_and_says_so(training_data, tmp_path):
    quick = TrainingOptions(3, 3, 10, oversampling_amount=3, num_threads=1)
    xml, held_out = training_data / "train.xml", training_data / "validation.xml"
    plain = trainer.train(xml, tmp_path / "a.dat", quick, held_out, jobs=1)
    fitted = trainer.train(
        xml,
        tmp_path / "b.dat",
        quick,
        held_out,
        refit=0.15,
        slim_file=True,
        jobs=1,
    )
    assert fitted.validation_nme < plain.validation_nme
    assert fitted.bytes < 0.72 * plain.bytes
    assert '"ridge": 0.15' in fitted.report.read_text()
    assert '"slim": true' in fitted.report.read_text()
