import hashlib
import json
import struct
from dataclasses import replace

import dlib
import numpy as np
import pytest

from efld_dlib.crops import canonical_crop
from efld_dlib.errors import DataError, ModelFormatError, OptionError
from efld_dlib.images import read_image, to_gray
from efld_dlib.models.compress import Search, leaf_usage, reached_leaves
from efld_dlib.models.dat import dat_bytes, parse_dat, write_dat
from efld_dlib.models.efld import (
    efld_bytes,
    pack_arrays,
    pack_bytes,
    pack_integers,
    parse_efld,
    unpack_integers,
)
from efld_dlib.models.loading import direct_bytes, load_arrays, load_predictor
from efld_dlib.models.quantised import quantise
from efld_dlib.records import ImageRecord
from efld_dlib.xml.read import read_xml
from tests.models.small_models import one_split, random_predictor

BOX = dlib.rectangle(80, 80, 279, 279)


@pytest.fixture(scope="module")
def faces(training_data):
    return list(read_xml(training_data / "validation.xml"))


@pytest.fixture(scope="module")
def whole(tiny_model):
    return load_arrays(tiny_model)


@pytest.fixture(scope="module")
def reached(whole, faces):
    return leaf_usage(whole, faces, 200, np.random.default_rng(3))


def points(predictor, image):
    return np.array([(part.x, part.y) for part in predictor(image, BOX).parts()])


def crops(faces):
    return [dlib.load_grayscale_image(str(record.path)) for record in faces]


def resigned(header, data):
    """An `.efld` with another header, and a checksum that is right."""
    old = struct.unpack_from("<I", data, 12)[0]
    text = json.dumps(header).encode()
    arrays = data[24 + old : -32]
    head = data[:12] + struct.pack("<IQ", len(text), 24 + len(text) + len(arrays) + 32)
    body = head + text + arrays
    return body + hashlib.sha256(body).digest()


def header_of(data):
    return json.loads(data[24 : 24 + struct.unpack_from("<I", data, 12)[0]])


@pytest.mark.parametrize(
    "values", [[0], [5, -5, 0], [255, 256, -70000], [(1 << 24) - 1, -(1 << 24)], [127, -128, 128]]
)
def test_packed_numbers_come_back(values):
    packed = memoryview(pack_integers(np.array(values)))
    assert unpack_integers(packed, len(values), "values").tolist() == values
    for count in (len(values) + 1, 4 * len(values) + 1):
        with pytest.raises(ValueError, match="values"):
            unpack_integers(packed, count, "values")


def test_splits_are_exact_and_leaves_near(whole, reached):
    coarse, fine = (quantise(whole, step, reached).predictor() for step in (1e-3, 1e-5))
    for made in (coarse, fine):
        assert np.array_equal(made.first, whole.first)
        assert np.array_equal(made.second, whole.second)
        assert np.array_equal(made.thresholds, np.floor(whole.thresholds))
        assert np.array_equal(made.anchors, whole.anchors)
        assert np.array_equal(made.mean_shape, whole.mean_shape)
        assert np.abs(made.deltas - whole.deltas).max() <= 2**-15
    errors = [np.abs(made.leaves - whole.leaves).mean() for made in (coarse, fine)]
    assert errors[1] < errors[0] / 10
    assert errors[1] < 1e-4


def test_leaves_that_all_faces_reach_are_the_most_exact(whole, reached):
    made = quantise(whole, 1e-3, reached).predictor()
    counts = np.stack([(reached == leaf).sum(axis=0) for leaf in range(8)], axis=-1)
    error = np.sqrt(((made.leaves - whole.leaves) ** 2).mean(axis=-1))
    often, seldom = counts > 0.3 * len(reached), counts < 0.03 * len(reached)
    assert error[often].mean() < 0.6 * error[seldom].mean()


def test_a_leaf_without_faces_to_go_by_is_rounded_to_the_step():
    model = one_split()
    made = quantise(model, 0.01, dead_zone=0).predictor()
    # Two leaves, so each counts half, and rounds to the step of class 0 or 1.
    assert np.abs(made.leaves - model.leaves).max() <= 0.011


def test_a_file_comes_back_and_is_much_smaller(whole, reached, tiny_model, tmp_path):
    quantised = quantise(whole, 3e-4, reached)
    path = tmp_path / "tiny.efld"
    metadata = {"licence": "none", "nme": {"test": 0.04}}
    path.write_bytes(efld_bytes({"main": quantised}, metadata))
    assert path.stat().st_size < tiny_model.stat().st_size / 12
    model = parse_efld(path.read_bytes())
    assert model.metadata == metadata
    assert model.quantised().predictor() == quantised.predictor() == load_arrays(path)
    assert sum(model.part_bytes.values()) < path.stat().st_size
    assert efld_bytes({"main": quantised}, model.metadata) == path.read_bytes()


