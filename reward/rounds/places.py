"""Where everything of one run of rounds lies.

::

    OUT/prompts/asked.jsonl      prompts to ask about
    OUT/prompts/watched.jsonl    prompts on which a policy is watched while it learns
    OUT/prompts/held_out.jsonl   prompts on which policies are compared
    OUT/prompts/left_out.jsonl   prompts on which they are not, since demonstrations show how to answer them
    OUT/sft                      the first policy
    OUT/round-N/candidates.jsonl what the newest policy wrote
    OUT/round-N/ask.jsonl        what people were asked to rank
    OUT/round-N/snapshot         all rankings up to now
    OUT/round-N/rankings.jsonl   those that the reward model learns from
    OUT/round-N/judged.jsonl     those of the judges, other people
    OUT/round-N/model            the reward model
    OUT/round-N/judge            the reward model that learned from the judges
    OUT/round-N/evaluation       the model against the judges' rankings
    OUT/round-N/policy           the better policy, which writes in round N + 1
    OUT/answers/NAME.jsonl       what each policy answers to held-out prompts
    OUT/comparison               the policies beside each other
    OUT/overoptimisation         what the last policy and best of n gain by the optimised and by another reward model
    OUT/report.html              the run as a whole
    OUT/metrics.json             its figures
    OUT/ledger.jsonl             what each of these was made from
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """The files and folders of a run in ``out``."""

    out: Path

    @property
    def settings(self) -> Path:
        """What the run was started with."""
        return self.out / "rounds.json"

    @property
    def prompts(self) -> Path:
        """Folder of the files of prompts."""
        return self.out / "prompts"

    @property
    def asked(self) -> Path:
        """Prompts to ask about."""
        return self.prompts / "asked.jsonl"

    @property
    def watched(self) -> Path:
        """Prompts on which a policy is watched while it learns."""
        return self.prompts / "watched.jsonl"

    @property
    def held_out(self) -> Path:
        """Prompts on which policies are compared."""
        return self.prompts / "held_out.jsonl"

    @property
    def left_out(self) -> Path:
        """Prompts on which policies are not compared, since demonstrations show how to answer them."""
        return self.prompts / "left_out.jsonl"

    @property
    def comparison(self) -> Path:
        """Folder of the comparison of policies."""
        return self.out / "comparison"

    @property
    def overoptimisation(self) -> Path:
        """Folder of the gains against the distance from the fine-tuned policy."""
        return self.out / "overoptimisation"

    @property
    def metrics(self) -> Path:
        """The figures of the run."""
        return self.out / "metrics.json"

    @property
    def report(self) -> Path:
        """The page about the run."""
        return self.out / "report.html"

    def answers(self, name: str) -> Path:
        """What a policy answers to the held-out prompts."""
        return self.out / "answers" / f"{name}.jsonl"

    def round(self, number: int, name: str) -> Path:
        """A file or folder of a round."""
        return self.out / f"round-{number}" / name

    def policy(self, number: int) -> Path:
        """The policy that a round made; 0 is the fine-tuned one."""
        return self.round(number, "policy") if number else self.out / "sft"
