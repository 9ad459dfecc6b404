"""A model as its makers publish it, in the precisions in which it is held and computed.

A model has three precisions: of its weights, of the arithmetic with them, and of the KV cache. Where none is asked for,
the checkpoint decides, and the chip what it can compute in.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_economics.checkpoints.config import is_weights
from llm_economics.checkpoints.config import load as load_config
from llm_economics.checkpoints.families import Config, read
from llm_economics.checkpoints.quantisation import SIDE_FILES, usual
from llm_economics.checkpoints.sizes import is_sized
from llm_economics.checkpoints.stored import Checkpoint, read_checkpoint
from llm_economics.formulas.architecture import Architecture
from llm_economics.formulas.elementwise import ParameterError, check_choice
from llm_economics.formulas.hardware import BYTES_PER_VALUE, SCHEMES, STORED_BYTES, Accelerator, values_in
from llm_economics.formulas.records import record, replace
from llm_economics.formulas.serving import ServedModel, Stored, model_from_architecture

if TYPE_CHECKING:
    from llm_economics.formulas.offers import Formats


@record
class Published:
    """A model as its makers publish it.

    ``architecture`` is None where the model's type is not known and its files alone were read; ``config`` is None for a
    row of ``data/models.csv``; ``checkpoint`` is None where no weights are published. ``positions`` are those that the
    configuration states.
    """

    name: str
    architecture: Architecture | None
    checkpoint: Checkpoint | None
    config: Config | None = None
    positions: int | None = None


def from_files(source: str | Path) -> Published:
    """The model behind a configuration (a path or its text), a file of weights or a folder.

    Raises
    ------
    ParameterError
        If its files are damaged; of a type that is not known with weights beside it, only the architecture is missing.
    """
    path = None if str(source).lstrip().startswith("{") else Path(source)
    place = _config_place(path) if path is not None else source
    config = None
    if place is not None:
        try:
            config = read(place)
        except ParameterError as error:
            if path is None or not _has_weights(path):
                raise
            unknown = str(error)
    stored = source if path is None else place if path.name in SIDE_FILES else path
    found = read_checkpoint(stored, config and config.architecture)
    if config is None and found is None:
        raise ParameterError(f"model = {str(source)[-60:]!r} is not allowed: it holds neither config.json nor weights")
    name = config.architecture.name if config else path.resolve().parent.name if path.is_file() else path.resolve().name
    if config is None and place is not None:
        found = replace(found, warnings=(*found.warnings, f"only its bytes are counted: {unknown.split(';')[0]}"))
    positions = _stated_positions(load_config(place)[0]) if config is not None else None
    return Published(name, config and config.architecture, found, config, positions)


def _stated_positions(config: Mapping[str, Any]) -> int | None:
    inner = config.get("text_config")
    for given in (inner if isinstance(inner, Mapping) else {}, config):
        for key in ("max_position_embeddings", "max_sequence_length", "max_seq_len", "n_positions", "seq_length"):
            if isinstance(given.get(key), int) and given[key] > 0:
                return given[key]
    return None


def _config_place(path: Path) -> Path | None:
    """The configuration that belongs to a path; None where a file of weights has none beside it."""
    if path.is_dir():
        return path if (path / "config.json").is_file() or not _has_weights(path) else None
    if is_weights(path) or is_sized(path) or path.name in SIDE_FILES:
        beside = path.parent / "config.json"
        if path.name in SIDE_FILES and not beside.is_file():
            raise ParameterError(f"model = {path.name!r} is not allowed: it needs the config.json that belongs to it")
        return beside if beside.is_file() else None
    return path


def _has_weights(path: Path) -> bool:
    return any(is_weights(file) or is_sized(file) for file in (path.iterdir() if path.is_dir() else (path,)))


# ---------------------------------------------------------------------------------------------------------------------
# Precisions


@record
class Precisions:
    """In what a model is held and computed; ``as_stored``: the weights are those of the checkpoint, as they are.

    ``weights`` may name a scheme (:data:`hardware.SCHEMES`).
    """

    weights: str
    arithmetic: str
    kv: str
    as_stored: bool


def precisions(
    model: Published,
    chip: Accelerator,
    precision: str | None = None,
    *,
    weights: str | None = None,
    arithmetic: str | None = None,
    kv: str | None = None,
) -> Precisions:
    """The three precisions of a model on a chip.

    Parameters
    ----------
    precision
        Shorthand: weights at it, arithmetic at it where the chip has it and at 16 bits elsewhere, a cache of 16 bits.
    weights, arithmetic, kv
        Override it. Without any of the four the checkpoint decides; of unpublished weights BF16 is assumed.

    Raises
    ------
    ParameterError
        If a name is not known, or the chip has no such arithmetic.
    """
    for name, value, allowed in (
        ("precision", precision, STORED_BYTES),
        ("weights", weights, STORED_BYTES),
        ("kv", kv, BYTES_PER_VALUE),
    ):
        if value is not None:
            check_choice(name, value, allowed)
    stored = model.checkpoint
    held = weights or precision or (stored.weights if stored else "bf16")
    as_stored = stored is not None and is_stored_in(stored, held)
    if arithmetic is None:
        able = values_in(held)
        if as_stored and precision is None and able not in ("bf16", "fp16", "fp32"):
            able = stored.arithmetic  # None: unpacked to 16 bits before it is used
        arithmetic = able if able in chip.peak_flops and able != "int4" else _sixteen_bits(chip)
    else:
        check_choice("arithmetic", arithmetic, BYTES_PER_VALUE)
        chip.peak(arithmetic)
    cache = kv or ("bf16" if precision or weights or stored is None else _cache(stored.kv_scheme))
    return Precisions(held, arithmetic, cache, as_stored)


def formats(
    model: Published, chip: Accelerator, weights: str | None, arithmetic: str | None, kv: str | None
) -> Formats:
    """Formats of a service as options give them; where they do not, those of the model's checkpoint decide.

    Raises
    ------
    ParameterError
        If a name is not known, or the chip has no such arithmetic.
    """
    from llm_economics.formulas.offers import Formats

    how = precisions(model, chip, weights=weights, arithmetic=arithmetic, kv=kv)
    return Formats(how.weights, how.arithmetic, how.kv)


def _sixteen_bits(chip: Accelerator) -> str:
    return next((name for name in ("bf16", "fp16") if name in chip.peak_flops), next(iter(chip.peak_flops)))


def _cache(scheme: str | None) -> str:
    return {"nvfp4": "fp4", "fp4": "fp4", "fp8": "fp8", "int8": "int8", "int4": "int4"}.get(scheme or "", "bf16")


def stored_as(model: Published, weights: str) -> Checkpoint:
    """The bytes of a model at a precision or in a scheme: its own checkpoint's, or those of the usual scheme."""
    if model.checkpoint is not None and is_stored_in(model.checkpoint, weights):
        return model.checkpoint
    check_choice("weights", weights, STORED_BYTES)
    return read_checkpoint(usual(weights, model.architecture.n_experts > 0), model.architecture)


