"""A headless Chromium that lays out HTML: pictures, and values computed by scripts in the page.

Speaks the DevTools protocol (https://chromedevtools.github.io/devtools-protocol/) over --remote-debugging-pipe: JSON
messages that end in a zero byte, on file descriptors 3 and 4 of the browser.
"""

from __future__ import annotations

import base64
import json
import os
import select
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np

from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.structures import Image

SECONDS = 300.0  # for an answer of the browser
FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-lcd-text",  # grey edges of letters, as in a screenshot of a scaled window
    "--font-render-hinting=none",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-extensions",
)
FONTCONFIG = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>{folders}<cachedir>{cache}</cachedir>
<selectfont><rejectfont><glob>*.woff*</glob></rejectfont></selectfont></fontconfig>
"""


class Browser:
    """Use as a context. It sees only the fonts in the given folders."""

    def __init__(self, fonts: Sequence[Path]) -> None:
        """fonts: folders of font files, absolute. Raises UserError if Chromium does not start."""
        self._home = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        home = Path(self._home.name)
        config = home / "fonts.conf"
        folders = "".join(f"<dir>{folder}</dir>" for folder in fonts)
        config.write_text(FONTCONFIG.format(folders=folders, cache=home / "fontcache"), encoding="utf-8")
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()
        root = ["--no-sandbox"] if os.geteuid() == 0 else []  # the sandbox refuses root
        words = ["chromium", *FLAGS, *root, f"--user-data-dir={home / 'profile'}", "about:blank"]
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" "$@" 3<&{to_read} 4>&{to_write}', *words],
            pass_fds=(to_read, to_write),
            env={**os.environ, "FONTCONFIG_FILE": str(config), "HOME": str(home), "LANG": "C.UTF-8", "TZ": "UTC"},
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        self._number, self._rest, self._session = 0, b"", ""
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._frame = self._ask("Page.getFrameTree")["frameTree"]["frame"]["id"]

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)  # with the processes that it started
        self._process.wait()
        os.close(self._to)
        os.close(self._from)
        self._home.cleanup()

    def open(self, html: str, width: int, height: int, scale: float = 1.0) -> None:
        """Lay out a page in a window of width × height CSS px, each `scale` px of the picture."""
        size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
        self._ask("Emulation.setDeviceMetricsOverride", **size)
        self._ask("Page.setDocumentContent", frameId=self._frame, html=html)
        self.run("document.fonts.ready.then(() => 1)")

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression, or of its promise. Raises UserError for an exception in it."""
        answer = self._ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise UserError(f"chromium: {details.get('exception', {}).get('description', details['text'])}")
        return answer["result"].get("value")

    def picture(self) -> Image:
        """The window, RGB."""
        data = base64.b64decode(self._ask("Page.captureScreenshot", format="png")["data"])
        return np.ascontiguousarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1])

    def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        try:
            while data:
                data = data[os.write(self._to, data) :]
        except BrokenPipeError:
            raise UserError("chromium ended") from None
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise UserError(f"chromium: {method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._from], [], [], SECONDS)
            piece = os.read(self._from, 1 << 20) if ready else b""
            if not piece:
                reason = "ended" if not ready or self._process.poll() is not None else "closed its pipe"
                raise UserError(f"chromium {reason if ready else f'did not answer within {SECONDS:g} s'}")
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\0")
        answer: dict[str, Any] = json.loads(line)
        return answer
