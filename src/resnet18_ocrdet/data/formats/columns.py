"""The columns after the corners in the lines of `icdar_text`.

    x1,y1,...,x4,y4,text                 ICDAR 2015
    x1,y1,...,x4,y4,script,text          ICDAR MLT 2017 and 2019, https://rrc.cvc.uab.es/?ch=8&com=tasks
    x1,y1,...,x4,y4,difficult,"text"     RCTW-17, http://rctw.vlrlab.net/dataset
    x1,y1,...,x4,y4,difficult            MSRA-TD500 as MhLiao/DB reads it (data/image_dataset.py): 1 is don't-care
    left,top,right,bottom,text           boxes, see `icdar2013`

Which of them a data set has: `column_choice`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ...errors import UserError
from ..text_file import quoted
from .location import LabelError

BOX, SCRIPT, DIFFICULT, TEXT = "box", "script", "difficult", "text"
ORDER = (BOX, SCRIPT, DIFFICULT, TEXT)
_SCRIPTS = (  # of MLT 2017 and 2019, and further ones of multilingual sets; in lower case
    "latin arabic chinese japanese korean bangla hindi symbols mixed none english devanagari bengali "
    "tamil telugu kannada malayalam gujarati gurmukhi punjabi odia oriya marathi urdu persian hebrew "
    "greek cyrillic russian thai vietnamese tibetan uyghur mongolian amharic khmer lao burmese"
)
SCRIPTS = frozenset(_SCRIPTS.split())
_FIELD_END = re.compile(r"[,;\t，]")
_ESCAPED = re.compile(r'\\(["\\])|""')


class Columns(NamedTuple):
    """The columns of a data set."""

    names: tuple[str, ...] = (TEXT,)  # after the corners, in ORDER; BOX if the corners are left, top, right, bottom
    quoted: bool = False  # every text is in double quotes, which do not belong to it


PLAIN = Columns()


def check_columns(names: Sequence[str]) -> None:
    """Raise UserError if the names in `data.columns` do not exist, or are in another order."""
    if not names or [name for name in ORDER if name in names] != list(names):
        value = ",".join(names)
        raise UserError(f"data.columns={value}: needs one or more of {', '.join(ORDER)}, in this order: script,text")
    if BOX in names and list(names) not in ([BOX], [BOX, TEXT]):
        raise UserError(f"data.columns={','.join(names)}: after box, only text is read: box,text")


def read_columns(rest: str, columns: Columns, spaced: bool = False) -> tuple[str, str]:
    """Split what follows the corners into the text ("" without one) and the flag "difficult" or "".

    spaced: the fields of the line are separated by blanks. A line without the column of the script has its text there:
    in a set of several sources, `###` must stay a mark. Raises LabelError for a difficulty that is not 0 or 1."""
    flag = ""
    if SCRIPT in columns.names:
        first, tail = first_field(rest, spaced)
        rest = tail if tail or first.lower() in SCRIPTS else rest
    if DIFFICULT in columns.names:
        field, rest = first_field(rest, spaced)
        if field not in ("0", "1"):
            raise LabelError("GT022", f"needs a difficulty, 0 or 1, before the text, got {quoted(field)}")
        flag = DIFFICULT if field == "1" else ""
    text = rest.strip() if TEXT in columns.names else ""
    return unquoted(text) if columns.quoted else text, flag


def first_field(rest: str, spaced: bool = False) -> tuple[str, str]:
    """The first field and what follows it, both without blanks around them; "" for nothing."""
    fields = rest.split(maxsplit=1) if spaced else _FIELD_END.split(rest, maxsplit=1)
    return (fields[0].strip() if fields else ""), (fields[1].strip() if len(fields) > 1 else "")


def is_quoted(text: str) -> bool:
    """Whether a text is in double quotes."""
    return len(text) > 1 and text.startswith('"') and text.endswith('"')


def unquoted(text: str) -> str:
    """The text without double quotes around it; a quote in it is doubled or follows a backslash."""
    return _ESCAPED.sub(lambda match: match[1] or '"', text[1:-1]) if is_quoted(text) else text
