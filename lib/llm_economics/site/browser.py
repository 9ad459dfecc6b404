"""The formula and checkpoint rooms for a reader's browser: written down to MicroPython, not written again.

MicroPython drops annotations, so a record's fields are listed from its real class; it knows neither starred displays
nor positional-only arguments, its dictionaries have no order and its sorting is not stable. :func:`rooms` rewrites the
source of each room by its syntax tree; what it asks of the standard library is in ``calculator/standard.py``, and whole
algorithms (difflib, json, statistics, fnmatch) are lifted from the source of the Python that builds. Nothing is
rewritten by name of a formula: a test asks every public one in both.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import json
import sys
import types
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any

LIB = Path(__file__).parents[1]
FLOORS = ("formulas", "checkpoints")
PACKED = {
    "config_defaults.json": "checkpoints/config_defaults.json",
    "service_constants.json": "formulas/service_constants.json",
}
"""Files that rooms read, by name."""
MANY = 20
"""Tables from which on a table of them is unpacked one by one."""

LIFTED = {
    "difflib": ("_calculate_ratio", "SequenceMatcher", "get_close_matches"),
    "statistics": ("_normal_dist_inv_cdf",),
    "fnmatch": ("translate",),
    "json.decoder": ("BACKSLASH", "_decode_uXXXX", "py_scanstring", "JSONObject", "JSONArray"),
    "json.scanner": ("py_make_scanner",),
}
"""What is taken from the source of the standard library, by module."""

_LIFTED_BEGIN = """
import sys
from standard import (
    MISSING, chain, cache, re, comb, fabs, inf, nan, log, sqrt, tau, nlargest as _nlargest, pairs as std_pairs
)
from collections import namedtuple as _namedtuple
FLAGS = 0
NaN, PosInf, NegInf = nan, inf, -inf
STRINGCHUNK = re.compile(r'(.*?)(["\\\\\\x00-\\x1f])', re.DOTALL)
HEXDIGITS = re.compile(r'[0-9A-Fa-f]{4}')
WHITESPACE = re.compile(r'[ \\t\\n\\r]*')
WHITESPACE_STR = ' \\t\\n\\r'
NUMBER_RE = re.compile(r'(-?(?:0|[1-9]\\d*))(\\.\\d+)?([eE][-+]?\\d+)?')
_CONSTANTS = {'-Infinity': NegInf, 'Infinity': PosInf, 'NaN': NaN}
_nextgroup = iter(range(1000000)).__next__ if hasattr(iter(()), '__next__') else None
class JSONDecodeError(ValueError):
    def __init__(self, msg, doc, pos):
        line, column = doc.count('\\n', 0, pos) + 1, pos - doc.rfind('\\n', 0, pos)
        super().__init__(msg + ': line ' + str(line) + ' column ' + str(column) + ' (char ' + str(pos) + ')')
class Match:
    def __init__(self, a, b, size): self.a, self.b, self.size = a, b, size
    def __iter__(self): return iter((self.a, self.b, self.size))
    def __getitem__(self, i): return (self.a, self.b, self.size)[i]
    def __lt__(self, other): return (self.a, self.b, self.size) < (other.a, other.b, other.size)
    _make = classmethod(lambda cls, items: cls(*items))
class _heapq: nlargest = staticmethod(_nlargest)
_heapq_nlargest = _nlargest
"""

_LIFTED_END = """
class _Context:
    strict, memo, object_hook = True, {}, None
    parse_object, parse_array = staticmethod(JSONObject), staticmethod(JSONArray)
    parse_string = staticmethod(py_scanstring)
    parse_float, parse_constant = staticmethod(float), staticmethod(lambda name: _CONSTANTS[name])

    @staticmethod
    def parse_int(digits):
        count = len(digits) - (1 if digits.startswith('-') else 0)
        if count > 4300:
            raise ValueError('Exceeds the limit (4300 digits) for integer string conversion: value has '
                + str(count) + ' digits; use sys.set_int_max_str_digits() to increase the limit')
        return int(digits)
scanstring = py_scanstring

@cache
def _scanner(hook):
    _Context.object_pairs_hook = hook
    return py_make_scanner(_Context)

def loads(s, object_pairs_hook=std_pairs):
    if s.startswith('\\ufeff'):
        raise JSONDecodeError('Unexpected UTF-8 BOM (decode using utf-8-sig)', s, 0)
    try:
        found, end = _scanner(object_pairs_hook)(s, WHITESPACE.match(s, 0).end())
    except StopIteration as err:
        raise JSONDecodeError('Expecting value', s, err.value)
    end = WHITESPACE.match(s, end).end()
    if end != len(s):
        raise JSONDecodeError('Extra data', s, end)
    return found
