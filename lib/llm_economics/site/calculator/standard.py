# What the rooms use of Python's standard library and of its syntax, for MicroPython in a reader's browser.
#
# ``llm_economics.site.browser`` writes the rooms down so that they ask here. Numbers are shown by the browser's own
# shortest and exact digits, expressions are matched by its own; whole algorithms (difflib, json, statistics, fnmatch)
# are not written again but taken from CPython's source into ``lifted``.
import math as _math
import sys
from collections import OrderedDict
from functools import partial, reduce, wraps
from itertools import accumulate, chain, count, islice, repeat

import page

from built import COMPENSATED, FILES

inf, nan = _math.inf, _math.nan
TYPE_CHECKING = False
RecursionError = RuntimeError


class Missing:
    pass


MISSING = unset = Missing()


# ---------------------------------------------------------------------------------------------------------------------
# Records


class Field:
    def __init__(self, name, type, default):
        self.name, self.type, self.default, self.metadata = name, type, default, {}


class Record:
    _fields = ()

    def __eq__(self, other):
        return self.__class__ is other.__class__ and all([getattr(self, n) == getattr(other, n) for n in self._fields])

    def __hash__(self):
        return hash(tuple([getattr(self, name) for name in self._fields]))

    def __repr__(self):
        inner = ", ".join([name + "=" + represented(getattr(self, name)) for name in self._fields])
        return self.__class__.__name__ + "(" + inner + ")"


class Row(Record):
    def __iter__(self):
        return iter([getattr(self, name) for name in self._fields])

    def __len__(self):
        return len(self._fields)

    def __getitem__(self, index):
        return tuple(self)[index]

    def __eq__(self, other):
        return isinstance(other, (Row, tuple)) and tuple(self) == tuple(other)

    def __hash__(self):
        return hash(tuple(self))

    def __add__(self, other):
        return tuple(self) + tuple(other)

    def _replace(self, **changes):
        return replace(self, **changes)


field = None  # the fields of records are listed where the rooms are written down


def fields(record):
    kind = record if isinstance(record, type) else record.__class__
    return tuple([Field(*each) for each in zip(kind._fields, kind._types, kind._defaults)])


def replace(record, **changes):
    for name in changes:
        if name not in record._fields:
            raise TypeError(record.__class__.__name__ + " has no field " + name)
    return record.__class__(
        **{name: changes[name] if name in changes else getattr(record, name) for name in record._fields}
    )


def asdict(record):
    return pairs([(name, _plain(getattr(record, name))) for name in record._fields])


def _plain(value):
    if isinstance(value, Record):
        return asdict(value)
    return value.__class__([_plain(one) for one in value]) if isinstance(value, (list, tuple)) else value


class SimpleNamespace:
    def __init__(self, **values):
        for name in values:
            setattr(self, name, values[name])


class cached_property:
    def __init__(self, function):
        self.function = function

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, record, owner=None):
        value = self.function(record)
        setattr(record, self.name, value)
        return value


def cache(function):
    kept = {}

    def kept_function(*given, **named):
        key = (given, tuple(named.items())) if named else given
        try:
            return kept[key]
        except KeyError:
            value = kept[key] = function(*given, **named)
            return value

    return kept_function


def lru_cache(function=None, maxsize=None):
    return cache if function is None or isinstance(function, int) else cache(function)


# ---------------------------------------------------------------------------------------------------------------------
# Dictionaries in the order in which they were filled, lists, sets


def pairs(items):
    return OrderedDict(items)


class Shelf:
    """A table of tables that were packed, each of which is unpacked when it is asked for."""

    def __init__(self, items):
        self.packed, self.kept = OrderedDict(items), {}

    def __contains__(self, key):
        return key in self.packed

    def __iter__(self):
        return iter(self.packed)

    def __len__(self):
        return len(self.packed)

    def __getitem__(self, key):
        if key not in self.kept:
            self.kept[key] = unpacked(self.packed[key])
        return self.kept[key]

    def get(self, key, usual=None):
        return self[key] if key in self.packed else usual

    def keys(self):
        return self.packed.keys()

    def values(self):
        return [self[key] for key in self.packed]

    def items(self):
        return [(key, self[key]) for key in self.packed]


