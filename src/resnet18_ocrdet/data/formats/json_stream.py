"""Read a large JSON file value by value, in memory for one of them.

    stream = JsonStream(text)
    for key in stream.members():      # of an object; the value is read before the next key
        for entry in stream.items():  # of a list
            ...
    stream.end()

Every method raises LabelError, GT006 with line and column, for text that is not valid JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TextIO

from .json_file import parse_integer
from .location import LabelError

MAX_VALUE = 2**24  # characters of one value; those of one image in published files have less than 2**20
PIECE = 2**16  # characters that are read at once
_LOOK_AHEAD = 20  # characters: more than any token has, other than strings and numbers
_NUMBER_TAIL = 2  # characters after 12 in the incomplete number 12e+
_WHITESPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()
_LONG_INTEGERS = json.JSONDecoder(parse_int=parse_integer)


class JsonStream:
    """JSON text that is parsed from its start to its end."""

    def __init__(self, text: TextIO) -> None:
        """text: with \\n as line end."""
        self._text = text
        self._buffer = ""
        self._place = 0  # of the next character, in the buffer
        self._line, self._column = 1, 0  # of the start of the buffer
        self._at_end = False  # the buffer holds the end of the text
        self._is_blank = True  # only white space so far

    def peek(self) -> str:
        """Return the next character that is not white space; "" at the end of the text."""
        while True:
            self._place = _WHITESPACE.match(self._buffer, self._place).end()  # type: ignore[union-attr]
            if self._place < len(self._buffer):
                self._is_blank = False
                return self._buffer[self._place]
            if not self._read_on(PIECE):
                return ""

    def members(self) -> Iterator[str]:
        """Yield the keys of the object that begins here. The caller reads the value after each of them."""
        self._take("{")
        if self.peek() != "}":
            while True:
                if self.peek() != '"':
                    raise self._error(f"not valid JSON: needs a key in double quotes, got {self.peek()!r}")
                key = self.value()
                self._take(":")
                yield str(key)
                if self.peek() != ",":
                    break
                self._place += 1
        self._take("}", "',' or '}'")

    def items(self) -> Iterator[Any]:
        """Yield the values of the list that begins here."""
        self._take("[")
        if self.peek() != "]":
            while True:
                yield self.value()
                if self.peek() != ",":
                    break
                self._place += 1
        self._take("]", "',' or ']'")

    def value(self) -> Any:
        """Read the value that begins here. It may have up to MAX_VALUE characters."""
        self.peek()
        decoder = _DECODER
        while True:
            try:
                value, end = decoder.raw_decode(self._buffer, self._place)
            except json.JSONDecodeError as error:
                cut = error.pos > len(self._buffer) - _LOOK_AHEAD or error.msg.startswith("Unterminated string")
                if self._at_end or not cut:
                    raise self._error(f"not valid JSON: {error.msg}", error.pos) from None
            except RecursionError:
                raise self._error("not valid JSON: nested too deeply") from None
            except ValueError:  # an integer of more digits than Python converts
                decoder = _LONG_INTEGERS
                continue
            else:
                if end < len(self._buffer) - _NUMBER_TAIL or self._at_end:
                    self._place = end
                    return value
            held = len(self._buffer) - self._place
            if held > MAX_VALUE:
                raise self._error(f"a value of more than {MAX_VALUE} characters")
            self._read_on(max(held, PIECE))

    def end(self) -> None:
        """Check that nothing follows."""
        if self.peek():
            raise self._error(f"not valid JSON: text after its end, {self.peek()!r}")

    def _take(self, character: str, wanted: str = "") -> None:
        """Pass a character. wanted: what is missing if it is another one; "": this character."""
        if (found := self.peek()) != character:
            seen = repr(found) if found else "the end of the file"
            reason = f"not valid JSON: needs {wanted or repr(character)}, got {seen}"
            raise self._error("the file is empty" if self._is_blank else reason)
        self._place += 1

    def _read_on(self, number: int) -> bool:
        """Drop what was parsed, and read more; False at the end of the text."""
        parsed, self._buffer, self._place = self._buffer[: self._place], self._buffer[self._place :], 0
        self._line, self._column = self._position(parsed)
        try:
            more = self._text.read(number)
        except OSError as error:
            raise LabelError("GT006", f"cannot be read: {error.strerror or error}") from None
        self._buffer += more
        self._at_end = not more
        return bool(more)

    def _position(self, parsed: str) -> tuple[int, int]:
        """Line, and characters before the position in it, after these characters of the buffer."""
        lines = parsed.count("\n")
        column = len(parsed) - parsed.rfind("\n") - 1 if lines else self._column + len(parsed)
        return self._line + lines, column

    def _error(self, reason: str, place: int | None = None) -> LabelError:
        """An error at a place of the buffer; None: at the next character."""
        line, column = self._position(self._buffer[: self._place if place is None else place])
        return LabelError("GT006", f"column {column + 1}: {reason}", line)
