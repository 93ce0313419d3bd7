"""``reward evaluate-policies``: which policy answers better, as InstructGPT was evaluated (Ouyang et al. 2022, 3.6)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from labeler.errors import UsageError
from labeler.formats import read
from reward.config.policies import EvaluatePoliciesConfig
from reward.policies.answers import gather, parse_source
from reward.policies.classifier import Classifier
from reward.policies.constraints import check_answers
from reward.policies.found import Found, headline
from reward.policies.judges import REWARD, Head, Judge, Kind, by_people, by_scores
from reward.policies.lengths import characters
from reward.policies.measures import means, measure_of
from reward.policies.opinions import flag_rates
from reward.policies.perspective import Perspective
from reward.policies.records import Answers
from reward.policies.report import render, warnings, write_report
from reward.policies.scoring import score_answers
from reward.policies.sliced import USUAL, Sliced, cut, sliced
from reward.policies.slices import by_slice
from reward.policies.steps import FOLLOWED, Pair, measure_steps, partings
from reward.policies.toxicity import score_texts, toxicity
from reward.policies.writing import Asked, read_asked, write_answers, write_groups_to_judge
from reward.progress import Progress, tell

KEY = "PERSPECTIVE_API_KEY"


def run(config: EvaluatePoliciesConfig) -> Found:
    """The whole command; writes everything into ``config.out``."""
    if config.perspective and not os.environ.get(KEY):
        raise UsageError(f"--perspective needs the key in the environment variable {KEY}")
    sources = [parse_source(text) for text in config.policies]
    judged = [group for path in config.judgments for group in read(path).groups]
    asked = read_asked(config)
    with Progress(config.progress) as progress:
        written = write_answers(sources, asked, config, progress)
        answers = gather(sources, written.groups, judged)
        found = check_all(judge_all(answers, config, progress), answers, asked, config, progress)
        found = replace(found, truthfulness=tuple(written.truthfulness))
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


def judge_all(answers: Answers, config: EvaluatePoliciesConfig, progress: Progress) -> Found:
    """What people and all reward models say of the answers."""
    length, more = measure_of(characters(answers.texts)), further_steps(config, answers.names)
    judges: list[Judge] = []
    notes: list[str] = []
    if any(group.rankings for group in answers.judged):
        judges.append(by_people(answers, length, more=more, seed=config.seed))
    models: list[tuple[Kind, Path]] = [*(("reward", folder) for folder in config.reward)]
    models += [("gold", config.gold)] if config.gold else []
    for (kind, folder), name in zip(models, short_names([folder for _, folder in models]), strict=True):
        scores, said = score_answers(folder, answers, progress, name=name, device=config.device)
        judges.append(by_scores(Head(name, kind), scores, answers.names, length, more=more, seed=config.seed))
        notes += said
    steps = [step for judge in judges for step in judge.steps]
    proxies = [judge.name for judge in judges if judge.head.kind == "reward"]
    return Found(
        names=answers.names,
        answers=answers.counts(),
        prompts=len(answers.prompts),
        judges=tuple(judges),
        flags=flag_rates(answers),
        length=means(length, seed=config.seed),
        partings=tuple(partings(steps, proxies, judges[-1].name, REWARD)) if config.gold else (),
        notes=tuple(notes),
    )


def further_steps(config: EvaluatePoliciesConfig, names: Sequence[str]) -> list[Pair]:
    """The pairs of ``--steps``.

    Raises:
        UsageError: one names a policy that is not there.
    """
    found = []
    for text in config.steps:
        policy, _, before = text.partition("=")
        for name in (policy, before):
            if name not in names:
                raise UsageError(f"--steps {text}: no policy is called {name!r}; there are {', '.join(names)}")
        found.append((policy, before))
    return found


def short_names(folders: Sequence[Path]) -> list[str]:
    """The last part of each folder's path, or as many parts as tell it from the other folders and from people."""
    paths = [folder.resolve().parts for folder in folders]
    found = []
    for own in paths:
        others = [parts for parts in paths if parts != own] + [("people",)]
        depth = next(depth for depth in range(1, len(own) + 1) if all(own[-depth:] != each[-depth:] for each in others))
        found.append(Path(*own[-depth:]).as_posix())
    return found


