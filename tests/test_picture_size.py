"""The size that a picture states, against what other libraries write and read."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, features

from efld_dlib.errors import DataError
from efld_dlib.images import read_image
from efld_dlib.picture_size import MAX_PIXELS, stated_size, too_large
from efld_dlib.xml.image_state import picture_state

WIDTH, HEIGHT = 37, 23
PIXELS = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def by_pillow(kind, mode="RGB", **options):
    stream = io.BytesIO()
    Image.fromarray(PIXELS).convert(mode).save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    "suffix", [".jpg", ".png", ".bmp", ".tiff", ".webp", ".ppm", ".ras", ".hdr", ".avif"]
)
def test_of_what_opencv_writes(suffix):
    if not cv2.haveImageWriter(f"a{suffix}"):
        pytest.skip(f"this OpenCV writes no {suffix}")
    _, data = cv2.imencode(suffix, PIXELS.astype(np.float32) if suffix == ".hdr" else PIXELS)
    assert stated_size(data.tobytes()) == (WIDTH, HEIGHT)


@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("JPEG", "RGB", {"progressive": True}),
        ("JPEG", "CMYK", {}),
        ("JPEG", "RGB", {"exif": b"Exif\0\0" + b"\xff\xc0\0\x11\x08\xff\xff\xff\xff" * 9}),
        ("GIF", "P", {}),
        ("WEBP", "RGB", {"lossless": True}),
        ("WEBP", "RGBA", {"quality": 50, "exif": b"Exif\0\0II*\0"}),
        ("PPM", "L", {}),
        ("PPM", "1", {}),
        ("TIFF", "RGB", {}),
        ("PNG", "I;16", {}),
    ],
)
def test_of_what_pillow_writes(kind, mode, options):
    data = by_pillow(kind, mode, **options)
    assert stated_size(data) == Image.open(io.BytesIO(data)).size == (WIDTH, HEIGHT)


@pytest.mark.parametrize("whole", [True, False], ids=["jp2", "j2k"])
def test_of_jpeg_2000(whole):
    if not features.check("jpg_2000"):
        pytest.skip("this Pillow writes no JPEG 2000")
    data = by_pillow("JPEG2000", no_jp2=not whole)
    assert data.startswith(b"\0\0\0\x0cjP" if whole else b"\xff\x4f")
    assert stated_size(data) == (WIDTH, HEIGHT)
    assert stated_size(data + b"\xff\x4f\xff\x51") == (WIDTH, HEIGHT)


def big_tiff(width, height, order="<"):
    """A gray BigTIFF of one strip, packed, whose directory follows its head."""
    packed = zlib.compress(bytes(width * height), 9)
    numbers = {256: width, 257: height, 258: 8, 259: 8, 262: 1, 277: 1, 278: height}
    end = 16 + 8 + 20 * (len(numbers) + 2) + 8
    entries = [(tag, 4, value) for tag, value in numbers.items()]
    entries += [(273, 16, end), (279, 16, len(packed))]
    head = (b"II+\0" if order == "<" else b"MM\0+") + struct.pack(order + "HHQ", 8, 0, 16)
    directory = struct.pack(order + "Q", len(entries))
    for tag, kind, value in sorted(entries):
        number = struct.pack(order + ("Q" if kind == 16 else "I"), value)
        directory += struct.pack(order + "HHQ", tag, kind, 1) + number.ljust(8, b"\0")
    return head + directory + bytes(8) + packed


@pytest.mark.parametrize("order", ["<", ">"])
def test_of_big_tiff(order):
    data = big_tiff(WIDTH, HEIGHT, order)
    assert stated_size(data) == (WIDTH, HEIGHT)
    assert read_image(data).shape == (HEIGHT, WIDTH, 3)
    assert stated_size(data[:8] + b"\xff" * 8) is None
    with pytest.raises(DataError, match="states 20000 x 10000 pixels"):
        read_image(big_tiff(20_000, 10_000, order))


@pytest.mark.parametrize(
    "head",
    [
        "PF\n{} {}\n-1.0\n",
        "PF\n+{} 00{}\n-1.0\n",
        "P6\n#a comment\r{}x{} 255\n",
        "#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y  {1}  +X +0{0}\n",
        "P7\nWIDTH {}\nHEIGHT {}\nDEPTH 3\nMAXVAL 255\nENDHDR\n",
        "P7\n# WIDTH 9\n \tWIDTH   {}\nHEIGHT\t{}\nDEPTH 3\nMAXVAL 255\nENDHDR\n\nWIDTH 7\n",
    ],
)
def test_of_maps_with_numbers_as_opencv_reads_them(head):
    data = head.format(WIDTH, HEIGHT).encode()
    assert stated_size(data) == (WIDTH, HEIGHT)
    assert read_image(data + bytes(12 * WIDTH * HEIGHT)).shape == (HEIGHT, WIDTH, 3)
    with pytest.raises(DataError, match="states 20000 x 20000 pixels"):
        read_image(head.format(20_000, 20_000).encode() + bytes(2000))


def test_of_other_and_damaged_files():
    assert stated_size(b"") is None
    assert stated_size(b"no picture") is None
    assert stated_size(b"\0\0\0\x20no picture") is None
    assert stated_size(b"P6\n# a comment\n 37 # another\n23 255\n") == (37, 23)
    for suffix in (".jpg", ".png", ".bmp", ".webp", ".tiff"):
        _, data = cv2.imencode(suffix, PIXELS)
        assert stated_size(data.tobytes()[:9]) is None


def huge_png(width, height):
    """A PNG of a few kilobytes that unpacks to a picture of this size."""

    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1 << 20), 9))


def test_a_bomb_is_refused_by_all_that_read_pictures(tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(huge_png(20_000, 20_000))
    assert path.stat().st_size < 5000
    with pytest.raises(DataError, match=r"bomb\.png: states 20000 x 20000 pixels; more than 134"):
        read_image(path)
    assert picture_state(path).problem.startswith("states 20000 x 20000 pixels")


def test_the_limit_itself_is_allowed():
    assert too_large(huge_png(MAX_PIXELS // 8192, 8192)) is None
    assert too_large(huge_png(MAX_PIXELS // 8192 + 1, 8192)) is not None


def test_spaces_without_end_are_read_at_once():
    # Each more doubled the time; a second would do for all of them together.
    assert stated_size(b"P5" + b" " * 5000 + b"x") is None
    assert stated_size(b"P5 7" + b"\n" * 5000 + b"x") is None
    assert stated_size(b"P6 # a comment, 9 9\n\n  #\n 7\t8 255\n") == (7, 8)


def test_a_sound_file_states_no_size():
    assert stated_size(b"RIFF\x24\x00\x00\x00WAVEfmt " + b"\xff" * 20) is None


def test_a_png_whose_part_states_far_more_than_there_is(tmp_path):
    _, data = cv2.imencode(".png", PIXELS)
    sound = data.tobytes()
    at = sound.index(b"IDAT")
    path = tmp_path / "part.png"
    head = sound[: at - 4] + struct.pack(">I", 1 << 30)
    for kept in (sound[at:], b"ID", b""):
        path.write_bytes(head + kept)
        with pytest.raises(DataError, match=r"part\.png: states a part of 1073741824 bytes"):
            read_image(path)
    # One that is only cut short is left to the reader.
    assert too_large(sound[: at + 20]) is None
    assert too_large(sound) is None
    # What follows the picture's end is none of its parts.
    path.write_bytes(sound + b"notes of a camera")
    np.testing.assert_array_equal(read_image(path), PIXELS[:, :, ::-1])
