"""Everything that one evaluation of policies found, with its plain sentences, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any

from reward.policies.constraints import ConstraintRates
from reward.policies.judges import Judge
from reward.policies.measures import Estimate
from reward.policies.opinions import FlagRate
from reward.policies.sliced import FEW_POLICIES, Sliced
from reward.policies.slices import Slice
from reward.policies.steps import PREFERRED, Parting, Step
from reward.policies.toxicity import ToxicityRates
from reward.policies.truthful import Truthfulness

ARRAYS = ("measure", "tallies")
"""Fields of a judge that are not told, since everything else comes from them."""


@dataclass(frozen=True)
class Found:
    """The findings.

    Attributes:
        names: of the policies, in order. answers: how many each has. prompts: how many different ones there are.
        judges: people first, then reward models, the gold one last.
        flags: rates per policy; empty where nobody was asked.
        length: mean characters per policy. partings: where reward models and the gold one disagree on a step.
        truthfulness: MC1 and MC2 of the policies that are models. toxicity: by each classifier.
        constraints: followed, as code checks. slices: kinds of prompts, all together first.
        sliced: every judge's win rates by properties of the prompts.
        worth: what the means of the slices are, in words; empty without a judge.
        checks: steps by what code and classifiers found.
        notes: what a reader must know before quoting the figures.
    """

    names: tuple[str, ...]
    answers: tuple[int, ...]
    prompts: int
    judges: tuple[Judge, ...]
    flags: tuple[FlagRate, ...]
    length: tuple[Estimate, ...]
    partings: tuple[Parting, ...]
    truthfulness: tuple[Truthfulness, ...] = ()
    toxicity: tuple[ToxicityRates, ...] = ()
    constraints: ConstraintRates | None = None
    slices: tuple[Slice, ...] = ()
    sliced: tuple[Sliced, ...] = ()
    worth: str = ""
    checks: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()

    def steps(self) -> Iterator[Step]:
        """All judges' steps, then those of the checks."""
        for judge in self.judges:
            yield from judge.steps
        yield from self.checks

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}


def _plain(value: Any) -> Any:
    if isinstance(value, Judge):
        told = {field.name: _plain(getattr(value, field.name)) for field in fields(value) if field.name not in ARRAYS}
        return told.pop("head") | told
    if isinstance(value, Step):
        return asdict(value) | {"outcome": value.outcome}
    if isinstance(value, Parting):
        return asdict(value) | {"verdict": value.verdict}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value


def headline(found: Found) -> str:
    """One or two plain sentences: does each policy improve on the last, by the most trustworthy judge there is."""
    if not found.judges:
        return f"{len(found.names)} policies answered {found.prompts} prompts; nobody judged the answers."
    judge = found.judges[0] if found.judges[0].head.kind == "people" else found.judges[-1]
    if len(found.names) > FEW_POLICIES and judge.strengths:
        return best_of_many(judge)
    main = [step for step in judge.steps if step.figure == PREFERRED]
    if not main:
        return f"{len(found.names)} policies answered {found.prompts} prompts; no step was judged on enough of them."
    return f"By {judge.name}: " + "; ".join(step_in_words(step, judge) for step in main) + "."


def best_of_many(judge: Judge) -> str:
    """Who comes first of many, with the Bradley–Terry scores of the first three."""
    first = sorted(judge.strengths, key=lambda strength: -strength.score)[:3]
    told = ", ".join(f"{each.policy} ({f'{each.score:+.2f}'.replace('-', '−')})" for each in first)
    return (
        f"By {judge.name}, of {len(judge.strengths)} policies these come first: {told}; scores in nats, 0 is the mean."
    )


def step_in_words(step: Step, judge: Judge) -> str:
    """``sft is better than base (preferred in 61.2 %, 55.0 to 67.1)``."""
    rate = judge.rate(step.policy, step.before)
    told = {
        "better": f"{step.policy} is better than {step.before}",
        "worse": f"{step.policy} is worse than {step.before}",
        "not shown": f"no difference between {step.policy} and {step.before} is shown",
    }[step.outcome]
    if rate is None or rate.rate.value is None or rate.rate.ci95 is None:
        return told
    low, high = rate.rate.ci95
    return f"{told} (preferred in {100 * rate.rate.value:.0f} %, {100 * low:.0f} to {100 * high:.0f})"
