"""The engine that runs notebooks for this book: papermill's own, with :mod:`cells` in the place of a kernel.

Papermill and nbclient see to all that concerns the notebook: parameters, outputs, errors, times. Where no process is
to be forked a kernel runs the cells, and gives the same outputs. Charts are drawn while the next cells run.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any

from jupyter_core.utils import run_sync
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines
from papermill.log import logger

from llm_economics.book import drawing
from llm_economics.reruns import kernels

NAME = kernels.NAME
"""What papermill knows the engine as."""


class UndrawnError(Exception):
    """A chart was to be drawn later, and vl-convert refuses it."""


class Client(PapermillNotebookClient):
    """Fills a notebook with what its cells say."""

    def __init__(self, manager: NotebookExecutionManager, channel: socket.socket, **options: Any) -> None:
        super().__init__(manager, **options)
        self._channel, self._answers = channel, channel.makefile("rb")
        self._drawings: dict[str, Future[str]] = {}

    def execute(self, **_: Any) -> NotebookNode:
        """Run all cells, to the first that fails.

        Raises
        ------
        UndrawnError
            If vl-convert refuses a chart.
        """
        self.reset_execution_trackers()
        self._pen = ThreadPoolExecutor(1)
        try:
            with self._answers:
                self.papermill_execute_cells()
            self._put_drawings()
        finally:
            self._pen.shutdown(cancel_futures=True)
        return self.nb

    def _put_drawings(self) -> None:
        for cell in self.nb.cells:
            for data in _to_draw(cell):
                try:
                    data[drawing.SVG] = self._drawing(data).result()
                except ValueError as error:
                    raise UndrawnError from error

    def _drawing(self, data: Mapping[str, Any]) -> Future[str]:
        """The drawing of a chart, which is begun if it was not yet."""
        text = json.dumps(data[drawing.MIME])
        if text not in self._drawings:
            self._drawings[text] = self._pen.submit(drawing.svg, data[drawing.MIME])
        return self._drawings[text]

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
        for data in _to_draw(cell):
            self._drawing(data)
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


def _to_draw(cell: NotebookNode) -> Iterator[NotebookNode]:
    """What a cell shows that is yet to be drawn."""
    for output in cell.get("outputs", ()):
        if output.get("data", {}).get(drawing.SVG) == drawing.TO_DRAW:
            yield output.data


class Engine(NBClientEngine):
    """Runs the cells in a forked process, or in a kernel where there is none."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: NotebookExecutionManager, kernel_name: str, **options: Any) -> Any:
        """Run a notebook; options as for papermill's own engine, of which this one knows folder, environment, time."""
        folder: str = options["resources"]["metadata"]["path"]
        env: Mapping[str, str] = options["config"]["Provisioner"]["environment"]
        kernels.draw_elsewhere()
        for how in (drawing.LATER, {}):  # a chart that cannot be drawn is to be an error of its cell
            with ExitStack() as stack:
                try:
                    channel = stack.enter_context(kernels.cells(folder, {**how, **env}))
                except OSError:
                    break
                with suppress(UndrawnError):
                    return Client(nb_man, channel, timeout=options["execution_timeout"], log=logger).execute()
        return super().execute_managed_notebook(nb_man, kernel_name, **options)


papermill_engines.register(NAME, Engine)
