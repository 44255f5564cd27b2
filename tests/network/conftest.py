import numpy as np
import pytest

from efld_dlib.network.faces import Picture, SceneFace
from efld_dlib.pose import mean_face_3d


def drawn_picture(side=200, width=80.0, seed=0, held_out=False):
    """A picture with the mean face's landmarks about its middle, bright on noise."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 60, (side, side)).astype(np.uint8)
    points = mean_face_3d()[:, :2] * width * 0.6
    points += side / 2 - points.mean(axis=0)
    for x, y in points:
        image[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2] = 255
    box = np.array([side / 2, side / 2, width])
    face = SceneFace(box, points, np.array([0.0, 0.0, 0.0]), 1.0)
    return Picture(image, (face,), f"picture-{seed}.png", held_out)


@pytest.fixture
def pictures():
    return [drawn_picture(seed=seed) for seed in range(3)]


@pytest.fixture
def grounds():
    rng = np.random.default_rng(9)
    return {name: rng.integers(0, 255, (120, 160)).astype(np.uint8) for name in ("a", "b")}
