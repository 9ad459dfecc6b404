"""The calculator's page asks here, in MicroPython: objects of the page in, answers as JSON, errors in one line."""

import difflib
import json
import re
from dataclasses import replace
from pathlib import Path

import page
from standard import HELD, pairs, unpacked

from llm_economics.formulas import offers, questions, training_run
from llm_economics.formulas.blocks import Reach
from llm_economics.formulas.elementwise import ParameterError, check_range
from llm_economics.formulas.hardware import Accelerator, Link, System
from llm_economics.formulas.offers import Measured
from llm_economics.formulas.serving import ServedModel, Stored
from llm_economics.formulas.splits import Shares


def plain(name):
    return re.sub(r"[\W_]+", "", str(name).lower())


def nearest(wanted, table):
    near = difflib.get_close_matches(wanted, list(page.keys(table)), n=6, cutoff=0.4)
    return list(dict.fromkeys([page.look(table, key) for key in near]))[:3]


def not_known(what, name, why, hint):
    raise ParameterError(f"{what} = {str(name)[:60]!r} is not allowed: {why}; {hint}")


class Here(questions.Catalog):
    """The catalog that the build wrote down, and the files that the reader pasted."""

    def __init__(self):
        self.models, self.asked = {}, None

    def model(self, name):
        if name == "config.json":
            return self.pasted()
        key = self.row(name)
        if key not in self.models:
            given = unpacked(page.look("models", key))
            windows = tuple([Reach(*each) for each in given.pop("windows")])
            shares = Shares(**given.pop("shares"))
            stored = tuple([Stored(*each) for each in given.pop("stored")])
            self.models[key] = ServedModel(windows=windows, shares=shares, stored=stored, **given)
        return self.models[key]

    def row(self, name):
        repository = re.sub(page.look("rules", "around_model"), "", str(name).lower().split("/")[-1])
        for wanted in (plain(name), plain(repository)):
            found = page.look("model_names", wanted)
            if found is not None:
                return found
        near = nearest(plain(repository), "models_near")
        hint = f"nearest are {', '.join(near)}" if near else f"known are {', '.join(list(page.keys('models_all')))}"
        not_known("model", name, "it is not in data/models.csv", hint)

    def pasted(self):
        held = tuple(HELD.items())
        if self.asked != held:
            from llm_economics.checkpoints.published import counted, from_files

            self.published = from_files(Path("config.json"))
            self.counted = counted(self.published)
            self.asked = held
        return self.counted

    def formats(self, model, chip, weights, arithmetic, kv):
        if model == "config.json":
            from llm_economics.checkpoints import published

            self.pasted()
            return published.formats(self.published, chip, weights, arithmetic, kv)
        stored = page.look("stored", self.row(model))
        usual = "fp8" if stored == "bf16" and "fp8" in chip.peak_flops else stored
        return questions.Formats(weights or usual, arithmetic, kv)

    def system(self, name, accelerators=None):
        full = page.look("system_names", plain(str(name).split(",")[0]))
        if full is None:
            near = nearest(plain(name), "systems_near") or list(self.systems())
            not_known("system", name, "it is not known", f"nearest are {', '.join(near)}")
        given = unpacked(page.look("systems", full))
        given.pop("usd_per_hour")
        chip, near, far = Accelerator(**given.pop("accelerator")), Link(**given.pop("scale_up")), given.pop("scale_out")
        made = System(accelerator=chip, scale_up=near, scale_out=far and Link(**far), **given)
        if accelerators is None or accelerators == made.accelerators:
            return made
        return replace(made, accelerators=accelerators, name=f"{made.name}, {accelerators} accelerators")

    def systems(self):
        return tuple(page.keys("systems"))

    def price(self, system):
        return unpacked(page.look("systems", system.split(",")[0]))["usd_per_hour"]

    def measured(self):
        return Measured(*[frozenset(list(page.keys(table))) for table in ("measured_chips", "measured_models")])


HERE = Here()


def of_page(value):
    """An object of the page as plain data."""
    if value.__class__.__name__ != "JsProxy":
        return value
    if page.is_list(value):
        return [of_page(one) for one in value]
    names = list(page.names(value))
    if names == ["digits"]:
        return int(value.digits)
    return pairs([(name, of_page(getattr(value, name))) for name in names])


def real(value):
    """A number as the page sends it: ``{"real": 16}`` is 16.0, and 8 stays whole."""
    if isinstance(value, list):
        return tuple([real(one) for one in value])
    return float(value["real"]) if isinstance(value, dict) else value


def options_of(asked):
    """Options as the command line has them."""
    return questions.OPTIONS | {name: real(value) for name, value in asked["options"].items()}


def answered(asked):
    HELD.clear()
    for name, content in (asked.get("files") or {}).items():
        HELD[name] = content
    if asked["what"] == "run":
        answer = training_run.answer(HERE, **{name: real(value) for name, value in asked["options"].items()})
        workings = training_run.workings(answer)
        return {
            "answer": answer,
            "said": training_run.said(answer),
            "workings": workings,
            "told": training_run.told(answer),
        }
    if asked["what"] == "ranked":
        return {"answer": offers.ranked(asked["rows"])}
    options = options_of(asked)
    if asked["what"] == "candidate":
        questions.goals(options)
        price = questions.asked_price(options["prices"], 0, 1)
        return {"answer": questions.candidate(asked["model"], asked["system"], HERE, options, price, asked["every"])}
    systems = tuple(asked["systems"])
    answer = questions.service(asked["model"], systems, HERE, **options)
    if "rows" in answer:
        return {"answer": answer, "told": questions.table(answer)}
    more = {"said": questions.said(answer), "workings": questions.workings(answer), "told": questions.told(answer)}
    return {"answer": answer} | more


def curve(asked):
    """Speed of a user against throughput of a card, for as many users as fit."""
    options = options_of(asked)
    found, work = questions.deployment(asked["model"], asked["systems"][0], HERE, options), questions.workload(options)
    most = check_range("sequences", min(max(found.holds(work), 1.0), 4096.0), 1)
    points = []
    for users in offers.numbers_of_users(most, 14):
        one = found.ask(users, work)
        made = float(one.requests_per_s) * work.output / found.system.accelerators
        points.append([users, 1 / float(one.tpot_s), made])
    return points


def ask(question):
    """The answer as JSON; None where the rooms that it needs have to be fetched first."""
    asked = of_page(question)
    try:
        return json.dumps({"answer": curve(asked)} if asked["what"] == "curve" else answered(asked))
    except ValueError as error:
        return json.dumps({"error": str(error)})
    except ImportError:
        return None
