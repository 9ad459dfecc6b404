"""The command line, ``llm-economics`` or ``python -m llm_economics``: one module a command, loaded when called."""

from __future__ import annotations

import re
from importlib import import_module

import click

from llm_economics.formulas.elementwise import ParameterError, cleaned

COMMANDS = {
    "measured": "your own server: from a benchmark's file to floor, forecast, what binds, price and doubts",
    "frontier": "every way to serve a model on a system: speed per user against throughput per accelerator",
    "run": "the whole book, or some chapters, under your own assumptions",
    "compare": "what changed from one run to another, or from the book to a run",
    "solve": "the value of an assumption at which a verdict changes",
    "claims": "every claim of the five articles with its verdict",
    "sweep": "run a chapter at every point of a grid of parameters",
    "service": "a whole service: time per token, time to the first, price of a million tokens; systems ranked",
    "training": "a training run: compute, cards, days and cost, whichever is left out",
    "model": "parameters, FLOP and bytes of any config.json or model of the catalog, and the systems that hold it",
}
"""Name and one-line help of each command; the function of that name lives in the module of that name."""


class _Commands(click.Group):
    """Loads a command when it is needed, and shows an error of the library or a file as one line, no traceback."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        return getattr(import_module(f"llm_economics.cli.{name}"), name)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, context: click.Context):
        try:
            return super().invoke(context)
        except ParameterError as error:
            raise click.ClickException(str(error)) from error
        except click.UsageError as error:  # click quotes what was given, however long
            error.message = cleaned(re.sub(r"\S{200,}", lambda word: f"{word[0][:60]}…", error.message), 1000)
            raise
        except ModuleNotFoundError as error:
            if not error.name or error.name.startswith("llm_economics"):
                raise
            raise click.ClickException(
                f"{error.name} is not installed: this command needs more than the library, llm-economics[chapters]"
            ) from error
        except BrokenPipeError:  # click's own
            raise
        except OSError as error:
            reason = f"{error.filename} cannot be read or written: {error.strerror}" if error.filename else str(error)
            raise click.ClickException(" ".join(reason.split())) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="llm-economics")
def main() -> None:
    """The Price of a Token: what it costs to train and serve large language models."""
