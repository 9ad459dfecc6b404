#!/usr/bin/env bash
# sinq 0.2.0 (a quantiser that transformers 5.24.0 calls): what does a Python load that has not imported it?
#
# Guess: nothing; a library does its work once it is imported.
# Found: the wheel brings a top-level sitecustomize.py, so every Python of the environment, "python -c pass" and pip
# among them, imports torch and transformers before its first line: thousands of modules where it would load some
# dozens; what is measured of starts or memory in such an environment holds that. SINQ_AUTO_PATCH=0 turns the imports
# off.
#
# Python 3.11 to 3.13, a package index, some minutes and up to 6 GB of disk where the index has PyTorch for CUDA alone.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet accelerate==1.15.0 datasets==5.2.0 numpy==2.4.6 torch==2.13.0 transformers==5.24.0
ask='import sys; print(*(name in sys.modules for name in ("torch", "transformers", "sinq")), len(sys.modules) > 1000)'
ask() { venv/bin/python -W ignore -c "$ask" 2>/dev/null | tail -1; }
before=$(ask)
venv/bin/pip install --quiet --no-deps sinq==0.2.0
after=$(ask)
off=$(SINQ_AUTO_PATCH=0 ask)
venv/bin/python -m pip list 2>/dev/null | grep -i "^sinq"
echo "loaded at the start: torch, transformers, sinq; more than 1,000 modules"
echo "without sinq:        $before"
echo "with sinq:           $after"
echo "SINQ_AUTO_PATCH=0:   $off"
test "$before" = "False False False False"
test "$after" = "True True True True"
test "$off" = "False False True False"
echo "as found"
