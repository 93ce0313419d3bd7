"""Every format by name, and which one some rows are in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from labeler.errors import DataError, UsageError
from labeler.formats import argilla, benchmarks, labelstudio, native, pairs, scored, starts, tables
from labeler.formats.fields import Row
from labeler.formats.spec import Format, Place, Record


def _parse_native(row: Row, _place: Place) -> Record:
    """Both kinds of native rows: a group has ``completions``, a demonstration has ``completion``."""
    if "completion" in row and "completions" not in row:
        return native.parse_demonstration(row)
    return native.parse_group(row)


def _is_native(row: Row) -> bool:
    return native.is_group(row) or native.is_demonstration(row)


# Where two formats match as many rows, the earlier one is taken: the more telling marks stand first.
_ALL = (
    Format(
        "labelstudio",
        "Label Studio JSON export: data, annotations with ranker or pairwise results",
        labelstudio.is_labelstudio,
        labelstudio.parse_labelstudio,
        write=labelstudio.write_labelstudio,
    ),
    Format(
        "argilla",
        "Argilla export: fields, responses (nested or flat)",
        argilla.is_argilla,
        argilla.parse_argilla,
        write=argilla.write_argilla,
    ),
    Format(
        "hh-rlhf",
        "HH-RLHF: chosen and rejected transcripts",
        pairs.is_transcript,
        pairs.parse_transcripts,
        write=pairs.write_transcripts,
    ),
    Format(
        "rm-bench",
        "RM-Bench: prompt, three chosen and three rejected answers, domain",
        benchmarks.is_rm_bench,
        benchmarks.parse_rm_bench,
        write=benchmarks.write_rm_bench,
    ),
    Format(
        "rewardbench",
        "RewardBench: prompt, chosen and rejected (lists), subset",
        benchmarks.is_rewardbench,
        benchmarks.parse_rewardbench,
        write=benchmarks.write_rewardbench,
    ),
    Format(
        "ultrafeedback",
        "UltraFeedback: instruction, completions with response and overall_score; other scored lists",
        scored.is_scored,
        scored.parse_scored,
    ),
    Format(
        "native",
        "our own: id, prompt, completions, rankings; demonstrations: id, prompt, completion",
        _is_native,
        _parse_native,
        write=lambda group: iter([native.group_to_row(group)]),
        write_demonstration=native.demonstration_to_row,
    ),
    Format(
        "openrlhf",
        "OpenRLHF: input or context, chosen, rejected",
        pairs.is_openrlhf,
        pairs.parse_openrlhf,
        write=pairs.write_openrlhf,
        ties=True,
    ),
    Format("wide", "a table with prompt, completion_a, completion_b, …, winner", tables.is_wide, tables.parse_wide),
    Format(
        "long",
        "a table with one completion a row: id or prompt, completion, rank or score, annotator",
        tables.is_long,
        key=tables.long_key,
        merge=tables.merge_long,
        write=tables.write_long,
    ),
    Format(
        "trl",
        "TRL: prompt, chosen, rejected, margin; or prompt, completion",
        pairs.is_pair,
        pairs.parse_trl,
        write=pairs.write_trl,
        ties=True,
        write_demonstration=pairs.write_prompt_completion,
    ),
    Format(
        "trl-conversational",
        "TRL with lists of messages",
        None,
        pairs.parse_trl,
        write=pairs.write_trl_chat,
        ties=True,
        write_demonstration=pairs.write_prompt_completion_chat,
    ),
    Format(
        "messages",
        "TRL/HF chat: messages, the last one from the assistant",
        lambda row: "messages" in row,
        pairs.parse_messages,
        write_demonstration=pairs.write_messages,
    ),
    Format("prompts", "prompts alone: prompt, system, scenario, or some of them", starts.is_start, starts.parse_start),
    Format("csv", "a CSV or TSV file, written as the long table", write=tables.write_long),
    Format("parquet", "a Parquet file, written in our own fields", write=lambda g: iter([native.group_to_row(g)])),
    Format("datasets", "a datasets folder, written in our own fields", write=lambda g: iter([native.group_to_row(g)])),
)
FORMATS: Mapping[str, Format] = MappingProxyType({spec.name: spec for spec in _ALL})
"""Every format by the name that ``--format`` takes."""
CONTAINERS = ("csv", "parquet", "datasets")
"""Names that say how a file is stored; what its rows mean is detected on reading."""


def find(name: str) -> Format:
    """The format of a name.

    Raises:
        UsageError: there is none.
    """
    if name not in FORMATS:
        raise UsageError(f"there is no format {name!r}; the formats are {', '.join(FORMATS)}")
    return FORMATS[name]


def detect(rows: Sequence[Mapping[str, Any]], file: str, line: int) -> Format:
    """The format that most of the first rows are in.

    Raises:
        DataError: none matches; the message says which fields there are and what was tried.
    """
    votes = [(sum(spec.matches(row) for row in rows), spec) for spec in _ALL if spec.matches]
    most, best = max(votes, key=lambda vote: vote[0])
    if most:
        return best
    tried = "; ".join(f"{spec.name} ({spec.summary})" for _, spec in votes)
    problem = (
        f"the fields {', '.join(map(str, rows[0])) or '(none)'} are of no known format; name the fields, "
        f"e.g. prompt=question, or the format. Tried: {tried}"
    )
    raise DataError(problem, file=file, line=line)
