"""One page about a run of rounds, with its figures: what became better by whose judgment, and how it came about."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from labeler.formats import read
from labeler.formats.files import replacing
from reward.config.rounds import RoundsConfig
from reward.overopt import OVEROPT, PLOT
from reward.pages import fill
from reward.policies.measures import Estimate
from reward.policies.tables import Unit, cell
from reward.rounds.comparison import Contest, Opinion, contests, judges, parted, sentences
from reward.rounds.ledger import Ledger
from reward.rounds.places import Places
from reward.rounds.seconds import STAGES, spans, totals
from reward.rounds.simulate import Annotator

DIGITS = 12
"""Of a digest, enough to compare by eye."""


def write_report(
    config: RoundsConfig, at: Places, ledger: Ledger, people: Sequence[Annotator], learned_apart: Sequence[str]
) -> None:
    """Write the page and metrics.json from the files of a finished run.

    Args:
        config: of the run. at: where its files lie. ledger: what was done.
        people: the simulated annotators. learned_apart: names of those, or of people, who taught only the judge.
    """
    found = json.loads((at.comparison / "metrics.json").read_text(encoding="utf-8"))
    compared = contests(found, config)
    rows = ledger.rows.values()
    timed = spans(rows)
    told = {
        "schema": 1,
        "prompts": found["prompts"],
        "left_out": _count(at.left_out),
        "judges": judges(found, config),
        "policies": policies(found),
        "contests": [contest.to_json() for contest in compared],
        "partings": [each.verdict[0].upper() + each.verdict[1:] for each in parted(compared)],
        "overoptimisation": overoptimisation(at),
        "rounds": [one_round(config, at, number) for number in range(1, config.rounds + 1)],
        "seconds": [{"name": span.name, "stages": span.stages, "total": span.total} for span in timed],
        "stopped_seconds": sum(float(row.get("stopped", 0)) for row in rows),
    }
    page = fill(
        "rounds",
        **told,
        config=config,
        base=_short(Path(config.base)),
        sentences=list(sentences(compared)),
        contest_rows=[_contest(contest) for contest in compared],
        round_rows=[_round(row) for row in told["rounds"]],
        policy_rows=[_policy(policy) for policy in told["policies"]],
        plot=(at.overoptimisation / PLOT).read_text(encoding="utf-8") if told["overoptimisation"] else "",
        stages=list(STAGES),
        stage_totals=totals(timed),
        people=people,
        learned_apart=learned_apart,
        steps=list(steps(ledger)),
    )
    figures = json.dumps(told, indent=2, allow_nan=False) + "\n"
    for text, path in ((page, at.report), (figures, at.metrics)):
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def policies(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For each policy its mean reward by each judge, and the mean length of its answers, all with intervals."""
    nothing = {"value": None, "ci95": None, "prompts": 0}
    return [
        {
            "name": name,
            "rewards": [judge["means"][place] if judge["means"] else nothing for judge in found["judges"]],
            "characters": found["length"][place],
        }
        for place, name in enumerate(found["names"])
    ]


def overoptimisation(at: Places) -> list[str]:
    """What the page on over-optimisation says, of best of n and of PPO; nothing where it was not looked at."""
    path = at.overoptimisation / OVEROPT
    verdicts: list[str] = json.loads(path.read_text(encoding="utf-8"))["verdicts"] if path.exists() else []
    return verdicts


def one_round(config: RoundsConfig, at: Places, number: int) -> dict[str, Any]:
    """What was asked, and how well the reward model learned it, by people that it did not learn from."""
    rankings = read(str(at.round(number, "rankings.jsonl"))).groups
    row = {
        "number": number,
        "asked": len(read(str(at.round(number, "ask.jsonl"))).groups),
        "rankings": sum(len(group.rankings) for group in rankings),
        "method": "all" if number == 1 else config.method,
        "accuracy": None,
        "accuracy_ci95": None,
        "pairs": 0,
    }
    path = at.round(number, "evaluation") / "metrics.json"
    if path.exists():
        metrics = json.loads(path.read_text(encoding="utf-8"))
        row |= {name: metrics[name] for name in ("accuracy", "accuracy_ci95")} | {"pairs": metrics["comparisons"]}
    return row


def steps(ledger: Ledger) -> Iterator[dict[str, Any]]:
    """A row per step of the ledger, in the order in which they were done."""
    for row in ledger.rows.values():
        (output, digest), *_ = row["output"].items()
        yield {
            "name": row["step"],
            "seconds": f"{row['seconds']:.0f}",
            "inputs": [_short(Path(name)) for name in row["inputs"]],
            "output": output,
            "digest": digest[:DIGITS],
            "commit": (row["commit"] or "–")[:DIGITS],
        }


def _short(path: Path) -> str:
    """A path inside the run as it is, one outside by its end; the ledger has it in full."""
    return "…/" + "/".join(path.parts[-2:]) if path.is_absolute() else path.as_posix()


def _count(path: Path) -> int:
    return len(path.read_bytes().splitlines()) if path.exists() else 0


def _policy(policy: Mapping[str, Any]) -> dict[str, Any]:
    """The texts of a row on one policy."""
    length = policy["characters"]["value"]
    return {
        "name": policy["name"],
        "cells": [_cell(Estimate(**mean), "number") for mean in policy["rewards"]],
        "characters": "–" if length is None else f"{length:.0f}",
    }


def _round(row: Mapping[str, Any]) -> dict[str, Any]:
    """The texts of a row on one round."""
    return {**row, "told": _cell(Estimate(row["accuracy"], row["accuracy_ci95"], 0), "share")}


def _contest(contest: Contest) -> dict[str, Any]:
    """The texts of a row on one pair: for each judge the difference in reward, and the share of wins."""
    cells = [cell for opinion in contest.opinions for cell in _opinion(opinion)]
    return {"policy": contest.policy, "before": contest.before, "cells": cells}


def _opinion(opinion: Opinion) -> Iterator[dict[str, str]]:
    told, share = opinion.to_json(), _cell(opinion.preferred, "share")
    change = _cell(opinion.reward.change, "number")
    sign = "+" if round(opinion.reward.change.value or 0, 2) > 0 else ""
    yield change | {"figure": sign + change["figure"], "outcome": told["difference_outcome"]}
    yield share | {"outcome": told["preferred_outcome"]}


def _cell(estimate: Estimate, unit: Unit) -> dict[str, str]:
    figure, interval = cell(estimate, unit)
    return {"figure": figure, "interval": interval}
