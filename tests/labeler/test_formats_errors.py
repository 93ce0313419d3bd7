"""Broken input: each error names file, line, field and the fix; nothing is half read; bad rows can be set aside."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labeler.errors import DataError, UsageError
from labeler.formats import iter_groups, parse_group, read

ROOT = Path(__file__).parents[2]
GOOD: dict[str, Any] = {
    "id": "g0",
    "prompt": "p",
    "completions": [{"id": "a", "text": "7"}, {"id": "b", "text": "9"}],
    "rankings": [{"annotator": "ann", "ranks": [1, 2]}],
}


def changed(**fields: Any) -> bytes:
    return json.dumps({**GOOD, "id": "g1", **fields}).encode()


def ranked(**fields: Any) -> bytes:
    return changed(rankings=[{"annotator": "ann", "ranks": [1, 2], **fields}])


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in {**GOOD, "id": "g1"}.items() if key != name}).encode()


# The bad second line of a native file → its field, and words of the problem and of the fix.
LINES: dict[str, tuple[bytes, str, str, str]] = {
    "not UTF-8": (b'{"id": "\xff"}', "", "is not UTF-8 at byte 9", "save the file as UTF-8"),
    "not JSON": (b'{"id": ', "", "is not JSON: Expecting value at character 9", "write one JSON object a line"),
    "a list": (b"[1]", "", "is JSON but a list, not an object", "name a whole list .json"),
    "a bare value": (b"7", "", "is JSON but a bare value", "write one row as {…}"),
    "NaN": (b'{"id": "g1", "meta": {"x": NaN}}', "", "holds NaN", "write null or a finite number"),
    "-Infinity": (b'{"id": "g1", "meta": -Infinity}', "", "holds -Infinity", "a finite number"),
    "a huge float": (changed(meta={"x": 1}).replace(b"1}", b"1e999}"), "meta.x", "is inf", "must be a finite number"),
    "a huge whole number": (b'{"id": ' + b"9" * 5000 + b"}", "", "is not JSON that can be read", "correct the line"),
    "nested without end": (b"[" * 100_000, "", "is not JSON that can be read", "correct the line"),
    "a lone surrogate": (changed(prompt="x\ud800"), "prompt", "unpaired surrogate ('\\ud800')", "remove or repair it"),
    "a lone surrogate in meta": (changed(meta={"k": ["\udc00"]}), "meta.k[0]", "unpaired surrogate", "repair it"),
    "a lone surrogate in a key": (changed(meta={"\udc00": 1}), "meta", "unpaired surrogate", "remove or repair it"),
    "a lone surrogate in a note": (ranked(note="\ud800"), "rankings[0].note", "unpaired surrogate", "repair it"),
    "a NUL in the id": (changed(id="g\0"), "id", "has a NUL (U+0000) at character 1", "remove it"),
    "a NUL in a completion's id": (
        changed(completions=[{"id": "\0", "text": "x"}]),
        "completions[0].id",
        "has a NUL",
        "remove it",
    ),
    "a NUL in an annotator": (ranked(annotator="a\0"), "rankings[0].annotator", "has a NUL (U+0000)", "remove it"),
    "no id": (without("id"), "id", "is missing", "add it (the fields here are: prompt, completions, rankings)"),
    "a numeric id": (changed(id=7), "id", "is a number ('7')", "must be a string"),
    "an empty id": (changed(id=""), "id", "the id must be", "a non-empty string"),
    "a repeated id": (changed(id="g0"), "id", "'g0' is already the id in line 1", "give every row its own"),
    "no prompt": (without("prompt"), "prompt", "is missing", "add it"),
    "a null prompt": (changed(prompt=None), "prompt", "is null", "a string or a list of messages"),
    "an empty prompt": (changed(prompt=[]), "prompt", "is empty", "give at least one message"),
    "a bad role": (changed(prompt=[{"role": "human", "content": "x"}]), "prompt[0].role", "'human'", "system, user"),
    "a null content": (changed(prompt=[{"role": "user", "content": None}]), "prompt[0].content", "null", "a string"),
    "a message field": (
        changed(prompt=[{"role": "user", "content": "x", "name": "bo"}]),
        "prompt[0].name",
        "is not a field of a message",
        "only role and content",
    ),
    "a late system message": (
        changed(prompt=[{"role": "user", "content": "x"}, {"role": "system", "content": "y"}]),
        "prompt[1].role",
        "a system message",
        "may only come first",
    ),
    "no completions": (without("completions"), "completions", "is missing", "add it"),
    "completions no list": (changed(completions={"a": "x"}), "completions", "is an object", "must be a list"),
    "a completion no object": (changed(completions=["x", "y"]), "completions[0]", "a string ('x')", "an object"),
    "a null text": (changed(completions=[{"id": "a", "text": None}]), "completions[0].text", "null", "a string"),
    "a completion without id": (changed(completions=[{"text": "x"}]), "completions[0].id", "is missing", "add it"),
    "an empty completion id": (
        changed(completions=[{"id": "", "text": "x"}]),
        "completions[0].id",
        "the id",
        "non-empty",
    ),
    "a numeric model": (
        changed(completions=[{"id": "a", "text": "x", "model": 4}]),
        "completions[0].model",
        "is a number",
        "must be a string",
    ),
    "twice the same completion id": (
        changed(completions=[{"id": "a", "text": "x"}, {"id": "a", "text": "y"}]),
        "completions",
        "two completions have the id 'a'",
        "make them unique",
    ),
    "an unknown completion field": (
        changed(completions=[{"id": "a", "text": "x", "score": 1}]),
        "completions[0].score",
        "is not a field here",
        "put it under meta",
    ),
    "an unknown field": (changed(rankngs=[]), "rankngs", "is not a field here", "one of completions, id, meta"),
    "rankings no list": (changed(rankings={"x": 1}), "rankings", "is an object", "must be a list"),
    "an unknown ranking field": (ranked(rank=[1]), "rankings[0].rank", "is not a field here", "put it under meta"),
    "no annotator": (changed(rankings=[{"ranks": [1, 2]}]), "rankings[0].annotator", "is missing", "add it"),
    "an empty annotator": (ranked(annotator=""), "rankings[0].annotator", "must be", "a non-empty string"),
    "too few ranks": (ranked(ranks=[1]), "rankings[0].ranks", "has 1 entries for 2", "give one per completion"),
    "a boolean rank": (ranked(ranks=[True, 2]), "rankings[0].ranks[0]", "true/false", "a whole number or null"),
    "a fractional rank": (ranked(ranks=[1, 1.5]), "rankings[0].ranks[1]", "('1.5')", "a whole number or null"),
    "a rank as text": (ranked(ranks=["1", 2]), "rankings[0].ranks[0]", "is a string ('1')", "a whole number or null"),
    "ranks no list": (ranked(ranks="1,2"), "rankings[0].ranks", "is a string", "must be a list"),
    "a strength of 5": (ranked(strength=5), "rankings[0].strength", "the strength is 5", "must be 1, 2, 3 or 4"),
    "a boolean strength": (ranked(strength=True), "rankings[0].strength", "is true/false", "must be 1, 2, 3 or 4"),
    "a rating of 8": (ranked(ratings=[8, None]), "rankings[0].ratings[0]", "the rating is 8", "1 to 7 or null"),
    "flags no lists": (ranked(flags=["x", "y"]), "rankings[0].flags[0]", "is a string", "must be a list"),
    "all_bad no boolean": (ranked(all_bad=1), "rankings[0].all_bad", "is a number", "true or false"),
    "negative seconds": (ranked(seconds=-1), "rankings[0].seconds", "is -1.0", "0 or more"),
    "a wrong order": (ranked(order=["a", "c"]), "rankings[0].order", "must hold", "each completion id once"),
    "a bad time": (ranked(at="yesterday"), "rankings[0].at", "is 'yesterday'", "e.g. 2025-01-31T12:00:00Z"),
    "a time without zone": (ranked(at="2025-01-31T12:00:00"), "rankings[0].at", "is '2025", "as RFC 3339"),
    "an impossible time": (ranked(at="2025-02-31T12:00:00Z"), "rankings[0].at", "is '2025", "as RFC 3339"),
    "a bad split": (changed(split="dev"), "split", "the split is 'dev'", "one of train, valid, test"),
    "meta no object": (changed(meta=[1]), "meta", "is a list", "must be an object"),
}


@pytest.mark.parametrize("name", LINES)
def test_a_bad_line(tmp_path: Path, name: str) -> None:
    line, field, problem, fix = LINES[name]
    path = tmp_path / "groups.jsonl"
    path.write_bytes(json.dumps(GOOD).encode() + b"\n" + line + b"\n")
    with pytest.raises(DataError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}:2: {field}{': ' if field else ''}")
    assert problem in message
    assert fix in message


@pytest.mark.parametrize("name", LINES)
def test_a_bad_line_can_be_set_aside(tmp_path: Path, name: str) -> None:
    line, field, problem, _ = LINES[name]
    path, aside = tmp_path / "groups.jsonl", tmp_path / "bad.jsonl"
    path.write_bytes(json.dumps(GOOD).encode() + b"\n" + line + b"\n")
    found = read(path, skip_bad=aside)
    assert (found.groups, found.skipped) == ((parse_group(GOOD),), 1)
    (bad,) = [json.loads(each) for each in aside.read_text().splitlines()]
    assert (bad["file"], bad["line"]) == (str(path), 2)
    assert problem in bad["reason"]
    assert bad["reason"].startswith(field)
    assert bad["row"] == line.decode(errors="backslashreplace")


ROWS: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "trl: no rejected": ({"prompt": "p", "chosen": "a"}, "rejected", "is missing", "add it"),
    "trl: a number": ({"prompt": "p", "chosen": 1, "rejected": 2}, "chosen", "is a number", "must be a list"),
    "trl: mixed": ({"prompt": "p", "chosen": "a", "rejected": []}, "rejected", "one side is a string", "the same form"),
    "trl: no prompt": ({"chosen": "x", "rejected": "y"}, "prompt", "share no beginning", "add a prompt field"),
    "trl: a bad margin": (
        {"prompt": "p", "chosen": "a", "rejected": "b", "margin": "wide"},
        "margin",
        "'wide'",
        "number",
    ),
    "trl: ends with the user": (
        {"chosen": [{"role": "user", "content": "x"}], "rejected": [{"role": "user", "content": "y"}]},
        "chosen",
        "must end with an assistant message",
        "the answer that was judged",
    ),
    "trl: differs too early": (
        {
            "chosen": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "a"}],
            "rejected": [{"role": "user", "content": "y"}, {"role": "assistant", "content": "b"}],
        },
        "rejected",
        "differs from chosen before the last answer",
        "share every earlier turn",
    ),
    "trl: unpaired": ({"prompt": "p", "completion": "a", "label": True}, "label", "one by one", "keep the good rows"),
    "messages: no answer": ({"messages": [{"role": "user", "content": "x"}]}, "messages", "must end", "demonstrated"),
    "hh-rlhf: no transcript": (
        {"chosen": "\n\nHuman: x\n\nAssistant: y", "rejected": "y"},
        "rejected",
        "must begin",
        "turns",
    ),
    "openrlhf: two prompts": (
        {"input": "x", "context": "y", "chosen": "a", "rejected": "b"},
        "context",
        "both context and input are strings",
        "e.g. prompt=input",
    ),
    "rewardbench: none wrong": (
        {"prompt": "p", "chosen": ["a"], "rejected": []},
        "rejected",
        "is empty",
        "at least one",
    ),
    "ultrafeedback: a bad score": (
        {"instruction": "p", "completions": [{"response": "a", "overall_score": "good"}]},
        "completions[0].overall_score",
        "'good'",
        "must be a number",
    ),
    "ultrafeedback: too few scores": (
        {"prompt": "p", "responses": ["a", "b"], "scores": [1]},
        "scores",
        "1 entries",
        "null",
    ),
    "argilla: no prompt": ({"fields": {"text": "p"}, "responses": {}}, "prompt", "there is no prompt", "prompt=text"),
    "labelstudio: three texts": (
        {"id": 1, "data": {"prompt": "p", "a": "x", "b": "y", "c": "z"}, "annotations": []},
        "data",
        "cannot tell which two",
        "leave the prompt and two texts",
    ),
    "labelstudio: unknown item": (
        {
            "id": 1,
            "data": {"prompt": "p", "items": [{"id": "a", "body": "x"}]},
            "annotations": [{"result": [{"type": "ranker", "value": {"ranker": ["z"]}}]}],
        },
        "annotations[0].result[0].value.ranker",
        "ranks the item 'z'",
        "export data and annotations together",
    ),
    "wide: a bad verdict": (
        {"prompt": "p", "completion_a": "x", "completion_b": "y", "winner": "c"},
        "winner",
        "is 'c'",
        "one of a, b or tie",
    ),
    "long: a bad rank": ({"prompt": "p", "completion": "x", "rank": "first"}, "rank", "'first'", "must be a number"),
    "no format": ({"foo": 1, "bar": 2}, "", "the fields foo, bar are of no known format", "Tried: labelstudio"),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_bad_row_of_another_format(tmp_path: Path, name: str) -> None:
    row, field, problem, fix = ROWS[name]
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row))
    with pytest.raises(DataError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}:1: {field}{': ' if field else ''}")
    assert problem in message
    assert fix in message


def truncated() -> bytes:
    return gzip.compress(os.urandom(1000) + b"\n" + json.dumps(GOOD).encode())[:-300]


FILES: dict[str, tuple[str, bytes, int | None, str, str]] = {
    "empty": ("g.jsonl", b"", None, "is empty", "at least one row"),
    "blank lines": ("g.jsonl", b"\n \r\n", None, "is empty", "at least one row"),
    "empty gzip": ("g.jsonl.gz", gzip.compress(b""), None, "is empty", "at least one row"),
    "empty json": ("g.json", b" ", None, "is empty", "at least one row"),
    "an empty list": ("g.json", b"[]", None, "is empty", "at least one row"),
    "empty csv": ("g.csv", b"", None, "is empty", "at least one row"),
    "only a header": ("g.csv", b"prompt,chosen,rejected\n", None, "is empty", "at least one row"),
    "cut off gzip": ("g.jsonl.gz", truncated(), None, "the gzip file is cut off", "copy or download it again"),
    "not gzip": ("g.jsonl.gz", b"{}", None, "is not a sound gzip file", "drop .gz from its name"),
    "unknown extension": (
        "g.txt",
        b"{}",
        None,
        "unknown extension .txt",
        ".jsonl, .ndjson, .json, .csv, .tsv, .parquet",
    ),
    "no extension": ("groups", b"{}", None, "unknown extension (none)", ".jsonl"),
    "broken json": ("g.json", b'[{"id": 1},\n x]', 2, "is not JSON", "correct it"),
    "json not UTF-8": ("g.json", b'[\n"\xff"]', 2, "is not UTF-8", "save the file as UTF-8"),
    "NaN in json": ("g.json", b"[NaN]", None, "holds NaN", "a finite number"),
    "json of strings": ("g.json", b'["x"]', 1, "a bare value, not an object", "write one row as {…}"),
    "UTF-16": ("g.jsonl", json.dumps(GOOD).encode("utf-16"), 1, "it looks like UTF-16", "save the file as UTF-8"),
    "csv not UTF-8": ("g.csv", "prompt,chosen,rejected\nü,a,b".encode("latin-1"), 2, "is not UTF-8", "UTF-8"),
    "csv cells": (
        "g.csv",
        b"prompt,chosen,rejected\na,b\n",
        2,
        "has 2 cells where the header has 3",
        "quote the texts",
    ),
    "csv quotes": ("g.csv", b'prompt,chosen,rejected\n"a,b,c\n', 2, "is not sound CSV", "quote texts"),
    "csv columns twice": ("g.csv", b"prompt,prompt\na,b\n", 1, "'prompt' is there twice", "rename one"),
    "not Parquet": ("g.parquet", b"PAR1 no", None, "is not a sound Parquet file", "write or copy it again"),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("skip", [False, True])
def test_a_bad_file(tmp_path: Path, name: str, skip: bool) -> None:
    file, content, line, problem, fix = FILES[name]
    path = tmp_path / file
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read(path, skip_bad=tmp_path / "bad.jsonl" if skip else None)
    message = str(caught.value)
    assert message.startswith(f"{path}:{line}: " if line else f"{path}: ")
    assert problem in message
    assert fix in message


def test_a_missing_file_and_a_plain_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no\.jsonl: there is no such file or folder; check the path"):
        read(tmp_path / "no.jsonl")
    with pytest.raises(DataError, match=r"is a folder that is no dataset: .* groups\.jsonl .* name a file in it"):
        read(tmp_path)
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(DataError, match="is a damaged dataset folder"):
        read(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "g.jsonl"
    path.touch(mode=0)
    with pytest.raises(DataError, match="cannot be read: Permission denied; check its rights"):
        read(path)


def test_an_empty_parquet_file(tmp_path: Path) -> None:
    pq.write_table(pa.table({"prompt": pa.array([], pa.string())}), tmp_path / "g.parquet")
    with pytest.raises(DataError, match="is empty"):
        read(tmp_path / "g.parquet")


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    for name in ("g.jsonl", "g.json"):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + json.dumps(GOOD).encode() + b"\r\n")
        assert read(tmp_path / name).groups == (parse_group(GOOD),)


def test_json_lines_in_a_json_file_and_a_single_object(tmp_path: Path) -> None:
    path = tmp_path / "g.json"
    path.write_text(json.dumps(GOOD) + "\n" + json.dumps({**GOOD, "id": "g1"}))
    assert [group.id for group in read(path).groups] == ["g0", "g1"]
    path.write_text(json.dumps(GOOD, indent=2))
    assert [group.id for group in read(path).groups] == ["g0"]


def test_a_missing_column_says_which_there_are(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("question,a,b\np,x,y\n")
    with pytest.raises(DataError, match=r"t\.csv:2: prompt: there is no column 'ask'; the columns are: question, a, b"):
        read(path, columns={"prompt": "ask"})
    with pytest.raises(
        DataError, match=r"t\.csv:2: chosen: is missing; add it \(the fields here are: question, a, b\)"
    ):
        read(path, format="trl")


def test_a_wrong_row_of_a_long_table_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    header = "id,prompt,completion,annotator,rank\ng,p,x,ann,1\n"
    for row, message in {
        "g,q,y,ann,2": "prompt: differs from the first row with this id; give every prompt its own id",
        "g,p,x,ann,2": "annotator: 'ann' judged 'c0' in an earlier row too; keep one",
        "g,p,y,ann,top": "rank: is a string ('top'); it must be a number",
    }.items():
        path.write_text(header + row + "\n")
        with pytest.raises(DataError) as caught:
            read(path)
        assert str(caught.value) == f"{path}:3: {message}"


def test_a_format_by_name_reports_what_its_rows_lack(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"text": "x"}))
    missing = {
        "native": "text",
        "messages": "messages",
        "hh-rlhf": "chosen",
        "openrlhf": "chosen",
        "rewardbench": "chosen",
        "ultrafeedback": "completions",
        "argilla": "prompt",
        "labelstudio": "data",
        "wide": "completion_a",
        "long": "prompt",
        "prompts": "prompt",
    }
    for name, field in missing.items():
        with pytest.raises(DataError) as caught:
            read(path, format=name)
        assert (caught.value.line, caught.value.field) == (1, field)
    with pytest.raises(UsageError, match="there is no format 'xml'; the formats are labelstudio"):
        read(path, format="xml")


def test_detection_follows_most_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"id": "x", "prompt": "no completions"}, GOOD, {**GOOD, "id": "g1"}]
    path.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(DataError, match=r"rows\.jsonl:1: completions: is missing"):
        read(path)


def test_setting_bad_rows_aside(tmp_path: Path) -> None:
    path, aside = tmp_path / "g.jsonl", tmp_path / "bad.jsonl"
    path.write_text("\n".join([json.dumps(GOOD), "{", json.dumps(GOOD)]))
    found = read(path, skip_bad=aside)
    assert (len(found.groups), found.skipped, len(aside.read_text().splitlines())) == (1, 2, 2)
    path.write_text(json.dumps(GOOD))
    assert read(path, skip_bad=aside).skipped == 0
    assert aside.read_text() == ""  # nothing of the run before is left
    path.write_text(json.dumps({**GOOD, "id": 7}))
    with pytest.raises(DataError, match=r"g\.jsonl:1: id: .* \(none of the 1 rows could be read as native\)"):
        read(path, skip_bad=aside)
    assert len(aside.read_text().splitlines()) == 1
    with pytest.raises(UsageError, match="is the source itself"):
        read(path, skip_bad=path)


def test_setting_table_rows_aside(tmp_path: Path) -> None:
    path, aside = tmp_path / "t.csv", tmp_path / "bad.jsonl"
    path.write_text('prompt,chosen,rejected\np,a,b\nonly,two\n"x\ny",a,b\n')
    assert [group.id for group in read(path, skip_bad=aside).groups] == ["t-2", "t-4"]
    assert json.loads(aside.read_text())["row"] == '["only", "two"]'
    rows = pa.table({"prompt": ["p", None], "chosen": ["a", "c"], "rejected": ["b", "d"]})
    pq.write_table(rows, tmp_path / "t.parquet")
    assert len(read(tmp_path / "t.parquet", skip_bad=aside).groups) == 1
    assert json.loads(json.loads(aside.read_text())["row"]) == {"prompt": None, "chosen": "c", "rejected": "d"}


def test_a_snapshot_folder(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "groups.jsonl").write_text(json.dumps(GOOD) + "\n")
    (tmp_path / "demonstrations.jsonl").write_text(json.dumps({"id": "g0", "prompt": "p", "completion": "c"}) + "\n")
    found = read(tmp_path)
    assert ([g.id for g in found.groups], [d.id for d in found.demonstrations]) == (["g0"], ["g0"])
    assert [g.id for g in iter_groups(tmp_path)] == ["g0"]
    (tmp_path / "demonstrations.jsonl").write_text("")
    assert read(tmp_path).demonstrations == ()
    (tmp_path / "groups.jsonl").write_text("")
    with pytest.raises(DataError, match="is empty"):
        read(tmp_path)


def test_the_hub_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: Any, **__: Any) -> None:
        raise ConnectionError("Couldn't reach 'org/set' on the Hub\nwith a long story")

    monkeypatch.setattr(datasets, "load_dataset", load)
    with pytest.raises(DataError) as caught:
        read("hf:org/set")
    assert str(caught.value).startswith("hf:org/set: cannot be loaded (Couldn't reach 'org/set' on the Hub); check")
    with pytest.raises(DataError, match="names no dataset"):
        read("hf:")


def test_the_real_client_offline(tmp_path: Path) -> None:
    program = "from labeler.formats import read\nread('hf:org/set')"
    settings = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], env=settings, capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1].startswith(
        "labeler.errors.DataError: hf:org/set: cannot be loaded (Couldn't reach"
    )


def test_reading_text_needs_no_heavy_library() -> None:
    program = "import sys, labeler.formats\nprint([m for m in ('pyarrow', 'datasets', 'torch') if m in sys.modules])"
    settings = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], env=settings, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