def unpacked(source):
    """What the build wrote down of data; nothing of a reader's comes here."""
    return eval(source, {"p": pairs, "s": Shelf})


def merged(*parts):
    found = OrderedDict()
    for part in parts:
        found.update(part if isinstance(part, dict) else dictionary(part))
    return found


def dictionary(given=()):
    return OrderedDict(given.items() if hasattr(given, "items") else given)


def native(given):
    return {key: value for key, value in given.items()}


def fromkeys(keys, value=None):
    return OrderedDict([(key, value) for key in keys])


def joined(*parts):
    found = []
    for part in parts:
        found.extend(part)
    return found


def band(a, b):
    return (a and b) if isinstance(a, bool) and isinstance(b, bool) else _items(a) & b


def bor(a, b):
    return (a or b) if isinstance(a, bool) and isinstance(b, bool) else _items(a) | b


def _items(value):
    return set(value) if value.__class__.__name__ == "dict_view" else value


class Counter(OrderedDict):
    def __init__(self, items=()):
        super().__init__()
        for item in items:
            self[item] += 1

    def __getitem__(self, key):
        return self.get(key, 0)


Mapping = MutableMapping = dict
Sequence = (list, tuple, str)
Hashable = object
Iterable = Iterator = Callable = object


def zipped(*iterables, strict=False):
    lists = [list(one) for one in iterables]
    if strict and len(set([len(one) for one in lists])) > 1:
        raise ValueError("zip() arguments have different lengths")
    return zip(*lists)


def in_order(items, key=None, reverse=False):
    rows = list(items)
    keys = [key(row) for row in rows] if key else rows
    order = list(range(len(rows)))
    width = 1
    while width < len(order):  # a merge sort keeps equals in their order, which MicroPython's own does not
        done = []
        for start in range(0, len(order), 2 * width):
            left, right = order[start : start + width], order[start + width : start + 2 * width]
            i = j = 0
            while i < len(left) and j < len(right):
                a, b = keys[left[i]], keys[right[j]]
                if (a < b) if reverse else (b < a):
                    done.append(right[j])
                    j += 1
                else:
                    done.append(left[i])
                    i += 1
            done += left[i:] + right[j:]
        order, width = done, 2 * width
    return [rows[i] for i in order]


def sort(items, key=None, reverse=False):
    items[:] = in_order(items, key, reverse)


def backwards(items):
    return reversed(items if isinstance(items, (list, tuple, str, range)) else list(items))


def pairwise(items):
    rows = list(items)
    return list(zip(rows[:-1], rows[1:]))


def combinations(items, size):
    rows = tuple(items)
    if size == 0:
        yield ()
        return
    for i in range(len(rows) - size + 1):
        for rest in combinations(rows[i + 1 :], size - 1):
            yield (rows[i],) + rest


def nlargest(n, items, key=None):
    return in_order(items, key, True)[:n]


# ---------------------------------------------------------------------------------------------------------------------
# Numbers


def added(items, start=0):
    total, lost, plain = start, 0.0, True
    for item in items:
        if COMPENSATED and isinstance(total, float) and isinstance(item, float):
            after = total + item
            lost += (total - after) + item if abs(total) >= abs(item) else (item - after) + total
            total, plain = after, False
        else:
            total = total + item
    return total + lost if not plain and lost and _math.isfinite(lost) else total


def divided(a, b):
    """Quotient of whole numbers of any length, rounded once."""
    if not isinstance(a, int) or not isinstance(b, int) or (abs(a) < 1 << 53 and abs(b) < 1 << 53):
        return a / b
    if a == 0:
        return 0.0
    sign, a, b = (-1.0 if (a < 0) != (b < 0) else 1.0), abs(a), abs(b)
    shift = _length(a) - _length(b) - 55
    whole, rest = divmod(a, b << shift) if shift > 0 else divmod(a << -shift, b)
    kept, dropped = whole >> 2, (whole & 3) * 2 + (1 if rest else 0)
    shift += 2
    if _length(kept) > 53:
        dropped = (kept & 1) * 4 + (1 if dropped else 0) + (2 if dropped >= 8 else 0)
        kept, shift = kept >> 1, shift + 1
    kept += 1 if dropped > 4 or (dropped == 4 and kept & 1) else 0
    return sign * _math.ldexp(float(kept), shift)


