"""A face, and what dlib's own trainer reads of it in an XML."""

from __future__ import annotations

from pathlib import Path

import cv2
import dlib
import numpy as np

from efld_dlib.boxes import Box

# A grid of 68 points inside of BOX.
GRID = np.array([[6 + 2 * (i % 10), 7 + 3 * (i // 10)] for i in range(68)], dtype=float)
BOX = Box(4, 5, 30, 30)


def picture(path: Path) -> Path:
    """A picture of 40 x 40 random gray pixels."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8)
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    return path


def dlib_learns(xml: Path, box: Box = BOX) -> np.ndarray:
    """The mean shape that dlib's trainer makes of the XML's faces, placed in `box`.

    With next to no learning rate the answer is the start: the mean of the faces, in pixels of the
    box. It tells what dlib read.
    """
    options = dlib.shape_predictor_training_options()
    options.cascade_depth = options.tree_depth = options.num_trees_per_cascade_level = 1
    options.oversampling_amount = options.num_test_splits = options.num_threads = 1
    options.feature_pool_size = 10
    options.nu = 1e-9
    options.be_verbose = False
    model = xml.with_suffix(".dat")
    dlib.train_shape_predictor(str(xml), str(model), options)
    left, top, right, bottom = (int(v) for v in (box.left, box.top, box.right, box.bottom))
    shape = dlib.shape_predictor(str(model))(
        np.zeros((40, 40), np.uint8), dlib.rectangle(left, top, right, bottom)
    )
    return np.array([[part.x, part.y] for part in shape.parts()])
