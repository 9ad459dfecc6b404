"""Runs a notebook's cells as a kernel does, in a process that was forked for it, and hands over what they say.

A kernel tells each thing that a cell does in a message of its own, and the messages of an ordinary cell take longer
than the cell. Here the shell of ipykernel runs the cells, and all its messages for a cell go back in one line, with
what a kernel replies to the request.
"""

from __future__ import annotations

import io
import json
import os
import socket
import sys
from types import SimpleNamespace
from typing import Any

from ipykernel.compiler import XCachingCompiler
from ipykernel.zmqshell import ZMQInteractiveShell
from jupyter_client.session import Session
from traitlets.config import Config


class Said(Session):
    """Keeps the messages that a kernel would send."""

    def __init__(self) -> None:
        super().__init__(key=b"")
        self.messages: list[dict[str, Any]] = []

    def msg(self, msg_type: str, content: dict[str, Any] | None = None, *_: Any, **__: Any) -> dict[str, Any]:
        """A message, with no more than its type and content."""
        return {"msg_type": msg_type, "content": content or {}}

    def send(self, stream: Any, message: Any, content: dict[str, Any] | None = None, *_: Any, **__: Any) -> None:
        """Keep a message; ``message`` is one that was made before, or its type."""
        self.messages.append(message if isinstance(message, dict) else self.msg(message, content))

    def taken(self) -> list[dict[str, Any]]:
        """All that was kept, which is let go."""
        messages, self.messages = self.messages, []
        return messages


class Stream(io.TextIOBase):
    """Standard output or errors: text that is written to it, and what arrives at its descriptor by other ways."""

    encoding = "UTF-8"

    def __init__(self, name: str, descriptor: int, said: Said) -> None:
        self.name, self.said = name, said
        self._text: list[str] = []
        self._descriptor = descriptor
        self._other = os.memfd_create(name)
        os.dup2(self._other, descriptor)

    def writable(self) -> bool:
        """Yes."""
        return True

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def write(self, text: str) -> int:
        """Keep text until the next flush."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._text.append(text)
        return len(text)

    def flush(self) -> None:
        """Say what was written since the last flush."""
        if length := os.lseek(self._other, 0, os.SEEK_CUR):
            self._text.append(os.pread(self._other, length, 0).decode(errors="replace"))
            os.ftruncate(self._other, 0)
            os.lseek(self._other, 0, os.SEEK_SET)
        text, self._text = "".join(self._text), []
        if text:
            self.said.send(None, "stream", {"name": self.name, "text": text})


def serve(channel: socket.socket) -> None:
    """Run each cell that comes in as a line; a line with its messages and the reply goes out. Ends with the channel."""
    said = Said()
    sys.stdout, sys.stderr = Stream("stdout", 1, said), Stream("stderr", 2, said)
    shell = ZMQInteractiveShell.instance(
        config=Config({"HistoryManager": {"enabled": False}}),
        compiler_class=XCachingCompiler,
        kernel=SimpleNamespace(eventloop=None),
    )
    shell.displayhook.session = shell.display_pub.session = said
    with channel.makefile("rb") as asked:
        for line in asked:
            reply = _run(shell, json.loads(line))
            if shell.exit_now:
                return
            channel.sendall(said.pack([said.taken(), reply]) + b"\n")


def _run(shell: ZMQInteractiveShell, source: str) -> dict[str, Any]:
    """Run a cell; the content of the reply that a kernel would give."""
    done = shell.run_cell(source, store_history=True)
    sys.stdout.flush()
    sys.stderr.flush()
    reply = {"execution_count": shell.execution_count - 1, "status": "ok"}
    wrong = done.error_before_exec or done.error_in_exec
    if wrong is not None or getattr(shell, "_last_traceback_during_displayhook", False):
        told = {"ename": type(wrong).__name__, "evalue": str(wrong), "traceback": shell._last_traceback or []}
        reply |= {"status": "error", **told}
    return reply