def test_expanded_it_predicts_in_plain_dlib_exactly_what_it_predicts_here(
    whole, reached, faces, tmp_path
):
    data = efld_bytes({"main": quantise(whole, 5e-4, reached)}, {})
    (tmp_path / "m.efld").write_bytes(data)
    here = load_predictor(tmp_path / "m.efld")
    assert type(here) is dlib.shape_predictor
    write_dat(load_arrays(tmp_path / "m.efld"), tmp_path / "m.dat")
    plain = dlib.shape_predictor(str(tmp_path / "m.dat"))
    for image in crops(faces):
        assert np.array_equal(points(here, image), points(plain, image))


def test_the_direct_bytes_are_the_same_predictor(whole, reached):
    quantised = quantise(whole, 2e-4, reached)
    assert parse_dat(direct_bytes(quantised)) == quantised.predictor()
    odd = quantise(random_predictor(points=3), 1e-3)
    assert parse_dat(direct_bytes(odd)) == odd.predictor()


def test_the_error_hardly_changes_where_little_is_rounded(whole, reached, faces, tiny_model):
    plain = dlib.shape_predictor(str(tiny_model))
    small = dlib.shape_predictor.__new__(dlib.shape_predictor)
    small.__setstate__((direct_bytes(quantise(whole, 1e-4, reached)),))
    apart = [points(plain, image) - points(small, image) for image in crops(faces)]
    assert np.linalg.norm(apart, axis=-1).mean() < 1.0


def test_several_predictors_have_roles(tmp_path):
    one, two = (quantise(random_predictor(seed), 1e-3) for seed in (1, 2))
    path = tmp_path / "two.efld"
    path.write_bytes(efld_bytes({"stage 1": one, "stage 2": two}, {}))
    model = parse_efld(path.read_bytes())
    assert list(model.predictors) == ["stage 1", "stage 2"]
    assert model.quantised().predictor() == one.predictor()
    assert model.quantised("stage 2").predictor() == two.predictor() == load_arrays(path, "stage 2")
    assert load_predictor(path, "stage 2")(np.zeros((9, 9), np.uint8), BOX).num_parts == 4
    with pytest.raises(OptionError, match="no predictor 'third', but stage 1, stage 2"):
        model.quantised("third")


def test_whatever_byte_changes_is_noticed():
    data = efld_bytes({"a": quantise(random_predictor(), 1e-3)}, {})
    for at in range(0, len(data), 7):
        damaged = bytearray(data)
        damaged[at] ^= 0x10
        with pytest.raises(ModelFormatError, match=r"^x.efld: "):
            parse_efld(bytes(damaged), "x.efld")
    for length in range(0, len(data), 11):
        with pytest.raises(ModelFormatError):
            parse_efld(data[:length])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"trees": 1 << 23}, "trees are announced in"),
        ({"components": 1 << 24}, "are announced in"),
        ({"pool": 1 << 24}, "are announced in"),
        ({"trees": -1}, "-1 trees are announced"),
        ({"trees": 2}, "damaged predictor"),
        ({"points": 5}, "damaged predictor"),
        ({"pool": 4}, "outside 0 to 3"),
        ({"splits": True}, "True splits"),
        ({"leaf_exponent": 900}, "leaf_exponent is 900"),
        ({"delta_exponent": None}, "delta_exponent is None"),
        ({"role": 5}, "5 is no name"),
        ({"arrays": [["first", 1 << 40]]}, "first of 1099511627776 bytes"),
        ({"arrays": []}, "is missing"),
        ({"arrays": 3}, "damaged predictor"),
    ],
)
def test_what_a_hostile_header_announces_is_not_believed(change, problem):
    data = efld_bytes({"a": quantise(random_predictor(), 1e-3)}, {})
    header = header_of(data)
    header["predictors"][0].update(change)
    with pytest.raises(ModelFormatError, match=f"^x.efld: .*{problem}"):
        parse_efld(resigned(header, data), "x.efld")


