"""Changes to any file: bits, spans, lines, numbers; and to JSON: values, keys and the order of things.

All are drawn by a `random.Random`: the same draw gives the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

from fuzzing.values import NUMBERS, RAW, RAW_VALUES, SIGNS, TEXTS, TWICE, VALUES, WORDS, containers

LONGEST_RUN = 100_000  # bytes, of one sign
NUMBER = re.compile(rb"-?[0-9]+(?:\.[0-9]+)?")
ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "latin-1", "gb18030", "utf-8-sig", "cp037")
LINE_ENDS = (b"\n", b"\r\n", b"\r", b"\x0b", b"\n\n", b" ")

Change = Callable[[bytes, Random], bytes]


def run_length(rng: Random) -> int:
    """1 to LONGEST_RUN, a short one as often as a ten times longer one."""
    return int(LONGEST_RUN ** rng.random())


def span(data: bytes, rng: Random) -> tuple[int, int]:
    """Where a piece begins and ends."""
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + int(max(len(data), 1) ** rng.random()))


def flip_bits(data: bytes, rng: Random) -> bytes:
    """Some bits."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8)) if changed else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def put_word(data: bytes, rng: Random) -> bytes:
    """A number of one to eight bytes, of either order, over what was there."""
    size = rng.choice((1, 2, 4, 4, 8))
    word = rng.choice(WORDS) % 256**size
    if len(data) < size:
        return data
    place = rng.randrange(min(len(data), 1024) - size + 1)
    return data[:place] + word.to_bytes(size, rng.choice(("big", "little"))) + data[place + size :]


def delete(data: bytes, rng: Random) -> bytes:
    """A piece."""
    start, stop = span(data, rng)
    return data[:start] + data[stop:]


def repeat(data: bytes, rng: Random) -> bytes:
    """A piece, once more or often."""
    start, stop = span(data, rng)
    most = max(1, LONGEST_RUN // max(stop - start, 1))
    return data[:stop] + data[start:stop] * int(most ** rng.random()) + data[stop:]


def cut(data: bytes, rng: Random) -> bytes:
    """The end."""
    return data[: rng.randrange(len(data) + 1)]


def insert(data: bytes, rng: Random) -> bytes:
    """A few bytes of any value."""
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.randbytes(rng.choice((1, 2, 4, 16, 200))) + data[place:]


def insert_run(data: bytes, rng: Random) -> bytes:
    """One sign, or a few, very often."""
    sign, place = rng.choice(SIGNS), rng.randrange(len(data) + 1)
    return data[:place] + sign * max(1, run_length(rng) // len(sign)) + data[place:]


def insert_text(data: bytes, rng: Random) -> bytes:
    """What some reader may stumble over."""
    place = rng.choice((0, len(data), *[rng.randrange(len(data) + 1)] * 4))
    return data[:place] + rng.choice(TEXTS) + data[place:]


def change_number(data: bytes, rng: Random) -> bytes:
    """One number of a text for another."""
    found = list(NUMBER.finditer(data[:20_000]))
    if not found:
        return insert_text(data, rng)
    where = rng.choice(found)
    return data[: where.start()] + rng.choice(NUMBERS) + data[where.end() :]


def change_lines(data: bytes, rng: Random) -> bytes:
    """Lines in another order, left out, doubled, or ended in another way."""
    lines = data.split(b"\n")
    how, place = rng.randrange(4), rng.randrange(len(lines))
    if how == 0:
        rng.shuffle(lines)
    elif how == 1:
        del lines[place]
    elif how == 2:
        lines[place:place] = [lines[place]] * int((LONGEST_RUN // max(len(lines[place]), 20)) ** rng.random())
    return (rng.choice(LINE_ENDS) if how == 3 else b"\n").join(lines)


def encode(data: bytes, rng: Random) -> bytes:
    """In another encoding."""
    text = data.decode("utf-8", "replace")
    return text.encode(rng.choice(ENCODINGS), "replace")


ANY_FILE: tuple[Change, ...] = (flip_bits, flip_bits, put_word, put_word, delete, repeat, cut, insert, insert_run)
TEXT_FILE: tuple[Change, ...] = (insert_text, change_number, change_number, change_lines, insert_run, encode)


def small(data: bytes, rng: Random) -> bytes:
    """One change to a part of a file."""
    return rng.choice(ANY_FILE if b"\0" in data[:64] else ANY_FILE + TEXT_FILE)(data, rng)


def change_json(data: bytes, rng: Random) -> bytes:
    """A value, a key, or the order of things."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return small(data, rng)
    try:
        return to_json(change_tree(content, rng, json_value))
    except (RecursionError, ValueError):  # nested more deeply than can be written
        return small(data, rng)


def change_json_line(data: bytes, rng: Random) -> bytes:
    """The JSON of one line, behind a tab where there is one."""
    lines = data.split(b"\n")
    number = rng.randrange(len(lines))
    before, tab, text = lines[number].rpartition(b"\t")
    lines[number] = before + tab + change_json(text, rng)
    return b"\n".join(lines)


def to_json(content: Any) -> bytes:
    """JSON with what no value can say: raw texts, and keys that stand there twice."""
    text = json.dumps(content).replace(json.dumps(TWICE)[1:-1], "")
    raw = re.sub(r'"\\u0001raw:((?:[^"\\]|\\.)*)"', lambda match: str(json.loads(f'"{match[1]}"')), text)
    return raw.encode("utf-8", "surrogatepass")


def json_value(rng: Random) -> Any:
    """Something where another thing is expected."""
    how = rng.randrange(8)
    if how == 0:
        return RAW + rng.choice(RAW_VALUES)
    if how == 1:
        return rng.choice(("a", " ", "[", "1", "ß", "\0")) * run_length(rng)
    return any_value(rng)


def any_value(rng: Random) -> Any:
    """Of any tree, JSON or not."""
    return rng.choice(VALUES) if rng.random() < 0.7 else rng.choice(containers())


def change_tree(content: Any, rng: Random, value: Callable[[Random], Any]) -> Any:
    """Change lists and dicts in place, in one spot; returns the whole. value: draws what is put somewhere."""
    spots: list[tuple[Any, Any]] = []
    waiting = [content]
    while waiting and len(spots) < 2000:
        node = waiting.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        spots += [(node, key) for key in keys]
        waiting += [node[key] for key in keys]
    if not spots or rng.random() < 0.02:
        return value(rng)
    node, key = rng.choice(spots)
    how = rng.randrange(10)
    if how <= 4:
        node[key] = value(rng)
    elif how == 5:
        del node[key]
    elif how == 6:
        other, place = rng.choice(spots)
        if isinstance(place, int) and place >= len(other):
            return content
        node[key] = json.loads(json.dumps(other[place])) if is_plain(other[place]) else other[place]
    elif how == 7:
        node[key] = [node[key]] * int(3000 ** rng.random())
    elif isinstance(node, dict):
        name = str(key)
        node[rng.choice((name + TWICE, "a", name.upper(), "", name + "s", "a" * run_length(rng)))] = value(rng)
        if how == 9:
            node.pop(key, None)
    else:
        node[key:key] = [node[key]] * (int(3000 ** rng.random()) if how == 8 else 1)
    return content


def is_plain(value: Any) -> bool:
    """Whether a value is small and of JSON, so that a copy of it can be put below itself."""
    try:
        return len(json.dumps(value)) < 10_000
    except (TypeError, ValueError, RecursionError):
        return False
