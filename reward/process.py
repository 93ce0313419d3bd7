"""Settings of the operating-system process that decide on the speed of tensors on a CPU; no torch in here."""

from __future__ import annotations

import ctypes
import os
import sys

MMAP_THRESHOLD, TRIM_THRESHOLD, TOP_PAD = (-3, 32 << 20), (-1, 2**31 - 1), (-2, 64 << 20)
"""glibc's numbers for these options of mallopt, and their values in bytes."""


def tune_process() -> None:
    """Set what decides on the speed of tensors on a CPU, before torch is loaded.

    Threads that wait for each other spin briefly, then sleep: on two cores a training step took 11.5 s so, 17.4 s when
    they slept at once, and 12.5 s with the long spin that is the default, but up to 75 s beside another program. Memory
    that was freed is kept for the next tensor (glibc's mallopt): fetching it anew from the system took 5 % of the time.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        for option, value in (MMAP_THRESHOLD, TRIM_THRESHOLD, TOP_PAD):
            mallopt(option, value)
