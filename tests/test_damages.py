"""Damage done to copies of ``data/``: whatever is done, whoever loads the file is told, in one line, without checksums.

``python tests/test_damages.py 2000`` tries many and lists those that pass unseen.
"""

import csv
import io
import random
import sys
from collections import Counter
from pathlib import Path

from llm_economics.facts import DATA, CatalogError, store

FILES = sorted(path.stem for path in DATA.glob("*.csv"))
UNITS = {
    "GB": "MB", "MB": "GB", "TB/s": "GB/s", "GB/s": "TB/s", "PB/s": "TB/s", "USD": "cent", "ms": "s", "s": "ms",
    "x": "%", "%": "fraction", "TFLOP/s": "PFLOP/s", "kW": "W", "W": "kW", "hour": "s", "day": "hour",
    "token": "Mtoken",
}  # fmt: skip


def number(cell: str) -> float | None:
    try:
        return float(cell.replace(",", "")) or None
    except ValueError:
        return None


def in_a_cell(kind: str, header: list[str], row: list[str], draw: random.Random) -> bool:
    """Change one cell of the row; False where the row has none for this kind."""
    numbers = [i for i, cell in enumerate(row) if number(cell) and not header[i].endswith(("date", "as_of"))]
    dates = [i for i, cell in enumerate(row) if cell and header[i].endswith(("date", "as_of"))]
    places = {
        "unit": [i for i, cell in enumerate(row) if header[i] == "unit" and cell in UNITS],
        "no such day": dates,
        "after this edition": dates,
        "date in words": dates,
        "no source": [i for i, column in enumerate(header) if column == "source_url"],
    }.get(kind, numbers)
    if not places:
        return False
    i = draw.choice(places)
    row[i] = {
        "a thousand times": lambda: repr(number(row[i]) * 1000),
        "a thousandth": lambda: repr(number(row[i]) / 1000),
        "minus": lambda: f"-{row[i]}",
        "no number": lambda: "many",
        "empty": lambda: "",
        "unit": lambda: UNITS[row[i]],
        "no such day": lambda: "2024-02-31",
        "after this edition": lambda: "2031-05",
        "date in words": lambda: "last year",
        "no source": lambda: draw.choice(["somewhere", "?", "TODO", "htps:/x"]),
    }[kind]()
    return True


CELLS = (
    "a thousand times", "a thousandth", "minus", "no number", "empty", "unit", "no such day", "after this edition",
    "date in words", "no source",
)  # fmt: skip
ROWS = {
    "row lost": lambda rows, i: rows[:i] + rows[i + 1 :],
    "row twice": lambda rows, i: [*rows, rows[i]],
    "end lost": lambda rows, i: rows[:i] if i > 1 else rows[:2],
}
BYTES = {
    "bytes lost": lambda raw, i: raw[: max(i, 200)],
    "not UTF-8": lambda raw, i: raw[:i] + b"\xff" + raw[i:],
    "lines of Windows": lambda raw, i: raw.replace(b"\n", b"\r\n"),
    "a quote more": lambda raw, i: raw[:i] + b'"' + raw[i:],
}


def damaged(name: str, kind: str, draw: random.Random) -> bytes | None:
    """The content of a file with one damage; None where it cannot have this one."""
    raw = (DATA / f"{name}.csv").read_bytes()
    if kind in BYTES:
        return BYTES[kind](raw, draw.randrange(len(raw) - 1))
    rows = list(csv.reader(io.StringIO(raw.decode())))
    i = draw.randrange(1, len(rows))
    if kind in ROWS:
        rows = ROWS[kind](rows, i)
    elif not in_a_cell(kind, rows[0], rows[i], draw):
        return None
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return None if text.getvalue().encode() == raw else text.getvalue().encode()


def unseen(times: int, folder: Path, seed: int = 1) -> list[tuple[str, str]]:
    """File and kind of the damages that pass; anything but one clear line stops it."""
    draw, passed, done = random.Random(seed), [], 0
    while done < times:
        name, kind = draw.choice(FILES), draw.choice([*CELLS, *ROWS, *BYTES])
        content = damaged(name, kind, draw)
        if content is None:
            continue
        done += 1
        path = folder / f"{name}.csv"
        path.write_bytes(content)
        try:
            store._validated_rows(name, folder)
            passed.append((name, kind))
        except CatalogError as error:
            assert str(error).isprintable(), (name, kind, str(error))
        path.unlink()
    return passed


def test_damages_do_not_pass_unseen(tmp_path):
    passed = unseen(200, tmp_path)
    assert len(passed) <= 10, passed  # of 200, where two in a hundred are expected


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        found = unseen(int(sys.argv[1]), Path(folder), seed=2)
    print(f"{len(found)} of {sys.argv[1]} damages pass unseen")
    for (name, kind), times in Counter(found).most_common():
        print(f"{times:4} {name}: {kind}")
