"""The library's rooms in a reader's browser: MicroPython's answers are CPython's, to the last digit and word."""

import hashlib
import importlib
import inspect
import json
import os
import random
import shutil
import sys
from pathlib import Path

import formula_questions
import pytest
from browsing import chromium, serving

from llm_economics import facts
from llm_economics.checkpoints import config
from llm_economics.cli.service import Known
from llm_economics.evidence import deployments
from llm_economics.formulas import offers, questions, services, training_run
from llm_economics.site import answering, browser

HERE = Path(__file__).parent
PARTS = Path(browser.__file__).parent / "calculator"
FILES_OF_A_DISK = {"find", "read_index", "read_table", "of_table", "bytes", "one_set", "shard_count"}
FILES_OF_A_DISK |= {"read_sizes", "read_from"}
"""What reads the tables or the sizes of files of weights, which a page has not."""
ALL = sorted(formula_questions.QUESTIONS)


def drawn(times: int = 3, seed: int = 7) -> list:
    generator = random.Random(seed)
    return [
        [name, (10 ** generator.uniform(0, 6), generator.uniform(0.05, 0.95), *generator.choices(range(1, 21), k=2))]
        for name in ALL
        for _ in range(times if name != "arrangements" else 1)  # which reads every family
    ]


def configs(step: int = 5) -> list[str]:
    """Published configurations and defaults of classes, every so manyth, and the declarations of quantising tools."""
    families = json.loads((HERE / "oracle" / "families_oracle.json").read_text(encoding="utf-8"))
    stored = json.loads((HERE / "oracle" / "checkpoints.json").read_text(encoding="utf-8"))
    found = {row["model_type"]: row["config"] for row in families}
    found |= {name: {"model_type": name, "hidden_size": 64} for name in ("grok-1", "deepseek_ocr2", "ernie4_5_vl_moe")}
    return [json.dumps(one) for one in [*found.values(), *(case["files"]["config.json"] for case in stored.values())]][
        ::step
    ]


def test_the_runtime_is_the_one_that_was_published():
    for line in (PARTS / "micropython" / "sha256").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((PARTS / "micropython" / name).read_bytes()).hexdigest() == digest


def public():
    """Every public function, method and property of the two lowest floors, by its code."""
    found = {}
    for floor in browser.FLOORS:
        for path in sorted((browser.LIB / floor).glob("[!_]*.py")):
            if path.stem == "records":  # whose part the rooms' standard library plays
                continue
            module = importlib.import_module(f"llm_economics.{floor}.{path.stem}")
            for name, made in vars(module).items():
                if name.startswith("_") or getattr(made, "__module__", None) != module.__name__:
                    continue
                members = vars(made).items() if inspect.isclass(made) else [(name, made)]
                for member, one in members:
                    one = getattr(one, "fget", None) or getattr(one, "func", None) or one
                    code = getattr(inspect.unwrap(one) if callable(one) else one, "__code__", None)
                    if code is not None and not member.startswith("_"):
                        found[code] = f"{path.stem}.{name}.{member}" if member != name else f"{path.stem}.{name}"
    return found


def test_every_public_formula_is_asked(tmp_path, monkeypatch):
    seen = set()
    sys.setprofile(lambda frame, event, _: seen.add(frame.f_code) if event == "call" else None)
    try:
        for name, arguments in drawn(12):
            formula_questions.answered(name, arguments)
        for text in configs(1):
            formula_questions.read(json.loads(text))
        monkeypatch.chdir(tmp_path)
        for cached in (services.recorded, services.constants, config.outer_classes):
            cached.cache_clear()
        for asked in [*by_lot(24), *OTHERS]:
            on_the_command_line(asked)
    finally:
        sys.setprofile(None)
    missing = {name for code, name in public().items() if code not in seen}
    assert {name for name in missing if name.split(".")[-1] not in FILES_OF_A_DISK and ".Catalog." not in name} == set()


