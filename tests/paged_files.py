"""Files of several pages for the tests: a PDF written by hand, TIFF, GIF, WebP and PNG by Pillow."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.TiffImagePlugin

A4 = (595, 842)  # points, width and height


def words(text: str, size: float = 12, x: float = 50, y: float = 700) -> str:
    """A page's content: one line in Helvetica."""
    return f"BT /F1 {size} Tf {x} {y} Td ({text}) Tj ET"


def pdf(contents: Sequence[str], size: tuple[float, float] = A4, rotate: int = 0, password: str = "") -> bytes:
    """A PDF with a page for each content. rotate: degrees clockwise. password: without it the file does not open."""
    pages = range(len(contents))
    kids = " ".join(f"{4 + 2 * page} 0 R" for page in pages)
    parts = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(contents)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for page, content in enumerate(contents):
        box = f"/MediaBox [0 0 {size[0]} {size[1]}] /Rotate {rotate} /Resources << /Font << /F1 3 0 R >> >>"
        parts.append(f"<< /Type /Page /Parent 2 0 R {box} /Contents {5 + 2 * page} 0 R >>")
        parts.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
    data, offsets = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, start=1):
        offsets.append(len(data))
        data += f"{number} 0 obj\n{part}\nendobj\n".encode()
    table = f"xref\n0 {len(parts) + 1}\n0000000000 65535 f \n" + "".join(f"{each:010} 00000 n \n" for each in offsets)
    more = ""
    if password:  # the check value of another password is as good as any that does not fit
        other = hashlib.md5(password.encode()).hexdigest() * 2
        more = f"/ID [<00> <00>] /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <{other}> /U <{other}> >> "
    return (
        data
        + f"{table}trailer << /Size {len(parts) + 1} /Root 1 0 R {more}>>\nstartxref\n{len(data)}\n%%EOF\n".encode()
    )


def pictures(number: int, height: int = 40, width: int = 60) -> list[np.ndarray]:
    """Pages that differ: (H, W, 3) noise of few colours, which GIF keeps."""
    rng = np.random.default_rng(number)
    return [rng.choice(np.uint8([0, 60, 200, 255]), (height, width, 1)).repeat(3, axis=2) for _ in range(number)]


def write_pages(path: Path, pages: Sequence[np.ndarray], mode: str = "RGB", **options: object) -> None:
    """A file of several pages, of the kind that its suffix says."""
    first, *rest = (PIL.Image.fromarray(page).convert(mode) for page in pages)
    first.save(path, save_all=True, append_images=rest, **options)


def write_tagged(path: Path, pages: Sequence[tuple[np.ndarray, Mapping[int, int]]]) -> None:
    """Write a TIFF whose pages have these tags. Older versions of Pillow ignore the tags of `append_images`."""
    with PIL.TiffImagePlugin.AppendingTiffWriter(str(path), True) as file:
        for pixels, tags in pages:
            PIL.Image.fromarray(pixels).save(file, "TIFF", tiffinfo=dict(tags))
            file.newFrame()
