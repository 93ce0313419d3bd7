"""Settings of ``reward generate`` and ``reward rerank``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from reward.config.common import Common, Sampling, need


@dataclass(frozen=True, kw_only=True)
class Remote:
    """How a policy behind a URL is asked.

    Attributes:
        policy_model: Where --policy is a URL, what the server calls the model; may be left out where it has only one.
        key_variable: The environment variable that holds the key for the URL, if it wants one.
        at_once: Requests to the URL that run beside each other.
        requests_per_minute: Requests to the URL that may start in a minute; by default as many as there are.
        timeout: Seconds to wait for an answer of the URL.
        retries: How often a request is tried again, ever later, when the URL is busy or away.
    """

    policy_model: str | None = None
    key_variable: str = "OPENAI_API_KEY"
    at_once: int = 8
    requests_per_minute: float | None = None
    timeout: float = 300.0
    retries: int = 6

    def check(self, policy: str | None) -> None:
        """Raise `UsageError` for a value out of its range."""
        need(self.at_once >= 1, "--at-once", "at least 1", self.at_once)
        need(
            self.requests_per_minute is None or self.requests_per_minute > 0, "--requests-per-minute", "above 0", "less"
        )
        need(self.timeout > 0, "--timeout", "above 0", self.timeout)
        need(self.retries >= 0, "--retries", "0 or more", self.retries)
        remote = policy is not None and is_url(policy)
        need(
            remote or self.policy_model is None,
            "--policy-model",
            "left out where --policy is no URL",
            self.policy_model,
        )
        need(not remote or "@" not in str(policy), "--policy", "a URL without a password", "one with it")


def is_url(policy: str) -> bool:
    """Whether a policy is a server's address rather than a model."""
    return policy.startswith(("http://", "https://"))


@dataclass(frozen=True, kw_only=True)
class GenerateConfig(Remote, Sampling, Common):
    """Sample completions of prompts from a policy, as groups to import or to rerank.

    Attributes:
        policy: What writes the completions: a local folder, smollm2-135m, a name on the Hugging Face Hub, or the URL of
            a server with OpenAI's chat completions (http://…/v1).
        prompts: Group files, rows of id and prompt, any format that import reads, or a .txt with a prompt a line.
        k: Completions per prompt.
        output: File for the groups, one a line.
        name: What the completions give as their model; by default the name of the policy.
        limit: Take only the first so many prompts.
        resume: Continue an output that was cut; --no-resume starts over. Either way the finished file is the same.
    """

    policy: str
    prompts: str
    k: Annotated[int, arg(aliases=("--n",))] = 4
    output: Path
    name: str | None = None
    limit: int | None = None
    resume: bool = True

    def __post_init__(self) -> None:
        Sampling.__post_init__(self)
        need(self.k >= 1, "--k", "at least 1", self.k)
        need(self.limit is None or self.limit >= 1, "--limit", "at least 1", self.limit)
        need(self.output.suffix != ".gz", "--output", "a plain file, since it is continued line by line", self.output)
        self.check(self.policy)


@dataclass(frozen=True, kw_only=True)
class RerankConfig(Remote, Sampling, Common):
    """Order candidates by a reward model (best of n), candidates from a file or sampled from a policy.

    Attributes:
        model: Folder of the reward model.
        input: Groups with candidates; with --policy also rows of id and prompt, or a .txt with a prompt a line.
        output: File for the groups with score, rank, ranking and best, one a line.
        policy: Sample the candidates of every prompt from this policy, as for reward generate; those of the input are
            left aside.
        n: Candidates per prompt to sample from the policy.
        raw: Give the model's own scores; by default they are shifted and scaled so that 0 is its training mean.
        page: Also write an HTML page here that shows the best and the worst candidate of each prompt.
    """

    model: Path
    input: str
    output: Path
    policy: str | None = None
    n: int = 4
    raw: bool = False
    page: Path | None = None

    def __post_init__(self) -> None:
        Sampling.__post_init__(self)
        need(self.n >= 1, "--n", "at least 1", self.n)
        self.check(self.policy)
