import dlib
import numpy as np
import pytest

from efld_dlib import FaceLandmarker, backend
from efld_dlib.errors import MissingDependencyError, ModelFormatError, OptionError
from efld_dlib.models.efld import join
from efld_dlib.models.forest import DlibPredictor
from efld_dlib.models.information import describe
from efld_dlib.models.loading import load_predictor, load_refined, resolve_model


def test_gives_the_plain_dlib_predictor(tiny_model):
    predictor = load_predictor(tiny_model)
    assert type(predictor) is dlib.shape_predictor
    assert DlibPredictor(predictor).points == 68
    image = np.random.default_rng(0).integers(0, 255, (300, 300), dtype=np.uint8)
    box = dlib.rectangle(50, 50, 249, 249)
    ours, plain = predictor(image, box), dlib.shape_predictor(str(tiny_model))(image, box)
    assert [(p.x, p.y) for p in ours.parts()] == [(p.x, p.y) for p in plain.parts()]


def test_the_model_that_comes_with_the_package(astronaut):
    assert resolve_model().stat().st_size < 2_100_000
    (face,) = FaceLandmarker().detect(astronaut, "rgb")
    # The tip of the nose and the eye corners are where they are in the photograph.
    for landmark, place in ((30, (224, 128)), (36, (196, 102)), (45, (255, 104))):
        assert np.linalg.norm(face.points[landmark] - place) < 6
    assert "non-commercial" in describe(resolve_model())["licence"]
    assert "non-commercial" in (resolve_model().parent / "LICENCE.md").read_text()


def test_a_name_without_a_file(tmp_path):
    with pytest.raises(ModelFormatError, match=r"none\.dat: there is no such model file"):
        resolve_model(tmp_path / "none.dat")


@pytest.mark.parametrize(
    "content", [b"", b"no model", b"\x01\x01" * 50], ids=["empty", "text", "crashes dlib"]
)
def test_what_is_no_model(tmp_path, content):
    path = tmp_path / "odd.dat"
    path.write_bytes(content)
    with pytest.raises(ModelFormatError, match=r"odd\.dat: is not a dlib shape predictor"):
        load_predictor(path)


def test_a_truncated_model(tiny_model, tmp_path):
    path = tmp_path / "half.dat"
    path.write_bytes(tiny_model.read_bytes()[:5000])
    with pytest.raises(ModelFormatError, match=r"half\.dat"):
        load_predictor(path)


def test_a_missing_model(tmp_path):
    with pytest.raises(ModelFormatError, match=r"gone\.dat: there is no such model file"):
        load_predictor(tmp_path / "gone.dat")


def test_a_missing_dlib_is_said_with_both_ways_to_get_it(monkeypatch):
    def absent(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(backend.importlib, "import_module", absent)
    with pytest.raises(MissingDependencyError, match=r"pip install dlib-bin.*pip install dlib'"):
        backend.load_dlib()


@pytest.mark.parametrize("name", ["m" * 5000, "m\0.dat"], ids=["too long", "zero byte"])
def test_a_name_that_no_file_can_have(name):
    with pytest.raises(ModelFormatError, match="there is no such model file"):
        load_predictor(name)


def test_a_compact_file_without_predictors(tmp_path):
    path = tmp_path / "empty.efld"
    path.write_bytes(join({"metadata": {}, "predictors": []}, b""))
    for load in (load_predictor, load_refined, describe):
        with pytest.raises(ModelFormatError, match="has a header without"):
            load(path)


def test_a_role_that_is_not_there_is_answered_with_those_that_are():
    with pytest.raises(OptionError, match="no predictor 'other', but predictor, refined"):
        load_predictor(role="other")