"""

_METHODS = ("removesuffix", "removeprefix", "isprintable", "lower", "upper", "casefold", "title", "ljust", "rjust")
_METHODS += ("is_integer",)
_CALLS = {
    "str": "text",
    "repr": "represented",
    "sorted": "in_order",
    "sum": "added",
    "round": "rounded",
    "float": "number",
    "reversed": "backwards",
}
"""Functions of Python that MicroPython has otherwise, and what stands for them in ``standard``."""


def bundle() -> dict[str, str]:
    """Every file of the calculator's Python by its path, for MicroPython."""
    files = {"built.py": _built(), "standard.py": (Path(__file__).parent / "calculator" / "standard.py").read_text()}
    files["lifted.py"] = lifted()
    for number, name in enumerate(PACKED):
        content = json.loads((LIB / PACKED[name]).read_text(encoding="utf-8"))
        files[f"packed_{number}.py"] = f"from standard import Shelf as s, pairs as p\nCONTENT = {packed(content)}\n"
    return files | rooms()


def _built() -> str:
    files = {name: f"packed_{number}" for number, name in enumerate(PACKED)}
    return f"COMPENSATED = {sys.version_info >= (3, 12)}\nFILES = {files}\n"


def packed(value: Any) -> str:
    """Plain data as an expression that keeps the order of dictionaries.

    ``p`` makes one of pairs, ``s`` one of many tables, of which a question needs few.
    """
    if isinstance(value, dict) and len(value) >= MANY and all(isinstance(one, dict) for one in value.values()):
        return f"s([{','.join(f'({key!r},{packed(one)!r})' for key, one in value.items())}])"
    if isinstance(value, dict):
        return f"p([{','.join(f'({key!r},{packed(one)})' for key, one in value.items())}])"
    if isinstance(value, (list, tuple)):
        inner = ",".join(map(packed, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' if len(value) == 1 else ''})"
    return repr(value) if value not in (float("inf"), float("-inf")) else "1e999" if value > 0 else "-1e999"


def first(files: dict[str, str], start: str) -> dict[str, str]:
    """Those of ``files`` that ``start`` and what it imports need before a formula has answered."""
    found, wanted = {}, [start, *(f"packed_{i}.py" for i, place in enumerate(PACKED.values()) if "formulas" in place)]
    while wanted:
        path = wanted.pop()
        if path in found or path not in files:
            continue
        found[path] = files[path]
        for node in ast.parse(files[path]).body:
            names = [alias.name for alias in getattr(node, "names", ())]
            if isinstance(node, ast.ImportFrom):
                names = [node.module, *(f"{node.module}.{name}" for name in names)]
            for name in names if isinstance(node, (ast.Import, ast.ImportFrom)) else ():
                parts = name.split(".")
                wanted += [
                    f"{'/'.join(parts)}.py",
                    *("/".join((*parts[:i], "__init__.py")) for i in range(1, len(parts) + 1)),
                ]
    return found


def rooms() -> dict[str, str]:
    """The rooms of :data:`FLOORS` by path."""
    files = {"llm_economics/__init__.py": "", **{f"llm_economics/{floor}/__init__.py": "" for floor in FLOORS}}
    for floor in FLOORS:
        for path in sorted((LIB / floor).glob("[!_]*.py")):
            if path.stem == "records":  # what they are there stands in ``standard``
                continue
            name = f"llm_economics.{floor}.{path.stem}"
            source = path.read_text(encoding="utf-8")
            files[f"{name.replace('.', '/')}.py"] = written_down(source, importlib.import_module(name))
    return files


def lifted() -> str:
    """The algorithms of :data:`LIFTED`, from the standard library's own source."""
    found = []
    for name, wanted in LIFTED.items():
        module = importlib.import_module(name)
        tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
        for node in tree.body:
            for named in [getattr(node, "name", None), *_targets(node)]:
                if named in wanted:
                    found.append(ast.unparse(node))
    return written_down(_LIFTED_BEGIN + "\n".join(found) + _LIFTED_END, None)


def _targets(node: ast.stmt) -> list[str]:
    return [t.id for t in node.targets if isinstance(t, ast.Name)] if isinstance(node, ast.Assign) else []


def written_down(source: str, module: types.ModuleType | None) -> str:
    """A module's source as MicroPython takes it; ``module`` is the real one, for what only it knows of its records."""
    rewriter = _Rewriter(module, exact="import comb" in source)
    tree = ast.fix_missing_locations(rewriter.visit(ast.parse(source)))
    _drop_unused(tree)
    asked = sorted(rewriter.asked)
    first = f"from standard import {', '.join(f'{name} as std_{name}' for name in asked)}\n" if asked else ""
    return first + ast.unparse(tree) + "\n"


def _is_type(made: Any) -> bool:
    """Whether a name stands for a type like ``dict[str, Any]``, which only annotations use."""
    return isinstance(made, types.GenericAlias) or typing.get_origin(made) is not None


def _name(identifier: str) -> ast.Name:
    return ast.Name(identifier, ast.Load())


def _call(function: ast.expr, *given: ast.expr) -> ast.Call:
    return ast.Call(function, list(given), [])


def _drop_unused(tree: ast.Module) -> None:
    """Take out what is imported from the standard library for annotations alone."""
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}

    def kept(node: ast.stmt) -> bool:
        if isinstance(node, ast.ImportFrom) and node.module == "standard":
            node.names = [alias for alias in node.names if (alias.asname or alias.name) in used]
            return bool(node.names)
        return True

    for node in ast.walk(tree):
        for block in ("body", "orelse", "finalbody"):
            lines = getattr(node, block, None)
            if isinstance(lines, list):
                setattr(node, block, [line for line in lines if kept(line)] or ([ast.Pass()] if lines else []))


class _Rewriter(ast.NodeTransformer):
    """From Python to the part of it that MicroPython knows."""

    def __init__(self, module: types.ModuleType | None, *, exact: bool) -> None:
        self.module, self.exact = module, exact
        self.asked: set[str] = set()

    def standard(self, name: str) -> ast.Name:
        """A function of ``calculator/standard.py``."""
        self.asked.add(name)
        return _name(f"std_{name}")

    # Statements

    def visit_Module(self, node: ast.Module) -> ast.AST:
        node.body = self._lines(node.body)
        return node

    def _lines(self, lines: Iterable[ast.stmt]) -> list[ast.stmt]:
        found = []
        for line in lines:
            if isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant):
                continue  # docstrings
            new = self.visit(line)
            found += new if isinstance(new, list) else [new] if new is not None else []
        return found

    def generic_visit(self, node: ast.AST) -> ast.AST:
        for block in ("body", "orelse", "finalbody"):
            lines = getattr(node, block, None)
            if isinstance(lines, list) and not isinstance(node, ast.Module):
                setattr(node, block, self._lines(lines) or ([ast.Pass()] if lines else []))
        for name, value in ast.iter_fields(node):
            if name in ("body", "orelse", "finalbody") and isinstance(value, list):
                continue
            if isinstance(value, list):
                setattr(node, name, [self.visit(one) if isinstance(one, ast.AST) else one for one in value])
            elif isinstance(value, ast.AST):
                setattr(node, name, self.visit(value))
        return node

    def visit_Import(self, node: ast.Import) -> ast.AST | None:
        outside = [alias for alias in node.names if alias.name not in ("standard", "sys")]
        return ast.ImportFrom("standard", outside, 0) if outside else node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        if node.module in ("__future__", "typing"):
            return None
        if (node.module or "").split(".")[0] in sys.stdlib_module_names and node.module != "collections":
            node.module = "standard"
        if node.module == "llm_economics.formulas.records":
            node.module, node.names = "standard", [alias for alias in node.names if alias.name != "record"]
            return node if node.names else None
        if (node.module or "").startswith("llm_economics"):
            made = importlib.import_module(node.module)
            node.names = [alias for alias in node.names if not _is_type(getattr(made, alias.name, None))]
            return node if node.names else None
        if node.module == "collections" and [alias.name for alias in node.names] != ["namedtuple"]:
            node.module = "standard"
        return node

    def visit_If(self, node: ast.If) -> ast.AST | None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if node.value is None:
            return None
        return ast.Assign([self.visit(node.target)], self.visit(node.value))

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        names = _targets(node)
        if names == ["__class_getitem__"] or (names and _is_type(getattr(self.module, names[0], None))):
            return None
        return self.generic_visit(node)

    def visit_arguments(self, node: ast.arguments) -> ast.AST:
        node.args, node.posonlyargs = [*node.posonlyargs, *node.args], []
        for argument in [*node.args, *node.kwonlyargs, node.vararg, node.kwarg]:
            if argument is not None:
                argument.annotation = None
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        node.cause = None
        return self.generic_visit(node)

    # Records

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        made = getattr(self.module, node.name, None) if self.module else None
        row = isinstance(made, type) and issubclass(made, tuple) and hasattr(made, "_fields")
        if not row and not dataclasses.is_dataclass(made):
            return self.generic_visit(node)
        own = {
            line.target.id: line.value
            for line in node.body
            if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
        }
        listed = _row_fields(made) if row else dataclasses.fields(made)
        node.decorator_list = []
        node.bases = [base for base in node.bases if ast.unparse(base) not in ("NamedTuple", "Generic", "Protocol")]
        if row or not any(dataclasses.is_dataclass(base) for base in made.__mro__[1:]):
            node.bases.append(self.standard("Row" if row else "Record"))
        rest = [line for line in node.body if not isinstance(line, ast.AnnAssign)]
        node.body = rest
        node = self.generic_visit(node)
        node.body = self._record(listed, own, hasattr(made, "__post_init__")) + [
            line for line in node.body if not isinstance(line, ast.Pass)
        ]
        return node

    def _record(self, listed: Iterable[Any], own: dict[str, ast.expr | None], checked: bool) -> list[ast.stmt]:
        """What makes a record of its fields, in their order, with their defaults."""
        plain, named, usual, lines = [], [], {}, []
        for field in listed:
            (named if field.kw_only is True else plain).append(ast.arg(field.name))
            value: ast.expr = _name(field.name)
            if field.default_factory is not dataclasses.MISSING:
                usual[field.name] = self.standard("unset")
                (factory,) = [k.value for k in own[field.name].keywords if k.arg == "default_factory"]
                asked = ast.Compare(_name(field.name), [ast.Is()], [self.standard("unset")])
                made = _call(self.visit(factory)) if factory.id != "dict" else _call(self.standard("dictionary"))
                value = ast.IfExp(asked, made, value)
            elif field.default is not dataclasses.MISSING:
                usual[field.name] = self._default(field, own.get(field.name))
            lines.append(ast.Assign([ast.Attribute(_name("self"), field.name, ast.Store())], value))
        if checked:
            lines.append(ast.Expr(_call(ast.Attribute(_name("self"), "__post_init__", ast.Load()))))
        given = ast.arguments(
            posonlyargs=[],
            args=[ast.arg("self"), *plain],
            kwonlyargs=named,
            kw_defaults=[usual.get(one.arg) for one in named],
            defaults=[usual[one.arg] for one in plain if one.arg in usual],
        )
        made = ast.FunctionDef("__init__", given, lines or [ast.Pass()], [])
        columns = {
            "_fields": [ast.Constant(field.name) for field in listed],
            "_types": [ast.Constant(field.type if isinstance(field.type, str) else "") for field in listed],
            "_defaults": [usual.get(field.name) or self.standard("MISSING") for field in listed],
        }
        return [
            *(ast.Assign([ast.Name(n, ast.Store())], ast.Tuple(values, ast.Load())) for n, values in columns.items()),
            *(ast.Assign([ast.Name(name, ast.Store())], value) for name, value in usual.items() if name in own),
            made,
        ]

    def _default(self, field: Any, written: ast.expr | None) -> ast.expr:
        if field.default is None or field.default == () or isinstance(field.default, (bool, int, float, str)):
            return ast.parse(repr(field.default), mode="eval").body
        if written is None:
            raise TypeError(f"{field.name}: its default {field.default!r} stands in another class")
        return self.visit(written)

    # Expressions

    def visit_List(self, node: ast.List) -> ast.AST:
        return self._display(node, None)

    def visit_Tuple(self, node: ast.Tuple) -> ast.AST:
        return self._display(node, "tuple")

    def visit_Set(self, node: ast.Set) -> ast.AST:
        return self._display(node, "set")

    def _display(self, node: Any, kind: str | None) -> ast.AST:
        stored = isinstance(getattr(node, "ctx", None), ast.Store)
        if stored or not any(isinstance(one, ast.Starred) for one in node.elts):
            return self.generic_visit(node)
        parts: list[ast.expr] = []
        for one in node.elts:
            if isinstance(one, ast.Starred):
                parts.append(self.visit(one.value))
            elif parts and isinstance(parts[-1], ast.Tuple):
                parts[-1].elts.append(self.visit(one))
            else:
                parts.append(ast.Tuple([self.visit(one)], ast.Load()))
        joined = _call(self.standard("joined"), *parts)
        return joined if kind is None else _call(_name(kind), joined)

    def visit_Dict(self, node: ast.Dict) -> ast.AST:
        parts: list[Any] = []
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                parts.append(self.visit(value))
                continue
            pair = ast.Tuple([self.visit(key), self.visit(value)], ast.Load())
            if parts and isinstance(parts[-1], ast.List):
                parts[-1].elts.append(pair)
            else:
                parts.append(ast.List([pair], ast.Load()))
        if not parts:
            return _call(self.standard("pairs"), ast.Tuple([], ast.Load()))
        if len(parts) == 1 and isinstance(parts[0], ast.List):
            return _call(self.standard("pairs"), parts[0])
        return _call(self.standard("merged"), *parts)

    def visit_DictComp(self, node: ast.DictComp) -> ast.AST:
        pair = ast.Tuple([node.key, node.value], ast.Load())
        return _call(self.standard("pairs"), self.visit(ast.ListComp(pair, node.generators)))

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        node = self.generic_visit(node)
        special = {ast.BitOr: "bor", ast.BitAnd: "band"} | ({ast.Div: "divided"} if self.exact else {})
        if node.op.__class__ in special:
            return _call(self.standard(special[node.op.__class__]), node.left, node.right)
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        if isinstance(node.op, ast.BitOr):
            read = ast.parse(ast.unparse(node.target), mode="eval").body
            return self.visit(ast.Assign([node.target], ast.BinOp(read, node.op, node.value)))
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        node = self.generic_visit(node)
        function = node.func
        for keyword in node.keywords:
            if keyword.arg is None:  # MicroPython mixes up the slots of a dictionary that keeps its order
                keyword.value = _call(self.standard("native"), keyword.value)
        if isinstance(function, ast.Name):
            return self._named(node, function.id)
        if isinstance(function, ast.Attribute):
            whose, method = ast.unparse(function.value), function.attr
            if (whose, method) == ("object", "__setattr__"):
                return _call(_name("setattr"), *node.args)
            if (whose, method) == ("dict", "fromkeys"):
                return ast.Call(self.standard("fromkeys"), node.args, node.keywords)
            if method == "sort":
                return ast.Call(self.standard("sort"), [function.value, *node.args], node.keywords)
            if method in _METHODS or (method == "split" and not node.args and not node.keywords):
                return _call(ast.Attribute(self.standard("methods"), method, ast.Load()), function.value, *node.args)
        return node

    def _named(self, node: ast.Call, name: str) -> ast.AST:
        if name == "isinstance":
            kinds = node.args[1].elts if isinstance(node.args[1], ast.Tuple) else [node.args[1]]
            if any(ast.unparse(kind) == "int" for kind in kinds):
                node.args[1] = ast.Tuple([*kinds, _name("bool")], ast.Load())
        elif name == "dict":
            if node.keywords and not node.args and all(keyword.arg for keyword in node.keywords):
                pairs = [ast.Tuple([ast.Constant(k.arg), k.value], ast.Load()) for k in node.keywords]
                return _call(self.standard("pairs"), ast.List(pairs, ast.Load()))
            if node.keywords:
                for keyword in node.keywords:
                    keyword.value = keyword.value.args[0] if keyword.arg is None else keyword.value
                wrapped = ast.Dict(
                    [ast.Constant(k.arg) if k.arg else None for k in node.keywords], [k.value for k in node.keywords]
                )
                return _call(self.standard("merged"), *node.args, self.visit_Dict(wrapped))
            node.func = self.standard("dictionary")
        elif name == "map" and isinstance(node.args[0], ast.Name) and node.args[0].id in _CALLS:
            node.args[0] = self.standard(_CALLS[node.args[0].id])
        elif name == "zip" and any(keyword.arg == "strict" for keyword in node.keywords):
            node.func = self.standard("zipped")
        elif name in _CALLS:
            node.func = self.standard(_CALLS[name])
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        node = self.generic_visit(node)
        if node.attr == "__contains__":
            return ast.parse(f"lambda one: one in {ast.unparse(node.value)}", mode="eval").body
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id == "RecursionError":
            return self.standard("RecursionError")
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        parts = [self._shown(part) for part in node.values]
        return _call(ast.Attribute(ast.Constant(""), "join", ast.Load()), ast.List(parts, ast.Load()))

    def _shown(self, part: ast.expr) -> ast.expr:
        if isinstance(part, ast.Constant):
            return part
        form = ast.Constant("") if part.format_spec is None else self.visit(part.format_spec)
        conversion = ast.Constant(chr(part.conversion) if part.conversion > 0 else "")
        return _call(self.standard("formatted"), self.visit(part.value), conversion, form)


def _row_fields(made: Any) -> list[types.SimpleNamespace]:
    missing = dataclasses.MISSING
    return [
        types.SimpleNamespace(
            name=name, type="", default=made._field_defaults.get(name, missing), default_factory=missing, kw_only=False
        )
        for name in made._fields
    ]
