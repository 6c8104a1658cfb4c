"""Why regions are don't-care, in the words of messages: a text such as ###, a flag of a labelling tool, a class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

MARK, OTHER_CLASS, LOST = "mark", "class", "lost"  # causes beside the flags of tools
DEFAULT_MARKS = ("###",)
MAX_MARKS, MAX_LENGTH = 3, 20  # marks in one line, and characters of one


class IgnoreCauses(NamedTuple):
    """The don't-care regions of a data set by cause."""

    counts: tuple[tuple[str, int], ...] = ()  # of MARK, a flag, OTHER_CLASS or LOST; the most frequent first
    marks: tuple[str, ...] = DEFAULT_MARKS  # the texts that mean don't-care in these labels

    @classmethod
    def of(cls, counts: Mapping[str, int], marks: tuple[str, ...] = DEFAULT_MARKS) -> IgnoreCauses:
        """From a number for each cause."""
        return cls(tuple((cause, number) for cause, number in Counter(dict(counts)).most_common() if number), marks)

    def __str__(self) -> str:
        """`###, difficult`: all causes, or only the marks if there are no regions."""
        return ", ".join(self._name(cause) for cause, _ in self.counts) or ", ".join(self.marks)

    def listed(self) -> str:
        """`mark (###) 5, difficult 2`."""
        mark = f"mark ({', '.join(self.marks)})"
        return ", ".join(f"{mark if cause == MARK else self._name(cause)} {number}" for cause, number in self.counts)

    def remedy(self) -> str:
        """What to do if the most frequent cause leaves nothing to train on."""
        cause = self.counts[0][0] if self.counts else MARK
        if cause == MARK:
            text = " or ".join(self.marks)
            return f"regions with the text {text} are ignored in training: use another text, or none"
        if cause == LOST:
            return "images with labels that cannot be read are ignored as a whole: correct these labels"
        if cause == OTHER_CLASS:
            return "data.classes names the classes that are text: regions of others are ignored in training"
        return f"regions with the flag {cause} are ignored in training: data.ignore_flags=none trains on them"

    def _name(self, cause: str) -> str:
        names = {MARK: ", ".join(self.marks), OTHER_CLASS: "other class", LOST: "labels that cannot be read"}
        return names.get(cause, cause)


def marks_of(texts: Mapping[str, int]) -> tuple[str, ...]:
    """The most frequent texts of marked regions, shortened; DEFAULT_MARKS if they have none."""
    found = [text for text, _ in Counter({text: number for text, number in texts.items() if text}).most_common()]
    return tuple(text[:MAX_LENGTH] for text in found[:MAX_MARKS]) or DEFAULT_MARKS
