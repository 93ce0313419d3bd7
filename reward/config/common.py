"""What the settings of several commands share: checks of values, sampling, devices and number formats."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from labeler.errors import UsageError

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "float32", "bfloat16"]
DEFAULT_BASE = "smollm2-135m"


def need(condition: bool, flag: str, rule: str, value: object) -> None:
    """Raise `UsageError` naming the flag and its rule unless the condition holds."""
    if not condition:
        raise UsageError(f"{flag} must be {rule}, not {value}")


def at_least_one(config: object, *fields: str) -> None:
    """Raise `UsageError` for a field that is a number under 1."""
    for field in fields:
        value = getattr(config, field)
        need(not isinstance(value, int) or value >= 1, f"--{field.replace('_', '-')}", "at least 1", value)


@dataclass(frozen=True, kw_only=True)
class Common:
    """Settings of every command.

    Attributes:
        progress: Append progress to this file as JSON lines, for programs that watch.
        debug: Show the Python traceback of an error.
    """

    progress: Path | None = None
    debug: bool = False


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How completions are drawn from a policy.

    Attributes:
        temperature: Divides the logits before sampling; 0 takes the most likely token.
        top_p: Sample from the likeliest tokens that together have this probability (nucleus sampling).
        max_new_tokens: A completion is cut after so many tokens.
        seed: Another seed draws other completions; the same seed draws the same ones.
        precision: Number format of the policy's weights; auto takes bfloat16 where this machine computes faster in it.
        device: Where models run; auto takes a GPU where there is one.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    max_new_tokens: int = 256
    seed: int = 0
    precision: Precision = "auto"
    device: Device = "auto"

    def __post_init__(self) -> None:
        need(0 <= self.temperature < float("inf"), "--temperature", "0 or more", self.temperature)
        need(0 < self.top_p <= 1, "--top-p", "above 0 and at most 1", self.top_p)
        need(self.max_new_tokens >= 1, "--max-new-tokens", "at least 1", self.max_new_tokens)


def local_policy(name: str) -> None:
    """Raise `UsageError` for a policy behind a URL, whose weights are not here."""
    if name.startswith(("http://", "https://")):
        raise UsageError(
            f"--policy {name}: this needs the weights of the policy; give a folder, smollm2-135m or a name on the Hub"
        )
