"""Images that are too large are refused before they are unpacked, whatever their format."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from efld_dlib.errors import DataError
from efld_dlib.images import MAX_PIXELS, read_image, too_large
from efld_dlib.xml.image_state import picture_state

WIDTH, HEIGHT = 37, 23
PIXELS = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
TOO_LARGE = "more than 134 million pixels are not read"


def by_opencv(suffix):
    pixels = PIXELS.astype(np.float32) if suffix == ".hdr" else PIXELS
    return cv2.imencode(suffix, pixels)[1].tobytes()


def by_pillow(kind, mode="RGB", **options):
    stream = io.BytesIO()
    Image.fromarray(PIXELS).convert(mode).save(stream, kind, **options)
    return stream.getvalue()


def replaced(data, at, form, *numbers):
    return data[:at] + struct.pack(form, *numbers) + data[at + struct.calcsize(form) :]


def enlarged_jpeg(data, marker=b"\xff\xc0"):
    return replaced(data, data.index(marker) + 5, ">HH", 20_000, 20_000)


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


def huge_png(width, height):
    """A PNG of a few kilobytes that unpacks to a picture of this size."""

    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1 << 20), 9))


# Of each, the size is 20,000 x 20,000 pixels: more than a gigabyte of a kilobyte.
STATED = {
    "png": lambda: huge_png(20_000, 20_000),
    "jpeg": lambda: enlarged_jpeg(by_pillow("JPEG")),
    "progressive jpeg": lambda: enlarged_jpeg(by_pillow("JPEG", progressive=True), b"\xff\xc2"),
    "bmp": lambda: replaced(by_pillow("BMP"), 18, "<ii", 20_000, 20_000),
    "bmp from the top": lambda: replaced(by_pillow("BMP"), 18, "<ii", 20_000, -20_000),
    "bmp of os/2": lambda: replaced(by_pillow("BMP"), 14, "<IHH", 12, 20_000, 20_000),
}
OTHERS = {
    "tiff": lambda: big_tiff(20_000, 10_000),
    "tiff of a mac": lambda: big_tiff(20_000, 10_000, ">"),
    "webp": lambda: replaced(by_pillow("WEBP", lossless=False), 26, "<HH", 16_383, 16_383),
    "lossless webp": lambda: replaced(by_pillow("WEBP", lossless=True), 21, "<I", (1 << 28) - 1),
    "sun": lambda: replaced(by_opencv(".ras"), 4, ">II", 20_000, 20_000),
    "hdr": lambda: b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 20000 +X +20000\n" + bytes(2000),
    "pfm": lambda: b"PF\n20000px +20000px\n-1.0\n" + bytes(2000),
    "pgm": lambda: b"P5 20000 20000 255 " + bytes(2000),
    "ppm": lambda: b"P6\n#a comment\r20000x20000 255\n" + bytes(2000),
    "pbm": lambda: b"P4 20000 20000\n" + bytes(2000),
    "pam": lambda: b"P7\nWIDTH 20000\nHEIGHT 20000\nDEPTH 3\nMAXVAL 255\nENDHDR\n" + bytes(2000),
}


@pytest.mark.parametrize("kind", STATED)
def test_what_dlib_reads_too_is_refused_by_its_size(kind):
    with pytest.raises(DataError, match=f"<bytes>: states 20000 x 20000 pixels; {TOO_LARGE}"):
        read_image(STATED[kind]())


@pytest.mark.parametrize("kind", OTHERS)
def test_opencv_refuses_the_others(kind):
    with pytest.raises(DataError, match=f"<bytes>: is too large; {TOO_LARGE}"):
        read_image(OTHERS[kind]())


@pytest.mark.parametrize(
    ("kind", "suffix"), [("GIF", ".gif"), ("AVIF", ".avif"), ("JPEG2000", ".jp2")]
)
def test_opencv_refuses_what_not_every_opencv_reads(kind, suffix):
    if not cv2.haveImageReader(f"a{suffix}") and not cv2.haveImageWriter(f"a{suffix}"):
        pytest.skip(f"this OpenCV reads no {suffix}")
    if kind not in {Image.registered_extensions().get(suffix)} & set(Image.SAVE):
        pytest.skip(f"this Pillow writes no {suffix}")
    stream = io.BytesIO()
    Image.new("L", (12_000, 12_000)).save(stream, kind)
    assert stream.tell() < 1_000_000
    with pytest.raises(DataError, match=f"is too large; {TOO_LARGE}"):
        read_image(stream.getvalue())


def test_the_limit_is_that_of_opencv_unless_the_user_has_another():
    show = "import efld_dlib, os; print(os.environ['OPENCV_IO_MAX_IMAGE_PIXELS'])"
    clean = {key: value for key, value in os.environ.items() if "MAX_IMAGE_PIXELS" not in key}
    for given, expected in (({}, MAX_PIXELS), ({"OPENCV_IO_MAX_IMAGE_PIXELS": "1000"}, 1000)):
        run = [sys.executable, "-c", show]
        told = subprocess.run(run, env=clean | given, capture_output=True, text=True, check=True)
        assert int(told.stdout) == expected


def test_an_opencv_that_was_imported_before(monkeypatch):
    # It unpacks more than we allow; the size is looked at afterwards.
    decoded = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    monkeypatch.setattr(cv2, "imdecode", lambda data, flags: decoded)
    monkeypatch.setattr("efld_dlib.images.MAX_PIXELS", WIDTH * HEIGHT - 1)
    with pytest.raises(DataError, match=f"is too large; {TOO_LARGE}"):
        read_image(OTHERS["pfm"]())


def test_an_exif_block_states_no_size():
    exif = b"Exif\0\0" + b"\xff\xc0\0\x11\x08\xff\xff\xff\xff" * 9
    assert read_image(by_pillow("JPEG", exif=exif)).shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("data", [b"", b"BM", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n\0\0"])
def test_a_head_that_is_cut_short_states_no_size(data):
    assert too_large(data) is None


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