def _length(n):
    bits = 0
    while n >> 64:
        n, bits = n >> 64, bits + 64
    while n:
        n, bits = n >> 1, bits + 1
    return bits


def comb(n, k):
    if k < 0 or k > n:
        return 0
    found = 1
    for i in range(min(k, n - k)):
        found = found * (n - i) // (i + 1)
    return found


def rounded(value, places=None):
    if places is None:
        return round(value)
    return float(fixed(value, places)) if isinstance(value, float) else round(value, places)


def is_integer(value):
    return value == _math.floor(value) if _math.isfinite(value) else False


def power(a, b):
    return a**b


class _Math:
    comb = staticmethod(comb)

    def __getattr__(self, name):
        return getattr(_math, name)

    def prod(self, items, start=1):
        for item in items:
            start = start * item
        return start

    def gcd(self, a, b):
        while b:
            a, b = b, a % b
        return abs(a)


math = _Math()
log10, gcd, sqrt, log, tau, fabs, prod = (
    _math.log10,
    math.gcd,
    _math.sqrt,
    _math.log,
    2 * _math.pi,
    _math.fabs,
    math.prod,
)


class _Numpy:
    def all(self, value):
        return bool(value)


numpy = _Numpy()


class Fraction(Record):
    _fields, _types, _defaults = ("numerator", "denominator"), ("int", "int"), (0, 1)

    def __init__(self, numerator=0, denominator=1):
        common = math.gcd(numerator, denominator) or 1
        self.numerator, self.denominator = numerator // common, denominator // common

    def _other(self, other):
        return other if isinstance(other, Fraction) else Fraction(other)

    def __add__(self, other):
        other = self._other(other)
        top = self.numerator * other.denominator + other.numerator * self.denominator
        return Fraction(top, self.denominator * other.denominator)

    def __mul__(self, other):
        other = self._other(other)
        return Fraction(self.numerator * other.numerator, self.denominator * other.denominator)

    __radd__, __rmul__ = __add__, __mul__

    def __bool__(self):
        return self.numerator != 0

    def __float__(self):
        return divided(self.numerator, self.denominator)


def number(value=0.0):
    return value.__float__() if isinstance(value, Fraction) else float(value)


class Random:
    """The Mersenne Twister (Matsumoto and Nishimura 1998), seeded and read as CPython does."""

    def __init__(self, seed):
        key, seed = [], abs(seed)
        while seed or not key:
            key.append(seed & 0xFFFFFFFF)
            seed >>= 32
        state = [19650218]
        for i in range(1, 624):
            state.append((1812433253 * (state[-1] ^ (state[-1] >> 30)) + i) & 0xFFFFFFFF)
        i, j = 1, 0
        for k in range(max(624, len(key)) + 623):
            mixed = state[i - 1] ^ (state[i - 1] >> 30)
            if k < max(624, len(key)):
                state[i] = ((state[i] ^ (mixed * 1664525)) + key[j] + j) & 0xFFFFFFFF
                j = (j + 1) % len(key)
            else:
                state[i] = ((state[i] ^ (mixed * 1566083941)) - i) & 0xFFFFFFFF
            i += 1
            if i >= 624:
                state[0], i = state[623], 1
        state[0] = 0x80000000
        self.state, self.at = state, 624

    def bits(self):
        state = self.state
        if self.at >= 624:
            for i in range(624):
                y = (state[i] & 0x80000000) | (state[(i + 1) % 624] & 0x7FFFFFFF)
                state[i] = state[(i + 397) % 624] ^ (y >> 1) ^ (0x9908B0DF if y & 1 else 0)
            self.at = 0
        y = state[self.at]
        self.at += 1
        y ^= y >> 11
        y ^= (y << 7) & 0x9D2C5680
        y ^= (y << 15) & 0xEFC60000
        return y ^ (y >> 18)

    def random(self):
        high, low = self.bits() >> 5, self.bits() >> 6
        return (high * 67108864.0 + low) * (1.0 / 9007199254740992.0)

    def triangular(self, low=0.0, high=1.0, mode=None):
        u = self.random()
        try:
            c = 0.5 if mode is None else (mode - low) / (high - low)
        except ZeroDivisionError:
            return low
        if u > c:
            u, c, low, high = 1.0 - u, 1.0 - c, high, low
        return low + (high - low) * _math.sqrt(u * c)


