"""Changes below the checksums and the compression of PNG, zip and MATLAB files, and in the heads of JPEG and TIFF.

Changed bits alone would never get past these. `mutate` chooses among them and the changes to any file.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Sequence
from random import Random
from typing import Literal

from fuzzing.mutations import ANY_FILE, TEXT_FILE, Change, change_json, change_json_line, flip_bits, run_length, small
from fuzzing.values import CHUNKS, NAMES, WORDS

MOST_CHANGES = 4  # to one file
LARGEST = 500_000  # bytes, of a changed file: several changes multiply
PNG, ZIP, MAT = b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", b"MATLAB 5.0"
PACKED = 15  # type of a variable in a MATLAB file
UNPACKED, BOMB = 300_000, 20_000_000  # bytes of a member of a zip: what is read at once, and what nobody should read


def mutate(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    """Change a file in one to MOST_CHANGES ways. others: files that a part may be taken from."""
    for _ in range(min(1 + int(rng.expovariate(1.2)), MOST_CHANGES)):
        ways = inside(data)
        if ways and rng.random() < 0.6:
            data = rng.choice(ways)(data, rng)
        elif rng.random() < 0.06:
            other = rng.choice(others)
            data = data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]
        else:
            data = rng.choice(ANY_FILE if b"\0" in data[:256] else ANY_FILE + TEXT_FILE * 2)(data, rng)
        data = data[:LARGEST]
    return data


def inside(data: bytes) -> list[Change]:
    """The ways to change a file of this kind that keep what is around the change whole."""
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
        return [change_json]
    return [change_json_line] if b"\t[" in data or b"\n{" in data else []


def word32(rng: Random, order: Literal["big", "little"]) -> bytes:
    """Four bytes of some meaning."""
    return (rng.choice(WORDS) % 2**32).to_bytes(4, order)


def change_png(data: bytes, rng: Random) -> bytes:
    """A chunk: its content with the right checksum, its length, its name, its place."""
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
        content = word32(rng, "big") + word32(rng, "big") + content[8:] if head else small(content, rng)
        chunks[number] = len(content), name, content
    elif how == 2:
        announced = rng.choice((*WORDS, size + 1, max(size - 1, 0))) % 2**32
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
    """The length of a segment, or something in one."""
    places, place = [], 2
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != 0xDA and len(places) < 100:
        places.append(place)
        place += 2 + max(int.from_bytes(data[place + 2 : place + 4], "big"), 2)
    start = rng.choice([*places, min(place, len(data))])
    if rng.random() < 0.5:
        return data[: start + 2] + (rng.choice(WORDS) % 2**16).to_bytes(2, "big") + data[start + 4 :]
    return data[:start] + small(data[start : start + 40], rng) + data[start + 40 :]


def change_tiff(data: bytes, rng: Random) -> bytes:
    """Type, count or value of a tag."""
    order = "little" if data[:2] == b"II" else "big"
    start = int.from_bytes(data[4:8], order)
    place = start + 2 + 12 * rng.randrange(max(1, min(int.from_bytes(data[start : start + 2], order), 50)))
    offset, size = rng.choice(((0, 2), (2, 2), (4, 4), (8, 4), (8, 2)))
    word = (rng.choice(WORDS) % 256**size).to_bytes(size, order)
    return data[: place + offset] + word + data[place + offset + size :]


def change_zip(data: bytes, rng: Random) -> bytes:
    """A member: its content, its name, its packing; or many members."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > 2 * UNPACKED:  # to pack it again takes seconds
                return flip_bits(data, rng)
            members = [(entry.filename, archive.read(entry)) for entry in archive.infolist()[:50]]
            how = archive.infolist()[0].compress_type
    except Exception:  # changed before, in a way that Python's reader does not like
        return flip_bits(data, rng)
    number, way = rng.randrange(len(members)), rng.randrange(8)
    name, content = members[number]
    if way <= 3:
        members[number] = name, small(content, rng)
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
    """A zip of these members; of two with one name, both are there."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as archive:
        for name, content in members:
            entry = zipfile.ZipInfo("a", (1980, 1, 1, 0, 0, 0))
            entry.filename, entry.compress_type = name, how
            archive.NameToInfo.clear()  # where a second member of one name is warned of
            archive.writestr(entry, content)
    return out.getvalue()


def change_mat(data: bytes, rng: Random) -> bytes:
    """What lies in a variable, packed or not; its announced length stays right."""
    head, rest = data[:128], data[128:]
    kind, packed = int.from_bytes(rest[:4], "little"), rest[8:]
    if kind != PACKED:
        place = rng.randrange(len(data) // 4 + 1) * 4  # where lengths, types and numbers stand
        return data[:place] + word32(rng, "little") + data[place + 4 :]
    try:
        content = zlib.decompress(packed)
    except zlib.error:
        return flip_bits(data, rng)
    if rng.random() < 0.5:
        place = rng.randrange(len(content) // 4 + 1) * 4
        content = content[:place] + word32(rng, "little") + content[place + 4 :]
    else:
        content = small(content, rng)
    packed = zlib.compress(content)
    return head + struct.pack("<II", PACKED, len(packed)) + packed
