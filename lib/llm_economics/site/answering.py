"""The calculator's page: its form, and what it knows of the catalog, written down from the library by the build."""

from __future__ import annotations

import ast
import dataclasses
import json
import shutil
import sys
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from llm_economics import facts
from llm_economics.evidence import answers, deployments, offers
from llm_economics.evidence.today import entered
from llm_economics.facts import cache
from llm_economics.facts.chips import _system_names
from llm_economics.facts.models import _FORMS, GPT4, _model_rows
from llm_economics.facts.store import plain
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.formulas.hardware import BYTES_PER_VALUE
from llm_economics.formulas.offers import format_of
from llm_economics.site import browser

PARTS = Path(__file__).parent / "calculator"
PAGE = "chapters/calculator"


class Calculator(SphinxDirective):
    """``{calculator}``: the form; its choices are those of the catalog."""

    def run(self) -> list[nodes.Node]:
        """The form as HTML."""
        for path in (PARTS / "form.html", facts.DATA / "models.csv", facts.DATA / "systems.csv"):
            self.env.note_dependency(str(path))
        return [nodes.raw("", form(), format="html")]


def form() -> str:
    """The form with its choices filled in."""
    html = (PARTS / "form.html").read_text(encoding="utf-8")
    formats = [name for name in BYTES_PER_VALUE if name != "fp16"]
    choices = {
        "MODELS": _options(sorted(model_names(), key=str.lower), "Llama 3.3 70B"),
        "SYSTEMS": _options(facts.systems(), facts.system("H200").name),
        "RIVALS": _options(facts.systems()),
        "FORMATS": _options(formats),
        "CARDS": _options(facts.systems(), facts.system("H100").name),
    }
    for name, options in choices.items():
        html = html.replace(f"<!-- {name} -->", options)
    return html


def _options(names: Any, chosen: str = "") -> str:
    return "".join(f"<option{' selected' if name == chosen else ''}>{escape(name)}</option>" for name in names)


def models() -> list[str]:
    """Models of the catalog that can be served, by their names there."""
    found = []
    for row in facts.store.records("models"):
        try:
            deployments.served(row["model"])
            found.append(row["model"])
        except ParameterError:
            continue
    return found


def model_names() -> list[str]:
    """Every name of a model that can be served."""
    served = set(models())
    return [name for name, row in _model_rows().items() if row["model"] in served]


def known() -> dict[str, dict[str, str]]:
    """The catalog as tables of text: records as :func:`browser.packed` writes them, and names by their spellings."""
    served = {name: _record(deployments.served(name)) for name in models()}
    systems = {name: _record(facts.system(name)) | {"usd_per_hour": offers.price(name)} for name in facts.systems()}
    spelt = {plain(name): name for name in systems}
    for name in systems:
        for alias in facts.chip_names(name):
            spelt.setdefault(plain(alias), facts.system(alias).name if _is_system(alias) else name)
    measured = answers.measured_services()
    return {
        "models": {name: browser.packed(record) for name, record in served.items()},
        "model_names": {plain(name): _model_rows()[name]["model"] for name in model_names()},
        "models_near": {plain(name): name for name in (*_model_rows(), GPT4)},
        "models_all": {row["model"]: "" for row in facts.store.records("models")},
        "stored": {name: usual_weights(name) for name in served},
        "systems": {name: browser.packed(record) for name, record in systems.items()},
        "system_names": spelt,
        "systems_near": {spelt: row.system for spelt, row in _system_names().items()},
        "rules": {"around_model": _FORMS},
        "measured_chips": dict.fromkeys(sorted(measured.chips), ""),
        "measured_models": dict.fromkeys(sorted(measured.models), ""),
    }


def usual_weights(name: str) -> str:
    """The format that decides for a model of the catalog where nobody says it."""
    return format_of(name) or deployments.stored_weights(name)


def _is_system(alias: str) -> bool:
    try:
        return bool(facts.system(alias))
    except ParameterError:
        return False


def _record(made: Any) -> dict[str, Any]:
    plain_data = dataclasses.asdict(made)
    if hasattr(made, "windows"):
        plain_data["windows"] = [tuple(reach) for reach in made.windows]
        offered = [one for one in made.stored if one.weights in BYTES_PER_VALUE]  # by the form
        plain_data["stored"] = [dataclasses.astuple(one) for one in offered]
    return plain_data


def points() -> list[list[Any]]:
    """Published services for the picture: accelerator, model, users, tokens in and out, speed, output of a card."""
    rows = facts.load("services")
    found = []
    for row in rows[(rows["trap"] == "") & rows["concurrency"].notna()].to_dict("records"):
        try:
            model = deployments.served(deployments.model_name(row["model"])).name
            chip = deployments.system(row["hardware"], 1).accelerator.name
        except ParameterError:
            continue
        speed = row["interactivity_tok_s_user"]
        made = row["concurrency"] * speed / row["n_acc"]
        found.append([chip, model, row["concurrency"], row["isl"], row["osl"], round(speed, 2), round(made, 2)])
    return found


