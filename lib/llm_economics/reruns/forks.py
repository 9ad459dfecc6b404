"""The small process that kernels are forked from: it has imported what chapters import, and never holds a thread.

It is started by :mod:`kernels` with the number of a socket that leads there, and ends when that is closed, by whatever
end. For each kernel it forks a keeper, and that the kernel. A keeper has a socket of its own: what to run comes in by
it, the kernel's number and at the end its exit code go out, and a byte that comes in later is a signal to send. When
it is closed from the other side, or the keeper dies, the kernel ends; so no process outlives who asked for it, and
each dies for itself.

A kernel that is handed a fourth descriptor is none for Jupyter: it runs the cells that come in by it (:mod:`cells`).

Charts of all kernels are drawn by one further process, which is forked before the first kernel: V8 does not survive a
fork, so that this one never draws.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import random
import selectors
import signal
import socket
import subprocess
import sys
import threading
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
    "llm_economics.reruns.cells",
    "llm_economics.reruns.notebooks",
)
FLOORS = ("formulas", "checkpoints", "facts", "evidence", "book")
"""What chapters import, all rooms of these floors among it, and what a kernel imports by itself."""


ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_MAX_THREADS"), "1")
"""Environment of a kernel that shares the processors with others."""
NO_THREAD = {"ARROW_DEFAULT_MEMORY_POOL": "system", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""Environment in which the import of pyarrow starts no thread."""


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


class Server:
    """Forks kernels for whoever is at the other end of ``control``."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.drawing: socket.socket | None = None

    def serve(self) -> dict[str, Any] | None:
        """Serve until the other end is closed, then None; in a forked kernel, what it is to do.

        The message ``k`` comes with a kernel's socket, its three streams, and a fourth descriptor if it is to run cells
        that come in by it; ``d`` with a way to have charts drawn.
        """
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for keepers
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asked decides for all
        while True:
            message, descriptors, _, _ = socket.recv_fds(self.control, 1, 5)
            if not message:
                return None
            if message == b"d":
                self._to_drawing(descriptors[0])
                continue
            request = self._keep(socket.socket(fileno=descriptors[0]), descriptors[1:])
            if request is not None:
                return request

    def _keep(self, connection: socket.socket, streams: list[int]) -> dict[str, Any] | None:
        """Fork a keeper, which does not come back; None, but in the kernel that the keeper forks what it is to do."""
        try:
            if threads() > 1:
                raise OSError("the process that forks kernels holds threads")
            ours, theirs = socket.socketpair()
            self._to_drawing(theirs.detach())
            if not os.fork():
                return self._kernel(connection, streams, ours)
            ours.close()
        except OSError as error:  # no memory for another process, or who asked is gone already
            with contextlib.suppress(OSError):
                connection.sendall(f"{error}\n".encode())
        connection.close()
        for descriptor in streams:
            os.close(descriptor)
        return None

    def _kernel(self, connection: socket.socket, streams: list[int], drawing: socket.socket) -> dict[str, Any]:
        """In the keeper: fork the kernel and see to it; in the kernel: what it is to do."""
        try:
            self._leave()
            with connection.makefile("rb") as asked:
                request = json.loads(asked.readline())
            keeper = os.getpid()
            kernel = os.fork()
            if kernel:
                drawing.close()
                for descriptor in streams:
                    os.close(descriptor)
                _see_to(kernel, connection)
                os._exit(0)
            end_with_parent(keeper)
            os.setsid()
            connection.close()
            for target, descriptor in enumerate(streams[:3]):
                os.dup2(descriptor, target)
                os.close(descriptor)
            signal.signal(signal.SIGINT, signal.default_int_handler)
        except BaseException:
            os._exit(1)
        return request | {"drawing": drawing, "cells": streams[3:]}

    def _leave(self) -> None:
        """In a process that was forked: let go of what belongs to the one that it comes from."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self.control.close()
        if self.drawing is not None:
            self.drawing.close()

    def _to_drawing(self, descriptor: int) -> None:
        """Hand a connection to the process that draws, which is forked when there is none; without, kernels draw."""
        with contextlib.suppress(OSError):
            try:
                self._send_to_drawing(descriptor)
            except OSError:  # it is gone
                self.drawing = None
                self._send_to_drawing(descriptor)
        os.close(descriptor)

    def _send_to_drawing(self, descriptor: int) -> None:
        from llm_economics.book import drawing

        if self.drawing is None:
            ours, theirs = socket.socketpair()
            if not os.fork():
                try:
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    _keep_only(theirs.fileno())
                    drawing.serve(theirs)
                finally:
                    os._exit(0)
            theirs.close()
            self.drawing = ours
        socket.send_fds(self.drawing, [b"d"], [descriptor])


