"""What the tests of commands share: the command line in this process, and what it answers."""

import json

from click.testing import CliRunner, Result

from llm_economics.cli import main


class Command:
    """One command of ``llm-economics``, by its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *arguments: object) -> Result:
        return CliRunner().invoke(main, [self.name, *map(str, arguments)])

    def answer(self, *arguments: object) -> dict:
        """What it answers in JSON."""
        result = self(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def line(self, *arguments: object) -> str:
        """The one line that a refusal prints."""
        result = self(*arguments)
        assert result.exit_code == 1
        assert result.stdout == ""
        assert result.stderr.count("\n") == 1
        assert result.stderr.startswith("Error: ")
        return result.stderr.removeprefix("Error: ").strip()