def test_what_the_page_loads_is_written_down_once_for_a_state_of_the_library(monkeypatch):
    first = answering.loaded()
    monkeypatch.setattr(answering, "rooms", None)
    assert answering.loaded() == first and set(first) == {"rooms", "more", "points"}
    monkeypatch.setattr(answering.sys, "version", "another")
    with pytest.raises(TypeError):
        answering.loaded()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page that has the rooms loaded: evaluates ``ask(questions)``."""
    folder = tmp_path_factory.mktemp("browser")
    shutil.copytree(PARTS, folder / "parts")
    source = (HERE / "formula_questions.py").read_text(encoding="utf-8")
    rooms, more = answering.rooms()
    more["formula_questions.py"] = browser.written_down(source, formula_questions)
    (folder / "rooms.json").write_text(json.dumps(rooms))
    (folder / "more.json").write_text(json.dumps(more))
    (folder / "index.html").write_text("<!doctype html><title>rooms</title><link rel=icon href=data:,>")
    with serving(folder) as address, chromium() as started:
        tab = started.new_page()
        tab.goto(f"{address}/index.html")
        tab.evaluate(_START)
        yield tab


_START = """async () => {
  const { loadMicroPython } = await import("/parts/micropython/micropython.mjs");
  const { started } = await import("/parts/runtime.mjs");
  const got = async (name) => (await fetch(name)).json();
  const url = "/parts/micropython/micropython.wasm";
  const one = await started(loadMicroPython, url, got("/rooms.json"), () => got("/more.json"));
  window.answer = async (text) => JSON.stringify(await one.ask(JSON.parse(text)));
  const asked = async (name, text) => {
    await one.all();
    one.python.runPython(`
from standard import json
import formula_questions as q
def ask(text):
    return json.dumps([q.answered(name, tuple(drawn)) for name, drawn in json.loads(text)])
def read(text):
    return json.dumps([q.read(json.loads(one)) for one in json.loads(text)])
`);
    return one.python.globals.get(name)(text);
  };
  window.ask = (text) => asked("ask", text);
  window.read = (text) => asked("read", text);
}"""


def test_every_public_formula_answers_the_same_in_the_browser(page):
    questions = drawn()
    found = json.loads(page.evaluate("(text) => window.ask(text)", json.dumps(questions)))
    expected = [formula_questions.answered(name, tuple(arguments)) for name, arguments in questions]
    assert [(q, a) for q, a, b in zip(questions, found, expected, strict=True) if a != b] == []


def test_every_family_and_declaration_is_read_the_same_in_the_browser(page):
    texts = configs()
    found = json.loads(page.evaluate("(text) => window.read(text)", json.dumps(texts)))
    expected = [formula_questions.read(json.loads(text)) for text in texts]
    assert [(q[:80], a, b) for q, a, b in zip(texts, found, expected, strict=True) if a != b] == []


def by_lot(count: int, seed: int = 3) -> list[dict]:
    """Questions over all systems, models, precisions, pasted files of each kind, and what is not allowed."""
    generator, pasted = random.Random(seed), configs(7)
    names, systems = answering.models(), facts.systems()
    formats = (*(None,) * 8, *("bf16", "fp8", "fp4", "int4") * 2, "fp5")
    found = []
    for i in range(count):
        options = {
            "accelerators": generator.choice((None, None, 1, 4, 8, 16)),
            "concurrency": {"real": generator.choice((1, 4, 16, 37.5, 100, 512, 1000, 5000, 2, 0))},
            "prompt": {"real": generator.choice((1, 333, 8192, 100_000))},
            "output": {"real": generator.choice((1, 128, 1024))},
            "cached_share": {"real": generator.choice((*(0, 0.3, 0.95) * 4, 1.5))},
            "weights": generator.choice(formats),
            "arithmetic": generator.choice((*(None,) * 9, "bf16", "fp8", "fp4")),
            "kv": generator.choice(formats[:12]),
        }
        one = {"what": "service", "options": options, "systems": [systems[i % len(systems)]], "files": {}}
        one["model"] = generator.choice(names)
        options["prices"] = generator.choice(([], [{"real": 2.5}], [{"real": 13}]))
        options["hours_in_use"] = {"real": generator.choice((24, 24, 7.5))}
        options["tensor"] = generator.choice((*(None,) * 6, 1, 2, 4, 3))
        options["expert"] = generator.choice((*(None,) * 6, 1, 4, 8))
        options["drafted"] = {"real": generator.choice((*(0,) * 6, 1, 3, 65))}
        options["acceptance"] = {"real": generator.choice((0.7, 0.9, 0, 1))}
        if i % 4 == 0:
            text = generator.choice(pasted)
            one |= {"model": "config.json", "files": {"config.json": text if i % 32 else text[: len(text) // 2]}}
        found.append(one)
    return found


def other(**changed) -> dict:
    asked = {"what": "service", "model": "Llama 3.3 70B", "systems": ["H200"], "files": {}}
    return asked | {"options": {"concurrency": {"real": 16}}} | changed


def run(**changed) -> dict:
    given = {"parameters": 7e10, "tokens": 1.5e13} | changed
    options = {name: {"real": value} if isinstance(value, (int, float)) else value for name, value in given.items()}
    return {"what": "run", "files": {}, "options": options}


OTHERS = [
    other(what="curve"),
    other(systems=["H200", "GB200", "MI300X x 8"]),
    other(systems=["H200", "H100"], options={"tokens_per_s": {"real": 60}}),
    other(systems=["all"], options={"concurrency": {"real": 64}, "accelerators": 8}),
    other(options={}),
    other(options={"concurrency": {"real": "inf"}}),
    other(model="Lama-3.3-70B"),
    other(model="nothing of the kind"),
    other(model="meta-llama/Llama-3.3-70B-Instruct", systems=["H20O"]),
    other(model="config.json", files={"config.json": "[" * 200_000}),
    other(model="config.json", files={"config.json": '{"x": "' + "y" * 5_000_000 + '"}'}),
    run(accelerators=16384, mfu=0.4, usd_per_hour=2, system="H100"),
    run(usd=5e6, mfu=0.35, usd_per_hour=9.5, system="GB200 NVL72", days=45, tokens=None),
    run(accelerators=1000, days=30, system="V100", tokens=1e10),
    run(accelerators=16384, days=3, mfu=0.4, peak_flops=1e15),
    run(system="H10O"),
    run(system="H100", precision="fp5"),
    run(mfu=1.5),
    run(parameters=None, tokens=None),
]
"""The other kinds of questions that the page asks, names that are nearly right, and texts without end."""


def on_the_command_line(asked: dict) -> dict:
    """What ``llm-economics service`` answers, in this folder."""
    for name, text in asked["files"].items():
        Path(name).write_text(text, encoding="utf-8")
    options = {name: float(v["real"]) if isinstance(v, dict) else v for name, v in asked["options"].items()}
    if asked["what"] == "run":
        return of_training(options)
    if asked["what"] == "curve":
        return {"answer": drawn_curve(asked, options)}
    options["prices"] = tuple(float(price["real"]) for price in options.get("prices", ()))
    deployments.served.cache_clear()
    deployments.model_name.cache_clear()
    try:
        answer = questions.service(asked["model"], tuple(asked["systems"]), Known(), **options)
    except ValueError as error:
        return {"error": str(error)}
    plain = {"answer": json.loads(json.dumps(answer))}
    if "rows" in answer:
        return plain | {"told": questions.table(answer)}
    more = {"said": questions.said(answer), "workings": json.loads(json.dumps(questions.workings(answer)))}
    return plain | more | {"told": questions.told(answer)}


def of_training(options: dict) -> dict:
    """What ``llm-economics training`` answers."""
    try:
        answer = training_run.answer(Known(), **options)
    except ValueError as error:
        return {"error": str(error)}
    plain = {"answer": answer, "workings": training_run.workings(answer)}
    return json.loads(json.dumps(plain)) | {"said": training_run.said(answer), "told": training_run.told(answer)}


def drawn_curve(asked: dict, options: dict) -> list:
    """Users, speed of each and throughput of a card."""
    options = questions.OPTIONS | options
    found, work = (
        questions.deployment(asked["model"], asked["systems"][0], Known(), options),
        questions.workload(options),
    )
    answers = [(users, found.ask(users, work)) for users in offers.numbers_of_users(min(found.holds(work), 4096.0), 14)]
    return [
        [users, 1 / float(one.tpot_s), float(one.requests_per_s) * work.output / found.system.accelerators]
        for users, one in answers
    ]


def differing(page, asked: list[dict]) -> list:
    """Questions whose answers differ, with both."""
    wrong = []
    for question in asked:
        found = json.loads(page.evaluate("(text) => window.answer(text)", json.dumps(question)))
        expected = on_the_command_line(question)
        if {name: found.get(name) for name in expected} != expected:
            wrong.append((str(question)[:300], found, expected))
    return wrong


def test_other_questions_are_answered_as_on_the_command_line(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert differing(page, OTHERS) == []


def test_questions_by_lot_are_answered_as_on_the_command_line(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = by_lot(int(os.environ.get("QUESTIONS", "24")))
    assert differing(page, asked) == []
    assert any("error" in on_the_command_line(one) for one in asked)
