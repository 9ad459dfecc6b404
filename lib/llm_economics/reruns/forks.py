"""The small process that kernels are forked from: it has imported what chapters import, and never holds a thread.

It is started by :mod:`kernels` with the number of a socket that leads there; when that is closed, by whatever end,
this process and all of its kernels end. A kernel comes with a socket of its own: what to run comes in by it, the
number of the process and at the end its exit code go out, and a byte that comes in later is a signal to send. When
it is closed from the other side the kernel ends.

Charts of all kernels are drawn by one further process, which is forked before the first kernel: V8 does not survive a
fork, so that this one never draws.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import random
import selectors
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llm_economics import book

MODULES = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "IPython.core.completer",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "sqlite3",
    "tornado.locks",
    "tornado.platform.asyncio",
    "tornado.queues",
    "numpy",
    "pandas",
    "altair",
    "pint",
    "scipy.optimize",
    "scipy.special",
    "SALib.analyze.sobol",
    "SALib.sample.sobol",
    "papermill",
    "llm_economics.reruns.notebooks",
)
FLOORS = ("formulas", "checkpoints", "facts", "evidence", "book")
"""What chapters import, all rooms of these floors among it, and what a kernel imports by itself."""


def end_with_parent(parent: int) -> None:
    """Have the system kill this process when its parent, or the thread of it that started it, is gone."""
    with contextlib.suppress(OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(1)


def warm_up() -> None:
    """Import what chapters need, show a frame and a chart once, and read the catalogue for all kernels."""
    gc.disable()
    sys.modules.setdefault("debugpy", None)  # nobody debugs these kernels, and each would spend a tenth of a second
    package = Path(book.__file__).parents[1]
    paths = sorted(path for floor in FLOORS for path in package.glob(f"{floor}/[a-z]*.py"))
    rooms = [f"llm_economics.{path.parent.name}.{path.stem}" for path in paths]
    for module in (*MODULES, *rooms):
        with contextlib.suppress(ImportError):  # the kernel that needs it says so
            importlib.import_module(module)
    with contextlib.suppress(Exception):  # likewise
        _rehearse()
    gc.freeze()
    gc.enable()


def _rehearse() -> None:
    import pandas

    from llm_economics import facts
    from llm_economics.book import figures
    from llm_economics.facts.units import Q

    for name in facts.FILES:
        with contextlib.suppress(ValueError, OSError):
            facts.load(name)
    frame = pandas.DataFrame({"name": ["a", "b"], "number": [1.0, 2.0]})
    frame.to_html()
    says = {"title": "title", "description": "description", "x_title": "number"}
    figures.clean(figures.bars(frame, "name", "number", **says).to_dict())
    Q(1.0, "FLOP").to("FLOP")


def threads() -> int:
    """Threads of this process, those of libraries too."""
    return len(os.listdir("/proc/self/task"))


@dataclass
class Child:
    """A forked process: a kernel with the socket of who asked for it, or the one that draws."""

    pid: int
    connection: socket.socket


@dataclass
class Server:
    """Forks kernels for whoever is at the other end of ``control``."""

    control: socket.socket
    kernels: list[Child] = field(default_factory=list)
    drawing: Child | None = None

    def serve(self) -> dict[str, Any] | None:
        """Serve until the other end is closed, then None; in a forked kernel, what it is to do."""
        woken, wake = socket.socketpair()
        wake.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asked decides for all
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        self.waiting = selectors.DefaultSelector()
        self.own = (woken, wake)
        for watched in (self.control, woken):
            self.waiting.register(watched, selectors.EVENT_READ)
        while True:
            for ready, _ in self.waiting.select():
                if ready.fileobj is woken:
                    woken.recv(4096)
                    self._reap()
                elif ready.fileobj is not self.control:
                    self._signal(ready.data)
                else:
                    message, descriptors, _, _ = socket.recv_fds(self.control, 1, 4)
                    if not message:
                        for child in self.kernels:
                            self._send_signal(child, signal.SIGKILL)
                        return None
                    request = self._begin(message, descriptors)
                    if request is not None:
                        return request

    def _begin(self, message: bytes, descriptors: list[int]) -> dict[str, Any] | None:
        """A new kernel (message ``k``, its socket and three streams), or a way to have charts drawn (``d``)."""
        if message == b"d":
            self._to_drawing(descriptors[0])
            return None
        connection = socket.socket(fileno=descriptors[0])
        try:
            return self._fork(connection, descriptors[1:])
        except (OSError, ValueError) as error:  # no memory for another process, or who asked is gone already
            with contextlib.suppress(OSError):
                connection.sendall(f"{error}\n".encode())
            connection.close()
            return None
        finally:
            for descriptor in descriptors[1:]:
                os.close(descriptor)

    def _fork(self, connection: socket.socket, streams: list[int]) -> dict[str, Any] | None:
        with connection.makefile("rb") as asked:
            request = json.loads(asked.readline())
        if threads() > 1:
            raise ValueError("this process holds threads and forks no kernel")
        ours, theirs = socket.socketpair()
        self._to_drawing(theirs.detach())
        parent = os.getpid()
        pid = os.fork()
        if pid:
            ours.close()
            child = Child(pid, connection)
            self.kernels.append(child)
            self.waiting.register(connection, selectors.EVENT_READ, child)
            connection.sendall(f"{pid}\n".encode())
            return None
        try:
            self._leave(parent)
            connection.close()
            for target, stream in enumerate(streams):
                os.dup2(stream, target)
        except BaseException:
            os._exit(1)
        return request | {"drawing": ours}

    def _leave(self, parent: int) -> None:
        """In a process that was forked: nothing of the one that it comes from."""
        end_with_parent(parent)
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.waiting.close()
        kept = [*self.own, self.control, *(child.connection for child in self.kernels)]
        for connection in (*kept, *([self.drawing.connection] if self.drawing else [])):
            connection.close()

    def _to_drawing(self, descriptor: int) -> None:
        """Hand a connection to the process that draws, which is forked when there is none."""
        from llm_economics.book import drawing

        try:
            if self.drawing is None:
                ours, theirs = socket.socketpair()
                parent = os.getpid()
                pid = os.fork()
                if not pid:
                    try:
                        ours.close()
                        os.close(descriptor)
                        self._leave(parent)
                        drawing.serve(theirs)
                    finally:
                        os._exit(0)
                theirs.close()
                self.drawing = Child(pid, ours)
            socket.send_fds(self.drawing.connection, [b"d"], [descriptor])
        except OSError:  # then a kernel draws by itself
            pass
        finally:
            os.close(descriptor)

    def _signal(self, child: Child) -> None:
        try:
            asked = child.connection.recv(64)
        except OSError:
            asked = b""
        for number in asked or [signal.SIGKILL]:
            self._send_signal(child, number)
        if not asked:
            self.waiting.unregister(child.connection)

    def _send_signal(self, child: Child, number: int) -> None:
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:  # it leads no group yet
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, number)

    def _reap(self) -> None:
        for child in self._ended():
            if child is self.drawing:
                child.connection.close()
                self.drawing = None
                continue
            self.kernels.remove(child)
            with contextlib.suppress(KeyError):
                self.waiting.unregister(child.connection)
            child.connection.close()

    def _ended(self) -> Iterator[Child]:
        for child in (*self.kernels, *([self.drawing] if self.drawing else [])):
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid:
                with contextlib.suppress(OSError):
                    child.connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
                yield child


def run_kernel(request: dict[str, Any]) -> None:
    """Be an ordinary kernel, as ``python -m ipykernel_launcher`` makes one."""
    from ipykernel.kernelapp import IPKernelApp

    from llm_economics.book import drawing

    drawing.share(request["drawing"])
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    sys.argv = [IPKernelApp.name, *request["argv"], f"--IPKernelApp.parent_handle={os.getppid()}"]
    IPKernelApp.launch_instance()


def main(arguments: list[str]) -> None:
    """Serve the socket with the first number; the second, if there is one, is the process to end with."""
    if len(arguments) > 1:
        end_with_parent(int(arguments[1]))
    warm_up()
    request = Server(socket.socket(fileno=int(arguments[0]))).serve()
    if request is not None:
        run_kernel(request)