def test_headers_that_are_none():
    data = efld_bytes({"a": quantise(random_predictor(), 1e-3)}, {})
    header = header_of(data)
    twice = {**header, "predictors": header["predictors"] * 2}
    for wrong in ([], {}, {"metadata": {}, "predictors": []}, {**header, "metadata": 1}, twice):
        with pytest.raises(ModelFormatError):
            parse_efld(resigned(wrong, data))
    nothing = {**header, "predictors": [5]}
    with pytest.raises(ModelFormatError):
        parse_efld(resigned(nothing, data))
    later = data[:8] + struct.pack("<I", 2) + data[12:]
    with pytest.raises(ModelFormatError, match="format version 2; this program reads 1"):
        parse_efld(later)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("first", 6, "first has a number outside 0 to 5"),
        ("rank", 6, "rank has"),
        ("anchors", 4, "anchors has a number outside 0 to 3"),
        ("anchors", -1, "anchors has"),
        ("classes", 32, "classes has"),
        ("coefficients", 1 << 15, "coefficients has"),
        ("coefficients", (1 << 15) - 1, "leaves out of range"),
        ("mean_shape", np.nan, "has a number that is not finite"),
    ],
)
def test_indices_and_numbers_out_of_range(name, value, problem):
    quantised = quantise(random_predictor(), 1e-3)
    _, arrays = pack_arrays(quantised)
    if name == "mean_shape":
        arrays[name] = pack_bytes(np.full(8, value, np.float32).tobytes())
    else:
        like = quantised.second if name == "rank" else getattr(quantised, name)
        arrays[name] = pack_integers(np.full_like(like, value, dtype=np.int32))
    data = efld_bytes({"a": quantised}, {})
    header = header_of(data)
    header["predictors"][0]["arrays"] = [[key, len(part)] for key, part in arrays.items()]
    start = 24 + struct.unpack_from("<I", data, 12)[0]
    data = resigned(header, data[:start] + b"".join(arrays.values()) + data[-32:])
    with pytest.raises(ModelFormatError, match=problem):
        parse_efld(data)


def test_the_leaves_that_are_reached_are_those_dlib_adds_up(whole, faces, tiny_model):
    plain = dlib.shape_predictor(str(tiny_model))
    found = [
        canonical_crop(to_gray(read_image(record.path)), record.faces[0].box) for record in faces
    ]
    reached = reached_leaves(whole, found)
    assert reached.shape == (len(found), whole.cascades, whole.trees)
    cascades, trees = np.ogrid[: whole.cascades, : whole.trees]
    right = 0
    for crop, leaves in zip(found, reached, strict=True):
        shape = whole.mean_shape + whole.leaves[cascades, trees, leaves].sum((0, 1)).reshape(-1, 2)
        right += np.abs(points(plain, crop.image) - (80 + 199 * shape)).max() <= 0.51
    assert right >= 0.8 * len(found)


def test_faces_that_tell_nothing(whole, faces):
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match="no face"):
        leaf_usage(whole, [], 10, rng)
    bare = ImageRecord(faces[0].path, (replace(faces[0].faces[0], box=None),))
    with pytest.raises(DataError, match="without a box"):
        leaf_usage(whole, [bare], 10, rng)


def test_what_cannot_be_rounded():
    model = random_predictor()
    for step, zone in ((0, 0.1), (1, 0.1), (1e-3, 0.5), (1e-3, -0.1)):
        with pytest.raises(OptionError):
            quantise(model, step, dead_zone=zone)
    with pytest.raises(OptionError, match="too large for the rounding step"):
        quantise(replace(model, leaves=model.leaves * 1e9), 1e-5)
    with pytest.raises(OptionError, match="needs a predictor"):
        efld_bytes({}, {})
    with pytest.raises(OptionError, match="cannot be written as JSON"):
        efld_bytes({"a": quantise(model, 1e-3)}, {"x": object()})


def test_the_search_keeps_to_the_size_and_the_error(whole):
    trials = []

    def search(measure):
        return Search(whole, None, measure, {}, "a", trials.append)

    finest = search(None).best(10_000_000)
    assert finest.step == 1e-5
    limit = len(finest.data) // 3
    fitting = search(None).best(limit)
    assert 0.9 * limit < len(fitting.data) <= limit
    # With an error that grows with the step alone, the largest step within bounds is found.
    loss = search(lambda data: 1 / len(data)).best(10_000_000, 1 / limit)
    assert limit <= len(loss.data) < 1.1 * limit
    assert loss in trials
    with pytest.raises(OptionError, match="does not fit in 1000 bytes"):
        search(None).best(1000)


def test_the_expansion_of_an_expansion_is_itself(whole, reached):
    once = quantise(whole, 3e-4, reached).predictor()
    assert parse_dat(dat_bytes(once)) == once


def test_a_threshold_too_large_for_three_bytes_is_refused():
    quantised = quantise(random_predictor(), 1e-3)
    thresholds = quantised.thresholds.copy()
    thresholds[0, 0, 0] = -(1 << 24)
    data = efld_bytes({"a": replace(quantised, thresholds=thresholds)}, {})
    with pytest.raises(ModelFormatError, match="thresholds has a number outside -16777215"):
        parse_efld(data)
