"""Which number format of matrix products suits this machine."""

from __future__ import annotations

import time
from statistics import median

import torch

from labeler.errors import UsageError
from reward.config.common import Precision


def pick_precision(wanted: Precision, device: str) -> Precision:
    """The number format of matrix products; ``auto`` is bfloat16 where this machine computes faster in it.

    Raises:
        UsageError: the device is not there.
    """
    if (device == "cuda" and not torch.cuda.is_available()) or (
        device == "mps" and not torch.backends.mps.is_available()
    ):
        raise UsageError(f"--device {device}: this machine has none; use --device auto")
    if wanted != "auto":
        return wanted
    if device != "cpu" and torch.cuda.is_available():
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    if device != "cpu" and torch.backends.mps.is_available():
        return "float32"
    return "bfloat16" if product_seconds(torch.float32) > 1.3 * product_seconds(torch.bfloat16) else "float32"


def product_seconds(dtype: torch.dtype, size: int = 768, repeats: int = 5) -> float:
    """Median wall time of a matrix product on the CPU."""
    matrix = torch.ones(size, size, dtype=dtype)
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        torch.mm(matrix, matrix)
        times.append(time.perf_counter() - started)
    return median(times)
