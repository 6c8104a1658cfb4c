"""Changes inside the checksums and compression of PNG, zip and MATLAB files, and in JPEG and TIFF headers.

Changed bits alone would not pass these. `mutate` chooses among them and the changes to any file.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Sequence
from random import Random
from typing import Literal

from fuzzing.mutations import (
    ANY_FILE,
    TEXT_FILE,
    Change,
    change_json,
    change_json_line,
    change_once,
    change_xml,
    flip_bits,
    run_length,
)
from fuzzing.values import CHUNKS, INTEGERS, NAMES

MAX_CHANGES = 4  # to one file
MAX_BYTES = 500_000  # of a changed file, as several changes multiply
PNG, ZIP, MAT = b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", b"MATLAB 5.0"
COMPRESSED = 15  # type of a variable in a MATLAB file
UNPACKED, BOMB = 300_000, 20_000_000  # bytes of a zip member: normal size, and one that must not be read


def mutate(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    """Change a file one to MAX_CHANGES times. others: files from which parts may be taken."""
    for _ in range(min(1 + int(rng.expovariate(1.2)), MAX_CHANGES)):
        ways = inside(data)
        if ways and rng.random() < 0.6:
            data = rng.choice(ways)(data, rng)
        elif rng.random() < 0.06:
            other = rng.choice(others)
            data = data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]
        else:
            data = rng.choice(ANY_FILE if b"\0" in data[:256] else ANY_FILE + TEXT_FILE * 2)(data, rng)
        data = data[:MAX_BYTES]
    return data


def inside(data: bytes) -> list[Change]:
    """Changes for this kind of file that keep checksums and compression valid."""
    if data.startswith(PNG):
        return [change_png]
    if data.startswith(ZIP):
        return [change_zip]
    if data.startswith(MAT):
        return [change_mat]
    if data[:2] == b"\xff\xd8":
        return [change_jpeg]
    if data[:2] in (b"II", b"MM"):
        return [change_tiff]
    if data.lstrip()[:1] in (b"{", b"["):
        return [change_json_line] if b"\n{" in data else [change_json]
    if data.lstrip()[:1] == b"<":
        return [change_xml]
    return [change_json_line] if b"\t[" in data or b"\n{" in data else []


def integer32(rng: Random, order: Literal["big", "little"]) -> bytes:
    """Four bytes."""
    return (rng.choice(INTEGERS) % 2**32).to_bytes(4, order)


def change_png(data: bytes, rng: Random) -> bytes:
    """Change a chunk: content with a valid checksum, length, name or place."""
    chunks, place = [], len(PNG)
    while place + 12 <= len(data) and len(chunks) < 100:
        (size,) = struct.unpack_from(">I", data, place)
        chunks.append((size, data[place + 4 : place + 8], data[place + 8 : place + 8 + size]))
        place += 12 + size
    if not chunks:
        return flip_bits(data, rng)
    number, how = rng.randrange(len(chunks)), rng.randrange(6)
    size, name, content = chunks[number]
    if how <= 1:
        head = name == b"IHDR" and rng.random() < 0.7
        content = integer32(rng, "big") + integer32(rng, "big") + content[8:] if head else change_once(content, rng)
        chunks[number] = len(content), name, content
    elif how == 2:
        announced = rng.choice((*INTEGERS, size + 1, max(size - 1, 0))) % 2**32
        chunks[number] = announced, name, content
    elif how == 3:
        other = 40, rng.choice(CHUNKS), rng.randbytes(40)
        chunks.insert(number, chunks[number] if rng.random() < 0.3 else other)
    elif how == 4:
        packed = b"a\0\0" + zlib.compress(bytes(run_length(rng) * 100), 1)
        chunks.insert(number, (len(packed), rng.choice((b"zTXt", b"iCCP", b"IDAT")), packed))
    else:
        del chunks[number]
    whole = [(struct.pack(">I", length), kind + body) for length, kind, body in chunks]
    parts = (length + body + struct.pack(">I", zlib.crc32(body)) for length, body in whole)
    return PNG + b"".join(parts)


def change_jpeg(data: bytes, rng: Random) -> bytes:
    """Change the length or the content of a segment."""
    places, place = [], 2
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != 0xDA and len(places) < 100:
        places.append(place)
        place += 2 + max(int.from_bytes(data[place + 2 : place + 4], "big"), 2)
    start = rng.choice([*places, min(place, len(data))])
    if rng.random() < 0.5:
        return data[: start + 2] + (rng.choice(INTEGERS) % 2**16).to_bytes(2, "big") + data[start + 4 :]
    return data[:start] + change_once(data[start : start + 40], rng) + data[start + 40 :]


def change_tiff(data: bytes, rng: Random) -> bytes:
    """Change type, count or value of a tag."""
    order = "little" if data[:2] == b"II" else "big"
    start = int.from_bytes(data[4:8], order)
    place = start + 2 + 12 * rng.randrange(max(1, min(int.from_bytes(data[start : start + 2], order), 50)))
    offset, size = rng.choice(((0, 2), (2, 2), (4, 4), (8, 4), (8, 2)))
    value = (rng.choice(INTEGERS) % 256**size).to_bytes(size, order)
    return data[: place + offset] + value + data[place + offset + size :]


def change_zip(data: bytes, rng: Random) -> bytes:
    """Change a member: content, name or compression; or add many members."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > 2 * UNPACKED:  # slow to compress again
                return flip_bits(data, rng)
            members = [(entry.filename, archive.read(entry)) for entry in archive.infolist()[:50]]
            how = archive.infolist()[0].compress_type
    except Exception:  # an earlier change made it unreadable for Python
        return flip_bits(data, rng)
    number, way = rng.randrange(len(members)), rng.randrange(8)
    name, content = members[number]
    if way <= 3:
        members[number] = name, change_once(content, rng)
    elif way == 4:
        members[number] = rng.choice(NAMES), content
    elif way == 5:
        times = min(rng.randrange(200), 2 * BOMB // max(len(content), 1))
        names = [rng.choice((name, f"res_{place}.txt", f"{place}/{name}")) for place in range(times)]
        members += [(each, content) for each in names]
    elif way == 6:
        whole = UNPACKED ** rng.random() if rng.random() < 0.9 else BOMB
        members[number] = name, content * max(1, int(whole) // max(len(content), 1))
    else:
        del members[number]
    return pack(members, rng.choice((how, how, 0, 8, 12, 14)))


def pack(members: Sequence[tuple[str, bytes]], how: int) -> bytes:
    """A zip of these members, with duplicate names if there are any."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as archive:
        for name, content in members:
            entry = zipfile.ZipInfo("a", (1980, 1, 1, 0, 0, 0))
            entry.filename, entry.compress_type = name, how
            archive.NameToInfo.clear()  # avoids the warning about duplicate names
            archive.writestr(entry, content)
    return out.getvalue()


def change_mat(data: bytes, rng: Random) -> bytes:
    """Change the content of a variable, compressed or not; its length stays valid."""
    places = variables(data)
    start, packed = rng.choice(places) if places else (0, b"")
    if not packed:
        place = rng.randrange(len(data) // 4 + 1) * 4  # offset of lengths, types and numbers
        return data[:place] + integer32(rng, "little") + data[place + 4 :]
    try:
        content = zlib.decompress(packed)
    except zlib.error:
        return flip_bits(data, rng)
    if rng.random() < 0.5:
        place = rng.randrange(len(content) // 4 + 1) * 4
        content = content[:place] + integer32(rng, "little") + content[place + 4 :]
    else:
        content = change_once(content, rng)
    changed = zlib.compress(content)
    return data[: start - 8] + struct.pack("<II", COMPRESSED, len(changed)) + changed + data[start + len(packed) :]


def variables(data: bytes) -> list[tuple[int, bytes]]:
    """Where the variables of a MATLAB file begin, and their data; b"" for one that is not compressed."""
    found, start = [], 136
    while start <= len(data) and len(found) < 100:
        kind, size = struct.unpack_from("<II", data, start - 8)
        packed = kind == COMPRESSED
        found.append((start, data[start : start + size] if packed else b""))
        start += 8 + size + (0 if packed else -size % 8)
    return found
