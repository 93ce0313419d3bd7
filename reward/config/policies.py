"""Settings of ``reward evaluate-policies``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from reward.config.common import Common, Sampling, need


@dataclass(frozen=True, kw_only=True)
class EvaluatePoliciesConfig(Sampling, Common):
    """Compare what policies answer to the same prompts, by people, reward models and checks: metrics.json, report.html.

    Attributes:
        policies: In the order of the steps from one to the next, each as NAME=FILE (a file of reward generate or
            rerank, whose best answer counts), NAME=MODEL (a policy that is sampled here) or the NAME of a judged model.
        steps: Further steps than those from each policy to the next, each as POLICY=BEFORE, such as ppo=sft: what PPO
            gains over the policy that it started from.
        out: Folder for metrics.json, report.html, plots/, answers/ and to-judge.jsonl, groups for people to rank.
        prompts: What policies that are sampled here answer; rows of id and prompt, groups, or a .txt.
        k: Answers per prompt that are sampled.
        judgments: Groups or snapshots in which people ranked, rated or flagged answers; their completions name a model.
        reward: Folders of reward models that judge every answer, such as the one that training optimised.
        gold: Folder of a reward model that no training saw; where the others disagree with it the report says so.
        truthful: Questions in the format of TruthfulQA (its CSV, or JSON with mc1_targets and mc2_targets): MC1 and MC2
            of every policy that is a model.
        truthful_answers: Let the policies also answer these questions, for people to judge.
        toxicity: A text classifier, as a folder or a name on the Hub, whose probability of --toxicity-label is taken.
        toxicity_label: Its label for toxic texts.
        perspective: Also score toxicity by the Perspective API, with the key in the environment variable
            PERSPECTIVE_API_KEY.
        perspective_url: Where the Perspective API, or a service that speaks like it, is served.
        perspective_rate: Requests a second at most.
        slice_by: Win rates within parts of the prompts: length (by their words), or a field of their meta.
        constraints: Prompts with constraints that code can check, in the format of IFEval.
        device: Where models run; auto takes a GPU where there is one.
        seed: Seed of sampling and of the bootstrap behind the intervals.
    """

    policies: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    out: Path
    prompts: str | None = None
    k: int = 1
    judgments: tuple[str, ...] = ()
    reward: tuple[Path, ...] = ()
    gold: Path | None = None
    truthful: Path | None = None
    truthful_answers: bool = False
    toxicity: str | None = None
    toxicity_label: str = "toxic"
    perspective: bool = False
    perspective_url: str = "https://commentanalyzer.googleapis.com"
    perspective_rate: float = 1.0
    slice_by: tuple[str, ...] = ("use_case", "length")
    constraints: Path | None = None

    def __post_init__(self) -> None:
        Sampling.__post_init__(self)
        need(self.k >= 1, "--k", "at least 1", self.k)
        need(bool(self.policies or self.judgments), "--policies", "two or more, or --judgments given", "nothing")
        need(len(self.policies) != 1, "--policies", "two or more", f"one: {' '.join(self.policies)}")
        names = Counter(text.partition("=")[0] for text in self.policies)
        twice = [name for name, count in names.items() if count > 1]
        need(not twice, "--policies", "of different names", f"twice {' '.join(twice)}")
        for text in self.steps:
            need(all(text.partition("=")), "--steps", "written as POLICY=BEFORE", text)
        need(not self.truthful_answers or self.truthful is not None, "--truthful-answers", "with --truthful", "alone")
        need(self.perspective_rate > 0, "--perspective-rate", "above 0", self.perspective_rate)
