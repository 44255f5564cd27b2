"""Reading pictures of every kind, and the canonical crop."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage

from efld_dlib.boxes import Box
from efld_dlib.crops import FACE_SIZE, canonical_crop
from efld_dlib.errors import DataError, OptionError
from efld_dlib.images import read_image, to_gray

RED, GREEN, BLUE, GRAY = (250, 10, 20), (10, 240, 30), (20, 30, 230), (90, 90, 90)


def quarters(rows: int = 32, columns: int = 48) -> np.ndarray:
    """An RGB picture that no turn or mirror leaves as it is: red, green / blue, gray."""
    pixels = np.empty((rows, columns, 3), np.uint8)
    pixels[: rows // 2, : columns // 2] = RED
    pixels[: rows // 2, columns // 2 :] = GREEN
    pixels[rows // 2 :, : columns // 2] = BLUE
    pixels[rows // 2 :, columns // 2 :] = GRAY
    return pixels


def encoded(pixels: np.ndarray, kind: str = "png", **options: object) -> bytes:
    """The bytes of a picture file, written by Pillow, which knows nothing of OpenCV."""
    buffer = io.BytesIO()
    PillowImage.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


# --- files, bytes and arrays --------------------------------------------------------------------


@pytest.mark.parametrize("as_type", [str, Path, lambda path: path.read_bytes()])
def test_a_path_and_the_bytes_of_a_file_give_rgb(tmp_path, as_type):
    path = tmp_path / "picture ü.png"
    path.write_bytes(encoded(quarters()))
    np.testing.assert_array_equal(read_image(as_type(path)), quarters())


def test_array_of_known_order_gives_rgb():
    np.testing.assert_array_equal(read_image(quarters(), "rgb"), quarters())
    blue_first = np.array([[[1, 2, 3]]], np.uint8)
    assert read_image(blue_first, "bgr").tolist() == [[[3, 2, 1]]]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "1", "CMYK"])
def test_an_image_of_pillow_gives_rgb(mode):
    pillow = PillowImage.fromarray(quarters()).convert(mode)
    np.testing.assert_array_equal(read_image(pillow), np.asarray(pillow.convert("RGB")))


def test_sixteen_bits_of_pillow_are_scaled():
    pillow = PillowImage.fromarray(np.array([[0, 257, 65535]], np.uint16))
    assert read_image(pillow).tolist() == [[0, 1, 255]]


def test_an_image_that_pillow_cannot_decode(tmp_path):
    path = tmp_path / "cut.png"
    path.write_bytes(
        encoded(np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8))[:900]
    )
    with PillowImage.open(path) as pillow, pytest.raises(DataError, match=r"Pillow image.*cannot"):
        read_image(pillow)


def test_an_open_file_is_named(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(encoded(quarters()))
    with path.open("rb") as file:
        np.testing.assert_array_equal(read_image(file), quarters())
        with pytest.raises(DataError, match=r"picture\.png: is empty"):
            read_image(file)
    with pytest.raises(DataError, match=r"picture\.png: cannot be read .*closed"):
        read_image(file)
    with path.open() as text, pytest.raises(OptionError, match=r"picture\.png.*binary mode, 'rb'"):
        read_image(text)


def test_the_callers_array_is_not_touched():
    pixels = quarters()
    read_image(pixels, "bgr")
    np.testing.assert_array_equal(pixels, quarters())


def test_a_gray_array_stays_gray_and_a_gray_file_becomes_rgb():
    gray = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(read_image(gray), gray)
    np.testing.assert_array_equal(read_image(gray[:, :, None]), gray)
    np.testing.assert_array_equal(read_image(encoded(gray)), np.dstack([gray] * 3))


@pytest.mark.parametrize("color", ["rgb", "bgr"])
def test_alpha_is_dropped_not_blended(color):
    transparent = np.dstack([quarters(), np.zeros((32, 48), np.uint8)])
    assert (
        read_image(transparent, color)[0, 0].tolist() == list(RED)[:: 1 if color == "rgb" else -1]
    )
    np.testing.assert_array_equal(read_image(encoded(transparent)), quarters())


def test_16_bit_file_and_array_keep_their_brightness():
    # 257 * v is the 16-bit value of the same brightness as the 8-bit v.
    values = np.arange(256, dtype=np.uint16).reshape(16, 16)
    png = cv2.imencode(".png", values * np.uint16(257))[1].tobytes()
    assert np.frombuffer(png, np.uint8)[24] == 16  # the PNG's own bit depth
    np.testing.assert_array_equal(read_image(png)[:, :, 0], values)
    np.testing.assert_array_equal(read_image(values * np.uint16(257)), values)


@pytest.mark.parametrize("apart", [False, True], ids=["first of the frames", "beside them"])
def test_an_animated_png_gives_its_still_picture(apart):
    frames = [PillowImage.fromarray(np.roll(quarters(), 8 * step, 1)) for step in (1, 2)]
    data = encoded(quarters(), save_all=True, append_images=frames, default_image=apart)
    assert b"acTL" in data
    np.testing.assert_array_equal(read_image(data), quarters())


def test_a_damaged_animated_png_is_refused(tmp_path):
    frames = [PillowImage.fromarray(np.roll(quarters(), 8 * step, 1)) for step in (1, 2)]
    data = bytearray(encoded(quarters(), save_all=True, append_images=frames))
    data[data.index(b"IDAT") + 8] ^= 0xFF
    path = tmp_path / "animated.png"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"animated\.png: is not a picture, or a damaged one"):
        read_image(path)


def test_float_and_bool_arrays():
    values = np.array([[0.0, 0.2, 0.6, 1.0]])
    assert read_image(values).tolist() == [[0, 51, 153, 255]]
    assert read_image(values.astype(np.float32)).tolist() == [[0, 51, 153, 255]]
    assert read_image(np.array([[False, True]])).tolist() == [[0, 255]]


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (np.zeros((4, 4, 2), np.uint8), "shape (4, 4, 2)"),
        (np.zeros(4, np.uint8), "shape (4,)"),
        (np.zeros((2, 4, 4, 3), np.uint8), "shape (2, 4, 4, 3)"),
        (np.zeros((0, 4), np.uint8), "shape (0, 4)"),
        (np.zeros((4, 4), np.int64), "int64"),
        (np.array([[0.0, 255.0]]), "between 0 and 1"),
        (np.array([[-0.1, 0.5]]), "between 0 and 1"),
        (np.array([[np.nan, 0.5]]), "between 0 and 1"),
    ],
)
def test_array_that_is_no_picture(pixels, said):
    with pytest.raises(DataError) as caught:
        read_image(pixels, "rgb")
    assert said in str(caught.value)


@pytest.mark.parametrize("color", [None, "gray"])
def test_colour_order_of_an_array_is_not_guessed(color):
    with pytest.raises(OptionError, match="color='rgb' or color='bgr'"):
        read_image(quarters(), color)


def test_unknown_colour_order_is_named():
    with pytest.raises(OptionError, match="'RGB'"):
        read_image(quarters(), "RGB")


def test_gray_of_rgb_has_the_usual_weights():
    # 0.299 R + 0.587 G + 0.114 B
    pixels = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [7, 7, 7]]], np.uint8)
    assert to_gray(pixels).tolist() == [[76, 150, 29, 7]]
    gray = np.array([[1, 2]], np.uint8)
    assert to_gray(gray).tolist() == [[1, 2]]


# --- files that are no picture ------------------------------------------------------------------


def test_missing_file_and_folder_are_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.jpg: cannot be read \(No such file"):
        read_image(tmp_path / "none.jpg")
    with pytest.raises(DataError, match="cannot be read") as caught:
        read_image(tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF",
        b"This is not a picture at all.",
        encoded(quarters())[:100],
        encoded(quarters(64, 64), "jpeg")[:-100],
    ],
    ids=["empty", "short", "text", "truncated PNG", "truncated JPEG"],
)
def test_unusable_file_is_named(tmp_path, data):
    path = tmp_path / "holiday.jpg"
    path.write_bytes(data)
    with pytest.raises(DataError) as caught:
        read_image(path)
    assert caught.value.source == str(path)
    assert str(path) in str(caught.value)
    with pytest.raises(DataError, match="<bytes>"):
        read_image(data)


# --- EXIF orientation ---------------------------------------------------------------------------

# What the camera stores for an upright picture, from the EXIF standard's wording: "the 0th row is
# the visual top / bottom / left / right side of the picture, the 0th column the visual …".
STORED = {
    1: lambda upright: upright,  # row: top, column: left
    2: lambda upright: upright[:, ::-1],  # top, right
    3: lambda upright: upright[::-1, ::-1],  # bottom, right
    4: lambda upright: upright[::-1],  # bottom, left
    5: lambda upright: upright.transpose(1, 0, 2),  # left, top
    6: lambda upright: upright[:, ::-1].transpose(1, 0, 2),  # right, top
    7: lambda upright: upright[::-1, ::-1].transpose(1, 0, 2),  # right, bottom
    8: lambda upright: upright[::-1].transpose(1, 0, 2),  # left, bottom
}


def with_orientation(jpeg: bytes, orientation: int, order: str = "<") -> bytes:
    """The JPEG with an Exif segment that has the orientation tag and nothing else."""
    mark = b"II" if order == "<" else b"MM"
    header = mark + struct.pack(order + "HI", 42, 8)
    entry = struct.pack(order + "HHHIHH", 1, 0x0112, 3, 1, orientation, 0)
    body = b"Exif\0\0" + header + entry + struct.pack(order + "I", 0)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


@pytest.mark.parametrize("order", ["<", ">"], ids=["little-endian", "big-endian"])
@pytest.mark.parametrize("orientation", STORED)
def test_exif_orientation_is_turned_upright(orientation, order):
    stored = np.ascontiguousarray(STORED[orientation](quarters()))
    jpeg = encoded(stored, "jpeg", quality=100, subsampling=0)
    picture = read_image(with_orientation(jpeg, orientation, order))
    assert picture.shape == quarters().shape
    assert np.abs(picture.astype(int) - quarters()).max() <= 6


def test_orientation_out_of_range_is_no_orientation():
    jpeg = encoded(quarters(), "jpeg", quality=100, subsampling=0)
    for nonsense in (0, 9, 65535):
        picture = read_image(with_orientation(jpeg, nonsense))
        assert np.abs(picture.astype(int) - quarters()).max() <= 6


# --- the canonical crop -------------------------------------------------------------------------


def blob(height: int, width: int, x: float, y: float, sigma: float) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return (255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))).astype(np.uint8)


def centroid(image: np.ndarray) -> np.ndarray:
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    weight = image.astype(float)
    return np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()


def test_crop_has_one_size_and_the_box_one_place():
    for box in (Box(40, 30, 50, 50), Box(0, 0, 390.5, 390.5)):
        crop = canonical_crop(np.zeros((300, 400), np.uint8), box)
        # 40 % of 200 pixels on each side of the box.
        assert crop.image.shape == (360, 360)
        assert crop.box == Box(80, 80, 200, 200)
    small = canonical_crop(np.zeros((300, 400), np.uint8), Box(0, 0, 9, 9), face_size=100)
    assert small.image.shape == (180, 180)
    assert small.box == Box(40, 40, 100, 100)


def test_points_of_the_photograph_and_of_the_crop():
    crop = canonical_crop(np.zeros((300, 400), np.uint8), Box(100, 50, 100, 100))
    # Twice as large. The box covers the pixel areas from 99.5 to 199.5, the crop's box those from
    # 79.5 to 279.5; the middles, 149.5 and 179.5, lie on each other.
    photograph = np.array([[149.5, 99.5], [99.5, 49.5], [199.5, 149.5], [150.0, 99.5]])
    in_crop = np.array([[179.5, 179.5], [79.5, 79.5], [279.5, 279.5], [180.5, 179.5]])
    np.testing.assert_allclose(crop.from_photograph(photograph), in_crop, atol=1e-9)
    np.testing.assert_allclose(crop.to_photograph(in_crop), photograph, atol=1e-9)


@pytest.mark.parametrize(
    "box", [Box(11.25, -7.5, 33.3, 33.3), Box(100, 200, 1234.5, 1234.5), Box(0, 0, 200, 200)]
)
def test_mapping_there_and_back(box):
    crop = canonical_crop(np.zeros((50, 60), np.uint8), box)
    points = np.random.default_rng(0).uniform(-500, 2000, (68, 2))
    np.testing.assert_allclose(crop.to_photograph(crop.from_photograph(points)), points, atol=1e-8)


def test_a_missing_landmark_stays_missing_and_harms_no_other():
    crop = canonical_crop(np.zeros((50, 60), np.uint8), Box(10, 10, 30, 30))
    points = np.array([[20.0, 20.0], [np.nan, np.nan], [5.0, 7.0]])
    back = crop.to_photograph(crop.from_photograph(points))
    np.testing.assert_allclose(back, points, atol=1e-9)


def test_box_of_the_right_size_at_whole_pixels_copies_the_pixels():
    photograph = np.random.default_rng(1).integers(0, 256, (500, 600), np.uint8)
    crop = canonical_crop(photograph, Box(150, 110, 200, 200))
    np.testing.assert_array_equal(crop.image, photograph[30:390, 70:430])


def test_outside_of_the_photograph_is_black():
    photograph = np.full((300, 300), 200, np.uint8)
    crop = canonical_crop(photograph, Box(-50, -20, 200, 200))
    # The photograph's corner (0, 0) lies at (80 + 50, 80 + 20) of the crop.
    assert (crop.image[:100] == 0).all()
    assert (crop.image[:, :130] == 0).all()
    assert (crop.image[100:, 130:] == 200).all()


@pytest.mark.parametrize("width", [50, 200, 900])
def test_box_wholly_outside_gives_a_black_crop(width):
    photograph = np.full((300, 300), 200, np.uint8)
    for left, top in ((5000, 0), (0, 5000), (-5000, -5000)):
        assert not canonical_crop(photograph, Box(left, top, width, width)).image.any()


@pytest.mark.parametrize("width", [1000, 777, 2000, 450.6, 269, 150, 60.2])
def test_pixels_land_where_the_points_do(width):
    # A blob at a landmark stays at it, to a small part of a pixel of the crop, whether the face is
    # made smaller (averaged first) or larger.
    x, y = 0.62 * width + 100.3, 0.41 * width + 50.7
    side = int(1.5 * width) + 150
    photograph = blob(side, side + 31, x, y, sigma=width / 20)
    crop = canonical_crop(photograph, Box(100, 50, width, width))
    expected = crop.from_photograph(np.array([[x, y]]))[0]
    np.testing.assert_allclose(centroid(crop.image), expected, atol=0.1)


def test_pixels_land_right_at_the_photographs_edge():
    photograph = np.zeros((2000, 2000), np.uint8)
    photograph[:, 1000:] = 240  # an edge at x = 999.5
    crop = canonical_crop(photograph, Box(400, 900, 1600, 1600))
    edge = crop.from_photograph(np.array([[999.5, 1500.0]]))[0, 0]
    row = crop.image[180].astype(float)
    # Dark pixels up to the edge, bright ones from there: the row's sum tells where it lies.
    bright_end = crop.from_photograph(np.array([[1999.5, 0.0]]))[0, 0]
    assert row.sum() / 240 == pytest.approx(bright_end - edge, abs=0.5)
    assert np.interp(120, row[: round(edge) + 20], np.arange(round(edge) + 20)) == pytest.approx(
        edge, abs=0.5
    )


def test_a_large_face_is_averaged_not_sampled():
    # One pixel of the crop covers 10 of the photograph: a fine chessboard becomes even gray.
    board = (np.indices((2600, 2600)).sum(axis=0) % 2 * 255).astype(np.uint8)
    crop = canonical_crop(board, Box(300.5, 300.5, 2000, 2000))  # would sample pixel centres
    inner = crop.image[80:280, 80:280].astype(int)
    assert abs(inner - 127.5).max() <= 2


@pytest.mark.parametrize("width", [60, 266, 267, 500, 1111])
def test_the_whole_crop_is_filled_where_there_is_photograph(width):
    photograph = np.full((2400, 2400), 200, np.uint8)
    left = 1200 - width / 2
    assert (canonical_crop(photograph, Box(left, left, width, width)).image == 200).all()


def test_face_size_sets_the_scale():
    assert FACE_SIZE == 200
    crop = canonical_crop(np.zeros((90, 90), np.uint8), Box(10, 10, 50, 50), face_size=100)
    moved = crop.from_photograph(np.array([[20.0, 30.0], [21.0, 30.0]]))
    np.testing.assert_allclose(moved[1] - moved[0], [2, 0], atol=1e-9)


@pytest.mark.parametrize(
    "box", [Box(0, 0, 0, 10), Box(0, 0, 10, -1), Box(np.nan, 0, 9, 9), Box(0, 0, np.inf, 9)]
)
def test_a_box_without_an_area_is_refused(box):
    with pytest.raises(DataError, match="not a rectangle"):
        canonical_crop(np.zeros((9, 9), np.uint8), box)


def test_a_crop_turned_back_by_the_roll_shows_the_face_upright():
    upright = np.zeros((101, 101), np.uint8)
    upright[20:40, 45:56] = 200  # a mark above the middle
    box = Box(30, 30, 41, 41)
    plain = canonical_crop(upright, box, 41)
    # Turned clockwise by a quarter, what was above is at the right.
    turned = canonical_crop(np.ascontiguousarray(np.rot90(upright, -1)), box, 41, roll=90.0)
    np.testing.assert_array_equal(turned.image, plain.image)
    there = np.array([[80.0, 50.0]])
    np.testing.assert_allclose(turned.from_photograph(there), plain.from_photograph([[50.0, 20.0]]))
    np.testing.assert_allclose(turned.to_photograph(turned.from_photograph(there)), there)
    with pytest.raises(DataError, match="not an angle"):
        canonical_crop(upright, box, 41, roll=np.nan)


def test_sixteen_bit_arrays_of_either_byte_order():
    pixels = np.array([[0, 257, 65535]])
    for order in ("<u2", ">u2"):
        assert read_image(pixels.astype(order)).tolist() == [[0, 1, 255]]
