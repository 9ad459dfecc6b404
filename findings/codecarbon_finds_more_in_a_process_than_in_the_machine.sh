#!/usr/bin/env bash
# codecarbon 3.3.2 where the CPU has no meter that it may read (a cloud machine, a container): energy of one program
# that runs alone on the machine, asked for by tracking_mode="machine" and by tracking_mode="process".
#
# Guess: the machine's energy is at least that of the process, which is a part of it.
# Found: at half load the process has 2.35 times the energy of the machine. The machine takes 10% of its TDP and 90% of
# the cube of its load, the process its share of the TDP, in proportion; they agree at full load, and below a tenth of
# it, where the floor counts, the machine has more.
#
# psutil's clocks stand in for a machine of which a set share is busy, all of it by the program that is tracked.
# Python 3.11 to 3.13 on Linux, a package index, a minute; no network at run time.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet codecarbon==3.3.2 psutil==7.2.2
cat > ask.py <<'PY'
import time
from importlib.metadata import version
from unittest import mock

import psutil
from codecarbon import OfflineEmissionsTracker

TDP, CORES = 100, psutil.cpu_count()
Machine, Process = type(psutil.cpu_times()), type(psutil.Process().cpu_times())


def times(kind, **seconds):
    return kind(**(dict.fromkeys(kind._fields, 0.0) | seconds))


def watts(share, mode):
    """Mean power of the CPU over some seconds with this share of all cores busy."""

    def machine(percpu=False):
        now = time.time()
        return times(Machine, user=share * CORES * now, idle=(1 - share) * CORES * now)

    def program(process):
        return times(Process, user=share * CORES * time.time())

    with (
        mock.patch("psutil.cpu_times", machine),
        mock.patch("psutil.Process.cpu_times", program),
        mock.patch("psutil.Process.children", lambda process, recursive=False: []),
    ):
        tracker = OfflineEmissionsTracker(
            country_iso_code="FRA", tracking_mode=mode, force_mode_cpu_load=True, force_cpu_power=TDP,
            measure_power_secs=1, save_to_file=False, allow_multiple_runs=True, log_level="critical",
        )
        tracker.start()
        time.sleep(5)
        tracker.stop()
        data = tracker.final_emissions_data
        return 3.6e6 * data.cpu_energy / data.duration


print("codecarbon", version("codecarbon"), f"a CPU of {TDP} W")
for share, expected in ((0.05, 0.5), (0.25, 2.19), (0.5, 2.35), (0.75, 1.56), (1.0, 1.0)):
    machine, process = watts(share, "machine"), watts(share, "process")
    print(f"{share:.0%} busy: machine {machine:.1f} W, process {process:.1f} W, ratio {process / machine:.2f}")
    assert abs(process / machine / expected - 1) < 0.05
PY
venv/bin/python -W ignore ask.py 2>/dev/null
echo "as found"
