"""Files that a reader writes: plain data, numbers as people write them, and one line for all else."""

import pytest
from click.testing import CliRunner

from llm_economics.cli import main
from llm_economics.facts import documents
from llm_economics.formulas.elementwise import ParameterError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3), ("-3", -3), ("+3", 3), ("0", 0), ("0.5", 0.5), (".5", 0.5), ("1.", 1.0), ("6.4e6", 6.4e6),
        ("1E-3", 1e-3), ("010", "010"), ("0x1f", "0x1f"), ("0o17", "0o17"), ("0b11", "0b11"), ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("1:30:45.5", "1:30:45.5"), ("2024-01-31", "2024-01-31"), ("yes", "yes"), ("off", "off"), ("true", True),
        ("null", None), ("~", None), ("", None), ("'3'", "3"), ("[1, 2]", [1, 2]), ("{b: 1}", {"b": 1}), ("=", "="),
    ],
)  # fmt: skip
def test_a_value_means_what_people_mean(text, value):
    found = documents.parse(f"a: {text}")["a"]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: &x 1", "anchors"),
        ("a: *x", "anchors"),
        ("&x a: 1", "anchors"),
        ("a: !!int '3'", "tags"),
        ("a: !mine 3", "tags"),
        ("!!map {a: 1}", "tags"),
        ("a: 1\nb: 2\na: 3", "line 3: 'a' stands twice"),
        ('{"a": 1, "a": 2}', "'a' stands twice"),
        ("1: a", "a key must be text"),
        ("[a]: 1", "a key must be text"),
        ("null: 1", "a key must be text"),
        ("a: 1\n---\nb: 2", "another document"),
        ("a: [1", "no valid YAML"),
        ("a: " + "[" * (documents.DEEPEST + 1) + "]" * (documents.DEEPEST + 1), "levels are not allowed"),
        ("#" * documents.LARGEST + "\n", "it is too large"),
    ],
)
def test_all_else_is_one_line(text, says):
    with pytest.raises(ParameterError) as error:
        documents.parse(text)
    assert says in str(error.value) and str(error.value).isprintable() and len(str(error.value)) < 300


def test_files_are_utf8_small_and_there(tmp_path):
    path = tmp_path / "mine.yaml"
    for content, says in (
        (b"a: \xff", "not UTF-8"),
        (b"#" * (documents.LARGEST + 1), "too large"),
        (None, "cannot be read"),
    ):
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ParameterError, match=says):
            documents.load(path)
    path.write_bytes(b"\xef\xbb\xbfa: 1")
    assert documents.load(path) == {"a": 1}
    with pytest.raises(ParameterError, match="cannot be read"):
        documents.load(tmp_path)


@pytest.mark.parametrize(
    "arguments",
    [
        ["frontier", "--model", "llama-3-8b", "--system", "H100", "--accelerators", "100001"],
        ["frontier", "--model", "llama-3-8b", "--system", "H100", "--accelerators", "1" + "0" * 350],
        ["frontier", "--model", "llama-3-8b", "--system", "H100", "--input", "9" * 400],
        ["model", "llama-3-8b", "--context", "9" * 400],
        ["model", "llama-3-8b", "--context", "9" * 5000],
        ["service", "llama-3-8b", "--system", "H100", "--tensor", "1" + "0" * 30],
        ["compare", "x" * 5000],
        ["compare", "\x1b[31mred\n"],
    ],
)
def test_a_number_of_any_length_on_the_command_line_is_refused_in_a_short_line(arguments):
    answer = CliRunner().invoke(main, arguments)
    assert answer.exit_code in (1, 2) and answer.stdout == ""
    told = answer.stderr.splitlines()[-1]
    assert told.startswith("Error: ") and told.isprintable() and len(told) < 300
