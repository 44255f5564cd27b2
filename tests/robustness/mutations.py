"""What happens to files, and what is done to them on purpose, at random from a seed."""

from __future__ import annotations

import hashlib
import io
import re
import sqlite3
import struct
import tempfile
import zlib
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import scipy.sparse
from scipy.io import loadmat, savemat

Random = np.random.Generator

_NUMBERS = (
    *(b"0", b"-1", b"1e308", b"-1e308", b"nan", b"inf", b"1e-400", b"999999999999999999999"),
    *(b"0x1f", b"1_000", b"", b" ", b"2147483648", b"-2147483649", b"\xd9\xa3", b"1,5", b"''"),
)
_NAMES = (
    *(b"../../../../../../etc/passwd", b"/etc/passwd", b"/dev/zero", b"/dev/stdin", b"\xff\xfe"),
    *(
        b"a" * 5000,
        b"x\ny",
        b"\x00",
        b"\xe2\x80\xae\xc3\xa9\xf0\x9f\x98\x80.jpg",
        b"<script>",
        b".",
    ),
    *(b"%s%n", b"", b"file:///etc/passwd", b"http://127.0.0.1:9/x.jpg", b"*", b"&amp;", b"'\""),
)
_BOMB = b"".join(
    b'<!ENTITY %c "%s">' % (97 + i, b"&%c;" % (96 + i) * 10 if i else b"lol" * 10) for i in range(9)
)
_VALUES = (
    *(b"null", b"true", b"{}", b"[]", b"NaN", b"1e999", b"9" * 5000, b"[" * 100_000, b'{"a": 1}'),
    *(
        b'"\\ud800"',
        b'"\\udcff"',
        b'"\\u0000"',
        b'"\\u001b[31m\\n"',
        b'"\xff"',
        b'"' + b"a" * 5000 + b'"',
    ),
)
_HEADS = (
    b'<?xml version="1.0" encoding="UTF-16"?>',
    b'<?xml version="1.0" encoding="utf-7"?>',
    b'<?xml version="1.0" encoding="ISO-8859-1"?>',
    b'<?xml version="1.0" encoding="klingon"?>',
    b'<?xml version="1.0" encoding="idna"?>',
    b'<?xml version="1.1"?>',
    b"\xef\xbb\xbf",
    b"<!DOCTYPE dataset [" + _BOMB + b"]>",
    b'<!DOCTYPE dataset SYSTEM "http://127.0.0.1:9/x.dtd">',
    b'<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    b'<!DOCTYPE d [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>',
)
_PIECES = (
    b"<a>" * 3000,
    b"<box><box>" * 50,
    b"<images>",
    b"</image>",
    b"&i;",
    b"&lol9;",
    b"&#0;",
    b"&#x10ffff;",
    b"]]>",
    b"<![CDATA[x]]>",
    b"<!-- -- -->",
    b"<?php x ?>",
    b'<x:include xmlns:x="http://www.w3.org/2001/XInclude" href="/etc/passwd" parse="text"/>',
    b"<part name='00' x='1' y='1'/>",
    b"<image file='p.jpg'>",
    b"x='1' x='2'",
    b"<box top='1' left='1' width='0' height='99999999999'/>",
    b"\x00",
    b"\xed\xa0\x80",
)


def damaged_bytes(data: bytes, rng: Random) -> bytes:
    """One to three things done to the bytes of a file."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        if not changed:
            break
        at, length = int(rng.integers(len(changed))), int(rng.integers(1, 9))
        kind = rng.integers(9)
        if kind == 0:
            del changed[at:]
        elif kind == 1:
            changed[at] = rng.integers(256)
        elif kind == 2:
            changed[at] ^= 1 << int(rng.integers(8))
        elif kind == 3:
            changed[at:at] = rng.bytes(length)
        elif kind == 4:
            del changed[at : at + length]
        elif kind == 5:
            word = rng.choice([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x10000])
            changed[at : at + 4] = struct.pack(rng.choice(["<I", ">I"]), int(word))
        elif kind == 6:
            changed[at:at] = changed[: int(rng.integers(len(changed)))][:4096]
        elif kind == 7:
            # Heads hold most of what a reader believes.
            changed[at % min(len(changed), 300)] = rng.integers(256)
        else:
            changed[at : at + length] = bytes(length)
    return bytes(changed)


def damaged_text(data: bytes, rng: Random) -> bytes:
    """One to three tokens or lines of a text changed; now and then the bytes."""
    if rng.random() < 0.2:
        return damaged_bytes(data, rng)
    for _ in range(rng.integers(1, 4)):
        tokens = list(re.finditer(rb"[^\s'\"<>=,]+", data))
        if not tokens:
            break
        token = tokens[int(rng.integers(len(tokens)))]
        value = _pick((*_NUMBERS, *_NAMES), rng)
        kind = rng.integers(5)
        if kind == 0:
            data = data[: token.start()] + data[token.end() :]
        elif kind == 1:
            data = data[: token.end()] + b" " + data[token.start() :]
        else:
            data = data[: token.start()] + value + data[token.end() :]
    if rng.random() < 0.1:
        data = data.decode("latin-1").encode(str(rng.choice(["utf-16", "utf-8-sig", "utf-32"])))
    return data


def damaged_json(data: bytes, rng: Random) -> bytes:
    """As of a text; mostly one value is another, of a kind that nobody expects there."""
    values = list(re.finditer(rb'(?<=: )("[^"]*"|[^\s,{}\[\]]+)', data))
    if not values or rng.random() < 0.3:
        return damaged_text(data, rng)
    value = values[int(rng.integers(len(values)))]
    return data[: value.start()] + _pick(_VALUES, rng) + data[value.end() :]


def damaged_xml(data: bytes, rng: Random) -> bytes:
    """As of a text, and pieces of XML that do not belong there."""
    kind = rng.random()
    if kind < 0.35:
        return damaged_text(data, rng)
    if kind < 0.55:
        body = re.sub(rb"<\?xml[^>]*>\s*(<\?xml-s[^>]*>\s*)?", b"", data)
        return _pick(_HEADS, rng) + body
    if kind < 0.7:
        attributes = list(re.finditer(rb"(?<==)(['\"]).*?\1", data))
        at = attributes[int(rng.integers(len(attributes)))]
        value = b"'" + _pick((*_NUMBERS, *_NAMES, b"&i;"), rng) + b"'"
        return data[: at.start()] + value + data[at.end() :]
    if kind < 0.9:
        at = int(rng.choice([m.start() for m in re.finditer(rb"<", data)]))
        return data[:at] + _pick(_PIECES, rng) + data[at:]
    names = (b"image", b"box", b"part", b"images", b"dataset", b"file", b"name", b"top")
    return data.replace(_pick(names, rng), _pick(names, rng))


def damaged_picture(data: bytes, rng: Random) -> bytes:
    """As of bytes; of a PNG often with its checksums right, so that more than they is tried."""
    changed = damaged_bytes(data, rng)
    if data.startswith(b"\x89PNG") and rng.random() < 0.7:
        return _png_summed(changed)
    return changed


def _png_summed(data: bytes) -> bytes:
    position, whole = 8, data[:8]
    while position + 12 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        chunk = data[position + 4 : position + 8 + length]
        whole += data[position : position + 4] + chunk + struct.pack(">I", zlib.crc32(chunk))
        position += 12 + length
    return whole + data[position:]


def damaged_efld(data: bytes, rng: Random) -> bytes:
    """As of bytes; mostly with length and checksum right, so that more than they is tried."""
    changed = bytearray(damaged_bytes(data, rng))
    if rng.random() < 0.25 or len(changed) < 56:
        return bytes(changed)
    body = changed[:-32]
    body[16:24] = struct.pack("<Q", len(body) + 32)
    return bytes(body) + hashlib.sha256(body).digest()


def damaged_mat(data: bytes, rng: Random) -> bytes:
    """A variable of another type, shape or name; or as of bytes."""
    if rng.random() < 0.6:
        return damaged_bytes(data, rng)
    variables = {k: v for k, v in loadmat(io.BytesIO(data)).items() if not k.startswith("__")}
    name = str(rng.choice(sorted(variables)))
    value = variables.pop(name)
    others = (
        "text",
        np.zeros((0, 0)),
        np.full(value.shape, np.nan) if value.dtype.kind == "f" else np.zeros((3, 3, 3)),
        value.T,
        np.array([[1 + 2j]]),
        np.array([["a", 7.0]], dtype=object),
        {"a": 1, "imgName": 7},
        scipy.sparse.eye_array(5).tocsc(),
        np.full(value.shape, 1e300),
    )
    key = name if rng.random() < 0.8 else "another"
    stream = io.BytesIO()
    compressed = bool(rng.random() < 0.5)
    changed = {**variables, key: others[int(rng.integers(len(others)))]}
    savemat(stream, changed, do_compression=compressed)
    return stream.getvalue()


def damaged_sqlite(data: bytes, rng: Random) -> bytes:
    """Tables gone, renamed or with values of other types; or as of bytes."""
    if rng.random() < 0.4:
        return damaged_bytes(data, rng)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.sqlite"
        path.write_bytes(data)
        with closing(sqlite3.connect(path)) as connection:
            tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master")]
            for _ in range(rng.integers(1, 3)):
                with suppress(
                    sqlite3.Error
                ):  # two changes may not go together, or values not be unique
                    _change_table(connection, str(rng.choice(tables)), rng)
            connection.commit()
        return path.read_bytes()


def _change_table(connection: sqlite3.Connection, table: str, rng: Random) -> None:
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    if not columns:
        return
    column = str(rng.choice(columns))
    values = (
        *("'text'", "NULL", "1e300", "-1", "9999999999999", "x'ff00ff'", "''", "1.5"),
        *("CAST(x'fffe' AS TEXT)", "zeroblob(100000)", "'../../../../etc/passwd'", "char(0)"),
    )
    value = values[int(rng.integers(len(values)))]
    kind = rng.integers(6)
    if kind == 0:
        connection.execute(f"DROP TABLE {table}")
    elif kind == 1:
        connection.execute(f"ALTER TABLE {table} RENAME COLUMN {column} TO other")
    elif kind == 2:
        connection.execute(f"INSERT INTO {table} SELECT * FROM {table}")
    else:
        where = "" if rng.random() < 0.3 else "WHERE rowid = 1"
        connection.execute(f"UPDATE {table} SET {column} = {value} {where}")


def noise(data: bytes, rng: Random) -> bytes:
    """Bytes of no format, up to the length of `data`, or the head of `data` before them."""
    keep = int(rng.integers(0, 64)) if rng.random() < 0.5 else 0
    return data[:keep] + rng.bytes(int(rng.integers(0, min(len(data), 20_000) + 1)))


def damaged_name(rng: Random) -> str:
    """A name of a file such as nobody should give one."""
    name = _pick([n for n in _NAMES if b"\0" not in n and b"/" not in n and len(n) > 1], rng)
    return name.decode("utf-8", "surrogateescape")[:120]


def _pick(choices: tuple[bytes, ...] | list[bytes], rng: Random) -> bytes:
    return choices[int(rng.integers(len(choices)))]
