#!/usr/bin/env bash
# JAX 0.10.2, cost_analysis() of a compiled training step: how much work is in a stack of 32 layers?
#
# Guess: 32 layers' worth, however the stack is written; the length of a scan is known when the step is compiled.
# Found: one layer's. The body of a loop is counted once, so a stack written with lax.scan, as large models are to keep
# compile time down, is told with a 32nd of its FLOPs (and, forward, a 27th of the bytes that it moves). Unrolled by four
# it is four layers; unrolled whole, or written as a Python loop, all 32, at the same result. An MFU from it is too low by
# the depth of the model.
#
# Python 3.11 to 3.13, a package index, a minute.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
JAX_PLATFORMS=cpu venv/bin/python - <<'PY'
import jax
import jax.numpy as jnp

layers, width, tokens = 32, 128, 256
key = jax.random.key(0)
weights = {
    "up": jax.random.normal(key, (layers, width, 4 * width)) / width**0.5,
    "down": jax.random.normal(key, (layers, 4 * width, width)) / width,
}
batch = jax.random.normal(key, (tokens, width))

def layer(x, weight):
    return x + jax.nn.gelu(x @ weight["up"]) @ weight["down"], None

def loss(weights, x, unroll):
    if unroll == "loop":
        for i in range(layers):
            x, _ = layer(x, jax.tree.map(lambda stack: stack[i], weights))
    else:
        x, _ = jax.lax.scan(layer, x, weights, unroll=unroll)
    return (x**2).mean()

def told(step, unroll):
    compiled = jax.jit(step, static_argnums=2).lower(weights, batch, unroll).compile()
    cost = compiled.cost_analysis()
    return cost["flops"], cost["bytes accessed"]

print("jax", jax.__version__)
products = 2 * 2 * tokens * width * 4 * width  # of one layer, forward
for name, step, times in (("forward", loss, 1), ("training step", jax.value_and_grad(loss), 3)):
    found = {}
    for unroll in (1, 4, layers, "loop"):
        flops, moved = told(step, unroll)
        found[unroll] = flops / times / products
        print(f"{name}, unroll {unroll}: {found[unroll]:.2f} layers, {moved / 1e6:.1f} MB accessed")
    assert abs(found[1] - 1) < 0.15 and abs(found[4] - 4) < 0.6 and abs(found["loop"] - layers) < 0.15 * layers
    assert abs(found[layers] - found["loop"]) < 0.05 * layers
results = [jax.jit(loss, static_argnums=2)(weights, batch, unroll).item() for unroll in (1, layers, "loop")]
assert max(results) - min(results) < 1e-3 * max(results)
PY
echo "as found"
