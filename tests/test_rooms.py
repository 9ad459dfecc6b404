"""The house rules: what each room imports, and that formulas take floats, arrays and quantities alike."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import llm_economics
from llm_economics import training
from llm_economics.units import Q

LIB = Path(llm_economics.__file__).parent
FLOORS = {
    "elementwise": 0,
    "hardware": 1,
    "transformer": 1,
    "parallelism": 2,
    "training": 2,
    "serving": 2,
    "routing": 2,
    "speculation": 2,
    "cost": 3,
    "attribution": 3,
    "units": 4,
    "catalog": 4,
    "parameters": 4,
    "configs": 4,
    "calibration": 4,
    "evidence": 5,
    "search": 4,
    "sensitivity": 4,
    "claims": 5,
    "figures": 5,
    "rerun": 6,
    "scenarios": 6,
    "runs": 6,
    "comparison": 6,
    "sweeps": 6,
    "solving": 6,
    "cli": 6,
    "__main__": 6,
    "site": 6,
}
FORMULA_ROOMS = [name for name, floor in FLOORS.items() if floor <= 3 and (LIB / f"{name}.py").exists()]
BLOCKED = ("numpy", "pandas", "pydantic", "pint", "altair", "dask")


def imports(path: Path) -> list[tuple[str, bool]]:
    """Modules that a file imports, and whether at the top of the file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node in tree.body) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "llm_economics" else []
            found += [(name, node in tree.body) for name in names or [node.module or ""]]
    return found


def test_every_module_has_a_floor():
    modules = {path.stem for path in LIB.glob("*.py")} | {path.parent.name for path in LIB.glob("*/__init__.py")}
    assert modules - {"__init__"} <= set(FLOORS)


@pytest.mark.parametrize("room", [name for name in FLOORS if (LIB / f"{name}.py").exists()])
def test_lower_rooms_never_import_upper_ones(room):
    for module, _ in imports(LIB / f"{room}.py"):
        if module.startswith("llm_economics."):
            other = module.split(".")[1]
            assert FLOORS[other] <= FLOORS[room], f"{room} (floor {FLOORS[room]}) imports {other}"


@pytest.mark.parametrize("room", FORMULA_ROOMS)
def test_formula_rooms_stand_on_the_standard_library(room):
    for module, at_top in imports(LIB / f"{room}.py"):
        top = module.split(".")[0]
        allowed = top in sys.stdlib_module_names or top == "llm_economics"
        assert allowed or (room == "elementwise" and top == "numpy" and not at_top), f"{room} imports {module}"


def test_formula_rooms_work_without_numpy():
    code = f"""
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {BLOCKED!r}:
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Block())
import importlib
for room in {FORMULA_ROOMS!r}:
    importlib.import_module("llm_economics." + room)
from llm_economics import training
print(training.accelerators(6.4e6 * 3600, 90 * 86400))
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(answer.stdout) == pytest.approx(2962.962962962963, rel=1e-15)


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
