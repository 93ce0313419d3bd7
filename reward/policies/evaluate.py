"""``reward evaluate-policies``: which policy answers better, as InstructGPT was evaluated (Ouyang et al. 2022, 3.6)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labeler.errors import DataError, UsageError
from labeler.formats import dumps, group_to_row, read
from labeler.formats.files import replacing
from labeler.records import Group
from reward.config.policies import EvaluatePoliciesConfig
from reward.generate import write_file
from reward.policies.answers import Source, gather, parse_source, read_answers
from reward.policies.found import Found, headline
from reward.policies.judges import REWARD, Head, Judge, by_people, by_scores
from reward.policies.lengths import characters
from reward.policies.measures import means, measure_of
from reward.policies.opinions import flag_rates
from reward.policies.records import Answers
from reward.policies.report import render, warnings, write_report
from reward.policies.scoring import as_groups, score_answers
from reward.policies.steps import partings
from reward.policy import Policy
from reward.progress import Progress, tell
from reward.prompts import read_prompts


def run(config: EvaluatePoliciesConfig) -> Found:
    """The whole command; writes everything into ``config.out``."""
    sources = [parse_source(text) for text in config.policies]
    judged = [group for path in config.judgments for group in read(path).groups]
    with Progress(config.progress) as progress:
        answers = gather(sources, answers_of(sources, config, progress), judged)
        found = judge_all(answers, config, progress)
        page, figures = render(
            found,
            title=" · ".join(found.names),
            subtitle=[f"{len(found.names)} policies, {found.prompts} prompts, {sum(found.answers)} answers"],
            provenance=provenance(config),
        )
        write_groups_to_judge(config.out, answers)
        path = write_report(config.out, found.to_json() | {"warnings": warnings(found)}, page, figures)
    tell(headline(found), *(parting.verdict for parting in found.partings), *warnings(found), f"Open {path}")
    return found


def answers_of(sources: Sequence[Source], config: EvaluatePoliciesConfig, progress: Progress) -> dict[str, list[Group]]:
    """The answers of every policy that has a file or is a model; models write theirs into the folder ``answers``.

    Raises:
        UsageError: a policy is to be sampled and there are no prompts.
    """
    written: dict[str, list[Group]] = {}
    for source in sources:
        if source.place is None:
            continue
        path = Path(source.place)
        if not source.is_file:
            path = config.out / "answers" / f"{source.name.replace('/', '-')}.jsonl"
            sample(source, path, config, progress)
        written[source.name] = read_answers(str(path))
    return written


def sample(source: Source, path: Path, config: EvaluatePoliciesConfig, progress: Progress) -> None:
    """Let a model answer the prompts, into a file; a run that was cut continues it."""
    if config.prompts is None:
        raise UsageError(f"--prompts is missing: {source.name} is a model, or there is no file {source.place}")
    policy = Policy.load(source.place or "", config, name=source.name)
    write_file(policy, read_prompts(config.prompts), config.k, config, path, resume=True, progress=progress)


def judge_all(answers: Answers, config: EvaluatePoliciesConfig, progress: Progress) -> Found:
    """What people and all reward models say of the answers."""
    length = measure_of(characters(answers.texts))
    judges: list[Judge] = []
    notes: list[str] = []
    if any(group.rankings for group in answers.judged):
        judges.append(by_people(answers, length, seed=config.seed))
    gold = [] if config.gold is None else [config.gold]
    for folder in (*config.reward, *gold):
        name = folder.resolve().name
        if any(judge.name == name for judge in judges):
            name = str(folder)
        scores, said = score_answers(folder, answers, progress, name=name, device=config.device)
        head = Head(name, "gold" if folder == config.gold else "reward")
        judges.append(by_scores(head, scores, answers.names, length, seed=config.seed))
        notes += said
    proxies = [judge.name for judge in judges if judge.head.kind == "reward"]
    steps = [step for judge in judges for step in judge.steps]
    return Found(
        names=answers.names,
        answers=answers.counts(),
        prompts=len(answers.prompts),
        judges=tuple(judges),
        flags=flag_rates(answers),
        length=means(length, seed=config.seed),
        partings=tuple(partings(steps, proxies, judges[-1].name, REWARD)) if gold else (),
        notes=tuple(notes),
    )


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


def provenance(config: EvaluatePoliciesConfig) -> dict[str, Any]:
    """What the table "How it was made" says."""
    told = {
        "policies": " ".join(config.policies) or "the models of the judged groups",
        "judgments": " ".join(config.judgments),
        "reward models": " ".join(str(folder) for folder in config.reward),
        "gold reward model": config.gold,
        "prompts": config.prompts,
        "answers per prompt, where sampled": config.k,
        "sampling": f"temperature {config.temperature:g}, top-p {config.top_p:g}, "
        f"up to {config.max_new_tokens} tokens, seed {config.seed}",
    }
    return {name: value for name, value in told.items() if value}
