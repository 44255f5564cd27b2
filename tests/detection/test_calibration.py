"""Boxes of other detectors in dlib's framing."""

from __future__ import annotations

import numpy as np
import pytest

from efld_dlib.boxes import Box
from efld_dlib.detection.registry import (
    OTHERS,
    BoxCalibration,
    YunetDetector,
    calibration,
    make_detector,
)
from efld_dlib.errors import DataError, ModelFormatError, OptionError
from efld_dlib.images import to_gray
from tools.fit_calibration import fit_calibration


def test_a_calibrated_box_is_square_shifted_and_scaled():
    # 20 x 80 has the sides' mean 40; its centre is (19.5, 59.5).
    box = BoxCalibration(0.1, -0.25, 1.5).apply(Box(10, 20, 20, 80))
    assert box.center == pytest.approx((23.5, 49.5))
    assert box.width == box.height == pytest.approx(60)


def test_the_fit_finds_the_rule_that_made_the_boxes_in_spite_of_strays():
    rng = np.random.default_rng(5)
    rule = BoxCalibration(0.05, 0.1, 0.8)
    boxes = [Box(*rng.uniform(0, 300, 2), size, size * 1.2) for size in rng.uniform(40, 200, 40)]
    wanted = [rule.apply(box) for box in boxes]
    wanted[::10] = [Box(0, 0, 9, 9)] * 4
    fitted = fit_calibration(boxes, wanted)
    assert (fitted.x, fitted.y, fitted.scale) == pytest.approx((0.05, 0.1, 0.8))
    with pytest.raises(DataError, match="9 pairs of boxes are too few"):
        fit_calibration(boxes[:9], wanted[:9])


def test_lbp_boxes_come_in_dlibs_framing(astronaut):
    (found,) = make_detector("lbp")(to_gray(astronaut))
    assert found.box.overlap(Box(179, 83, 88, 88)) > 0.7
    assert make_detector("lbp")(np.full((30, 30), 9, np.uint8)) == []


@pytest.mark.parametrize("kind", ["yunet", "dlib-cnn"])
def test_files_of_other_detectors_are_checked(kind, tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        make_detector(f"{kind}={tmp_path / 'none'}")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"nothing")
    with pytest.raises(ModelFormatError, match=r"broken\.onnx"):
        make_detector(f"{kind}={broken}")
    with pytest.raises(OptionError, match="unknown detector"):
        make_detector(kind)


def test_another_network_is_no_yunet(tmp_path):
    # In ONNX: a rectified unit, from 1 x 3 x 320 x 320 numbers to as many.
    path = tmp_path / "relu.onnx"
    path.write_bytes(
        b'\x08\x07:^\n\x15\n\x05input\x12\x03out\x1a\x01n"\x04Relu\x12\x01gZ!\n\x05input\x12\x18\n\x16\x08\x01\x12\x12'
        b"\n\x02\x08\x01\n\x02\x08\x03\n\x03\x08\xc0\x02\n\x03\x08\xc0\x02b\x1f\n\x03out\x12\x18\n\x16\x08\x01\x12\x12"
        b"\n\x02\x08\x01\n\x02\x08\x03\n\x03\x08\xc0\x02\n\x03\x08\xc0\x02B\x04\n\x00\x10\x0b"
    )
    with pytest.raises(ModelFormatError, match=r"relu\.onnx: is no YuNet"):
        YunetDetector(path)


def test_every_detector_of_another_project_has_a_calibration():
    assert {kind: 0.8 < calibration(kind).scale < 1.2 for kind in OTHERS} == {
        "lbp": True,
        "yunet": True,
        "dlib-cnn": True,
    }