class random:
    Random = Random


class NormalDist:
    def __init__(self, mu=0.0, sigma=1.0):
        self.mu, self.sigma = mu, sigma

    def inv_cdf(self, p):
        from lifted import _normal_dist_inv_cdf

        return _normal_dist_inv_cdf(p, self.mu, self.sigma)


# ---------------------------------------------------------------------------------------------------------------------
# Text


def text(value=""):
    return value if isinstance(value, str) else str(value) if isinstance(value, Exception) else represented(value)


def represented(value):
    if isinstance(value, float):
        return _shown(value)
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, list):
        return "[" + ", ".join([represented(one) for one in value]) + "]"
    if isinstance(value, tuple):
        inner = ", ".join([represented(one) for one in value])
        return "(" + inner + ("," if len(value) == 1 else "") + ")"
    if isinstance(value, dict):
        return "{" + ", ".join([represented(k) + ": " + represented(v) for k, v in value.items()]) + "}"
    return repr(value)


def _quoted(value):
    quote = '"' if "'" in value and '"' not in value else "'"
    out = []
    for c in value:
        if c == quote or c == "\\":
            out.append("\\" + c)
        elif c in "\n\r\t":
            out.append({"\n": "\\n", "\r": "\\r", "\t": "\\t"}[c])
        elif " " <= c < "\x7f" or (c >= "\x7f" and page.printable(c)):
            out.append(c)
        else:
            code = ord(c)
            width, sign = (2, "x") if code < 256 else (4, "u") if code < 65536 else (8, "U")
            digits = hex(code)[2:]
            out.append("\\" + sign + "0" * (width - len(digits)) + digits)
    return quote + "".join(out) + quote


def _shown(value):
    """As CPython's repr: the shortest digits that mean this number."""
    if not _math.isfinite(value):
        return "nan" if value != value else "inf" if value > 0 else "-inf"
    mantissa, exponent = page.shortest(value).split("e")
    sign = "-" if mantissa[0] == "-" else ""
    digits, exponent = mantissa.replace("-", "").replace(".", ""), int(exponent)
    if value == 0:
        return "-0.0" if _math.copysign(1, value) < 0 else "0.0"
    if -4 <= exponent < 16:
        return sign + _placed(digits, exponent, True)
    return sign + digits[0] + ("." + digits[1:] if len(digits) > 1 else "") + _power(exponent)


def _placed(digits, exponent, point=False):
    """Digits d.ddd times a power of ten, written out."""
    if exponent < 0:
        return "0." + "0" * (-exponent - 1) + digits
    if len(digits) <= exponent + 1:
        return digits + "0" * (exponent + 1 - len(digits)) + (".0" if point else "")
    return digits[: exponent + 1] + "." + digits[exponent + 1 :]


def _power(exponent):
    return ("e-" if exponent < 0 else "e+") + ("0" if abs(exponent) < 10 else "") + str(abs(exponent))


def _digits(value, kept):
    """The first ``kept`` digits of a positive number, rounded half to even, and its power of ten."""
    mantissa, exponent = page.exact(value).split("e")
    digits, exponent = mantissa.replace(".", ""), int(exponent)
    if kept < 0:
        return "0", exponent + 1
    head, tail = digits[:kept], digits[kept:]
    half = "5" + "0" * (len(tail) - 1)
    if tail > half or (tail == half and head and int(head[-1]) % 2):
        head = str(int(head or "0") + 1)
        if len(head) > kept:
            return head, exponent + 1
    return head or "0", exponent


