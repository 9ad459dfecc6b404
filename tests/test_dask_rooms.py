"""The formula rooms on Dask arrays: the same numbers as NumPy, nothing computed early, and memory that stays flat."""

import tracemalloc

import dask
import dask.array as da
import numpy as np
import pytest

from llm_economics.facts import model
from llm_economics.facts.units import Q
from llm_economics.formulas import architecture, cost, elementwise, parallelism, routing, serving, speculation, training
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.formulas.hardware import Accelerator, Link, System
from llm_economics.formulas.parallelism import Split

H100 = Accelerator("H100 SXM", 80e9, 3.35e12, {"bf16": 989.4e12})
SYSTEM = System("64 x H100", H100, 64, 8, Link("NVLink", 450e9, 1e-6), Link("InfiniBand", 50e9, 5e-6))
MIXTURE = serving.model_from_architecture(model("Mixtral 8x7B"))
LATENT = serving.model_from_architecture(model("DeepSeek-V3 (main model)"))
DENSE = serving.model_from_architecture(model("Llama 3 70B (=3.1 70B)"))

BATCH = np.geomspace(1, 4096, 40)[:, None, None]
CONTEXT = np.geomspace(1, 131_072, 30)[None, :, None]
TENSOR, PIPELINE, DATA, EXPERT = np.array([[8.0, 8, 16, 64, 4], [1, 8, 4, 1, 2], [1, 1, 1, 1, 8], [1, 8, 4, 1, 16]])


@pytest.fixture(autouse=True)
def one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def lazy(values):
    return da.from_array(values, chunks=7)


def steps(served, batch, context, tensor, pipeline, data, expert):
    """All that a decode step, a prefill and the memory say."""
    split = Split(tensor=tensor, pipeline=pipeline, data=data, expert=expert)
    token = serving.decode(served, SYSTEM, batch, context, split)
    prompt = serving.prefill(served, SYSTEM, batch, context, split, bound="sum")
    held = serving.capacity(served, SYSTEM, batch, context, split)
    found = [*token.step, token.step.binds, token.mbu, token.mfu, token.tokens_per_second]
    return [*found, prompt.seconds, prompt.mfu, held.missing_bytes, held.max_sequences, held.fits]


@pytest.mark.parametrize("served", [MIXTURE, LATENT, DENSE], ids=lambda served: served.name)
@pytest.mark.parametrize("which", ["batch and context", "splits", "all"])
def test_a_decode_sweep_gives_the_numbers_of_numpy(served, which):
    plain = BATCH, CONTEXT, TENSOR, PIPELINE, DATA, EXPERT
    made = [lazy(v) if which == "all" or (i < 2) == (which != "splits") else v for i, v in enumerate(plain)]
    found = steps(served, *made)
    assert {type(value) for value in found} <= {da.Array, np.ndarray}
    for expected, value in zip(steps(served, *plain), dask.compute(*found), strict=True):
        np.testing.assert_array_equal(value, np.broadcast_to(expected, value.shape))


def test_a_model_may_be_lazy_too():
    experts, chosen = np.array([8.0, 16, 64, 256]), np.array([2.0, 2, 6, 8])
    seconds = [
        serving.decode(
            serving.model_from_parameters("swept", 5e9, 4e9, e, k, moe_layers=30, layers=30, hidden_bytes=8192),
            SYSTEM,
            64,
            4096,
            Split(tensor=8, expert=8),
        ).seconds
        for e, k in ((experts, chosen), (lazy(experts), lazy(chosen)))
    ]
    np.testing.assert_array_equal(seconds[1].compute(), seconds[0])


