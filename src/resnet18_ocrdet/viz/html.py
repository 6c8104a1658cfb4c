"""Self-contained HTML pages from the templates next to this module: no other file, no script, no network.

Templates escape every value, so file names and labels cannot add markup. jinja2 is imported when a page is written.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Hashable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ..runtime.messages import count

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).with_name("templates")

Item = TypeVar("Item")


class Figure(NamedTuple):
    """A picture with its caption, embedded in the page."""

    jpeg: bytes
    caption: str  # also the alternative text
    note: str = ""  # follows the caption

    @property
    def source(self) -> str:
        """The picture as a data URI."""
        return f"data:image/jpeg;base64,{base64.b64encode(self.jpeg).decode('ascii')}"


def write_page(path: Path, template: str, **values: Any) -> None:
    """Render a file of the folder `templates`. Bytes of file names that are not UTF-8 become replacement characters.

    Raises OSError."""
    text = environment().get_template(template).render(values)
    path.write_bytes(text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode("utf-8"))


def environment() -> Environment:
    """The settings of the templates."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(anchor=anchor, count=count, px=lambda value: f"{value:.1f}")
    return made


def anchor(name: str) -> str:
    """The id of a section, for links to it."""
    return name.replace(" ", "-")


def spread_over_images(items: Iterable[Item], image_of: Callable[[Item], Hashable]) -> Iterator[Item]:
    """All items, the first of each image before any second one, so that a few items show many images."""
    seen, later = set[Hashable](), list[Item]()
    for item in items:
        image = image_of(item)
        if image in seen:
            later.append(item)
        else:
            seen.add(image)
            yield item
    yield from later
