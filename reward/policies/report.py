"""One self-contained HTML page (and PNG plots) that says which policy is better, by whom, and how surely."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from labeler.errors import DataError
from labeler.formats.files import replacing
from reward.bootstrap import FEW_PROMPTS
from reward.pages import fill
from reward.plots import svg
from reward.policies.duels import WinRate
from reward.policies.found import Found, headline
from reward.policies.judges import Judge
from reward.policies.measures import Estimate, complement
from reward.policies.plots import MANY, matrix_plot, scores_plot
from reward.policies.sections import own_tables
from reward.policies.steps import SHARES, Step, pairs_to_tell
from reward.policies.tables import Cell, Table, Unit, cell, figure_text, interval_text

NOTHING_SAID: Cell = ("–", "")


def warnings(found: Found) -> list[str]:
    """What a careful reader should know before quoting the figures."""
    told = list(found.notes)
    if found.prompts < FEW_PROMPTS:
        told.append(f"Only {found.prompts} prompts: the intervals are too narrow with so few independent units.")
    if (
        found.judges
        and not any(judge.head.kind == "gold" for judge in found.judges)
        and found.judges[0].head.kind != "people"
    ):
        told.append(
            "No person and no gold reward model judged: a reward model that training optimised overrates what it was "
            "optimised for."
        )
    return told


def render(
    found: Found,
    tables: Sequence[Table] = (),
    *,
    title: str,
    subtitle: Sequence[str] = (),
    provenance: Mapping[str, Any] | None = None,
) -> tuple[str, dict[str, Figure]]:
    """The page as one string without any outside reference, and its pictures by name.

    Args:
        found: from the judges. tables: sections of further measurements.
        title: heading. subtitle: lines under it. provenance: names and values for "How it was made".
    """
    judged = [judge for judge in found.judges if judge.wins]
    sections = [*own_tables(found), *tables]
    made = {f"wins-{number}": matrix_plot(judge, found.names) for number, judge in enumerate(judged, start=1)}
    if judged:
        made["scores"] = scores_plot(judged, found.names)
    made |= {table.key: table.plot for table in sections if table.plot is not None}
    drawn = {name: svg(figure) for name, figure in made.items()}
    columns = list(dict.fromkeys((step.judge, step.figure) for step in found.steps()))
    page = fill(
        "policies",
        title=title,
        subtitle=list(subtitle),
        headline=headline(found),
        found=found,
        warnings=warnings(found),
        steps=_steps(found, columns),
        step_columns=[f"{judge}: {figure}" for judge, figure in columns],
        judges=[_judge(judge, drawn[f"wins-{n}"], len(found.names)) for n, judge in enumerate(judged, start=1)],
        many=len(found.names) > MANY,
        score_columns=[judge.name for judge in judged],
        score_rows=[_scores(name, judged) for name in found.names],
        figures={"scores": drawn.get("scores")},
        tables=[vars(table) | {"wide": table.wide, "figure": drawn.get(table.key)} for table in sections],
        provenance=list((provenance or {}).items()),
    )
    return page, made


def _steps(found: Found, columns: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    known = {(step.policy, step.before, step.judge, step.figure): step for step in found.steps()}
    return [
        {
            "before": before,
            "policy": policy,
            "cells": [_step(known.get((policy, before, judge, figure))) for judge, figure in columns],
        }
        for policy, before in pairs_to_tell(found.names, [(step.policy, step.before) for step in found.steps()])
        if columns
    ]


def _step(step: Step | None) -> dict[str, str] | None:
    if step is None:
        return None
    unit: Unit = "points" if step.figure in SHARES else "number"
    change = figure_text(step.change.value, unit)
    if unit == "number" and (step.change.value or 0) > 0:
        change = f"+{change}"
    return {"outcome": step.outcome, "change": change, "interval": interval_text(step.change, unit)}


def _judge(judge: Judge, matrix: str, policies: int) -> dict[str, Any]:
    controlled = {(each.policy, each.against): complement(each.rate) for each in judge.controlled}
    rows = []
    listed = judge.wins if policies <= MANY else ()
    for win in map(WinRate.turned, listed):  # the later policy first: does it beat the earlier one?
        fair = controlled.get((win.against, win.policy))
        rate, interval = cell(win.rate, "share")
        rows.append(
            {
                "policy": win.policy,
                "against": win.against,
                "rate": rate,
                "interval": interval,
                "ties": figure_text(win.ties, "share"),
                "controlled": figure_text(fair.value if fair else None, "share"),
                "controlled_interval": interval_text(fair, "share") if fair else "",
                "judgments": win.judgments,
            }
        )
    return {"title": title_of(judge), "matrix": matrix, "rows": rows, "pairs": len(judge.wins)}


def title_of(judge: Judge) -> str:
    """``people``, ``the reward model rm``, ``the gold reward model rm-2``."""
    titles = {"people": "{}", "reward": "the reward model {}", "gold": "the gold reward model {}"}
    return titles[judge.head.kind].format(judge.name)


def _scores(name: str, judges: Sequence[Judge]) -> dict[str, Any]:
    cells = []
    for judge in judges:
        score = next((each for each in judge.strengths if each.policy == name), None)
        known = score and Estimate(score.score, score.score_ci95, 1)
        cells.append(cell(known, "number") if known else NOTHING_SAID)
    return {"name": name, "cells": cells}


def write_report(out: Path, told: Mapping[str, Any], page: str, made: Mapping[str, Figure]) -> Path:
    """Write metrics.json, report.html and plots/*.png; returns the path of the page.

    Raises:
        DataError: the folder cannot be written.
    """
    try:
        (out / "plots").mkdir(parents=True, exist_ok=True)
        for name, figure in made.items():
            figure.savefig(out / "plots" / f"{name}.png", dpi=160, metadata={"Software": None})
        figures = json.dumps(told, indent=2, allow_nan=False) + "\n"
        for name, text in (("report.html", page), ("metrics.json", figures)):  # whole once the last is there
            with replacing(out / name) as temporary:
                temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        problem = f"cannot be written: {error.strerror or error}; choose another folder"
        raise DataError(problem, file=str(out)) from error
    return out / "report.html"
