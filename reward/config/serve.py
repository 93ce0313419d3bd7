"""Settings of ``reward serve``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reward.config.common import Common, Device, Precision, at_least_one, local_policy, need


@dataclass(frozen=True, kw_only=True)
class ServeConfig(Common):
    """Serve a policy as OpenAI's chat completions, or a reward model as scores, until Ctrl-C.

    Attributes:
        policy: What writes completions: a local folder, smollm2-135m, or a name on the Hugging Face Hub.
        model: Folder of the reward model to serve; give this or --policy.
        host: Address to listen on. There is no password: leave it at this machine, or put a proxy with one before it.
        port: Port to listen on; 0 takes a free one.
        name: What the server calls the model; by default the name of the policy or folder.
        max_new_tokens: A completion is cut after so many tokens where the request does not say.
        waiting: Requests that may wait for the one that is worked on; more are told to come back later.
        raw: Of a reward model, give its own scores; by default they are shifted and scaled so that 0 is its training
            mean.
        precision: Number format of the policy's weights; auto takes bfloat16 where this machine computes faster in it.
        device: Where the model runs; auto takes a GPU where there is one.
    """

    policy: str | None = None
    model: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8900
    name: str | None = None
    max_new_tokens: int = 256
    waiting: int = 64
    raw: bool = False
    precision: Precision = "auto"
    device: Device = "auto"

    def __post_init__(self) -> None:
        need((self.policy is None) != (self.model is None), "--policy", "given, or --model, and not both", self.policy)
        if self.policy is not None:
            local_policy(self.policy)
        at_least_one(self, "max_new_tokens", "waiting")
        need(0 <= self.port <= 65535, "--port", "0 to 65535", self.port)
        need(not (self.raw and self.policy), "--raw", "left out with --policy", self.raw)
