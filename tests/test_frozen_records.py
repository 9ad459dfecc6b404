"""Records of the formulas: frozen dataclasses to whoever asks, defined without compiling a method."""

import copy
import dataclasses
import inspect
import pickle
from dataclasses import FrozenInstanceError, dataclass

import pytest

from llm_economics.formulas.blocks import Dense, GroupedAttention
from llm_economics.formulas.hardware import Accelerator, Link
from llm_economics.formulas.records import field, fields, record, replace


@record
class Point:
    """Two numbers and what is known of them."""

    x: int
    y: int = 2
    known: dict = field(default_factory=dict, metadata={"unit": "none"})

    def __post_init__(self):
        if self.y < 0:
            raise ValueError("y")


@record(kw_only=True)
class Named(Point):
    name: str


@dataclass(frozen=True)
class Twin:
    x: int
    y: int = 2
    known: dict = dataclasses.field(default_factory=dict)


def test_a_record_is_made_like_a_dataclass():
    for made in (Point, Twin):
        one = made(1)
        assert (one.x, one.y, one.known) == (1, 2, {})
        assert one == made(1, known={}) == made(x=1, y=2) != made(2)
        assert repr(one).endswith("(x=1, y=2, known={})")
        assert one.known is not made(1).known
        for wrong in ((), (1, 2, {}, 4)):
            with pytest.raises(TypeError):
                made(*wrong)
        for wrong in ({"x": 1, "z": 2}, {"z": 2}):
            with pytest.raises(TypeError):
                made(**wrong)
        with pytest.raises(TypeError):
            made(1, x=1)
        with pytest.raises(FrozenInstanceError):
            one.x = 3
        with pytest.raises(FrozenInstanceError):
            del one.x
    assert Point(1) != Twin(1)
    assert len({Link("a", 1.0), Link("a", 1.0), Link("b", 1.0)}) == 2


def test_checks_run_for_every_way_to_make_one():
    for make in (lambda: Point(1, -1), lambda: replace(Point(1), y=-1), lambda: dataclasses.replace(Point(1), y=-1)):
        with pytest.raises(ValueError, match="y"):
            make()


def test_a_record_can_be_described_copied_and_kept():
    assert dataclasses.is_dataclass(Point) and [one.name for one in dataclasses.fields(Point)] == ["x", "y", "known"]
    assert dataclasses.fields(Point)[2].metadata["unit"] == fields(Point(1))[2].metadata["unit"] == "none"
    assert dataclasses.asdict(Point(1)) == {"x": 1, "y": 2, "known": {}}
    assert [(one.name, one.default) for one in inspect.signature(Point).parameters.values()][1] == ("y", 2)
    chip = Accelerator("a", 1e9, 1e9, {"bf16": 1e12})
    for again in (copy.deepcopy(chip), pickle.loads(pickle.dumps(chip)), dataclasses.replace(chip)):
        assert again == chip
    match Point(1, 3):
        case Point(x, y):
            assert (x, y) == (1, 3)


def test_records_and_dataclasses_inherit_from_one_another():
    named = Named(1, name="a")
    assert (named.x, named.y, named.name) == (1, 2, "a")
    with pytest.raises(TypeError):
        Named(1, 2, {}, "a")
    assert [one.name for one in dataclasses.fields(Named)] == ["x", "y", "known", "name"]

    @dataclass(frozen=True, kw_only=True)
    class Wider(Dense):
        twice: int = 2

    assert (Wider(width=4).width, Wider(width=4).twice) == (4, 2)
    assert [one.name for one in fields(Wider(width=4))][-1] == "twice"
    assert dataclasses.is_dataclass(GroupedAttention)
