"""Readers of label files, one dialect a module. Each has

- `NAME`, as people call it;
- `recognise(root) -> str | None`: what in this folder shows the dialect, in a few words; None where nothing does;
- `read(root, report, marks) -> dict[str, list[LabelRecord]]`: the parts "train", "val", "test" that are there.

A reader reports what it cannot read, with file and line, and goes on; coordinates are given as they are written.
"""
