"""Settings of ``reward generate`` and ``reward rerank``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from reward.config.common import Common, Sampling, local_policy, need


@dataclass(frozen=True, kw_only=True)
class GenerateConfig(Sampling, Common):
    """Sample completions of prompts from a policy, as groups to import or to rerank.

    Attributes:
        policy: What writes the completions: a local folder, smollm2-135m, or a name on the Hugging Face Hub.
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
        local_policy(self.policy)


@dataclass(frozen=True, kw_only=True)
class RerankConfig(Sampling, Common):
    """Order candidates by a reward model (best of n), candidates from a file or sampled from a policy.

    Attributes:
        model: Folder of the reward model.
        input: Groups with candidates; with --policy also rows of id and prompt, or a .txt with a prompt a line.
        output: File for the groups with score, rank, ranking and best, one a line.
        policy: Sample the candidates of every prompt from this policy; those of the input are left aside.
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
        if self.policy is not None:
            local_policy(self.policy)
