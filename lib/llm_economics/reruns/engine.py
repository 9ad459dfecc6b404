"""The engine that runs notebooks for this book: papermill's own, with :mod:`cells` in the place of a kernel.

Papermill and nbclient see to all that concerns the notebook: parameters, outputs, errors, times. Where no process is
to be forked a kernel runs the cells, and gives the same outputs.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from jupyter_core.utils import run_sync
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines
from papermill.log import logger

from llm_economics.reruns import kernels

NAME = kernels.NAME
"""What papermill knows the engine as."""


class Client(PapermillNotebookClient):
    """Fills a notebook with what its cells say."""

    def __init__(self, manager: NotebookExecutionManager, channel: socket.socket, **options: Any) -> None:
        super().__init__(manager, **options)
        self._channel, self._answers = channel, channel.makefile("rb")

    def execute(self, **_: Any) -> NotebookNode:
        """Run all cells, to the first that fails."""
        self.reset_execution_trackers()
        with self._answers:
            self.papermill_execute_cells()
        return self.nb

    def execute_cell(self, cell: NotebookNode, cell_index: int, **_: Any) -> NotebookNode:
        """Run one cell.

        Raises
        ------
        nbclient.exceptions.CellExecutionError
            If it fails.
        nbclient.exceptions.CellTimeoutError
            If it takes longer than it may.
        nbclient.exceptions.DeadKernelError
            If the process died of it.
        """
        if cell.cell_type != "code" or not cell.source.strip():
            return cell
        messages, reply = self._ask(cell)
        cell.outputs, self.clear_before_next_output = [], False
        for message in messages:
            header = {"msg_type": message["msg_type"]}
            self.process_message({**message, "header": header, "parent_header": {}}, cell, cell_index)
        cell.execution_count = reply["execution_count"]
        run_sync(self._check_raise_for_error)(cell, cell_index, {"content": reply})
        return cell

    def _ask(self, cell: NotebookNode) -> list[Any]:
        timeout = self._get_timeout(cell)
        self._channel.settimeout(timeout)
        try:
            self._channel.sendall(json.dumps(cell.source).encode() + b"\n")
            line = self._answers.readline()
        except TimeoutError:
            raise CellTimeoutError.error_from_timeout_and_cell("Cell execution timed out", timeout, cell) from None
        except OSError:
            line = b""
        if not line:
            raise DeadKernelError("Kernel died")
        return json.loads(line)


class Engine(NBClientEngine):
    """Runs the cells in a forked process, or in a kernel where there is none."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: NotebookExecutionManager, kernel_name: str, **options: Any) -> Any:
        """Run a notebook; options as for papermill's own engine, of which this one knows folder, environment, time."""
        folder: str = options["resources"]["metadata"]["path"]
        env: Mapping[str, str] = options["config"]["Provisioner"]["environment"]
        with ExitStack() as stack:
            try:
                channel = stack.enter_context(kernels.cells(folder, env))
            except OSError:
                return super().execute_managed_notebook(nb_man, kernel_name, **options)
            return Client(nb_man, channel, timeout=options["execution_timeout"], log=logger).execute()


papermill_engines.register(NAME, Engine)
