"""The house rules: what each room imports, and that formulas take floats, arrays and quantities alike."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import llm_economics
from llm_economics.facts.units import Q
from llm_economics.formulas import training

LIB = Path(llm_economics.__file__).parent
# Folder: its floor, and its rooms in the order in which they may import one another.
HOUSE = {
    "formulas": (
        0,
        "records elementwise hardware routing blocks recurrences architecture parallelism splits serving memory "
        "training speculation services offers questions training_run cost attribution",
    ),
    "checkpoints": (
        1,
        "config files sizes formats methods quantisation shapes plain gpt mixtures rare latent states hybrids limits "
        "families stored published",
    ),
    "facts": (2, "units cache checked parameters documents rows bounds store chips descriptions models prices"),
    "evidence": (
        3,
        "calibration memory search deployments answers services service_scores offers today scores sensitivity "
        "results fields clients engines readers measured",
    ),
    "book": (
        3,
        "tracing support rounding judging records claims findings openings tiles drawing charting moved figures",
    ),
    "reruns": (4, "cells forks kernels engine notebooks scenarios runs sweeps solving comparison"),
    "site": (
        4,
        "runners browser answering mathml charts numbers openings ledger outputs aside beside sharing weight paper "
        "times __main__",
    ),
    "cli": (5, "model service training frontier run compare solve sweep claims measured"),
}
ROOMS = [(folder, room) for folder, (_, rooms) in HOUSE.items() for room in rooms.split()]
STANDARD = [f"{folder}.{room}" for folder, room in ROOMS if HOUSE[folder][0] <= 1]
BLOCKED = ("numpy", "pandas", "pydantic", "pint", "altair", "dask", "yaml")


def imports(path: Path) -> list[tuple[str, bool]]:
    """Modules that a file imports, and whether at the top of the file; submodules are named where they are meant."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node in tree.body) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: import by the full name"
            parts = (node.module or "").split(".")
            inner = parts[0] == "llm_economics" and len(parts) < 3
            names = [f"{node.module}.{alias.name}" for alias in node.names] if inner else [node.module or ""]
            found += [(name, node in tree.body) for name in names]
    return found


def test_every_room_has_its_place():
    found = {(path.parent.name, path.stem) for path in LIB.glob("*/*.py") if path.stem != "__init__"}
    assert found == set(ROOMS)
    assert {path.stem for path in LIB.glob("*.py")} == {"__init__", "__main__"}


@pytest.mark.parametrize(("folder", "room"), [*ROOMS, *((folder, "__init__") for folder in HOUSE)])
def test_imports_run_one_way(folder, room):
    floor, rooms = HOUSE[folder]
    order = rooms.split()
    for module, _ in imports(LIB / folder / f"{room}.py"):
        parts = module.split(".")
        if parts[0] != "llm_economics":
            continue
        assert len(parts) > 1, f"{folder}/{room} imports the whole house"
        where = f"{folder}/{room} (floor {floor}) imports {module}"
        if parts[1] in HOUSE and parts[1] != folder:
            assert HOUSE[parts[1]][0] < floor, where
        elif parts[1] == folder and room != "__init__":
            assert parts[2] in order and order.index(parts[2]) < order.index(room), where
        else:
            assert parts[1] in HOUSE, where


@pytest.mark.parametrize("room", STANDARD)
def test_the_lowest_floors_stand_on_the_standard_library(room):
    for module, at_top in imports(LIB / (room.replace(".", "/") + ".py")):
        top = module.split(".")[0]
        allowed = top in sys.stdlib_module_names or top == "llm_economics"
        assert allowed or (room == "formulas.elementwise" and top == "numpy" and not at_top), f"{room} imports {module}"


def test_the_lowest_floors_work_where_nothing_is_installed():
    code = f"""
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {BLOCKED!r}:
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Block())
import importlib
for room in {STANDARD!r}:
    importlib.import_module("llm_economics." + room)
from llm_economics import training
print(training.accelerators(6.4e6 * 3600, 90 * 86400))
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(answer.stdout) == pytest.approx(2962.962962962963, rel=1e-15)


def test_importing_the_package_loads_formulas_alone():
    code = "import sys, llm_economics; print(*sorted(m for m in sys.modules if m.startswith('llm_economics.')))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert loaded and all(module.startswith("llm_economics.formulas") for module in loaded)


COMPUTE, RATE, TIME = Q(6.35e24, "FLOP"), Q(989.4e12, "FLOP/s/device"), Q(6.4e6, "device*hour")
PER_PAIR = Q(6, "FLOP/parameter/token")
QUANTITIES = {
    training.training_flops: ((Q(70e9, "parameter"), Q(15e12, "token"), PER_PAIR), "FLOP"),
    training.mfu: ((COMPUTE, TIME, RATE), "dimensionless"),
    training.accelerator_time: ((COMPUTE, RATE, Q(0.4, "dimensionless")), "device*s"),
    training.accelerators: ((TIME, Q(90, "day")), "device"),
    training.wall_time: ((TIME, Q(16384, "device")), "day"),
    training.cost: ((TIME, Q(2, "USD/device/hour")), "USD"),
    training.tokens_per_parameter: ((Q(15e12, "token"), Q(70e9, "parameter")), "token/parameter"),
}


@pytest.mark.parametrize("formula", QUANTITIES, ids=lambda formula: formula.__name__)
def test_formulas_keep_dimensions(formula):
    arguments, unit = QUANTITIES[formula]
    answer = formula(*arguments)
    assert answer.is_compatible_with(unit)
    in_si = formula(*(argument.to_root_units().magnitude for argument in arguments))
    assert answer.to_root_units().magnitude == pytest.approx(in_si, rel=1e-12)


def test_no_training_formula_is_left_out():
    public = {f for n, f in inspect.getmembers(training, inspect.isfunction) if f.__module__ == training.__name__}
    assert {f.__name__ for f in public if not f.__name__.startswith("_")} - {"solve"} == {
        f.__name__ for f in QUANTITIES if f.__module__ == training.__name__
    }


def test_solve_takes_quantities():
    days = training.solve("wall_time", flops=COMPUTE, mfu=0.4, peak_flops=RATE, accelerators=Q(16384, "device"))
    assert days.to("day").magnitude == pytest.approx(6.35e24 / (0.4 * 989.4e12 * 16384 * 86400))