_SPOKEN = {"w4a16": "compressed-tensors int4", "mxfp4": "experts fp4"}
"""How a checkpoint's scheme says one of :data:`hardware.SCHEMES` where it does not name it."""


def is_stored_in(checkpoint: Checkpoint, weights: str) -> bool:
    """Whether a checkpoint stores its weights in that format or scheme."""
    if weights not in SCHEMES:
        return checkpoint.weights == weights
    scheme = checkpoint.scheme.lower()
    return (weights in scheme or _SPOKEN.get(weights, weights) in scheme) and checkpoint.weights == SCHEMES[weights]


def served(model: Published, how: Precisions) -> ServedModel:
    """What serving needs to know of a model at its precisions, with the bytes that are stored.

    Layers that predict further tokens are not held; encoders of pictures are held and not read.
    """
    base, checkpoint = model_from_architecture(model.architecture, kv=how.kv), stored_as(model, how.weights)
    held = _held(base, checkpoint, how.weights)
    sizes = {name: getattr(held, name) for name in ("common_bytes", "expert_bytes", "lookup_bytes", "padding")}
    return replace(base, shares=replace(base.shares, block=max(checkpoint.block)), **sizes)


def _held(base: ServedModel, checkpoint: Checkpoint, weights: str) -> Stored:
    """The bytes of a checkpoint by what they are for; ``base`` is counted in 16 bits."""
    parts = checkpoint.parts
    experts, common, each = parts.get("experts", 0), parts.get("common", 0), 0.0
    if base.experts:
        each = experts / base.experts
    else:
        common += experts
    lookup = parts.get("lookup", 0) + parts.get("vision", 0)
    padding = _mxfp4_padding(base) if checkpoint.scheme.startswith("mxfp4") else 0.0
    outside = checkpoint.outside if base.experts else values_in(weights)
    wide = min(checkpoint.wide, common) if BYTES_PER_VALUE[values_in(weights)] < 2 else common
    return Stored(weights, outside, common, each, lookup, padding, checkpoint.scheme, wide)


def counted(model: Published, kv: str = "bf16") -> ServedModel:
    """A model counted in 16 bits, that knows what it takes in every narrower format and scheme.

    Raises
    ------
    ParameterError
        If only the bytes of its files are known.
    """
    base = in_precisions(model, "bf16", kv)
    plain = model_from_architecture(model.architecture)
    narrow = [name for name, size in STORED_BYTES.items() if size < 2]
    return replace(base, stored=tuple([_held(plain, stored_as(model, name), name) for name in narrow]))


def _mxfp4_padding(model: ServedModel) -> float:
    """What vLLM's kernels for MXFP4 add to experts: rows to multiples of 128, columns to 256 (logged for gpt-oss)."""
    hidden, width = model.hidden_bytes / 2, max(model.shares.expert_widths, default=0)
    if not hidden or not width:
        return 0.0
    return -(-hidden // 256) * 256 / hidden * (-(-width // 128) * 128 / width) - 1


def in_precisions(model: Published, weights: str, kv: str) -> ServedModel:
    """A model with weights and cache of these precisions.

    Raises
    ------
    ParameterError
        If only the bytes of its files are known.
    """
    if model.architecture is None:
        raise ParameterError(f"model = {model.name[:60]!r} is not allowed: {model.checkpoint.warnings[-1]}")
    return served(model, Precisions(weights, weights, kv, False))
