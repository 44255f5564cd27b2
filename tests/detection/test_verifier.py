"""The verifier's features, its geometry and its file."""

from __future__ import annotations

import contextlib
import itertools
import zipfile

import numpy as np
import pytest

from efld_dlib.annotation import Box
from efld_dlib.detection.gradients import FEATURES, SIDE, gradient_features
from efld_dlib.detection.verifier import OUTPUTS, Candidate, Verifier, moved
from efld_dlib.detection.verifier_file import load_verifier, save_verifier
from efld_dlib.errors import DataError, ModelFormatError


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def test_features_of_a_picture_do_not_hang_on_the_others(rng):
    pictures = rng.integers(0, 256, (5, SIDE, SIDE), dtype=np.uint8)
    together = gradient_features(pictures)
    assert together.shape == (5, FEATURES)
    for number in range(5):
        alone = gradient_features(pictures[number : number + 1])
        # But for the last bit, with OpenCV 4.8: its angles hang on where in memory the numbers lie.
        np.testing.assert_allclose(alone[0], together[number], rtol=1e-5, atol=1e-6)


def test_features_bear_another_exposure_and_tell_light_from_dark(rng):
    picture = rng.integers(40, 160, (1, SIDE, SIDE), dtype=np.uint8)
    brighter = gradient_features(picture + np.uint8(60))
    plain = gradient_features(picture)
    np.testing.assert_allclose(brighter, plain, atol=1e-3)
    assert np.abs(gradient_features(255 - picture) - plain).max() > 0.1


def test_an_even_picture_has_no_features():
    assert not gradient_features(np.full((1, SIDE, SIDE), 77, np.uint8)).any()


def output(*, x=0.0, y=0.0, growth=0.0, turn=0.0):
    return np.array([1.0, x, y, growth, turn / 30, 0.0])


def test_a_candidate_moves_in_its_own_axes():
    upright = Candidate(Box(100, 100, 50, 50), 0.0)
    right = moved(upright, output(x=0.1))
    assert right.box.center == pytest.approx((129.5, 124.5))
    # Turned clockwise by 90 degrees, its right is the picture's down.
    lying = Candidate(Box(100, 100, 50, 50), 90.0)
    assert moved(lying, output(x=0.1)).box.center == pytest.approx((124.5, 129.5))


def test_a_candidate_grows_and_turns():
    changed = moved(Candidate(Box(0, 0, 40, 40), 170.0), output(growth=np.log(1.25), turn=20))
    assert changed.box.width == pytest.approx(50)
    assert changed.box.center == pytest.approx((19.5, 19.5))
    assert changed.roll == pytest.approx(-170)


def made_up(rng, features=FEATURES, outputs=OUTPUTS):
    sizes = (features, 7, outputs)
    weights = tuple(
        rng.normal(0, 1, (a, b)).astype(np.float32) for a, b in itertools.pairwise(sizes)
    )
    return Verifier(weights, tuple(rng.normal(0, 1, b).astype(np.float32) for b in sizes[1:]))


def test_a_file_gives_the_network_back_but_for_rounding(tmp_path, rng):
    verifier = made_up(rng)
    path = tmp_path / "verifier.npz"
    save_verifier(verifier, path)
    back = load_verifier(path)
    for one, other in zip(verifier.weights, back.weights, strict=True):
        np.testing.assert_allclose(other, one, atol=np.abs(one).max() / 250)
    features = rng.uniform(0, 0.5, (4, FEATURES)).astype(np.float32)
    expected = verifier.outputs(features)
    np.testing.assert_allclose(back.outputs(features), expected, atol=0.05 * expected.std())


def test_files_that_are_no_verifier_are_named(tmp_path, rng):
    with pytest.raises(DataError, match=r"none\.npz: cannot be read"):
        load_verifier(tmp_path / "none.npz")
    text = tmp_path / "text.npz"
    text.write_text("no network")
    with pytest.raises(ModelFormatError, match=r"text\.npz: is no verifier"):
        load_verifier(text)
    other = tmp_path / "other.npz"
    save_verifier(made_up(rng, features=10), other)
    with pytest.raises(ModelFormatError, match="other sizes"):
        load_verifier(other)


def test_files_that_unpack_to_too_much_or_are_damaged(tmp_path, rng):
    path = tmp_path / "v.npz"
    save_verifier(made_up(rng), path)
    whole = path.read_bytes()
    bomb = tmp_path / "bomb.npz"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights_0.npy", bytes(100 << 20))
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, weights_0=np.array([print], dtype=object), scale_0=1, bias_0=1)
    flat = tmp_path / "flat.npz"
    np.savez(flat, weights_0=np.zeros(3), scale_0=np.ones(3), bias_0=np.zeros(OUTPUTS))
    for bad in (bomb, pickled, flat):
        with pytest.raises(ModelFormatError, match=rf"{bad.name}: is "):
            load_verifier(bad)
    broken = made_up(rng)
    broken.biases[0][0] = np.nan
    save_verifier(broken, path)
    with pytest.raises(ModelFormatError, match="not finite"):
        load_verifier(path)
    for at in range(0, len(whole), 97):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        with contextlib.suppress(ModelFormatError):
            load_verifier(path)
