"""Folders of checkpoints (``config.json``, files beside it, ``tensors.json``) as one compact file.

    python tests/oracle/pack_checkpoints.py FOLDER [FOLDER ...] > tests/oracle/checkpoints.json

``tensors.json`` holds ``files``: for each file its tensors with data type and shape, as read from the headers that the
tools wrote. Layers and experts that are alike become one entry: ``layers.[0-1].mlp.experts.[0-7].up_proj.weight``.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
from pathlib import Path

NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")


def packed(tensors: dict[str, list]) -> dict[str, str]:
    """Names with ranges, to "dtype rows columns ..."."""
    groups: dict[tuple[str, str], list[tuple[int, ...]]] = {}
    for name, (dtype, shape) in tensors.items():
        key = NUMBER.sub("#", name), " ".join(map(str, [dtype, *shape]))
        groups.setdefault(key, []).append(tuple(map(int, NUMBER.findall(name))))
    found = {}
    for (pattern, what), numbers in groups.items():
        axes = [sorted(set(axis)) for axis in zip(*numbers, strict=True)]
        whole = all(axis == list(range(axis[0], axis[-1] + 1)) for axis in axes)
        if numbers[0] and whole and sorted(numbers) == sorted(itertools.product(*axes)):
            ranges = iter(f"[{axis[0]}-{axis[-1]}]" for axis in axes)
            found[re.sub("#", lambda _, ranges=ranges: next(ranges), pattern)] = what
        else:
            for one in numbers:
                digits = iter(map(str, one))
                found[re.sub("#", lambda _, digits=digits: next(digits), pattern)] = what
    return found


def unpacked(tensors: dict[str, str]) -> dict[str, tuple[str, list[int]]]:
    """The reverse of :func:`packed`."""
    found = {}
    for pattern, what in tensors.items():
        dtype, *shape = what.split()
        parts = re.split(r"\[(\d+)-(\d+)\]", pattern)
        ranges = [range(int(low), int(high) + 1) for low, high in zip(parts[1::3], parts[2::3], strict=True)]
        for numbers in itertools.product(*ranges):
            words = itertools.chain(*itertools.zip_longest(parts[::3], map(str, numbers), fillvalue=""))
            found["".join(words)] = dtype, [int(side) for side in shape]
    return found


def main() -> None:
    """Print the file."""
    rows = {}
    for folder in sorted((path for root in sys.argv[1:] for path in Path(root).iterdir()), key=lambda path: path.name):
        if not (folder / "tensors.json").exists():
            continue
        table = json.loads((folder / "tensors.json").read_text(encoding="utf-8"))
        tensors = {name: what for file in table["files"].values() for name, what in file.items()}
        names = ("config.json", "hf_quant_config.json", "quantization_config.json", "quanto_qmap.json")
        files = {
            name: json.loads((folder / name).read_text(encoding="utf-8")) for name in names if (folder / name).exists()
        }
        assert unpacked(packed(tensors)) == {name: (dtype, shape) for name, (dtype, shape) in tensors.items()}
        rows[folder.name] = {"bytes": table["tensor_bytes"], "files": files, "tensors": packed(tensors)}
    print("{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items()) + "\n}")


if __name__ == "__main__":
    main()