def fixed(value, places):
    """A float with so many places after the point."""
    if not _math.isfinite(value):
        return _shown(value)
    sign, value = ("-" if _math.copysign(1, value) < 0 else ""), abs(value)
    if value == 0:
        digits, exponent = "0", 0
    else:
        exponent = int(page.exact(value).split("e")[1])
        digits, exponent = _digits(value, exponent + 1 + places)
    if digits == "0":
        whole, part = "0", "0" * places
    else:
        written = _placed(digits, exponent)
        whole, _, part = written.partition(".")
        part = (part + "0" * places)[:places]
    return sign + whole + ("." + part if places > 0 else "")


def _general(value, kept):
    """As the format g."""
    if not _math.isfinite(value):
        return _shown(value)
    sign, value, kept = ("-" if _math.copysign(1, value) < 0 else ""), abs(value), kept or 1
    if value == 0:
        return sign + "0"
    digits, exponent = _digits(value, kept)
    digits = digits[:kept]
    if -4 <= exponent < kept:
        shown = _placed(digits, exponent)
        return sign + (shown.rstrip("0").rstrip(".") if "." in shown else shown)
    digits = digits.rstrip("0")
    return sign + digits[0] + ("." + digits[1:] if len(digits) > 1 else "") + _power(exponent)


def _exponential(value, places):
    sign = "-" if _math.copysign(1, value) < 0 else ""
    digits, exponent = _digits(abs(value), places + 1) if value else ("0" * (places + 1), 0)
    digits = digits[: places + 1]
    return sign + digits[0] + ("." + digits[1:] if places else "") + _power(exponent)


def formatted(value, conversion, form):
    if conversion == "r":
        value = represented(value)
    elif conversion == "s":
        value = text(value)
    if not form:
        return text(value)
    fill, align, i = " ", "", 0
    if len(form) > 1 and form[1] in "<>^=":
        fill, align, i = form[0], form[1], 2
    elif form[0] in "<>^=":
        align, i = form[0], 1
    sign = ""
    if i < len(form) and form[i] in "+- ":
        sign, i = form[i], i + 1
    if i < len(form) and form[i] == "0":
        fill, align, i = "0", align or "=", i + 1
    start = i
    while i < len(form) and form[i].isdigit():
        i += 1
    width = int(form[start:i] or 0)
    comma = i < len(form) and form[i] == ","
    i += 1 if comma else 0
    places = None
    if i < len(form) and form[i] == ".":
        start = i = i + 1
        while i < len(form) and form[i].isdigit():
            i += 1
        places = int(form[start:i])
    kind = form[i:]
    shown = _number(value, kind, places) if not isinstance(value, str) else value if places is None else value[:places]
    if comma:
        shown = _grouped(shown)
    if sign == "+" and not shown.startswith("-"):
        shown = "+" + shown
    missing = width - len(shown)
    if missing <= 0:
        return shown
    align = align or ("<" if isinstance(value, str) else ">")
    if align == "=":
        return shown[0] + fill * missing + shown[1:] if shown[:1] in ("-", "+") else fill * missing + shown
    left = 0 if align == "<" else missing if align == ">" else missing // 2
    return fill * left + shown + fill * (missing - left)


def _number(value, kind, places):
    if isinstance(value, bool) and not kind:
        return text(value)
    if kind in ("", "d", "n") and isinstance(value, (int, bool)) and places is None:
        return str(int(value))
    if kind in ("x", "X", "b"):
        return (hex if kind in "xX" else bin)(value)[2:]
    value = number(value)
    if kind == "%":
        return fixed(100 * value, 6 if places is None else places) + "%"
    if kind == "f":
        return fixed(value, 6 if places is None else places)
    if kind == "e":
        return _exponential(value, 6 if places is None else places)
    if kind == "g" or places is not None:
        return _general(value, 6 if places is None else places)
    return _shown(value)


