"""Drawing on pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from efld_dlib.boxes import Box, Pose
from efld_dlib.drawing import (
    BOX_COLOUR,
    POINT_COLOUR,
    draw_face,
    face_tile,
    to_rgb,
    write_image,
    write_sheet,
)
from efld_dlib.errors import DataError
from efld_dlib.images import read_image
from efld_dlib.records import FaceAnnotation

NOTHING = np.full((68, 2), np.nan)


def canvas(height: int = 120, width: int = 160) -> np.ndarray:
    return np.full((height, width, 3), 100, np.uint8)


def changed(image: np.ndarray) -> np.ndarray:
    return (image != 100).any(axis=2)


def near(pixel: np.ndarray, colour: tuple[int, int, int]) -> bool:
    """Whether the pixel has the colour, but for the smoothing of lines."""
    return bool(np.abs(pixel - np.array(colour)).max() <= 50)


def points_at(*places: tuple[float, float]) -> np.ndarray:
    points = NOTHING.copy()
    points[: len(places)] = places
    return points


def test_landmarks_are_drawn_at_their_places_and_nowhere_else():
    image = canvas()
    draw_face(image, points_at((30, 40), (120.4, 80.6)))
    assert tuple(image[40, 30]) == POINT_COLOUR
    assert tuple(image[81, 120]) == POINT_COLOUR
    rows, columns = np.nonzero(changed(image))
    away = np.minimum(np.hypot(columns - 30, rows - 40), np.hypot(columns - 120.4, rows - 80.6))
    assert away.max() <= 4


def test_a_landmark_between_pixels_is_drawn_between_them():
    image = canvas()
    draw_face(image, points_at((50.5, 60)))
    ink = np.abs(image.astype(int) - 100).sum(axis=2)
    columns = np.arange(160)
    assert (ink * columns).sum() / ink.sum() == pytest.approx(50.5, abs=0.1)


def test_colour_of_the_landmarks():
    image = canvas()
    draw_face(image, points_at((30, 40)), colour=(1, 2, 3))
    assert tuple(image[40, 30]) == (1, 2, 3)


def test_missing_landmarks_draw_nothing():
    image = canvas()
    draw_face(image, NOTHING)
    draw_face(image, points_at((np.nan, 40), (30, np.nan)))
    assert not changed(image).any()


def test_the_box_is_its_frame():
    image = canvas()
    draw_face(image, NOTHING, Box(20, 30, 60, 50))
    drawn = changed(image)
    # dlib's right and bottom: the last pixel that belongs to the box.
    for x, y in [(20, 30), (79, 30), (20, 79), (79, 79), (50, 30), (20, 55)]:
        assert near(image[y, x], BOX_COLOUR)
    drawn[28:82, 18:82] = False
    assert not drawn.any()
    assert not changed(image)[33:77, 23:77].any()


def test_the_pose_is_written_at_the_box_and_left_out_where_unknown():
    plain, unknown, posed = canvas(), canvas(), canvas()
    box = Box(20, 40, 100, 70)
    draw_face(plain, NOTHING, box)
    draw_face(unknown, NOTHING, box, Pose(np.nan, np.nan, np.nan))
    draw_face(posed, NOTHING, box, Pose(10, -5, 3))
    np.testing.assert_array_equal(unknown, plain)
    rows, _ = np.nonzero((posed != plain).any(axis=2))
    assert len(rows) > 50
    assert rows.max() <= 44


def test_a_face_over_the_edge_is_drawn_as_far_as_it_shows():
    image = canvas()
    draw_face(
        image, points_at((-50, -50), (500, 10), (5, 30)), Box(-20, -20, 60, 60), Pose(1, 2, 3)
    )
    assert tuple(image[30, 5]) == POINT_COLOUR
    assert near(image[39, 10], BOX_COLOUR)


def test_drawing_on_a_copy():
    gray = np.full((4, 5), 7, np.uint8)
    rgb = to_rgb(gray)
    assert rgb.shape == (4, 5, 3)
    assert (rgb == 7).all()
    colour = canvas(4, 5)
    to_rgb(colour)[:] = 0
    assert (colour == 100).all()


def test_write_image_keeps_colours_and_gray(tmp_path):
    rgb = canvas(3, 4)
    rgb[1, 2] = (200, 30, 40)
    write_image(tmp_path / "rgb.png", rgb)
    np.testing.assert_array_equal(read_image(tmp_path / "rgb.png"), rgb)
    gray = np.arange(12, dtype=np.uint8).reshape(3, 4)
    write_image(tmp_path / "gray.PNG", gray)
    stored = cv2.imread(str(tmp_path / "gray.PNG"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(stored, gray)


@pytest.mark.parametrize("name", ["face.doc", "face", "face.", ".png"])
def test_a_suffix_that_names_no_format(tmp_path, name):
    with pytest.raises(DataError, match="suffix") as caught:
        write_image(tmp_path / name, canvas())
    assert caught.value.source == str(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_is_a_data_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write_image(tmp_path / "file" / "out.png", canvas())


@pytest.mark.parametrize("far", [3e8, 1e12, -1e300])
def test_a_face_that_reaches_far_out_of_the_picture(far):
    image = canvas()
    draw_face(image, points_at((30, 40), (far, 80)))
    assert changed(image).any()
    draw_face(image, NOTHING, Box(far, 30, 60, 50), Pose(1, 2, 3))
    # Lines and letters stay as thin as in a face that fills the picture.
    image = canvas()
    draw_face(image, NOTHING, Box(10, 30, abs(far), abs(far)), Pose(1, 2, 3))
    assert near(image[80, 10], BOX_COLOUR)
    assert not changed(image)[60:, 15:].any()


def test_a_box_that_is_not_finite_is_left_out():
    image = canvas()
    draw_face(image, NOTHING, Box(np.nan, 30, 60, 50), Pose(1, 2, 3))
    assert not changed(image).any()


def test_a_picture_too_high_for_its_format(tmp_path):
    with pytest.raises(DataError, match="its format holds no picture of 8 x 70000 pixels"):
        write_image(tmp_path / "high.jpg", np.zeros((70_000, 8), np.uint8))


def test_a_tile_of_a_face_much_larger_than_its_picture():
    face = FaceAnnotation(points_at((80, 60)), Box(-1e9, -1e9, 2e9, 2e9))
    assert face_tile(canvas(), face, 50).shape == (50, 50, 3)


def test_a_page_of_gray_tiles(tmp_path):
    write_sheet(tmp_path / "page.html", [np.full((20, 30), 90, np.uint8)], ["gray"])
    assert '<img width="30" height="20"' in (tmp_path / "page.html").read_text()
