#!/usr/bin/env bash
# ExecuTorch 1.5.1, a language model whose head is its input table (tied), lowered for XNNPACK, its CPU backend: how large
# is the .pte?
#
# Guess: as large as the parameters, each once, as the exported program and the .pte without a backend are.
# Found: the table is stored twice, in FP32 and in FP16: the head goes to XNNPACK, which takes a copy of its own into the
# file, the lookup stays outside and keeps the other. With a table of 62% of the parameters, as in Gemma 3 270M, the file is
# 1.62 times as large. In BF16, whose products XNNPACK leaves to other kernels, and without XNNPACK it is there once; with a
# head of its own the file is the parameters in each case.
#
# Python 3.11 to 3.13 on Linux, a package index, some minutes and up to 6 GB of disk where the index has PyTorch for CUDA
# alone.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet executorch==1.5.1 numpy==2.4.6 torch==2.13.0
cat > ask.py <<'PY'
from importlib.metadata import version

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower

WORDS, WIDTH, INNER = 4096, 256, 640


class Model(torch.nn.Module):
    def __init__(self, tied):
        super().__init__()
        self.table = torch.nn.Embedding(WORDS, WIDTH)
        self.up = torch.nn.ModuleList(torch.nn.Linear(WIDTH, INNER, bias=False) for _ in range(2))
        self.down = torch.nn.ModuleList(torch.nn.Linear(INNER, WIDTH, bias=False) for _ in range(2))
        self.head = torch.nn.Linear(WIDTH, WORDS, bias=False)
        if tied:
            self.head.weight = self.table.weight

    def forward(self, tokens):
        hidden = self.table(tokens)
        for up, down in zip(self.up, self.down):
            hidden = hidden + down(torch.nn.functional.silu(up(hidden)))
        return self.head(hidden)


torch.manual_seed(0)
print("ExecuTorch", version("executorch"), "PyTorch", torch.__version__, "- size of the .pte over that of the parameters")
ratios = {}
for tied in (False, True):
    for kind in (torch.float32, torch.float16, torch.bfloat16):
        for backend in (None, "XNNPACK"):
            model = Model(tied).to(kind).eval()
            size = sum(parameter.nbytes for parameter in model.parameters())
            program = torch.export.export(model, (torch.zeros(1, 4, dtype=torch.long),))
            lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()] if backend else None)
            ratios[tied, kind, backend] = len(lowered.to_executorch().buffer) / size
            print(f"{'tied' if tied else 'own head'}, {kind}, {backend or 'no backend'}: {ratios[tied, kind, backend]:.3f}")
table = WORDS * WIDTH
share = table / (table + 4 * WIDTH * INNER)
print(f"the table is {share:.0%} of the parameters")
for (tied, kind, backend), ratio in ratios.items():
    twice = tied and backend and kind != torch.bfloat16
    assert abs(ratio - (1 + share if twice else 1)) < 0.02
PY
venv/bin/python -W ignore ask.py 2>log || { tail -5 log; exit 1; }
echo "as found"
