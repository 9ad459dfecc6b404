"""The fields of one configuration: as the file spells them, or the defaults of the model's class.

A field that the file leaves out has the default of its class in ``transformers`` (``config_defaults.json``, made by
``tests/oracle/make_config_defaults.py``) and is remembered as such. A value that cannot be what the field means is
refused with a line that names it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from llm_economics.formulas.elementwise import ParameterError, cleaned, shown

DEFAULTS = Path(__file__).with_name("config_defaults.json")
MOST = 10**9
"""Largest size of a field; a typing error should not become a model of 10^30 parameters."""
MOST_LAYERS = 10_000
MOST_CHARACTERS, MOST_NESTED = 4_000_000, 40
"""Longest text of a configuration, and objects and lists in one another; published ones have a tenth of either."""


def load(source: str | Path | Mapping[str, Any]) -> tuple[dict[str, Any], Path | None]:
    if isinstance(source, Mapping):
        return dict(source), None
    path = None
    if isinstance(source, Path) or not str(source).lstrip().startswith(("{", "[")):
        path = Path(source)
        try:
            path = path / "config.json" if path.is_dir() else path
            text = path.read_text(encoding="utf-8").removeprefix("\ufeff")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            if isinstance(error, FileNotFoundError) and path.parent.is_dir():
                held = ", ".join(sorted([each.name for each in path.parent.iterdir()])[:5])
                reason = f"{reason}; the folder holds {held[:120] or 'nothing'}"
            raise refused("config", path, f"it cannot be read ({reason})") from error
    else:
        text = str(source)
    shown = path or text[:400].strip()
    if len(text) > MOST_CHARACTERS:
        raise refused("config", shown, f"it has more than {MOST_CHARACTERS:,} characters")
    if _nested(text) > MOST_NESTED:
        raise refused("config", shown, "it is nested too deeply")
    try:
        given = json.loads(text, object_pairs_hook=one_of_each)
    except RecursionError as error:
        raise refused("config", shown, "it is nested too deeply") from error
    except ParameterError as error:
        raise refused("config", shown, str(error)) from None
    except ValueError as error:
        raise refused("config", shown, f"it is not JSON ({str(error)[:80]})") from error
    if not isinstance(given, dict):
        raise refused("config", shown, "it must be a JSON object")
    return given, path


SIDE_INDEX = ".safetensors.index.json"


def is_weights(path: str | Path) -> bool:
    """Whether a name is that of a file whose tensor table can be read: safetensors, its index, or GGUF."""
    return str(path).lower().endswith((".safetensors", ".gguf", SIDE_INDEX))


def one_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object of its keys and values.

    Raises
    ------
    ParameterError
        If a key stands there twice, of which other readers take the last without a word.
    """
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ParameterError(f"its key {cleaned(key)!r} stands twice")
        found[key] = value
    return found


_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{\]}]', re.DOTALL)


def _nested(text: str) -> int:
    """How many objects and lists stand in one another, at most one more than are allowed."""
    depth = most = 0
    for found in _BRACKETS.finditer(text):
        sign = found[0]
        depth += (sign in "[{") - (sign in "]}")
        most = max(most, depth)
        if most > MOST_NESTED:
            break
    return most


# Fields of one meaning. A file that uses another class's name for a field would otherwise get a default in its place.
_SYNONYMS = (
    {"num_hidden_layers", "n_layer", "n_layers", "num_layers"},
    {"hidden_size", "n_embd", "n_embed", "d_model"},
    {"num_attention_heads", "n_head", "n_heads"},
    {"num_key_value_heads", "num_kv_heads", "n_head_kv", "attn_config.kv_n_heads"},
    {"intermediate_size", "n_inner", "ffn_hidden_size", "ffn_config.ffn_hidden_size"},
    {"num_experts", "num_local_experts", "n_routed_experts", "ffn_config.moe_num_experts"},
    {"num_experts_per_tok", "ffn_config.moe_top_k"},
)


