"""What the page Import shows of a source: how much, what is wrong, what cleaning does, the first groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import streamlit as st

from labeler import import_jobs
from labeler.app.language import strong, table
from labeler.import_jobs import Source
from labeler.import_report import REASONS, problem_line
from labeler.importing import LOOKED, Report
from labeler.jobs import Job
from labeler.languages import figure, mark, t, tn

WRONG = mark("what is wrong, and what to do")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def facts(found: Report) -> None:
    """How much there is."""
    if found.counts is None:
        return
    values = (
        (t("Groups to label"), found.counts.groups),
        (t("Rankings that come along"), found.counts.judgments),
        (t("Demonstrations"), found.counts.demonstrations),
        (t("Bad rows"), found.bad),
    )
    for place, (title, value) in zip(st.columns(4), values, strict=True):
        place.metric(title, figure(value))
    sizes = ", ".join(t("{count} with {k}", count=count, k=k) for k, count in found.sizes.items())
    st.text(t("Format: {format}. Completions: {sizes}.", format=found.format, sizes=sizes or t("none")))


def problems(found: Report, job: Job, source: Source) -> None:
    """What is wrong in it, and the rows at fault as a file."""
    if not found.bad:
        return
    strong(t("Problems"))
    st.text(problem_line(found.problems[0]))  # a narrow table shows only the beginning
    rows = [
        {mark("line"): one["line"], mark("field"): one["field"] or "", WRONG: one["problem"]} for one in found.problems
    ]
    widths = {
        "line": st.column_config.NumberColumn(width=60),
        "field": st.column_config.TextColumn(width=120),
        WRONG: st.column_config.TextColumn(width="large"),
    }
    table(rows, widths)
    if found.bad > len(rows):
        st.caption(t("The first {shown} of {all}.", shown=len(rows), all=found.bad))
    _bad_download(job, source)


def _bad_download(job: Job, source: Source) -> None:
    if rows := import_jobs.bad_rows(job, source):
        st.download_button(
            t("Download the bad rows"),
            rows,
            "bad-rows.jsonl",
            "application/x-ndjson",
            key=f"rows-{job.folder.name}",
            on_click="ignore",
        )


def cleaned(found: Report) -> None:
    """What was, or would be, left out and masked."""
    done = [_left_out(count, t(REASONS[reason])) for reason, count in found.reasons.items()]
    done += [t("{count} × {kind} masked.", count=count, kind=kind) for kind, count in sorted(found.kinds.items())]
    done += [_put_into(count, split) for split, count in sorted(found.splits.items())]
    if done:
        strong(t("Cleaning"))
        for line in done:
            st.text(line)
        with st.expander(t("Which")):
            which = [
                {mark("group"): one["id"], mark("why"): _why(one), mark("because of"): one["because"]}
                for one in found.left_out
            ]
            which += [
                {"group": one["id"], "why": t("masked"), "because of": _kinds(one["kinds"])} for one in found.masked
            ]
            table(which)
    if found.repeated and "repeated" not in found.reasons:
        st.info(
            tn(
                "{count} group repeats an earlier prompt. Cleaning can leave it out.",
                "{count} groups repeat an earlier prompt. Cleaning can leave them out.",
                found.repeated,
            )
        )
    if found.seen:
        st.warning(
            t(
                "Personal data in the first {looked} groups: {kinds}. Cleaning can mask it.",
                looked=LOOKED,
                kinds=_kinds(found.seen),
            )
        )


def _why(one: Mapping[str, str]) -> str:
    reason = one["reason"]
    return t(REASONS[reason])


def _left_out(count: int, why: str) -> str:
    return tn("{count} group left out: {why}.", "{count} groups left out: {why}.", count, why=why)


def _put_into(count: int, split: str) -> str:
    return tn(
        "{count} group put into {split} by its author.",
        "{count} groups put into {split} by their author.",
        count,
        split=split,
    )


def _kinds(kinds: Mapping[str, int]) -> str:
    return ", ".join(f"{figure(count)} × {kind}" for kind, count in sorted(kinds.items()))


def first(found: Report) -> None:
    """The first groups as a labeler sees them: letters, no models."""
    if not found.first:
        return
    strong(t("The first groups, as labelers see them"))
    for row in found.first:
        with st.container(border=True):
            for turn in row["prompt"]:
                role = turn["role"]
                st.caption(t(role))
                st.code(turn["content"], language=None, wrap_lines=True, height=_height(turn["content"]))
            if not row["completions"]:
                continue
            for place, (letter, answer) in zip(
                st.columns(min(len(row["completions"]), 4)),
                zip(LETTERS, row["completions"], strict=False),
                strict=False,
            ):
                place.caption(letter)
                place.code(answer["text"], language=None, wrap_lines=True, height=_height(answer["text"]))


def _height(text: str) -> int | Literal["content"]:
    return 220 if len(text) > 600 else "content"
