"""Splits that exist: which degrees of parallelism a model's own numbers leave to an engine.

Serving engines cut attention by heads, MLPs by columns, tables by rows of a padded vocabulary and experts one by one;
pipeline stages hold whole layers. A degree that leaves a remainder is refused by vLLM 0.11 and SGLang 0.5 (`divide`
in their layers), or served with padded heads and columns by some others. Numbers or arrays throughout.
"""

from __future__ import annotations

from typing import Any

from llm_economics.formulas.elementwise import ceil, maximum
from llm_economics.formulas.records import record

VOCABULARY_BLOCK = 64
"""Rows that engines round the vocabulary up to (vLLM: ``DEFAULT_VOCAB_PADDING_SIZE``)."""


@record
class Shares:
    """What a model has that a split must divide.

    Parameters
    ----------
    numbers
        Pairs of a name and a number that a tensor degree must divide: heads, widths, channels.
    kv_heads
        Key-value heads: the degree divides them, or they divide it and are copied. Empty: no limit.
    expert_widths
        Widths of one expert that the accelerators sharing it must divide.
    block
        Columns of a quantised matrix that belong together; what a tensor degree leaves of a width must be whole blocks.
    vocabulary
        Rows of the tables; 0 if not known.
    experts, layers
        Routed experts of a layer, and layers; 0 if there are none, or they are not known.
    known
        Whether the heads are known. If not, whoever looks for splits had better try powers of two alone.
    """

    numbers: tuple[tuple[str, int], ...] = ()
    kv_heads: tuple[int, ...] = ()
    widths: tuple[int, ...] = ()
    expert_widths: tuple[int, ...] = ()
    block: int = 1
    vocabulary: int = 0
    experts: int = 0
    layers: int = 0
    known: bool = True

    def divided(self, tensor, expert_tensor=1):
        """Whether engines cut the model into ``tensor`` parts and each expert into ``expert_tensor``."""
        good = (tensor >= 1) & (expert_tensor >= 1)
        for number in (number for _, number in self.numbers):
            good = good & (number % tensor == 0)
        for heads in self.kv_heads:
            good = good & ((heads % tensor == 0) | (tensor % heads == 0))
        for width in self.widths:
            good = good & _whole_blocks(width, tensor, self.block)
        for width in self.expert_widths:
            good = good & _whole_blocks(width, expert_tensor, self.block)
        if self.vocabulary:
            good = good & (ceil(self.vocabulary / VOCABULARY_BLOCK) * VOCABULARY_BLOCK % tensor == 0)
        return good

    def padded(self, tensor):
        """How much more an accelerator holds and computes where heads and widths are padded to a multiple: 1 if none.

        The worst of the model's numbers decides; more parts than heads is no split at all (infinite).
        """
        worst = 0.0 * tensor + 1.0
        for number in (*(number for _, number in self.numbers), *self.widths):
            worst = maximum(worst, ceil(number / tensor) * tensor / number)
        return worst

    def paddable(self, tensor):
        """Whether padding can help: no more parts than there are heads."""
        most = min((number for name, number in self.numbers if name == "heads"), default=None)
        return (tensor >= 1) & (tensor <= most) if most else tensor < 0

    def why_not(self, tensor: int, expert_tensor: int = 1) -> str | None:
        """Why engines refuse a single split, in words; None if they do not."""
        for name, number in self.numbers:
            if number % tensor:
                return f"{tensor} does not divide the {number:,} {name}"
        for heads in self.kv_heads:
            if heads % tensor and tensor % heads:
                return f"{tensor} goes with no copies of the {heads:,} key-value heads"
        for widths, parts, what in (
            (self.widths, tensor, "width"),
            (self.expert_widths, expert_tensor, "expert width"),
        ):
            for width in widths:
                if not _whole_blocks(width, parts, self.block):
                    blocks = f" in whole blocks of {self.block:,}" if self.block > 1 and width % parts == 0 else ""
                    return f"{parts} does not divide the {what} of {width:,}{blocks}"
        if self.vocabulary and -(-self.vocabulary // VOCABULARY_BLOCK) * VOCABULARY_BLOCK % tensor:
            return f"{tensor} does not divide the padded vocabulary of {self.vocabulary:,}"
        return None


NOTHING_KNOWN = Shares(known=False)
"""A model of which only counts are known."""


def fullest_stage(layers, pipeline) -> Any:
    """Layers of the fullest of ``pipeline`` stages ÷ the mean: stages hold whole layers. 1 without layers."""
    if not layers:
        return 1.0
    return ceil(layers / pipeline) * pipeline / layers


def in_machine(tensor, instance, accelerators, domain_size):
    """Whether an instance fits into a machine and no tensor group straddles two domains of the fast link."""
    within = (instance <= domain_size) | (domain_size % tensor == 0) | (tensor % domain_size == 0)
    return (instance <= accelerators) & within


def _whole_blocks(width, parts, block):
    return (width % parts == 0) & ((parts == 1) | ((width / parts) % block == 0))
