"""Reads damaged model files: ``python -m tests.models.fuzz_readers dat|efld COUNT``.

It runs in a process of its own, since dlib itself could crash. Prints how many files were refused
and how many were read; a file that is read must also load and predict in plain dlib.
"""

from __future__ import annotations

import hashlib
import struct
import sys

import dlib
import numpy as np

from efld_dlib.errors import ModelFormatError
from efld_dlib.models.dat import dat_bytes, parse_dat
from efld_dlib.models.efld import efld_bytes, parse_efld
from efld_dlib.models.loading import predictor_from_bytes
from efld_dlib.models.quantised import quantise
from tests.models.small_models import mutated, random_predictor

IMAGE = np.random.default_rng(1).integers(0, 256, (40, 40), dtype=np.uint8)


def signed(data: bytes) -> bytes:
    """An `.efld` whose length and checksum are right, whatever else is wrong with it."""
    body = bytearray(data[:-32])
    if len(body) >= 24:
        body[16:24] = struct.pack("<Q", len(body) + 32)
    return bytes(body) + hashlib.sha256(body).digest()


def main(kind: str, count: int) -> None:
    rng = np.random.default_rng(20)
    predictor = random_predictor()
    if kind == "dat":
        whole, parse = dat_bytes(predictor), parse_dat
    else:
        whole, parse = efld_bytes({"a": quantise(predictor, 1e-3)}, {"licence": "x"}), parse_efld
    refused = read = 0
    for number in range(count):
        data = mutated(whole, rng)
        if kind == "efld" and number % 4:
            data = signed(data)
        try:
            parse(data, "some.file")
        except ModelFormatError as error:
            if not str(error).startswith("some.file: "):
                raise
            refused += 1
            continue
        shape = predictor_from_bytes(data, "some.file")(IMAGE, dlib.rectangle(5, 5, 34, 34))
        assert shape.num_parts >= 1
        read += 1
    print(refused, read)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
