"""Answers from policies that are models, and the answers of all as groups for people to judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from labeler.errors import DataError, UsageError
from labeler.formats import dumps, group_to_row, prompt_key
from labeler.formats.files import replacing
from labeler.records import Group
from reward.config.policies import EvaluatePoliciesConfig
from reward.generate import write_file
from reward.policies.answers import Source, read_answers
from reward.policies.constraints import Constrained, read_constraints
from reward.policies.likelihoods import question_log_probs
from reward.policies.records import Answers
from reward.policies.scoring import as_groups
from reward.policies.truthful import Question, Truthfulness, read_questions, truthfulness
from reward.policy import Policy
from reward.progress import Progress
from reward.prompts import read_prompts


@dataclass(frozen=True)
class Asked:
    """What is asked of policies that are models.

    Attributes:
        prompts: to be answered. constrained: prompts with constraints. questions: with answers to choose from.
    """

    prompts: tuple[Group, ...]
    constrained: tuple[Constrained, ...] = ()
    questions: tuple[Question, ...] = ()


@dataclass(frozen=True)
class Written:
    """Policy → its groups of answers, and the truthfulness of the policies that are models."""

    groups: dict[str, list[Group]] = field(default_factory=dict)
    truthfulness: list[Truthfulness] = field(default_factory=list)


def read_asked(config: EvaluatePoliciesConfig) -> Asked:
    """All files of prompts, read before anything is computed; a prompt that is in several is answered once."""
    constrained = tuple(read_constraints(config.constraints)) if config.constraints else ()
    questions = tuple(read_questions(config.truthful)) if config.truthful else ()
    prompts = read_prompts(config.prompts) if config.prompts else []
    prompts += [row.group() for row in constrained]
    prompts += [question.group() for question in questions] if config.truthful_answers else []
    different = {prompt_key(prompt.prompt): prompt for prompt in reversed(prompts)}
    return Asked(tuple(reversed(different.values())), constrained, questions)


def write_answers(
    sources: Sequence[Source], asked: Asked, config: EvaluatePoliciesConfig, progress: Progress
) -> Written:
    """The answers of every policy that has a file or is a model; models write theirs into the folder ``answers``.

    Raises:
        UsageError: a policy is to be sampled and there are no prompts.
    """
    written = Written()
    for source in sources:
        if source.place is None:
            continue
        path = Path(source.place)
        if not source.is_file:
            path = config.out / "answers" / f"{source.name.replace('/', '-')}.jsonl"
            written.truthfulness.extend(_ask(source, path, asked, config, progress))
        written.groups[source.name] = read_answers(str(path))
    return written


def _ask(
    source: Source, path: Path, asked: Asked, config: EvaluatePoliciesConfig, progress: Progress
) -> list[Truthfulness]:
    """Let a model answer the prompts, into a file that a run that was cut continues, and choose among given answers."""
    if not asked.prompts:
        raise UsageError(f"--prompts is missing: {source.name} is a model, or there is no file {source.place}")
    policy = Policy.load(source.place or "", config, name=source.name)
    try:
        write_file(policy, asked.prompts, config.k, config, path, resume=True, progress=progress)
    except UsageError as error:
        another = f"--out {config.out} holds answers of {source.name} from another run; give another folder"
        raise UsageError(f"{another}, or remove {path}") from error
    if not asked.questions:
        return []
    log_probs = question_log_probs(policy, asked.questions, progress)
    return [truthfulness(source.name, asked.questions, log_probs, seed=config.seed)]


def write_groups_to_judge(out: Path, answers: Answers) -> None:
    """Every prompt with one answer of each policy, as groups that ``labeler import`` takes.

    Raises:
        DataError: the folder cannot be written.
    """
    one = Answers(answers.names, answers.prompts, tuple(tuple(texts[:1] for texts in row) for row in answers.texts))
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot be made: {error.strerror}; choose another folder", file=str(out)) from error
    with replacing(out / "to-judge.jsonl") as temporary:
        lines = [dumps(group_to_row(group)) + "\n" for group in as_groups(one) if len(group.completions) > 1]
        temporary.write_text("".join(lines), encoding="utf-8")