def _grouped(shown):
    head, sign = (shown[1:], "-") if shown.startswith("-") else (shown, "")
    whole = head
    for i in range(len(head)):
        if not head[i].isdigit():
            whole = head[:i]
            break
    rest, groups = head[len(whole) :], []
    while len(whole) > 3:
        groups.insert(0, whole[-3:])
        whole = whole[:-3]
    return sign + ",".join([whole] + groups) + rest


class methods:
    """Methods of text that MicroPython does not have."""

    def removesuffix(self, end):
        return self[: -len(end)] if end and self.endswith(end) else self

    def removeprefix(self, start):
        return self[len(start) :] if self.startswith(start) else self

    def isprintable(self):
        return all([page.printable(c) for c in self])

    def lower(self):
        return page.lower(self)

    def upper(self):
        return page.upper(self)

    def casefold(self):
        return page.lower(self)

    def title(self):
        return page.title(self)

    def ljust(self, width, fill=" "):
        return self + fill * (width - len(self))

    def rjust(self, width, fill=" "):
        return fill * (width - len(self)) + self

    def is_integer(self):
        return is_integer(self)

    def split(self, *given):
        return page.words(self).split("\n") if not given and page.words(self) else self.split(*given)


# ---------------------------------------------------------------------------------------------------------------------
# Expressions, by those of the browser


