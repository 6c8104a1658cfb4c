"""Read XML of any content without crashing, one entry at a time.

Expat does not load other files, and a document type is refused: without one there are no entities that could expand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from xml.parsers import expat

from ..text_file import label_text, quoted
from .location import LabelError, Location

MAX_DEPTH = 32  # elements in one another
MAX_ELEMENTS = 400_000  # in one entry: those of 100,000 regions with three attributes each


@dataclass(slots=True)
class Element:
    """An element with everything in it."""

    tag: str
    line: int  # of the file
    attributes: dict[str, str]
    text: str = ""  # without that of its children
    children: list[Element] = field(default_factory=list)

    def child(self, tag: str) -> Element | None:
        """The first child with this tag."""
        return next((child for child in self.children if child.tag == tag), None)

    def value(self, tag: str) -> str | None:
        """The text of the first child with this tag, without blanks around it."""
        child = self.child(tag)
        return None if child is None else child.text.strip()


def read_entries(location: Location, root: str, visit: Callable[[Element], None]) -> bool:
    """Call `visit` with each child of the root element as soon as it ends; True if the file could be read to its end.

    If not, the reason is reported, and what was visited is incomplete. root: tag of the root element."""
    text = label_text(location.path, location.report, location.image, blank="")
    return text is not None and location.attempt(visit_entries, text, root, visit) is not None


def visit_entries(text: str, root: str, visit: Callable[[Element], None]) -> int:
    """The same for the content of a file. Returns the number of entries.

    Raises LabelError if it is not valid XML, has another root element or a document type, or is nested too deeply, and
    for an entry with too many elements."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    open_elements: list[Element] = []
    texts: list[list[str]] = []  # of the open elements, in pieces
    entries = elements = 0

    def refuse(*_: object) -> None:
        raise LabelError("GT006", "declares a document type, whose entities can expand without limit: not read")

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal elements
        line = parser.CurrentLineNumber
        if not open_elements and tag != root:
            raise LabelError("GT006", f"the root element is <{quoted(tag)[1:-1]}>, not <{root}>", line)
        if len(open_elements) >= MAX_DEPTH:
            raise LabelError("GT006", f"elements are nested more than {MAX_DEPTH} deep", line)
        elements = elements + 1 if len(open_elements) > 1 else 0
        if elements > MAX_ELEMENTS:
            raise LabelError("GT028", f"an entry with more than {MAX_ELEMENTS} elements", line)
        element = Element(tag, line, attributes)
        if len(open_elements) > 1:
            open_elements[-1].children.append(element)
        open_elements.append(element)
        texts.append([])

    def end(_: str) -> None:
        nonlocal entries
        element = open_elements.pop()
        element.text = "".join(texts.pop())
        if len(open_elements) == 1:
            entries += 1
            visit(element)

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = lambda text: texts[-1].append(text)
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, ValueError) as error:
        raise LabelError("GT006", f"not valid XML: {error}", getattr(error, "lineno", 0)) from None
    return entries
