"""What the page Import shows of a source: how much, what is wrong, what cleaning does, the first groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import streamlit as st

from labeler import import_jobs
from labeler.import_jobs import Source
from labeler.import_report import REASONS, problem_line
from labeler.importing import LOOKED, Report
from labeler.jobs import Job

WRONG = "what is wrong, and what to do"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def facts(found: Report) -> None:
    """How much there is."""
    if found.counts is None:
        return
    values = (
        ("Groups to label", found.counts.groups),
        ("Rankings that come along", found.counts.judgments),
        ("Demonstrations", found.counts.demonstrations),
        ("Bad rows", found.bad),
    )
    for place, (title, value) in zip(st.columns(4), values, strict=True):
        place.metric(title, f"{value:,}")
    sizes = ", ".join(f"{count:,} with {k}" for k, count in found.sizes.items())
    st.text(f"Format: {found.format}. Completions: {sizes or 'none'}.")


def problems(found: Report, job: Job, source: Source) -> None:
    """What is wrong in it, and the rows at fault as a file."""
    if not found.bad:
        return
    st.markdown("**Problems**")
    st.text(problem_line(found.problems[0]))  # a narrow table shows only the beginning
    rows = [{"line": one["line"], "field": one["field"] or "", WRONG: one["problem"]} for one in found.problems]
    widths = {
        "line": st.column_config.NumberColumn(width=60),
        "field": st.column_config.TextColumn(width=120),
        WRONG: st.column_config.TextColumn(width="large"),
    }
    st.dataframe(rows, hide_index=True, width="stretch", column_config=widths)
    if found.bad > len(rows):
        st.caption(f"The first {len(rows):,} of {found.bad:,}.")
    _bad_download(job, source)


def _bad_download(job: Job, source: Source) -> None:
    if rows := import_jobs.bad_rows(job, source):
        st.download_button(
            "Download the bad rows", rows, "bad-rows.jsonl", "application/x-ndjson", key=f"rows-{job.folder.name}"
        )


def cleaned(found: Report) -> None:
    """What was, or would be, left out and masked."""
    done = [f"{count:,} groups left out: {REASONS[reason]}." for reason, count in found.reasons.items()]
    done += [f"{count:,} × {kind} masked." for kind, count in sorted(found.kinds.items())]
    done += [f"{count:,} groups put into {split} by their author." for split, count in sorted(found.splits.items())]
    if done:
        st.markdown("**Cleaning**")
        for line in done:
            st.text(line)
        with st.expander("Which"):
            which = [
                {"group": one["id"], "why": REASONS[one["reason"]], "for": one["because"]} for one in found.left_out
            ]
            which += [{"group": one["id"], "why": "masked", "for": _kinds(one["kinds"])} for one in found.masked]
            st.dataframe(which, hide_index=True, width="stretch")
    if found.repeated and "repeated" not in found.reasons:
        st.info(f"{found.repeated:,} groups repeat an earlier prompt. Cleaning can leave them out.")
    if found.seen:
        st.warning(f"Personal data in the first {LOOKED} groups: {_kinds(found.seen)}. Cleaning can mask it.")


def _kinds(kinds: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} × {kind}" for kind, count in sorted(kinds.items()))


def first(found: Report) -> None:
    """The first groups as a labeler sees them: letters, no models."""
    if not found.first:
        return
    st.markdown("**The first groups, as labelers see them**")
    for row in found.first:
        with st.container(border=True):
            for turn in row["prompt"]:
                st.caption(turn["role"])
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
