"""What this machine can do and what this process took of it."""

from __future__ import annotations

import platform
import resource
import sys
import time
from pathlib import Path

import torch

from reward.config.common import Device, Precision

SIZES = (1024, 2048, 4096, 8192)
"""Sides of the square matrices whose product is timed."""
LONGEST = 1.5
"""Seconds that one product may take; larger ones are left out."""
SPENT = 0.3
"""Seconds to spend on each size at least."""
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def pick_device(wanted: Device) -> torch.device:
    """The device that training would take for this wish."""
    if wanted != "auto":
        return torch.device(wanted)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def device_name(device: torch.device) -> str:
    """What the device calls itself."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if device.type == "cpu" and info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def dtype_of(precision: Precision) -> torch.dtype:
    """The number format of matrix products."""
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def now(device: torch.device) -> float:
    """Seconds of a clock that only rises, once the device has done all that it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def matmul_peak(dtype: torch.dtype, device: torch.device) -> float:
    """Operations per second of the fastest product of two square matrices, the best of several sizes and tries."""
    best = 0.0
    for size in SIZES:
        operations = 2.0 * size**3
        if best and operations / best > LONGEST:
            break
        left, right = (torch.full((size, size), 0.5, dtype=dtype, device=device) for _ in range(2))
        out = left @ right  # the first product also chooses the kernel
        started = ended = now(device)
        while ended - started < SPENT:
            before = ended
            torch.mm(left, right, out=out)
            ended = now(device)
            best = max(best, operations / (ended - before))
    return best


def forget_peak(device: torch.device) -> None:
    """Let `peak_bytes` count from here, where the system allows it."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif CLEAR.exists():
        CLEAR.write_text("5", encoding="ascii")  # Linux: proc(5), resets the high-water mark of this process


def peak_bytes(device: torch.device) -> int:
    """The most memory that was in use: allocated on a GPU, else resident in this process.

    Linux carries ``ru_maxrss`` over from the parent when a process starts another, so the mark of the process itself is
    read there.
    """
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    if STATUS.exists():
        line = next(line for line in STATUS.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
