"""`ocrdet-check input=FOLDER pick=N` on the command line, where the labels beside the images are data.root."""

from __future__ import annotations

from collections.abc import Sequence

from ..config.override_grammar import Word, quote
from ..errors import UserError

ONLY_WITH_PICK = ("input", "labelled", "label_format")


def picking_words(words: Sequence[str]) -> list[str]:
    """`input=FOLDER pick=N` -> `data.root=FOLDER`. Raises UserError for one of the two without the other."""
    typed = {word.key: word.value for word in map(Word.split, words) if word.value not in (None, "null")}
    if "pick" not in typed:
        if more := [f"{key}={typed[key]}" for key in ONLY_WITH_PICK if key in typed]:
            raise UserError(
                f"{more[0]}: is for choosing images to label: add pick=50; labels are checked in data.root="
            )
        return []
    if "input" not in typed:
        raise UserError(f"pick={typed['pick']}: from which images? Add input=FOLDER, which needs no labels")
    if "data.root" in typed:
        raise UserError(f"data.root={typed['data.root']}: with pick, labels are found beside the images of input=")
    return [f"++data.root={quote(typed['input'] or '')}"]