SERVICE = {
    "concurrency": ("serving_batch", "batch"),
    "prompt": ("input_tokens", "prompt_tokens", "context_tokens", "llama2_context_tokens"),
    "output": ("output_tokens",),
    "weights": ("weight_format", "precision"),
    "usd_per_hour": ("gb200_usd_per_hour", "h100_usd_per_hour", "a100_usd_per_hour"),
    "cached_share": ("cached_share",),
    "accelerators": ("wall_gpus",),
    "drafted": ("draft_tokens",),
    "acceptance": ("acceptance",),
}
RUN = {
    "tokens": ("train_tokens", "gpt4_train_tokens"),
    "accelerators": ("gpt4_train_gpus",),
    "days": ("window_days",),
    "mfu": ("mfu",),
    "usd_per_hour": ("a100_usd_per_hour", "h100_usd_per_hour"),
    "precision": ("precision",),
}
"""Fields of the form, and the parameters of chapters that they stand for, the first of them that a chapter has."""
SYSTEMS = {"h100": "HGX H100", "a100": "HGX A100 80GB", "gb200": "GB200 NVL72"}
EMPTY = ("accelerators", "days", "mfu", "usd_per_hour")
"""Fields of a training run that a chapter does not fill, and the form would."""


def own_price(notebook: Path) -> str | None:
    """The calculator's address with a chapter's values filled in; None for a chapter that has none of its fields."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    (source,) = ["".join(c["source"]) for c in cells if "parameters" in c["metadata"].get("tags", [])][:1] or [""]
    values = {
        node.target.id: ast.literal_eval(node.value)
        for node in ast.parse(source).body
        if isinstance(node, ast.AnnAssign)
    }
    tab = "run" if "train" in " ".join(values) or "window_days" in values else "service"
    named = {
        field: next(name for name in names if name in values)
        for field, names in (RUN if tab == "run" else SERVICE).items()
        if any(name in values for name in names)
    }
    if not named:
        return None
    filled = {"tab": tab, "system": SYSTEMS[named.get("usd_per_hour", "h100").split("_")[0]]}
    filled |= dict.fromkeys(EMPTY, "") if tab == "run" else {"model": "Llama 3.3 70B"}
    filled |= {field: entered(values[name]) for field, name in named.items()}
    if tab == "service":
        if "tpot_limit_ms" in values:
            filled |= {"concurrency": "", "tokens_per_s": entered(1e3 / values["tpot_limit_ms"])}
        if "utilisation" in values:
            filled["hours_in_use"] = entered(24 * values["utilisation"])
    elif "gpt4_expert_parameters" in values:
        active = values["gpt4_shared_parameters"] + values["gpt4_experts_per_token"] * values["gpt4_expert_parameters"]
        filled["parameters"] = entered(active)
    return "calculator.html?" + urlencode(filled)


def rooms() -> tuple[dict[str, Any], dict[str, str]]:
    """What a first answer needs, with the catalog, and the rest: pasted files, and names that are nearly right."""
    asking = browser.written_down((PARTS / "asking.py").read_text(encoding="utf-8"), None)
    files = browser.bundle() | {"asking.py": asking}
    needed = browser.first(files, "asking.py")
    return {"files": needed, "known": known()}, {path: files[path] for path in files if path not in needed}


def loaded() -> dict[str, Any]:
    """The files that the page loads with questions, by name; written down once for a state of library and catalog."""
    package = PARTS.parents[1]
    made_of = [*package.glob("*/*.py"), *package.glob("*/*.json"), PARTS / "asking.py", *facts.DATA.glob("*.csv")]
    name = cache.key(sys.version, *(path.read_bytes() for path in sorted(made_of)))
    kept = cache.read("calculator", name)
    if kept is None:
        kept = json.dumps(dict(zip(("rooms", "more"), rooms(), strict=True)) | {"points": points()}).encode()
        cache.write("calculator", name, kept)
    return json.loads(kept)


def write(outdir: Path) -> None:
    """Everything that the page loads with the first question, beside the page's own scripts."""
    to = outdir / "_static" / "calculator"
    shutil.copytree(PARTS / "micropython", to / "micropython", dirs_exist_ok=True)
    for name in ("worker.mjs", "runtime.mjs"):
        shutil.copy(PARTS / name, to / name)
    for name, content in loaded().items():
        (to / f"{name}.json").write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")
