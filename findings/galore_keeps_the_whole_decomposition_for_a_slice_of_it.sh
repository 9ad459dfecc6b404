#!/usr/bin/env bash
# GaLore 1.0 (galore-torch), GaLoreAdamW: what does its state take of a Llama whose weights are in FP32?
#
# Guess: the two moments of a gradient of rank r and the projection of r vectors: at a sixteenth of the width some 0.6 B a
# parameter where Adam has 8. In BF16 half of that.
# Found: in BF16 as guessed. In FP32 the projection is a view of the first r vectors of the decomposition, and the view
# keeps all of them in memory: as much as a square matrix itself, at any rank. With it the state takes 2.8 B a parameter,
# over four times what its tensors' elements add up to, and a smaller rank frees little: at a 64th of the width it still
# takes 2.4, fifteen times as much. In BF16 the slice is copied when it is rounded, so the rest is let go.
#
# Python 3.11 to 3.13, a package index, some minutes and up to 6 GB of disk where the index has PyTorch for CUDA alone.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet bitsandbytes==0.50.2 galore-torch==1.0 numpy==2.4.6 tensorly==0.10.0 torch==2.13.0 transformers==5.24.0
cat > ask.py <<'PY'
from importlib.metadata import version

import torch
from galore_torch import GaLoreAdamW
from transformers import LlamaConfig, LlamaForCausalLM

width, tokens = 256, 64

def states(dtype, rank):
    """Bytes a parameter of the projected matrices: Adam's, GaLore's by the shapes of its tensors, and by their memory."""
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(
        hidden_size=width, intermediate_size=688, num_hidden_layers=2, num_attention_heads=4, vocab_size=512,
    )).to(dtype)
    matrices = [p for name, p in model.named_parameters() if name.endswith("proj.weight")]
    group = dict(params=matrices, rank=rank, update_proj_gap=200, scale=0.25, proj_type="std")
    optimizer = GaLoreAdamW([group], lr=1e-3, no_deprecation_warning=True)
    for _ in range(2):
        model(input_ids=torch.arange(tokens)[None], labels=torch.arange(tokens)[None]).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    shapes = memory = 0
    for state in optimizer.state.values():
        for tensor in (state["exp_avg"], state["exp_avg_sq"], state["projector"].ortho_matrix):
            shapes += tensor.nbytes
            memory += tensor.untyped_storage().nbytes()
    count = sum(p.numel() for p in matrices)
    return 2 * matrices[0].itemsize, shapes / count, memory / count

print("galore-torch", version("galore-torch"), "torch", torch.__version__)
found = {}
for dtype in (torch.float32, torch.bfloat16):
    for rank in (width // 16, width // 64):
        found[dtype, rank] = states(dtype, rank)
        adam, shapes, memory = found[dtype, rank]
        print(f"{dtype}, rank {rank}: Adam {adam} B a parameter, GaLore {shapes:.3f} by its shapes, {memory:.3f} in memory")
for rank in (width // 16, width // 64):
    _, shapes, memory = found[torch.bfloat16, rank]
    assert memory == shapes
    _, shapes, memory = found[torch.float32, rank]
    assert memory > 4 * shapes and memory > 2
square = torch.linalg.svd(torch.randn(width, width), full_matrices=False).U[:, :1]
assert square.untyped_storage().nbytes() == width * width * 4  # what it is made of: a view holds all of its storage
PY
venv/bin/python -W ignore ask.py 2>log || { tail -5 log; exit 1; }
echo "as found"
