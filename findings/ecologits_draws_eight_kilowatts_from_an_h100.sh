#!/usr/bin/env bash
# EcoLogits 0.11.3: its energy of a token and its time of a token are of one server of H100s with 64 requests at a time;
# how many watts does a card then draw?
#
# Guess: something below the 700 W that the card may draw, for every model of its list.
# Found: 195 to 237 W where it models the time as well (247 models). Where it is given a measured speed (104 models) the
# time shrinks, and neither the energy nor the 64 requests: 84 of these are above 700 W at the low end of their sizes,
# 100 at the high end, Gemini 2.5 Pro up to 8.1 kW. A token alone on the server costs the cards 1.5 times what one among
# 64 does: four cards of a 70B draw 6 W each.
#
# Python 3.11 to 3.13, a package index, a minute.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet ecologits==0.11.3
venv/bin/python - <<'PY'
import math
from importlib.metadata import version

from ecologits.impacts.llm import BATCH_SIZE, compute_llm_impacts_dag
from ecologits.model_repository import ParametersMoE, models
from ecologits.utils.range_value import RangeValue

TOKENS = 1000


def ask(active, total, tps=None, batch=BATCH_SIZE):
    """Watts of one card, cards, joules of all cards for a token."""
    told = compute_llm_impacts_dag(
        active, total, TOKENS, math.inf, 0, 0, 0, 0, datacenter_pue=1, datacenter_wue=0, tps=tps, batch_size=batch
    )
    joules = 3.6e6 * told["gpu_energy"]
    return joules * batch / told["generation_latency"], told["gpu_required_count"], joules * told["gpu_required_count"] / TOKENS


def ends(value):
    return (value.min, value.max) if isinstance(value, RangeValue) else (value, value)


print("ecologits", version("ecologits"), "batch", BATCH_SIZE)
modelled, measured = {}, {}
for model in models.list_models():
    sizes = model.architecture.parameters
    active, total = (sizes.active, sizes.total) if isinstance(sizes, ParametersMoE) else (sizes, sizes)
    tps = model.deployment.tps if model.deployment else None
    watts = [ask(*pair, tps) for pair in zip(ends(active), ends(total))]
    (measured if tps else modelled)[str(model.provider), model.name] = watts
free = [each[0] for pair in modelled.values() for each in pair]
low, high = (sum(pair[end][0] > 700 for pair in measured.values()) for end in (0, 1))
print(f"{len(modelled)} models without a measured speed: {min(free):.0f} to {max(free):.0f} W a card")
print(f"{len(measured)} models with one: {low} above 700 W at the low end of their sizes, {high} at the high end")
for name, pair in sorted(measured.items(), key=lambda item: -item[1][1][0])[:5]:
    print(name[1], "; ".join(f"{cards} cards of {watts:.0f} W, {joules:.0f} J a token" for watts, cards, joules in pair))
alone, among = ask(70, 70, batch=1), ask(70, 70)
print(f"a 70B: alone {alone[2]:.2f} J a token, {alone[0]:.1f} W a card; among {BATCH_SIZE} {among[2]:.2f} J, {among[0]:.0f} W")
assert (len(modelled), len(measured), low, high) == (247, 104, 84, 100)
assert 194 < min(free) and max(free) < 238
assert 8000 < max(pair[1][0] for pair in measured.values()) < 8200
assert 1.4 < alone[2] / among[2] < 1.6 and alone[0] < 7
PY
echo "as found"
