"""``reward rounds``: the InstructGPT cycle (Ouyang et al. 2022, figure 2), round after round.

::

    demonstrations ─▶ sft ─▶ policy ◀───────────────────────────────────┐
                               │                                        │
                           candidates ─▶ ask ─▶ labels ─▶ snapshot ─▶ reward model
                                           (people or simulated annotators)

Every step leaves something whole and is done once (`reward.rounds.ledger`), and the recipes of the longer ones continue
what a kill cut off, so the whole goes on where it was. Where things lie is in `reward.rounds.places`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from labeler.errors import DataError, UsageError
from labeler.formats import read, write_demonstrations, write_groups
from labeler.formats.files import replacing
from labeler.records import Demonstration
from reward.config.rounds import RoundsConfig
from reward.demonstrations import read_splits
from reward.policies.answers import read_answers
from reward.precision import pick_precision
from reward.progress import Progress, tell
from reward.prompts import read_prompts
from reward.rounds.comparison import pairs, policies
from reward.rounds.data import divide, in_round, rankable, turn
from reward.rounds.labeling import Labeling
from reward.rounds.ledger import Ledger, Step, there
from reward.rounds.places import Places
from reward.rounds.recipes import Recipes
from reward.rounds.report import write_report
from reward.splits import opening_key

SAMPLE_DATA = Path(__file__).parents[2] / "sample_data"
SHOWN = tuple(str(SAMPLE_DATA / name) for name in ("demonstrations.jsonl", "dialogues.jsonl"))
SPARE = 2
"""From the second round on, so many times as many prompts are answered as will be asked about."""


def run(config: RoundsConfig) -> None:
    """The whole command."""
    started = time.monotonic()
    at = Places(config.out)
    config = keep_settings(config, at.settings)
    ledger = Ledger(config.out)
    with Progress(config.progress) as progress:
        cycle = Cycle(config, at, Recipes(config), Labeling(config, at, progress))
        for step in cycle.steps():
            if ledger.do(step):
                progress.say(f"{step.name}: done in {ledger.seconds(step.name):.0f} s")
        write_report(config, at, ledger, cycle.labeling.people, cycle.labeling.judges)
    tell(f"{config.rounds} rounds; this run took {(time.monotonic() - started) / 60:.1f} minutes: {at.report}")


@dataclass(frozen=True)
class Cycle:
    """The plan of one run.

    Attributes:
        config: the settings. at: where things lie. recipes, labeling: what makes the steps.
    """

    config: RoundsConfig
    at: Places
    recipes: Recipes
    labeling: Labeling

    def steps(self) -> Iterator[Step]:
        """Every step, in order."""
        source = self.config.prompts or str(SAMPLE_DATA / "groups.jsonl")
        shown = self.config.demonstrations or SHOWN
        dividing = partial(write_prompts, source, shown, self.at)
        yield Step("prompts", self.at.held_out, dividing, there(source, *shown), {"prompts": source})
        yield self.recipes.fine_tune("sft", shown, self.config.base, self.at.policy(0))
        for number in range(1, self.config.rounds + 1):
            yield from self.ask(number)
            yield from self.learn(number)
            yield from self.improve(number)
        yield from self.compare()

    def ask(self, number: int) -> Iterator[Step]:
        """Let the newest policy write, and choose what to ask about: all at first, later what teaches most."""
        config, at = self.config, partial(self.at.round, number)
        prompts, candidates, pool, ask = (at(f"{name}.jsonl") for name in ("prompts", "candidates", "pool", "ask"))
        start, count = stretch(number, config.ask)
        taking = partial(write_turn, self.at.asked, prompts, number, config)
        yield Step(f"round-{number}/prompts", prompts, taking, [self.at.asked], {"start": start, "count": count})
        policy = self.at.policy(number - 1)
        name = f"round-{number}/policy-{number - 1}"
        yield self.recipes.sample(name, str(policy), prompts, candidates, config.seed + number)
        yield Step(f"round-{number}/pool", pool, partial(write_rankable, candidates, pool), [candidates])
        if number == 1:
            yield Step(f"round-{number}/ask", ask, partial(copy_groups, pool, ask), [pool])
        else:
            yield self.recipes.select(f"round-{number}/ask", self.at.round(number - 1, "model"), pool, ask)

    def learn(self, number: int) -> Iterator[Step]:
        """Have the candidates ranked, train reward models on all rankings so far, and measure."""
        at, labeling = partial(self.at.round, number), self.labeling
        yield from (labeling.label(number), labeling.snapshot(number), labeling.split_people(number))
        yield self.recipes.train(f"round-{number}/model", at("rankings.jsonl"), at("model"))
        if labeling.judges:
            judged = at("judged.jsonl")
            yield self.recipes.train(f"round-{number}/judge", judged, at("judge"))
            yield self.recipes.evaluate(f"round-{number}/evaluation", at("model"), judged, at("evaluation"))

    def improve(self, number: int) -> Iterator[Step]:
        """Make a better policy: by PPO from the fine-tuned one, or from the best answers of the newest one."""
        at, before, name = self.at, self.at.policy(number - 1), f"round-{number}/policy"
        model, best, shown = (at.round(number, each) for each in ("model", "best.jsonl", "shown.jsonl"))
        if self.config.improve == "ppo":
            yield self.recipes.reinforce(name, model, at, number)
            return
        yield self.recipes.best_of_n(f"round-{number}/best", before, model, at.asked, best)
        yield Step(f"round-{number}/shown", shown, partial(write_shown, best, shown), [best])
        yield self.recipes.fine_tune(name, (str(shown),), str(before), at.policy(number))

    def compare(self) -> Iterator[Step]:
        """Let every policy answer the held-out prompts, and compare."""
        at, config, last = self.at, self.config, self.config.rounds
        base, tuned, best, *made = names = policies(config)
        folders = {base: config.base, tuned: str(at.policy(0))}
        folders |= {name: str(at.policy(number)) for number, name in enumerate(made, start=1)}
        for name, policy in folders.items():
            yield self.recipes.sample(f"answers/{name}", policy, at.held_out, at.answers(name), config.seed)
        model = at.round(last, "model")
        yield self.recipes.best_of_n(f"answers/{best}", at.policy(0), model, at.held_out, at.answers(best))
        judge = at.round(last, "judge") if self.labeling.judges else None
        answers = {name: at.answers(name) for name in names}
        models = (model,) if judge is None else (model, judge)
        yield self.recipes.compare("comparison", answers, pairs(config), models, at.comparison)
        gold = config.simulate or judge
        if config.improve == "ppo" and gold and len(read_prompts(str(at.watched))) >= 2:
            yield self.recipes.overoptimise("overoptimisation", at.policy(last), gold, at.overoptimisation)


def write_prompts(source: str, shown: Sequence[str], at: Places) -> None:
    """The prompts for each end into a file of its own; the last one ends the step."""
    splits = read_splits(shown)
    found = divide(read_prompts(source), {opening_key(group.prompt) for group in (*splits.train, *splits.valid)})
    if not found.asked or not found.held_out:
        aside = f" ({len(found.left_out)} more are among the demonstrations)" if found.left_out else ""
        raise DataError(
            f"has {len(found.asked)} prompts to ask about and {len(found.held_out)} to hold out{aside}, and both are "
            "needed; give more prompts, or mark some with the split 'test'",
            file=source,
        )
    at.prompts.mkdir(exist_ok=True)
    write_groups(found.asked, at.asked)
    write_groups(found.watched, at.watched)
    write_groups(found.left_out, at.left_out)
    write_groups(found.held_out, at.held_out)


def stretch(number: int, ask: int) -> tuple[int, int]:
    """(prompts that had their turn before round ``number``, prompts that are answered in it)."""
    return (0, ask) if number == 1 else (ask + SPARE * ask * (number - 2), SPARE * ask)


def write_turn(asked: Path, output: Path, number: int, config: RoundsConfig) -> None:
    """The prompts whose turn it is in a round."""
    output.parent.mkdir(exist_ok=True)
    chosen = turn(read_prompts(str(asked)), *stretch(number, config.ask), config.seed)
    write_groups([in_round(group, number) for group in chosen], output)


def write_rankable(candidates: Path, output: Path) -> None:
    """The candidates that can be ranked."""
    groups = rankable(read(str(candidates)).groups)
    if not groups:
        raise DataError(
            "holds no prompt with two different completions, so nothing can be ranked; raise --k",
            file=str(candidates),
        )
    write_groups(groups, output)


def copy_groups(groups: Path, output: Path) -> None:
    """The same groups in another file."""
    write_groups(read(str(groups)).groups, output)


def write_shown(best: Path, output: Path) -> None:
    """The best answers of a file of rerank as demonstrations."""
    shown = [Demonstration(g.id, g.prompt, g.completions[0].text, source="best of n") for g in read_answers(str(best))]
    write_demonstrations(shown, output)


def keep_settings(config: RoundsConfig, path: Path) -> RoundsConfig:
    """Write down what a run was started with, or find that it is the run in this folder.

    Returns:
        The settings with the precision that ``auto`` found when the run was started: measured again, a busy machine
        might give another one in the middle of the run.

    Raises:
        UsageError: the folder holds a run with other settings.
    """
    aside = ("out", "progress", "debug", "poll")
    settings = json.loads(json.dumps({n: v for n, v in asdict(config).items() if n not in aside}, default=str))
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        settings["measured_precision"] = pick_precision(config.precision, config.device)
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    before = json.loads(path.read_text(encoding="utf-8"))
    changed = [f"--{n.replace('_', '-')}" for n in settings if before.get(n) != settings[n]]
    if changed:
        raise UsageError(f"--out {config.out} holds a run with another {', '.join(changed)}; give another folder")
    return replace(config, precision=before["measured_precision"])