def check_all(
    found: Found, answers: Answers, asked: Asked, config: EvaluatePoliciesConfig, progress: Progress
) -> Found:
    """The findings with what code and classifiers say: constraints, toxicity, kinds of prompts."""
    notes, steps = list(found.notes), []
    constraints = None
    if asked.constrained:
        constraints, measure = check_answers(asked.constrained, answers)
        more = further_steps(config, answers.names)
        steps += measure_steps(measure, answers.names, "code", FOLLOWED, more=more, seed=config.seed)
        if constraints.unanswered:
            notes.append(f"{constraints.unanswered} prompts with constraints were answered by no policy.")
    models = [source.name for source in map(parse_source, config.policies) if source.place and not source.is_file]
    if asked.questions and len(models) < len(answers.names):
        notes.append(f"MC1 and MC2 need the model itself, not a file of answers: {', '.join(models) or 'none'} only.")
    notes += unsliced(answers, config.slice_by)
    judge = next((each for each in reversed(found.judges) if each.means), None)
    rates = [
        toxicity(name, answers.names, score_texts(answers, score), seed=config.seed)
        for name, score in toxicity_scorers(config, progress)
    ]
    return replace(
        found,
        constraints=constraints,
        toxicity=tuple(rates),
        slices=by_slice(answers, judge.measure if judge else None, seed=config.seed),
        sliced=tuple(win_slices(found.judges, answers, config.slice_by)),
        worth=f"{judge.head.figure} by {judge.name}" if judge else "",
        checks=tuple(steps),
        notes=tuple(notes),
    )


def win_slices(judges: Sequence[Judge], answers: Answers, properties: Sequence[str]) -> Iterator[Sliced]:
    """Every judge's win rates by each property of the prompts that makes parts of them."""
    for judge in judges:
        for by in properties:
            found = sliced(judge.name, judge.tallies, answers.names, answers.prompts, by)
            if found is not None:
                yield found


def unsliced(answers: Answers, properties: Sequence[str]) -> list[str]:
    """A note for each property that was asked for and that fewer than two kinds of prompts have."""
    missing = [by for by in properties if by not in USUAL and len(cut(answers.prompts, by)) < 2]
    return [f"--slice-by {by}: the prompts do not differ in meta.{by}; name a field that they have." for by in missing]


def toxicity_scorers(
    config: EvaluatePoliciesConfig, progress: Progress
) -> Iterator[tuple[str, Callable[[Sequence[str]], Sequence[float]]]]:
    """Name and scoring function of each classifier that was asked for."""
    if config.toxicity is not None:
        classifier = Classifier.load(config.toxicity, config.toxicity_label, device=config.device)
        yield classifier.name.rstrip("/").rpartition("/")[2], lambda texts: classifier.probabilities(texts, progress)
    if config.perspective:
        api = Perspective(config.perspective_url, os.environ[KEY], config.perspective_rate)
        yield "Perspective", lambda texts: api.probabilities(texts, progress)


def provenance(config: EvaluatePoliciesConfig) -> dict[str, Any]:
    """What the table "How it was made" says."""
    told = {
        "policies": " ".join(config.policies) or "the models of the judged groups",
        "judgments": " ".join(config.judgments),
        "reward models": " ".join(str(folder) for folder in config.reward),
        "gold reward model": config.gold,
        "prompts": config.prompts,
        "truthfulness": config.truthful,
        "toxicity": config.toxicity and f"{config.toxicity}, label {config.toxicity_label}",
        "Perspective API": config.perspective and config.perspective_url,
        "constraints": config.constraints,
        "answers per prompt, where sampled": config.k,
        "sampling": f"temperature {config.temperature:g}, top-p {config.top_p:g}, "
        f"up to {config.max_new_tokens} tokens, seed {config.seed}, precision {config.precision}",
    }
    return {name: value for name, value in told.items() if value}
