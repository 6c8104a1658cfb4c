"""HTML pages: everything is escaped, any file name can be written, and jinja2 is loaded only for a page."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from html_page import Page
from resnet18_ocrdet.viz.charts import Bar, BarChart, UnitCurve
from resnet18_ocrdet.viz.html import Figure, environment, spread_over_images, write_page

HOSTILE = "</title><script>alert('x')</script> & \"quotes\" {{ 7 * 7 }} {% raw %}"


@pytest.mark.parametrize(
    "source",
    [
        '{% from "macros.html" import gallery %}{{ gallery([figure]) }}',
        '{% from "macros.html" import number_table %}{{ number_table([text], [[text, text]]) }}',
        '{% from "macros.html" import kind_table %}{{ kind_table([{"kind": text, "number": 1, "meaning": text}]) }}',
        '{% from "macros.html" import bar_chart %}{{ bar_chart(bars) }}',
        '{% from "macros.html" import unit_curve %}{{ unit_curve(curve) }}',
    ],
)
def test_every_macro_escapes_its_values(source: str):
    values = {
        "text": HOSTILE,
        "figure": Figure(b"jpeg", HOSTILE, HOSTILE),
        "bars": BarChart(HOSTILE, [Bar(1.0, *[HOSTILE] * 5)]),
        "curve": UnitCurve(HOSTILE, [(0.0, 1.0)], HOSTILE),
    }
    page = Page(environment().from_string(source).render(values))
    assert "script" not in page.tags
    assert HOSTILE in page.text, "shown as it is"


def test_names_that_are_not_utf8(tmp_path):
    write_page(tmp_path / "page.html", "page.html", title="caf\udce9 <b>")
    assert len(re.findall("caf\ufffd+ <b>", Page((tmp_path / "page.html").read_text("utf-8")).text)) == 2


def test_a_prefix_shows_many_images():
    items = [(1, "a"), (1, "b"), (2, "c"), (1, "d"), (3, "e")]
    order = [name for _, name in spread_over_images(items, lambda item: item[0])]
    assert order == ["a", "c", "e", "b", "d"]


@pytest.mark.parametrize("module", ["check.report_html", "report.html"])
def test_jinja2_is_loaded_only_for_a_page(module: str):
    code = f"import sys, resnet18_ocrdet.{module}\nprint('jinja2' in sys.modules, 'jinja2.environment' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["False", "False"]