def _keep_only(descriptor: int) -> None:
    """Let go of all that this process inherited but its streams and one descriptor: what it held would never end."""
    highest = max(map(int, os.listdir("/proc/self/fd")))
    os.closerange(3, descriptor)
    os.closerange(descriptor + 1, highest + 1)


def _see_to(kernel: int, connection: socket.socket) -> None:
    """Tell a kernel's number, pass signals on to it, tell its exit code; it ends once nobody listens any more."""
    ended = os.pidfd_open(kernel)
    listening = True
    with contextlib.suppress(OSError):
        connection.sendall(f"{kernel}\n".encode())
    with selectors.DefaultSelector() as waiting:
        waiting.register(ended, selectors.EVENT_READ)
        waiting.register(connection, selectors.EVENT_READ)
        while not any(ready.fileobj == ended for ready, _ in waiting.select()):
            asked = b""
            with contextlib.suppress(OSError):
                asked = connection.recv(64)
            for number in asked or [signal.SIGKILL]:
                _send_signal(kernel, number)
            if not asked:
                waiting.unregister(connection)
                listening = False
    _, status = os.waitpid(kernel, 0)
    if listening:
        with contextlib.suppress(OSError):
            connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _send_signal(kernel: int, number: int) -> None:
    """Signal a kernel and the processes that it started."""
    try:
        os.killpg(kernel, number)
    except ProcessLookupError:  # it leads no group yet
        with contextlib.suppress(ProcessLookupError):
            os.kill(kernel, number)


def run_kernel(request: dict[str, Any]) -> None:
    """Be an ordinary kernel, as ``python -m ipykernel_launcher`` makes one, or run cells without one."""
    from llm_economics.book import drawing

    drawing.share(request["drawing"])
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    if request["cells"]:
        from llm_economics.reruns import cells

        sys.argv = ["cells"]
        cells.serve(socket.socket(fileno=request["cells"][0]))
        os._exit(0)
    from ipykernel.kernelapp import IPKernelApp

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


# As seen from the process that needs kernels


def possible() -> bool:
    """Whether kernels are forked here: on Linux, unless ordinary ones are asked for."""
    return hasattr(os, "pidfd_open") and os.environ.get("LLM_ECONOMICS_KERNELS") != "ordinary"


_FORKS = """
import sys
if sys.path[0] == "":  # the folder that it is started in, which an ordinary kernel passes over as well
    del sys.path[0]
from llm_economics.reruns.forks import main
main(sys.argv[1:])
"""


class Warm:
    """The process that forks kernels, as seen from the one that needs them; started when the first is asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen | None = None
        self._control: socket.socket | None = None
        self._owner = 0

    def begin(self) -> None:
        """Start the process where that is possible, so that its imports are done when the first kernel is needed."""
        if possible():
            with self._lock, contextlib.suppress(OSError):
                self._ready()

    def send(self, message: bytes, descriptors: list[int]) -> subprocess.Popen:
        """Send a message with descriptors to the process that is returned; it is started if there is none.

        Raises
        ------
        OSError
            If none can be started, or it is about to end.
        """
        with self._lock:
            self._ready()
            try:
                socket.send_fds(self._control, [message], descriptors)
            except OSError:
                self._end()
                raise
            return self._process

    def gone(self, process: subprocess.Popen) -> None:
        """Have another started in the place of one that does not answer any more."""
        with self._lock:
            if process is self._process:
                self._end()

    def _ready(self) -> None:
        if self._owner != os.getpid() or self._process is None or self._process.poll() is not None:
            self._start()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-c", _FORKS, str(theirs.fileno())]
        if threading.current_thread() is threading.main_thread():
            command.append(str(os.getpid()))
        self._process = subprocess.Popen(
            command,
            env=os.environ | ONE_THREAD | NO_THREAD,
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()
        self._control, self._owner = ours, os.getpid()

    def stop(self) -> None:
        """End the process; the kernels that came from it have keepers of their own."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._process is not None and self._owner == os.getpid():
            self._control.close()
            self._process.kill()
            self._process.wait()
        self._process = None


WARM = Warm()
atexit.register(WARM.stop)
