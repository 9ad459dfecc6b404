"""Charts as SVG: drawn by vl-convert in this process or in one that several kernels share, and kept by content.

Where a rerun reads what a cell shows, a chart is shown without its drawing (:data:`LATER`), and drawn while the next
cells run.

The first drawing of a process costs a second, since it starts V8; each further one a tenth to a quarter.
V8 does not survive a fork, so that this module imports vl-convert when it draws and not before.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import selectors
import socket
import threading
from functools import cache as once
from typing import Any

from llm_economics.facts import cache

FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
PALETTE = ("#0072b2", "#d55e00", "#008f68", "#b5579b", "#8a6d1d", "#707070")
"""Okabe and Ito's colours, darkened to at least 3:1 against a white and a near-black page."""
INK, MUTED, GRID = "#1f2328", "#59636e", "#d8dee4"

WAIT_S = 60.0
"""Seconds after which a drawing that has not come is drawn here."""

MIME, SVG = "application/vnd.vegalite.v5+json", "image/svg+xml"
"""What JupyterLab draws, whose specification itself names the Vega-Lite version it is written for; a picture."""

NOT_DRAWN = {"LLM_ECONOMICS_FIGURES": "off"}
"""Environment of a process whose charts nobody will see."""
LATER = {"LLM_ECONOMICS_FIGURES": "later"}
"""Environment of a process whose charts are drawn by who reads what it shows: it gives :data:`TO_DRAW` for each."""
TO_DRAW = "<svg/>"
"""What stands for the drawing of a chart that is yet to be drawn, beside its specification."""

_lock = threading.Lock()
_shared: tuple[int, socket.socket] | None = None  # of which process it is, and the way to the process that draws


def wanted() -> bool:
    """Whether anybody will see what this process draws."""
    return not NOT_DRAWN.items() <= os.environ.items()


def bundle(spec: dict[str, Any]) -> dict[str, Any]:
    """A specification, and its drawing if it is not to be drawn later.

    Raises
    ------
    ValueError
        If vl-convert refuses it.
    """
    return {MIME: spec, SVG: TO_DRAW if LATER.items() <= os.environ.items() else svg(spec)}


def svg(spec: dict[str, Any]) -> str:
    """A Vega-Lite specification as SVG, the same on every run.

    Raises
    ------
    ValueError
        If vl-convert refuses it.
    """
    text = json.dumps(spec, ensure_ascii=False)
    name = cache.key(text, _versions())
    kept = cache.read("figures", name)
    if kept is not None:
        return kept.decode()
    drawn = _ask(text)
    if drawn is None:
        drawn = _draw(text)
    cache.write("figures", name, drawn.encode())
    return drawn


@once
def _versions() -> str:
    from importlib.metadata import version

    return f"vl-convert {version('vl-convert-python')}, ids from 0"


def _draw(text: str) -> str:
    import vl_convert

    return _stable(vl_convert.vegalite_to_svg(json.loads(text)))


def _stable(drawn: str) -> str:
    """Renumber the clip and gradient ids, which vl-convert counts up through a process."""
    seen: dict[str, str] = {}
    return re.sub(r"\b(clip|gradient_)\d+\b", lambda m: seen.setdefault(m[0], f"{m[1]}{len(seen)}"), drawn)


def shared() -> bool:
    """Whether another process draws what this one draws, and is still there."""
    if not _lock.acquire(blocking=False):
        return True  # it draws now
    try:
        own = _shared is not None and _shared[0] == os.getpid()
        return own and select.select([_shared[1]], [], [], 0)[0] == []  # no answer is awaited: what comes is the end
    finally:
        _lock.release()


def share(connection: socket.socket | None) -> None:
    """Have what this process draws drawn by the process at the other end, which runs :func:`serve`."""
    global _shared
    if connection is not None:
        connection.settimeout(WAIT_S)
    _shared = None if connection is None else (os.getpid(), connection)


def _ask(text: str) -> str | None:
    """The drawing of the shared process, None if there is none any more."""
    global _shared
    with _lock:
        if _shared is None or _shared[0] != os.getpid():
            return None
        try:
            _send(_shared[1], text.encode())
            answer = _receive(_shared[1])
        except OSError:
            answer = b""
        if not answer:
            _shared[1].close()
            _shared = None
            return None
    if answer[:1] == b"!":
        raise ValueError(answer[1:].decode())
    return answer[1:].decode()


def _send(connection: socket.socket, content: bytes) -> None:
    connection.sendall(len(content).to_bytes(8, "big") + content)


def _receive(connection: socket.socket) -> bytes:
    """A message, nothing if the other end is gone."""
    size = int.from_bytes(_exactly(connection, 8), "big")
    return _exactly(connection, size)


def _exactly(connection: socket.socket, size: int) -> bytes:
    content = bytearray()
    while len(content) < size:
        part = connection.recv(min(size - len(content), 1 << 20))
        if not part:
            return b""
        content += part
    return bytes(content)


def serve(control: socket.socket) -> None:
    """Draw for all whose connections come through ``control``, until that is closed."""
    with selectors.DefaultSelector() as waiting:
        waiting.register(control, selectors.EVENT_READ)
        while True:
            for ready, _ in waiting.select():
                if ready.fileobj is not control:
                    _answer(ready.fileobj, waiting)
                    continue
                message, (*found,), _, _ = socket.recv_fds(control, 1, 1)
                if not message:
                    return
                for descriptor in found:
                    connection = socket.socket(fileno=descriptor)
                    connection.settimeout(WAIT_S)
                    waiting.register(connection, selectors.EVENT_READ)


def _answer(connection: socket.socket, waiting: selectors.BaseSelector) -> None:
    with contextlib.suppress(OSError):
        asked = _receive(connection)
        if asked:
            try:
                answer = b"=" + _draw(asked.decode()).encode()
            except ValueError as error:
                answer = b"!" + str(error).encode()
            _send(connection, answer)
            return
    waiting.unregister(connection)
    connection.close()
