"""The sections of the report with what every evaluation of policies has: rewards, ratings, flags, length."""

from __future__ import annotations

from collections.abc import Iterator

from reward.policies.found import Found
from reward.policies.judges import RATING, REWARD, Judge
from reward.policies.plots import means_plot, rates_plot
from reward.policies.tables import Row, Table, cell, rate_rows


def own_tables(found: Found) -> Iterator[Table]:
    """The sections, those of which there is something to tell."""
    rewards = [judge for judge in found.judges if judge.head.figure == REWARD and judge.means]
    if rewards:
        yield _rewards(found, rewards)
    for judge in found.judges:
        if judge.head.figure == RATING and judge.means:
            yield _ratings(found, judge)
    if found.flags:
        yield _flags(found)
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
