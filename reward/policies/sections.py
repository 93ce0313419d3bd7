"""The sections of the report with what every evaluation of policies has: rewards, ratings, flags, length."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import count

from reward.bootstrap import FEW_PROMPTS
from reward.policies.constraints import ConstraintRates
from reward.policies.found import Found
from reward.policies.judges import RATING, REWARD, Judge
from reward.policies.measures import NOTHING
from reward.policies.plots import means_plot, rates_plot
from reward.policies.sliced import OTHERS, Sliced, SliceWins, contests
from reward.policies.slices import HEDGES
from reward.policies.tables import Row, Table, cell, rate_rows
from reward.policies.toxicity import ToxicityRates


def own_tables(found: Found) -> Iterator[Table]:
    """The sections, those of which there is something to tell."""
    rewards = [judge for judge in found.judges if judge.head.figure == REWARD and judge.means]
    if rewards:
        yield _rewards(found, rewards)
    for judge in found.judges:
        if judge.head.figure == RATING and judge.means:
            yield _ratings(found, judge)
    for number, wins in zip(count(1), found.sliced):
        yield _sliced(f"sliced-{number}", wins, found.names)
    if found.flags:
        yield _flags(found)
    yield from _checks(found)
    rows = zip(found.names, found.length, found.answers, strict=True)
    cells = (
        Row(name, (cell(length, "number"), (str(count), ""), (str(length.prompts), ""))) for name, length, count in rows
    )
    yield Table("length", "Length", "policy", ("characters", "answers", "prompts"), tuple(cells))


def _rewards(found: Found, judges: list[Judge]) -> Table:
    rows = (
        Row(name, tuple(cell(judge.means[place], "number") for judge in judges))
        for place, name in enumerate(found.names)
    )
    return Table(
        "rewards",
        "Mean reward",
        "policy",
        tuple(judge.name for judge in judges),
        tuple(rows),
        note="In standard deviations of each model's scores on its training data, 0 being their mean, where it knows.",
        plot=means_plot(judges, found.names, "mean reward"),
        caption="Where a reward model that training optimised keeps rising and the gold one does not, the policy is "
        "over-optimised (Gao et al. 2022).",
    )


def _ratings(found: Found, judge: Judge) -> Table:
    rows = (
        Row(name, (cell(mean, "number"), (str(mean.prompts), "")))
        for name, mean in zip(found.names, judge.means, strict=True)
    )
    return Table(
        "ratings",
        "Ratings",
        "policy",
        ("mean of 1 to 7", "prompts"),
        tuple(rows),
        plot=means_plot([judge], found.names, "mean rating, 1 to 7"),
        caption="Overall quality as people rated each answer alone, averaged within prompts first.",
    )


def _sliced(key: str, wins: Sliced, names: Sequence[str]) -> Table:
    columns = [policy if against == OTHERS else f"{policy} over {against}" for policy, against in contests(names)]
    note = (
        "Share of comparisons won, ties counting half, with its 95 % interval over the prompts of the part. Parts are "
        "looked at side by side: about one interval in twenty misses by chance, so a surprise in one of many parts is "
        "a question for new prompts, not a finding."
    )
    if any(part.few for part in wins.slices):
        note += (
            f" Parts marked “few” were judged on fewer than {FEW_PROMPTS} prompts; only large differences show there."
        )
    return Table(
        key,
        f"Wins by {wins.by}, as {wins.judge} judge{'' if wins.judge == 'people' else 's'}",
        wins.by,
        tuple(columns),
        tuple(_slice_row(part, names) for part in wins.slices),
        note=note,
    )


def _slice_row(part: SliceWins, names: Sequence[str]) -> Row:
    known = {(rate.policy, rate.against): rate.rate for rate in part.rates}
    cells = tuple(cell(known.get(contest, NOTHING), "share") for contest in contests(names))
    return Row(part.name, cells, f"{part.prompts} prompts{', few' if part.few else ''}")


def _flags(found: Found) -> Table:
    rows = [(flag.flag, flag.about if flag.about != flag.flag else "", flag.rates) for flag in found.flags]
    return Table(
        "flags",
        "Flags",
        "flag",
        found.names,
        rate_rows(rows),
        note="Shares of all judged answers, whether or not the prompt had, say, a constraint to satisfy. Intervals are "
        "Wilson's at the effective number of judgments, since those of one prompt hang together.",
        plot=rates_plot([(flag.about, flag.rates) for flag in found.flags], found.names, "share of judged answers"),
        caption="How often people set each flag (Ouyang et al. 2022, table 3). More of “satisfies the constraint” is "
        "better, of opinions and moral judgments neither, of all others worse.",
    )


def _checks(found: Found) -> Iterator[Table]:
    """What classifiers and code say of the answers."""
    if found.truthfulness:
        yield _truthfulness(found)
    for rates in found.toxicity:
        yield _toxicity(rates)
    if found.constraints and found.constraints.prompts:
        yield _constraints(found, found.constraints)
    if found.slices:
        yield from _slices(found)


def _truthfulness(found: Found) -> Table:
    rows = tuple(Row(each.policy, (cell(each.mc1, "share"), cell(each.mc2, "share"))) for each in found.truthfulness)
    questions = found.truthfulness[0].mc1.prompts
    return Table(
        "truthfulness",
        "Truthfulness",
        "policy",
        ("MC1", "MC2"),
        rows,
        note=f"{questions} questions (Lin et al. 2022). MC1: the one best answer is likelier than all false ones. MC2: "
        "probability of all true answers as a share of that of all answers. Questions are read in each policy's own "
        "chat format, so figures compare these policies and not with published ones.",
    )


def _toxicity(rates: ToxicityRates) -> Table:
    columns = ("mean", "toxic answers", "expected maximum", "prompts with a toxic answer", "answers")
    rows = (
        Row(
            each.policy,
            (
                cell(each.mean, "number"),
                cell(each.share, "share"),
                cell(each.expected_maximum, "number"),
                cell(each.probability, "share"),
                (str(each.answers), f"{each.unscored} not scored" if each.unscored else ""),
            ),
            f"{' to '.join(dict.fromkeys(map(str, each.samples)))} a prompt",
        )
        for each in rates.policies
    )
    return Table(
        "toxicity-" + re.sub(r"\W+", "-", rates.by),
        f"Toxicity by {rates.by}",
        "policy",
        columns,
        tuple(rows),
        note="Toxic: a probability of at least 0.5 (Gehman et al. 2020). The expected maximum and the share of prompts "
        "grow with the number of answers a prompt. Empty answers are not scored.",
    )


def _constraints(found: Found, rates: ConstraintRates) -> Table:
    rows = [
        ("whole prompts, strict", "all constraints of a prompt are followed", rates.prompt_strict),
        ("whole prompts, loose", "… by the answer without introduction, farewell or Markdown", rates.prompt_loose),
        ("single constraints, strict", "", rates.instruction_strict),
        ("single constraints, loose", "", rates.instruction_loose),
        *((f"strict: {kind.replace('_', ' ')}", "", kinds) for kind, kinds in rates.by_kind.items()),
    ]
    return Table(
        "constraints",
        "Constraints that code checks",
        "share followed",
        found.names,
        rate_rows(rows),
        note=f"{rates.prompts} prompts, as IFEval defines the figures (Zhou et al. 2023); the checks are our own, so "
        "single answers may be judged otherwise than by the published ones.",
        plot=rates_plot([(name, values) for name, _, values in rows], found.names, "share followed"),
        caption="How often answers do what the prompt asks for, in what code can check.",
    )


def _slices(found: Found) -> Iterator[Table]:
    if found.worth:
        worth = (
            Row(each.name, tuple(cell(value, "number") for value in each.worth), f"{each.prompts} prompts")
            for each in found.slices
        )
        yield Table("kinds", f"Kinds of prompts: {found.worth}", "prompts", found.names, tuple(worth))
    rows = [(each.name, f"{each.prompts} prompts", each.hedging) for each in found.slices]
    yield Table(
        "hedging",
        "Answers that hedge",
        "prompts",
        found.names,
        rate_rows(rows),
        note=f"An answer hedges if it holds one of {len(HEDGES)} English phrases, as “{HEDGES[4]}” or “{HEDGES[6]}”."
        " That misses doubt in other words and does not know whether doubt was due: on a false premise hedging is "
        "welcome, elsewhere it is padding.",
    )
