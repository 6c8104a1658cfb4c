"""Random changes to any file: bits, spans, lines, numbers; and to JSON and XML: values, keys, order.

The same state of the `random.Random` gives the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import islice
from random import Random
from typing import Any
from xml.etree import ElementTree

from fuzzing.values import INTEGERS, NUMBERS, RAW, RAW_VALUES, SEQUENCES, TEXTS, TWICE, VALUES, containers

LONGEST_RUN = 100_000  # bytes, of one repeated sequence
NUMBER = re.compile(rb"-?[0-9]+(?:\.[0-9]+)?")
ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "latin-1", "gb18030", "utf-8-sig", "cp037")
LINE_ENDS = (b"\n", b"\r\n", b"\r", b"\x0b", b"\n\n", b" ")

Change = Callable[[bytes, Random], bytes]


def run_length(rng: Random) -> int:
    """1 to LONGEST_RUN, log-uniform."""
    return int(LONGEST_RUN ** rng.random())


def span(data: bytes, rng: Random) -> tuple[int, int]:
    """Start and end of a random piece."""
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + int(max(len(data), 1) ** rng.random()))


def flip_bits(data: bytes, rng: Random) -> bytes:
    """Flip a few bits."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8)) if changed else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def put_integer(data: bytes, rng: Random) -> bytes:
    """Overwrite one to eight bytes with an integer in either byte order."""
    size = rng.choice((1, 2, 4, 4, 8))
    value = rng.choice(INTEGERS) % 256**size
    if len(data) < size:
        return data
    place = rng.randrange(min(len(data), 1024) - size + 1)
    return data[:place] + value.to_bytes(size, rng.choice(("big", "little"))) + data[place + size :]


def delete(data: bytes, rng: Random) -> bytes:
    """Delete a piece."""
    start, stop = span(data, rng)
    return data[:start] + data[stop:]


def repeat(data: bytes, rng: Random) -> bytes:
    """Repeat a piece."""
    start, stop = span(data, rng)
    most = max(1, LONGEST_RUN // max(stop - start, 1))
    return data[:stop] + data[start:stop] * int(most ** rng.random()) + data[stop:]


def cut(data: bytes, rng: Random) -> bytes:
    """Cut off the end."""
    return data[: rng.randrange(len(data) + 1)]


def insert(data: bytes, rng: Random) -> bytes:
    """Insert random bytes."""
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.randbytes(rng.choice((1, 2, 4, 16, 200))) + data[place:]


def insert_run(data: bytes, rng: Random) -> bytes:
    """Insert a short sequence many times."""
    sequence, place = rng.choice(SEQUENCES), rng.randrange(len(data) + 1)
    return data[:place] + sequence * max(1, run_length(rng) // len(sequence)) + data[place:]


def insert_text(data: bytes, rng: Random) -> bytes:
    """Insert a text that may break a reader."""
    place = rng.choice((0, len(data), *[rng.randrange(len(data) + 1)] * 4))
    return data[:place] + rng.choice(TEXTS) + data[place:]


def change_number(data: bytes, rng: Random) -> bytes:
    """Replace a number in a text."""
    found = list(NUMBER.finditer(data[:20_000]))
    if not found:
        return insert_text(data, rng)
    where = rng.choice(found)
    return data[: where.start()] + rng.choice(NUMBERS) + data[where.end() :]


def change_lines(data: bytes, rng: Random) -> bytes:
    """Shuffle, delete or repeat lines, or change the line ends."""
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
    """Change the encoding."""
    text = data.decode("utf-8", "replace")
    return text.encode(rng.choice(ENCODINGS), "replace")


ANY_FILE: tuple[Change, ...] = (flip_bits, flip_bits, put_integer, put_integer, delete, repeat, cut, insert, insert_run)
TEXT_FILE: tuple[Change, ...] = (insert_text, change_number, change_number, change_lines, insert_run, encode)


def change_once(data: bytes, rng: Random) -> bytes:
    """One change to a part of a file."""
    return rng.choice(ANY_FILE if b"\0" in data[:64] else ANY_FILE + TEXT_FILE)(data, rng)


def change_json(data: bytes, rng: Random) -> bytes:
    """Change a value, a key, or the order in JSON."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return change_once(data, rng)
    try:
        return to_json(change_tree(content, rng, json_value))
    except (RecursionError, ValueError):  # nested too deeply to be written
        return change_once(data, rng)


def change_json_line(data: bytes, rng: Random) -> bytes:
    """Change the JSON of one line, after a tab if there is one."""
    lines = data.split(b"\n")
    number = rng.randrange(len(lines))
    before, tab, text = lines[number].rpartition(b"\t")
    lines[number] = before + tab + change_json(text, rng)
    return b"\n".join(lines)


def to_json(content: Any) -> bytes:
    """JSON with raw texts and duplicate keys, which no Python value can express."""
    text = json.dumps(content).replace(json.dumps(TWICE)[1:-1], "")
    raw = re.sub(r'"\\u0001raw:((?:[^"\\]|\\.)*)"', lambda match: str(json.loads(f'"{match[1]}"')), text)
    return raw.encode("utf-8", "surrogatepass")


def change_xml(data: bytes, rng: Random) -> bytes:
    """Change an attribute, a text, a tag, or the elements of XML."""
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, LookupError, ValueError):
        return change_once(data, rng)
    holders = [element for element in islice(root.iter(), 2000) if len(element)]
    if not holders:
        return change_once(data, rng)
    holder = rng.choice(holders)
    place, how = rng.randrange(len(holder)), rng.randrange(8)
    element = holder[place]
    if how <= 2 and element.attrib:
        element.set(rng.choice(list(element.attrib)), xml_value(rng))
    elif how <= 3:
        element.text = xml_value(rng)
    elif how == 4:
        del holder[place]
    elif how == 5:
        holder.insert(place, rng.choice(holders[-1]))
    elif how == 6:
        for _ in range(int(3000 ** rng.random())):
            holder.insert(place, element)
    else:
        element.tag = rng.choice(sorted({"a", *(each.tag for each in islice(root.iter(), 2000))}))
    try:
        return ElementTree.tostring(root, "utf-8")
    except (RecursionError, ValueError):  # an element in itself
        return change_once(data, rng)


def xml_value(rng: Random) -> str:
    """An attribute or a text for XML, which has no control characters."""
    value = rng.choice((*NUMBERS, *TEXTS)).decode("utf-8", "replace")
    text = value if rng.random() < 0.8 else rng.choice(("1,", "1;", "0, 9, ", "a")) * (run_length(rng) // 4)
    return "".join(sign for sign in text if sign.isprintable())


def json_value(rng: Random) -> Any:
    """A value for JSON."""
    how = rng.randrange(8)
    if how == 0:
        return RAW + rng.choice(RAW_VALUES)
    if how == 1:
        return rng.choice(("a", " ", "[", "1", "ß", "\0")) * run_length(rng)
    return any_value(rng)


def any_value(rng: Random) -> Any:
    """A value for any tree."""
    return rng.choice(VALUES) if rng.random() < 0.7 else rng.choice(containers())


def change_tree(content: Any, rng: Random, value: Callable[[Random], Any]) -> Any:
    """Change lists and dicts in place, at one spot; returns the whole. value: draws a new value."""
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
    """Whether a value is small and valid JSON, so that it can be copied into itself."""
    try:
        return len(json.dumps(value)) < 10_000
    except (TypeError, ValueError, RecursionError):
        return False
