"""What was worked out before, by the digest of what it was made from: files outside the repository that anyone may
delete.

They lie in ``llm-economics`` of the user's cache folder, or where ``LLM_ECONOMICS_CACHE`` says; ``off`` keeps
nothing. A file that is damaged, or a folder that cannot be written, counts as nothing kept.
"""

from __future__ import annotations

import contextlib
import os
import time
from functools import cache
from pathlib import Path

MOST = 4000
"""Files of a kind that are kept; of more, the older half is deleted."""


def folder() -> Path | None:
    """Where files are kept, None if nowhere."""
    asked = os.environ.get("LLM_ECONOMICS_CACHE", "")
    if asked:
        return None if asked == "off" else Path(asked).absolute()
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(home, "llm-economics") if os.path.isabs(home) else None


def key(*parts: str | bytes) -> str:
    """The digest of all that a result was made from."""
    import hashlib  # which loads much, for what is seldom asked

    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()


def read(kind: str, name: str) -> bytes | None:
    """What is kept under a name, None if nothing whole is."""
    import hashlib

    at = folder()
    if at is None:
        return None
    try:
        digest, _, content = (at / kind / name).read_bytes().partition(b"\n")
    except OSError:
        return None
    return content if digest == hashlib.sha256(content).hexdigest().encode() else None


def write(kind: str, name: str, content: bytes) -> None:
    """Keep something under a name, whole or not at all."""
    import hashlib

    at = folder()
    if at is None:
        return
    with contextlib.suppress(OSError):
        (at / kind).mkdir(mode=0o700, parents=True, exist_ok=True)
        _prune(at / kind)
        temporary = at / kind / f"{name}.{os.getpid()}.{time.monotonic_ns()}.tmp"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
            os.replace(temporary, at / kind / name)
        except BaseException:
            os.unlink(temporary)
            raise


@cache
def _prune(at: Path) -> None:
    """Once in a process: delete the older half of too many files."""
    found = list(os.scandir(at))
    if len(found) > MOST:
        found.sort(key=lambda entry: entry.stat().st_mtime)
        for entry in found[: len(found) // 2]:
            with contextlib.suppress(OSError):
                os.unlink(entry.path)
