"""Kernels that start warm: each forked from one process that has imported what chapters import.

:func:`use` makes this the way in which papermill, nbclient and nbval start kernels in this process. Each kernel is
a process of its own with a fresh namespace, seed and folder, and it ends when this process ends, however it does.
Where the system does not fork safely, or ``LLM_ECONOMICS_KERNELS=ordinary``, kernels start as they always do.
:func:`cells` forks a process that runs cells without being a kernel, which is all that a rerun needs.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import weakref
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint
from typing import Any

from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner
from traitlets import Dict

from llm_economics import book  # noqa: F401 (before jsonschema)
from llm_economics.book import drawing
from llm_economics.reruns.forks import WARM, possible

NAME = "llm-economics"
"""What jupyter_client knows the provisioner as."""
NO_HISTORY = "--HistoryManager.enabled=False"
"""Argument of a kernel that keeps what it runs out of the database of IPython, for which kernels would wait in turn."""
START_S = 60.0
"""Seconds in which a kernel has to be forked, the imports of the first included."""


class Forked:
    """A kernel's process, with what jupyter_client asks of one."""

    stdin = stdout = stderr = None

    def __init__(self, arguments: list[str], env: dict[str, str], cwd: str, streams: list[int]) -> None:
        """Have it forked; ``streams`` are its input, output and errors, and by a fourth it takes cells.

        Raises
        ------
        OSError
            If there is no process to fork it from, or that refuses.
        """
        self.returncode: int | None = None
        self._connection, theirs = socket.socketpair()
        request = json.dumps({"argv": arguments, "env": env, "cwd": cwd}).encode()
        with theirs:
            process = WARM.send(b"k", [theirs.fileno(), *streams])
        self._connection.settimeout(START_S)
        try:
            self._connection.sendall(request + b"\n")
            line = self._connection.recv(200).strip()
            if not line:
                raise ConnectionResetError("the process that forks kernels is gone")
        except ConnectionError:
            WARM.gone(process)
            raise
        if not line.isdigit():
            raise OSError(line.decode())
        self.pid = int(line)

    def poll(self) -> int | None:
        """The exit code, None as long as it runs."""
        return self._read(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code once there is one."""
        code = self._read(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("kernel", timeout or 0.0)
        return code

    def _read(self, seconds: float | None) -> int | None:
        if self.returncode is None:
            self._connection.settimeout(seconds)
            try:
                line = self._connection.recv(32)
            except (BlockingIOError, TimeoutError):
                return None
            except OSError:
                line = b""
            self.returncode = int(line.strip() or -signal.SIGKILL)  # with who forked it goes the kernel
            self._connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal to the kernel and the processes that it started."""
        if self.poll() is None:
            with contextlib.suppress(OSError):
                self._connection.send(bytes([number]))

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


class Provisioner(LocalProvisioner):
    """Starts the kernels of this process: forked where that is possible, else as :class:`LocalProvisioner` does."""

    environment = Dict(help="Environment variables of the kernel besides those of this process.").tag(config=True)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Launch a kernel with a command; ``kwargs`` as for ``subprocess.Popen``."""
        if _ending:
            raise InterruptedError("no kernel is started any more")
        env = dict(os.environ if kwargs.get("env") is None else kwargs["env"]) | self.environment
        cmd = [*cmd, NO_HISTORY] if "ipykernel_launcher" in cmd else cmd
        if _forks(cmd):
            cwd = os.path.abspath(kwargs.get("cwd") or ".")
            self.process = _forked(cmd[cmd.index("ipykernel_launcher") + 1 :], env, cwd, kwargs)
        if self.process is not None:
            self.pid, self.cwd = self.process.pid, cwd
        else:
            await super().launch_kernel(cmd, **kwargs | {"env": env})
        _running.add(self.process)
        return self.connection_info


_running: weakref.WeakSet[Any] = weakref.WeakSet()
_ending = False


def _forks(command: list[str]) -> bool:
    """Whether a kernel's command is one that the process can take the place of."""
    plain = "ipykernel_launcher" in command and os.path.realpath(command[0]) == os.path.realpath(sys.executable)
    return plain and possible()


def _forked(arguments: list[str], env: dict[str, str], cwd: str, kwargs: dict[str, Any], *more: int) -> Forked | None:
    """A forked kernel, from a second process if the first has died; None if that is not to be had."""
    with contextlib.suppress(OSError), _streams(kwargs) as streams:
        with contextlib.suppress(ConnectionError):
            return Forked(arguments, env, cwd, [*streams, *more])
        return Forked(arguments, env, cwd, [*streams, *more])
    return None


@contextlib.contextmanager
def _streams(kwargs: dict[str, Any]) -> Iterator[list[int]]:
    """Descriptors of a kernel's input, output and errors."""
    with open(os.devnull) as nothing:
        streams = [nothing.fileno()]
        for number, name in ((1, "stdout"), (2, "stderr")):
            given = kwargs.get(name)
            streams.append(number if given is None else given if isinstance(given, int) else given.fileno())
        if min(streams) < 0:
            raise OSError("a stream that is yet to be made")
        yield streams


@contextlib.contextmanager
def cells(folder: str, environment: Mapping[str, str]) -> Iterator[socket.socket]:
    """A channel to a process that was forked to run cells in a folder; it is gone at the end.

    Raises
    ------
    OSError
        If none can be forked here.
    """
    if _ending or not possible():
        raise InterruptedError("no process is forked any more" if _ending else "no process is forked here")
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            process = _forked([], {**os.environ, **environment}, os.path.abspath(folder), {}, theirs.fileno())
        if process is None:
            raise ConnectionError("no process was forked")
        _running.add(process)
        try:
            yield ours
        finally:
            process.kill()
            process.wait()


def use() -> None:
    """Start the kernels of this process in this way from now on, unless another is set already."""
    factory = KernelProvisionerFactory.instance()
    factory.provisioners[NAME] = EntryPoint(NAME, f"{__name__}:Provisioner", factory.GROUP_NAME)
    if factory.default_provisioner_name == "local-provisioner":
        factory.default_provisioner_name = NAME


def warm() -> None:
    """Have kernels, and a drawing of this process, start from a process that begins its imports now."""
    use()
    draw_elsewhere()


def draw_elsewhere() -> None:
    """Have what this process draws drawn by the one process that draws for all kernels, where that is possible."""
    if possible() and not drawing.shared():
        with contextlib.suppress(OSError):
            ours, theirs = socket.socketpair()
            with theirs:
                WARM.send(b"d", [theirs.fileno()])
            drawing.share(ours)


@contextlib.contextmanager
def ended() -> Iterator[None]:
    """End every kernel that this process has started; within, no other starts."""
    global _ending
    _ending = True
    try:
        WARM.stop()
        for process in list(_running):
            with contextlib.suppress(OSError):
                process.kill()
        yield
    finally:
        _ending = False