class Match:
    def __init__(self, subject, found):
        self.string, self.found = subject, found

    def _number(self, group):
        return self.found.names[group] if isinstance(group, str) else group

    def span(self, group=0):
        n = 2 * self._number(group)
        return self.found.spans[n], self.found.spans[n + 1]

    def start(self, group=0):
        return self.span(group)[0]

    def end(self, group=0):
        return self.span(group)[1]

    def __getitem__(self, group):
        start, end = self.span(group)
        return None if start < 0 else self.string[start:end]

    def group(self, *groups):
        return self[groups[0] if groups else 0] if len(groups) < 2 else tuple([self[group] for group in groups])

    def groups(self):
        return tuple([self[i] for i in range(1, self.found.spans.length // 2)])


class Pattern:
    def __init__(self, pattern, flags=0):
        self.pattern = pattern
        self.id = page.compile(pattern, flags)
        if self.id < 0:
            raise error("not an expression")

    def _find(self, subject, pos, how):
        if _held[0] is not subject:
            page.hold(subject)
            _held[0] = subject
        found = page.find(self.id, pos, how)
        return None if found is None else Match(subject, found)

    def search(self, subject, pos=0):
        return self._find(subject, pos, 0)

    def match(self, subject, pos=0):
        return self._find(subject, pos, 1)

    def fullmatch(self, subject):
        return self._find(subject, 0, 2)

    def finditer(self, subject):
        pos = 0
        while pos <= len(subject):
            found = self.search(subject, pos)
            if found is None:
                return
            yield found
            pos = found.end() + (1 if found.end() == found.start() else 0)

    def findall(self, subject):
        return [m.groups()[0] if len(m.groups()) == 1 else m.groups() or m[0] for m in self.finditer(subject)]

    def sub(self, put, subject):
        out, pos = [], 0
        for found in self.finditer(subject):
            out += [subject[pos : found.start()], put(found) if callable(put) else _filled(put, found)]
            pos = found.end()
        return "".join(out) + subject[pos:]

    def split(self, subject):
        out, pos = [], 0
        for found in self.finditer(subject):
            out.append(subject[pos : found.start()])
            pos = found.end()
        return out + [subject[pos:]]


_held = [None]


def _filled(put, found):
    for i in range(10):
        if "\\" + str(i) in put:
            put = put.replace("\\" + str(i), found[i])
    return put.replace("\\\\", "\\")


class error(Exception):
    pass


class re:
    error = error
    Pattern, Match = Pattern, Match
    IGNORECASE = I = 2
    MULTILINE = M = 8
    DOTALL = S = 16
    VERBOSE = X = 64

    @staticmethod
    def compile(pattern, flags=0):
        return pattern if isinstance(pattern, Pattern) else _compiled(pattern, flags)

    @staticmethod
    def search(pattern, subject, flags=0):
        return _compiled(pattern, flags).search(subject)

    @staticmethod
    def match(pattern, subject, flags=0):
        return _compiled(pattern, flags).match(subject)

    @staticmethod
    def fullmatch(pattern, subject, flags=0):
        return _compiled(pattern, flags).fullmatch(subject)

    @staticmethod
    def sub(pattern, put, subject, flags=0):
        return _compiled(pattern, flags).sub(put, subject)

    @staticmethod
    def findall(pattern, subject, flags=0):
        return _compiled(pattern, flags).findall(subject)

    @staticmethod
    def split(pattern, subject, flags=0):
        return _compiled(pattern, flags).split(subject)

    @staticmethod
    def escape(subject):
        return "".join(["\\" + c if c in "()[]{}?*+-|^$\\.&~# \t\n\r\v\f" else c for c in subject])


@cache
def _compiled(pattern, flags=0):
    return Pattern(pattern, flags)


# ---------------------------------------------------------------------------------------------------------------------
# Modules that are asked by their name


class Lifted:
    """A module whose functions were taken from CPython's source; loaded when one is asked for."""

    def __getattr__(self, name):
        import lifted

        return getattr(lifted, name)


difflib = fnmatch = Lifted()


class json:
    @staticmethod
    def loads(source, object_pairs_hook=pairs):
        from lifted import loads

        return source.read() if isinstance(source, Packed) else loads(source, object_pairs_hook)

    @staticmethod
    def dumps(value, indent=None, ensure_ascii=True, allow_nan=True):
        return _dumped(value, "" if indent is None else "\n", indent or 0)


def _dumped(value, line, step):
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return page.quoted(value)
    if isinstance(value, float) and not _math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, (int, float)):
        return represented(value)
    inner = line + " " * step if line else ""
    between = "," + inner if line else ", "
    if isinstance(value, dict):
        parts = [page.quoted(text(k)) + ": " + _dumped(v, inner, step) for k, v in value.items()]
        return "{" + inner + between.join(parts) + line + "}" if parts else "{}"
    parts = [_dumped(one, inner, step) for one in value]
    return "[" + inner + between.join(parts) + line + "]" if parts else "[]"


class Packed:
    """The content of a file of the package, which the build wrote down as a dictionary."""

    def __init__(self, name):
        self.name = name

    def read(self):
        return getattr(__import__(FILES[self.name]), "CONTENT")


HELD = {}
"""What the reader pasted, by the name of the file that it stands for."""


class Path:
    """A place; the only files in a browser are those that the package brings."""

    def __init__(self, place):
        self.place = text(place)
        self.name = "" if self.place == "." else self.place.split("/")[-1]
        self.suffix = "." + self.name.split(".")[-1] if "." in self.name[1:] else ""
        self.stem = self.name[: -len(self.suffix)] if self.suffix else self.name

    def with_name(self, name):
        return Path(self.place[: -len(self.name)] + name if self.name else name)

    @property
    def parent(self):
        return Path(self.place[: -len(self.name) - 1] if "/" in self.place else ".")

    def __truediv__(self, name):
        return Path(name if self.place == "." else self.place + "/" + name)

    def __repr__(self):
        return self.place

    def is_dir(self):
        return False

    def is_file(self):
        return self.place in HELD or self.name in FILES

    def iterdir(self):
        return []

    def glob(self, pattern):
        return []

    def resolve(self):
        return self

    def read_text(self, encoding="utf-8"):
        if self.place in HELD:
            return methods.removeprefix(HELD[self.place], "\ufeff")
        if self.name not in FILES:
            raise ValueError("no such file")
        return Packed(self.name)


class struct:
    @staticmethod
    def unpack(form, content):
        import struct as own

        return own.unpack(form, content)

    @staticmethod
    def pack(form, *values):
        import struct as own

        return own.pack(form, *values)

    @staticmethod
    def calcsize(form):
        import struct as own

        return own.calcsize(form)


def import_module(name):
    __import__(name)
    return sys.modules[name]