X, SHARE, COUNT = np.geomspace(1, 1e6, 20), np.linspace(0.05, 0.95, 20), np.arange(1.0, 21)
FORMULAS = {
    "training.training_flops": lambda x, s, n: training.training_flops(x * 1e6, x),
    "training.mfu": lambda x, s, n: training.mfu(x, 1e6, 1.0),
    "training.solve": lambda x, s, n: training.solve("wall_time", flops=x, mfu=s, peak_flops=1e3, accelerators=n),
    "cost.usd_per_million_tokens": lambda x, s, n: cost.usd_per_million_tokens(2.5, n, x, s),
    "cost.rent_breakeven_tokens": lambda x, s, n: cost.rent_breakeven_tokens(2.5, n, x),
    "cost.ownership": lambda x, s, n: cost.ownership(x, n, cost_of_capital=s, power_kw=0.7, usd_per_kwh=s).total,
    "speculation.speedup": lambda x, s, n: speculation.speedup(s, n, s, 1 + s),
    "routing.expected_distinct": lambda x, s, n: routing.expected_distinct(64, n, x),
    "parallelism.training_state": lambda x, s, n: parallelism.training_state(x, n, 2).total,
    "parallelism.activations": lambda x, s, n: parallelism.activation_bytes_per_layer(x, n, 4096, 32, tensor=n),
    "parallelism.group_seconds": lambda x, s, n: parallelism.group_seconds(
        "all-to-all", x, n, 8, SYSTEM.scale_up, SYSTEM.scale_out
    ),
    "serving.balance_batch": lambda x, s, n: serving.balance_batch(1e9, 1e9 * s, 3e12, 1e15, x),
    "architecture.forward_flops": lambda x, s, n: architecture.forward_flops_per_token(model("Mixtral 8x7B"), x),
    "architecture.kv_bytes": lambda x, s, n: architecture.kv_bytes(model("Mixtral 8x7B"), x, n),
}  # fmt: skip


@pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS)
def test_formulas_give_the_numbers_of_numpy(formula):
    found = formula(lazy(X), lazy(SHARE), lazy(COUNT))
    assert isinstance(found, da.Array)
    np.testing.assert_allclose(found.compute(), formula(X, SHARE, COUNT), rtol=1e-14)


def counted(values):
    """A lazy array and the list of chunks that were made of it."""
    made = []

    def chunk(block):
        made.append(block.size)
        return block

    return lazy(values).map_blocks(chunk, dtype=values.dtype, meta=np.empty((0,) * values.ndim)), made


def test_nothing_is_computed_before_it_is_asked_for_and_each_chunk_once():
    batch, made = counted(BATCH[:, 0, 0])
    split = Split(tensor=8, pipeline=8)
    step = serving.decode(MIXTURE, SYSTEM, batch, 4096, split)
    held = serving.capacity(MIXTURE, SYSTEM, batch, 4096, split)
    assert made == []
    dask.compute(step.seconds, step.step.binds, step.mbu, held.fits)
    assert sorted(made) == [5, 7, 7, 7, 7, 7]


def test_a_value_that_is_not_allowed_stops_the_computation_of_its_chunk():
    values = np.array([1.0, 2, 3, 4, 5, 6, 7, 0.5, 9])
    seconds = serving.decode(DENSE, SYSTEM, lazy(values), 4096).seconds
    assert seconds[:7].compute().shape == (7,)
    with pytest.raises(ParameterError, match=r"^batch = 0\.5 is not allowed: it must be at least 1$"):
        seconds.compute()
    with pytest.raises(ParameterError, match=r"^tensor = 0\.5 is not allowed: it must be at least 1$"):
        Split(tensor=lazy(values)).tensor.compute()


def test_checks_and_short_cuts_of_what_cannot_be_seen():
    condition = lazy(np.array([True, False]))
    assert elementwise.every(condition) and not elementwise.known(condition)
    assert elementwise.known(np.array([True, True])) and not elementwise.known(np.array([True, False]))
    assert elementwise.known(True) and not elementwise.known(False)
    quantity = Q(lazy(np.array([1.0, -2.0])), "GB")
    assert elementwise.check_range("size", quantity, 0) is quantity


def peak(batches: int, chunk: int) -> tuple[int, float, int]:
    """Most bytes held at once, the fastest step, and the steps that memory binds, over 20 contexts and 4 splits."""
    tracemalloc.start()
    batch = da.linspace(1, 4096, batches, chunks=chunk)[:, None, None]
    step = serving.decode(MIXTURE, SYSTEM, batch, CONTEXT[:, :20], Split(tensor=TENSOR[:4], pipeline=PIPELINE[:4])).step
    fastest, bound = dask.compute(step.seconds.min(), (step.binds == 0).sum())
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most, float(fastest), int(bound)


def test_memory_stays_flat_however_long_the_sweep():
    peak(50, 50)  # what is imported and cached on first use
    one, few, many = peak(8000, 8000), peak(8000, 800), peak(32_000, 800)
    assert one[1:] == few[1:]
    assert many[1] == few[1] and many[2] == pytest.approx(4 * few[2], rel=0.01)
    assert few[0] < one[0] / 4
    assert many[0] < 1.5 * few[0]
