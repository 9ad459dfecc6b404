"""Blocks alone, by their papers' sizes, and a mixer and a feed-forward that the library does not know."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
from click.testing import CliRunner

from llm_economics import checkpoints
from llm_economics.cli import main
from llm_economics.evidence import calibration
from llm_economics.evidence.search import Workload, search
from llm_economics.formulas import architecture, serving
from llm_economics.formulas.architecture import Architecture, parameters, stacked
from llm_economics.formulas.blocks import (
    Block,
    CompressedAttention,
    Dense,
    Experts,
    GroupedAttention,
    LatentAttention,
    Layer,
    Reach,
    Weight,
    vector,
)
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.formulas.hardware import Accelerator, Link, System
from llm_economics.formulas.recurrences import (
    DeltaNet,
    KimiDelta,
    LightningAttention,
    Mamba,
    Mamba2,
    RecurrentUnit,
    ShortConvolution,
)

HIDDEN = 64
CHIP = Accelerator("chip", 80e9, 3.35e12, {"bf16": 1e15})
EIGHT = System("eight", CHIP, 8, 8, Link("fast", 450e9, 2e-6))


def matrices(block: Block) -> int:
    return sum(weight.parameters for weight in block.weights(HIDDEN) if weight.product)


def others(block: Block) -> int:
    return sum(weight.parameters for weight in block.weights(HIDDEN) if not weight.product)


def values(block: Block) -> int:
    return sum(reach.values for reach in block.reaches)


ALONE = {  # block: matrices, other parameters, cache values a token, state values (16 bits, FP32)
    "multi-head": (GroupedAttention(heads=4, kv_heads=4, head_dim=10), 4 * 64 * 40, 0, 80, 0),
    "grouped": (GroupedAttention(heads=4, kv_heads=2, head_dim=10), 2 * 64 * (40 + 20), 0, 40, 0),
    "biases": (
        GroupedAttention(heads=4, kv_heads=2, head_dim=10, qkv_bias=True, output_bias=True, sinks=True),
        7680,
        40 + 20 + 20 + 64 + 4,
        40,
        0,
    ),
    "norms": (GroupedAttention(heads=4, kv_heads=2, head_dim=10, qk_norm="head"), 7680, 20, 40, 0),
    "wide norms": (GroupedAttention(heads=4, kv_heads=2, head_dim=10, qk_norm="full"), 7680, 60, 40, 0),
    "latent": (
        LatentAttention(heads=4, rank=20, nope=6, rope=2, value_dim=5),
        64 * 32 + 64 * 22 + 20 * 4 * 11 + 20 * 64,
        20,
        22,
        0,
    ),
    "latent, queries too": (
        LatentAttention(heads=4, rank=20, nope=6, rope=2, value_dim=5, query_rank=12, down_bias=True),
        64 * 12 + 12 * 32 + 64 * 22 + 20 * 4 * 11 + 20 * 64,
        20 + 12 + 12 + 22,
        22,
        0,
    ),
    "mamba": (
        Mamba(width=128, state_size=8, conv_width=4, dt_rank=3),
        64 * 256 + 128 * 4 + 128 * 19 + 3 * 128 + 128 * 64,
        128 * 8 + 128 + 128 + 3 + 16 + 128,
        0,
        (128 * 4, 128 * 8),
    ),
    "recurrent": (
        RecurrentUnit(width=96, n_blocks=4, conv_width=4),
        3 * 64 * 96 + 2 * 96 * 24 + 96 * 4,
        6 * 96 + 64,
        0,
        (96 * 3, 96),
    ),
    "mamba 2": (
        Mamba2(heads=8, head_dim=16, groups=2, state_size=8, conv_width=4),
        64 * (2 * 128 + 32 + 8) + 160 * 4 + 128 * 64,
        3 * 8 + 160 + 128,
        0,
        (160 * 4, 128 * 8),
    ),
    "delta": (
        DeltaNet(key_heads=2, value_heads=4, key_dim=6, value_dim=10, conv_width=4),
        64 * (24 + 40 + 40 + 8) + 64 * 4 + 40 * 64,
        4 + 4 + 10,
        0,
        (64 * 4, 4 * 6 * 10),
    ),
    "delta with a decay a feature": (
        KimiDelta(heads=3, head_dim=6, conv_width=4),
        4 * 64 * 18 + 3 * 18 * 4 + 2 * (64 * 6 + 6 * 18) + 64 * 3,
        18 + 3 + 6,
        0,
        (3 * 18 * 4, 3 * 36),
    ),
    "lightning": (LightningAttention(heads=4, head_dim=10), 5 * 64 * 40, 40, 0, (4 * 100, 0)),
    "convolution": (ShortConvolution(taps=3, width=64), 4 * 64 * 64 + 64 * 3, 0, 0, (64 * 3, 0)),
    "keys that are values": (
        GroupedAttention(heads=4, kv_heads=2, head_dim=10, source="keys", value_dim=10, gate="head"),
        64 * (40 + 20 + 40 + 4),
        0,
        40,
        0,
    ),
    "indexed": (
        LatentAttention(
            heads=4, rank=20, nope=6, rope=2, value_dim=5, query_rank=12, index_heads=3, index_dim=8, index_tokens=16
        ),
        64 * 12 + 12 * 32 + 64 * 22 + 20 * 4 * 11 + 20 * 64 + 12 * 24 + 64 * 8 + 64 * 3,
        20 + 12 + 16,
        30,
        0,
    ),
    "compressed": (
        CompressedAttention(heads=4, head_dim=16, query_rank=20, output_rank=6, output_groups=2, window=40, ratio=128),
        64 * 20 + 20 * 64 + 64 * 16 + 64 * 6 + 12 * 64 + 2 * 64 * 16,
        20 + 16 + 4 + 128 * 16 + 16,
        16 + 16 / 128,
        0,
    ),
    "latent experts": (
        Experts(width=30, experts=8, per_token=2, gated=False, latent=20, extra_choices=3),
        11 * 64 + 2 * 64 * 20 + 8 * 2 * 20 * 30,
        0,
        0,
        0,
    ),
    "gated": (Dense(width=100), 3 * 64 * 100, 0, 0, 0),
    "plain": (Dense(width=100, gated=False, bias=True), 2 * 64 * 100, 100 + 64, 0, 0),
    "experts": (
        Experts(width=30, experts=8, per_token=2, shared_width=50, shared_gate=True, router_bias=True),
        8 * 64 + 8 * 3 * 64 * 30 + 3 * 64 * 50 + 64,
        8,
        0,
        0,
    ),
}


@pytest.mark.parametrize("name", ALONE)
def test_each_block_alone(name):
    block, matrix, other, cache, state = ALONE[name]
    assert (matrices(block), others(block)) == (matrix, other)
    assert (values(block), (block.state_values, block.wide_state_values)) == (cache, state or (0, 0))
    names = [weight.name for weight in block.weights(HIDDEN)]
    assert len(names) == len(set(names))
    assert all(weight.columns == 1 or weight.rows for weight in block.weights(HIDDEN))
    assert block.shares and all(isinstance(size, int) for size in block.shares.values())


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: GroupedAttention(heads=4, kv_heads=3, head_dim=8), "kv_heads = '3' is not allowed: it must divide"),
        (lambda: GroupedAttention(heads=0, kv_heads=1, head_dim=8), "heads = 0 is not allowed: it must be at least 1"),
        (lambda: Dense(width="wide"), "width = 'wide' is not allowed: it must be a whole number"),
        (lambda: Dense(width=4, gated=1), "gated = '1' is not allowed: it must be True or False"),
        (lambda: Experts(width=4, experts=4, per_token=5), "per_token = 5 is not allowed"),
        (lambda: RecurrentUnit(width=9, n_blocks=2, conv_width=4), "width = '9' is not allowed: it must be a multiple"),
        (lambda: Layer(None, Dense(width=4), norm="batch"), "norm = 'batch' is not allowed"),
    ],
)
def test_impossible_blocks_are_refused_in_one_line(make, line):
    with pytest.raises(ParameterError) as error:
        make()
    assert str(error.value).startswith(line)
    assert "\n" not in str(error.value)


# A mixer and a feed-forward of our own: keys are shared by pairs of tokens and a running mean goes beside them; the
# feed-forward looks its input up in a table.


@dataclass(frozen=True, kw_only=True)
class PairedAttention(Block):
    """One key for two tokens, the last 32 tokens whole, and a running mean."""

    width: int

    def weights(self, hidden):
        return (
            Weight("pairs.in", "attention", 3 * self.width, hidden),
            Weight("pairs.out", "attention", hidden, self.width),
            vector("pairs.scale", "norms", self.width),
        )

    @property
    def reaches(self):
        pair, near = self.width, 2 * self.width
        return (
            Reach(None, pair, pair, 2 * self.width, 2 * self.width),
            Reach(32, near, near, 4 * self.width, 4 * self.width),
        )

    @property
    def state_values(self):
        return self.width * 10

    @property
    def state_flops(self):
        return 6 * self.width

    @property
    def shares(self):
        return {"pairs": self.width}


@dataclass(frozen=True, kw_only=True)
class Codebook(Block):
    """Sixteen tables, two of which a token reads, and a projection."""

    rank: int

    def weights(self, hidden):
        return (
            Weight("book.pick", "router", 16, hidden),
            Weight("book.tables.*", "experts", hidden, self.rank, 16, 2),
            Weight("book.down", "mlp", self.rank, hidden),
        )


def ours() -> Architecture:
    layer = Layer(PairedAttention(width=4096), Codebook(rank=8192), 3)
    plain = Layer(GroupedAttention(heads=32, kv_heads=8, head_dim=128, window=1024), Dense(width=14336))
    state = Layer(Mamba(width=8192, state_size=16, conv_width=4, dt_rank=256), None, 1)
    return Architecture(
        name="ours",
        hidden_size=4096,
        vocab_size=32000,
        tied_embeddings=False,
        stack=stacked([layer, plain, layer, state] * 8),
    )


def test_own_blocks_are_counted():
    arch, h = ours(), 4096
    count = parameters(arch)
    plain = 2 * h * (4096 + 1024) + 3 * h * 14336 + 2 * h
    mamba = sum(weight.parameters for weight in Mamba(width=8192, state_size=16, conv_width=4, dt_rank=256).weights(h))
    paired = 4 * 4096 * h + 4096 + 16 * h + 16 * h * 8192 + 8192 * h + 3 * h
    assert count.total == 16 * paired + 8 * plain + 8 * (mamba + h) + 2 * 32000 * h + h
    assert count.total - count.active == 16 * 14 * h * 8192
    assert (arch.n_layers, arch.moe_layers, arch.attention_layers) == (32, 16, 24)
    assert architecture.kv_bytes_per_token(arch) == 2 * (16 * 3 * 4096 + 8 * 2 * 1024)
    assert architecture.kv_bytes(arch, 10_000) == 2 * (16 * 4096 * (10_000 + 2 * 32) + 8 * 2048 * 1024)
    weights = architecture.forward_flops_per_token(arch, 1, "weights")
    full = architecture.forward_flops_per_token(arch, 10_000, "full_context")
    assert weights == 2 * architecture.matmul_parameters(arch)
    attended = 16 * 4096 * (2 * 10_000 + 4 * 32) + 8 * 4 * 4096 * 1024
    assert full - weights == attended + 16 * 6 * 4096 + 8 * 2 * 8192 * 16
    assert arch.shares["pairs"] == (4096,)


def test_own_blocks_are_served():
    arch = ours()
    model = serving.model_from_architecture(arch)
    assert model.weight_bytes == architecture.weight_bytes(arch)
    for context in (1, 20, 700, 50_000):
        assert model.kv_bytes(context) == pytest.approx(architecture.kv_bytes(arch, context))
        step = serving.decode(model, EIGHT, 4, context, links=False)
        flops = architecture.forward_flops_per_token(arch, context, "full_context", absorbed=True)
        assert step.flops == pytest.approx(4 * flops)
        read = serving.prefill(model, EIGHT, 1, context).flops
        assert read == pytest.approx(context * architecture.forward_flops_per_token(arch, context, "causal"))
    assert model.state_bytes == architecture.mixer_state_bytes(arch) == 2 * 16 * 40_960 + 8 * 8192 * (16 * 4 + 4 * 2)
    with_state, without = (serving.decode(m, EIGHT, 64, 0, links=False) for m in (model, replace(model, state_bytes=0)))
    assert with_state.bytes_read - without.bytes_read == pytest.approx(64 * model.state_bytes)
    held = serving.capacity(model, EIGHT, 64, 5000)
    cached = replace(model, state_bytes=0.0)
    assert held.kv_bytes - serving.capacity(cached, EIGHT, 64, 5000).kv_bytes == pytest.approx(64 * model.state_bytes)
    batches, contexts = np.array([1.0, 8.0])[:, None], np.array([1.0, 100.0, 1e5])
    many = serving.decode(model, EIGHT, batches, contexts).seconds
    assert many.tolist() == [[serving.decode(model, EIGHT, b, c).seconds for c in contexts] for b in (1.0, 8.0)]


def test_own_blocks_are_searched_and_expected():
    model = serving.model_from_architecture(ours())
    found = search(model, EIGHT, Workload(1000, 200))
    assert len(found) > 1 and found.best()["tokens_per_second_per_accelerator"] > 0
    larger = search(replace(model, state_bytes=1e9), EIGHT, Workload(1000, 200))
    assert larger.counts.feasible < found.counts.feasible
    assert calibration.expected_decode(model, EIGHT, 8, 1000).value_s > serving.decode(model, EIGHT, 8, 1000).seconds


def test_own_blocks_are_printed(monkeypatch, tmp_path):
    def family(fields):
        arch = ours()
        return {name: getattr(arch, name) for name in ("hidden_size", "vocab_size", "tied_embeddings", "stack")}

    file = tmp_path / "config.json"
    file.write_text(json.dumps({"model_type": "gpt2"}), encoding="utf-8")
    monkeypatch.setitem(checkpoints.FAMILIES, "gpt2", family)
    answer = CliRunner().invoke(main, ["model", str(file), "--json"])
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.stdout)
    assert found["total_parameters"] == parameters(ours()).total
    assert found["state_bytes_per_sequence"] == architecture.state_bytes_per_sequence(ours())
    assert all(row["decode_ms"] > 0 for row in found["systems"] if not row["why_not"])
    shown = CliRunner().invoke(main, ["model", str(file), "--system", "H100"]).stdout
    assert f"{parameters(ours()).total:,} in all" in shown