class Fields:
    """The fields of one configuration; remembers which were used and which of them had their class's default."""

    def __init__(self, model_type: str, given: Mapping[str, Any], notes: list[str]) -> None:
        table = _table(model_type)
        self.model_type, self.defaults, self.notes = model_type, table["defaults"], notes
        self.classless = model_type in REMOTE and "like" not in REMOTE[model_type]
        self.refuses = table.get("refuses", ())
        self.nullable = {*table["nullable"], "num_experts_per_tok"}
        self.spellings: dict[str, list[str]] = {}
        for alias, field in table["aliases"].items():
            self.spellings.setdefault(field, []).append(alias)
        self.given = {key: value for key, value in given.items() if isinstance(key, str)}
        for nested in {field.split(".")[0] for field in self.defaults if "." in field}:
            inner = self.given.pop(nested, None)
            if inner is not None and not isinstance(inner, Mapping):
                raise refused(nested, inner, "it must be a JSON object")
            self.given |= {f"{nested}.{key}": value for key, value in (inner or {}).items()}
        self.used: dict[str, Any] = {}
        self.defaulted: dict[str, None] = {}

    def value(self, name: str) -> Any:
        """A field of the class as given, under any of its spellings, or its default."""
        found = {key: self.given[key] for key in (name, *self.spellings.get(name, ())) if key in self.given}
        values = list(found.values())
        if any(value != values[0] for value in values[1:]):  # one NaN is not at odds with itself
            raise refused(*next(iter(found.items())), f"{list(found)[-1]} = {shown(values[-1])} says otherwise")
        if values:
            self.used[name] = values[0]
            if values[0] is None and name not in self.nullable:
                raise refused(name, None, f"{self.model_type} does not take null here")
            return values[0]
        for others in _SYNONYMS:
            for other in others & set(self.given) if name in others else ():
                if self.given[other] is not None:
                    raise refused(other, self.given[other], f"{self.model_type} calls this field {name}")
        if name not in self.defaults:
            raise refused(name, None, f"it must be given: {self.model_type} has no default for it")
        self.used[name] = self.defaults[name]
        self.defaulted[name] = None
        return self.defaults[name]

    def maybe(self, name: str, low: int = 1, high: int = MOST) -> int | None:
        """A whole number, or None where the value is null."""
        value = self.value(name)
        return None if value is None else whole_number(name, value, low, high)

    def whole(self, name: str, low: int = 1, high: int = MOST) -> int:
        """A whole number."""
        value = self.maybe(name, low, high)
        if value is None:
            raise refused(name, None, f"it must be given: {self.model_type} has no default for it")
        return value

    def flag(self, name: str) -> bool:
        """True or false; null is false, as in the classes that take it."""
        value = self.value(name)
        if value is not None and not isinstance(value, bool):
            raise refused(name, value, "it must be true or false")
        return bool(value)

    def extra(self, name: str, usual: int | None = None, low: int = 1) -> int | None:
        """A whole number that is no field of the class, yet its model reads it where it is given; else ``usual``."""
        value = self.given.get(name)
        if value is None:
            return usual
        self.used[name] = whole_number(name, value, low, MOST)
        return value

    def words(self, name: str, allowed: tuple[str, ...]) -> list[str] | None:
        """A list of words, or None where the value is null."""
        value = self.value(name)
        if value is None:
            return None
        if not isinstance(value, list) or not value:
            raise refused(name, value, "it must be a list of words")
        for word in value:
            if word not in allowed:
                raise refused(name, word, f"its items must be one of {', '.join(allowed)}")
        return value


@cache
def _text() -> str:
    return DEFAULTS.read_text(encoding="utf-8")


def _of_class(model_type: str) -> dict[str, Any]:
    """What the file holds of one class; to read all of it takes longer than to read a configuration."""
    if not isinstance(_text(), str):  # in a browser it comes read
        return json.loads(_text())["families"][model_type]
    begin = _text().index(f'\n  "{model_type}": {{')
    found = _text()[begin : _text().index("\n  }", begin)]
    return json.loads(found.partition(":")[2] + "}")


@cache
def outer_classes() -> dict[str, dict[str, Any]]:
    """Of each class that holds a language model: its type and fields where the file leaves them out, and who ties."""
    if not isinstance(_text(), str):
        return json.loads(_text())["outer"]
    return json.loads(_text()[_text().index('\n "outer": ') :].partition(":")[2].rpartition("}")[0])


# Models whose code comes with them: the class that they descend from and what differs, or every default that they have.
REMOTE: dict[str, dict[str, Any]] = {
    "grok-1": {
        "defaults": {"tie_word_embeddings": True},  # the published code makes the output head of the embedding table
        "aliases": {"num_local_experts": "num_experts", "num_selected_experts": "num_experts_per_tok"},
    },
    "kimi_k2": {"like": "deepseek_v3"},
    "deepseek_ref": {
        "like": "deepseek_v4",
        "aliases": {
            "dim": "hidden_size",
            "moe_inter_dim": "moe_intermediate_size",
            "n_layers": "num_hidden_layers",
            "n_heads": "num_attention_heads",
            "n_activated_experts": "num_experts_per_tok",
            "rope_head_dim": "qk_rope_head_dim",
            "window_size": "sliding_window",
            "n_hash_layers": "num_hash_layers",
        },
    },
    "mimo": {"like": "qwen2"},
    "nemotron-nas": {"defaults": {"tie_word_embeddings": False, "block_configs": None}},
}


@cache
def _table(model_type: str) -> dict[str, Any]:
    remote = REMOTE.get(model_type)
    if remote is None:
        return _of_class(model_type)
    parent = _table(remote["like"]) if "like" in remote else {"defaults": {}, "nullable": [], "aliases": {}}
    return {
        "defaults": parent["defaults"] | remote.get("defaults", {}),
        "nullable": parent["nullable"],
        "refuses": parent.get("refuses", []),
        "aliases": parent["aliases"] | remote.get("aliases", {}),
    }


def whole_number(name: str, value: Any, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise refused(name, value, "it must be a whole number")
    if not low <= value <= high:
        raise refused(name, value, f"it must be at least {low} and at most {high}")
    return value


def refused(name: str, value: Any, why: str) -> ParameterError:
    try:
        shown = repr(value if isinstance(value, (bool, int, float, type(None))) else " ".join(str(value).split())[:60])
    except (ValueError, RecursionError):  # a whole number of more than 4300 digits; lists in lists
        shown = "(too long to show)"
    return ParameterError(f"{name} = {shown[:70]} is not allowed: {why}")
