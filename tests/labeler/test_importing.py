"""Imports as a whole, by the command: dry runs, bad rows, cleaning, and the same on both databases."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from labeler import meaning
from labeler.cleaning import Cleaning
from labeler.cli import main
from labeler.errors import ConflictError, DataError, UsageError
from labeler.importing import LISTED, Report, Wanted, bring_in
from labeler.store import Store

GOOD = [
    {
        "id": f"g{n}",
        "prompt": f"Question {n}?",
        "completions": [{"id": "a", "text": "Yes."}, {"id": "b", "text": "No."}],
    }
    for n in range(4)
]


def saved(path: Path, *rows: object) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def author(number: int, who: str, text: str | None = None) -> dict[str, object]:
    return GOOD[0] | {"id": f"a{number}", "prompt": text or f"Prompt {number}", "meta": {"author": who}}


def test_a_dry_run_lists_every_problem_and_stores_nothing(store: Store, tmp_path: Path):
    single = GOOD[1] | {"completions": [{"id": "a", "text": "Only."}]}
    urgent = GOOD[2] | {"meta": {"priority": 101}}
    path = saved(tmp_path / "mixed.jsonl", GOOD[0], '{"id": "x", ', single, urgent, GOOD[0] | {"completions": 3})
    bad = tmp_path / "bad.jsonl"
    done = bring_in(store, Wanted(source=str(path), project="qa", skip_bad=bad), dry_run=True)
    assert [(one["line"], one["field"]) for one in done.problems] == [
        (2, None),
        (5, "completions"),
        (3, "completions"),
        (4, "meta.priority"),
    ]
    assert "at least two completions" in done.problems[2]["problem"]
    assert done.counts is not None
    assert (done.counts.groups, done.bad, done.format, done.sizes) == (1, 4, "native", {"2": 1})
    assert done.columns == ("id", "prompt", "completions")
    assert done.first[0]["id"] == "g0"
    assert "rankings" not in done.first[0] or done.first[0]["rankings"] == []
    kept = [json.loads(line) for line in bad.read_text().splitlines()]
    assert [row["line"] for row in kept] == [2, 5, 3, 4]
    assert json.loads(kept[2]["row"])["id"] == "g1"
    assert store.projects() == ()
    report = tmp_path / "report.json"
    done.save(report)
    assert Report.load(report) == Report(**{**_plain(done), "counts": done.counts})
    assert Report.load(tmp_path / "none") is None


def _plain(done: Report) -> dict[str, object]:
    """The report as JSON gives it back: lists for tuples."""
    return {
        name: json.loads(json.dumps(getattr(done, name), default=vars)) for name in done.__slots__ if name != "counts"
    }


def test_what_is_left_out_of_a_dry_run_is_left_out_of_the_import(store: Store, tmp_path: Path):
    single = GOOD[1] | {"completions": [{"id": "a", "text": "Only."}]}
    path = saved(tmp_path / "mixed.jsonl", GOOD[0], single, GOOD[2])
    wanted = Wanted(source=str(path), project="qa", skip_bad=tmp_path / "bad.jsonl", priority=7, overlap=3)
    would = bring_in(store, wanted, dry_run=True)
    done = bring_in(store, wanted)
    assert would.counts == done.counts
    tasks = store.task_page(store.project("qa").id, after=0, limit=9)
    assert [(task.row["id"], task.priority, task.overlap) for task in tasks] == [("g0", 7, 3), ("g2", 7, 3)]
    assert bring_in(store, wanted, dry_run=True).problems[0]["problem"].startswith("the project 'qa' has 'g0' already")
    with pytest.raises(ConflictError):
        bring_in(store, wanted)


def test_a_bad_row_stops_an_import_with_its_place(store: Store, tmp_path: Path):
    single = GOOD[1] | {"completions": [{"id": "a", "text": "Only."}]}
    path = saved(tmp_path / "one.jsonl", GOOD[0], single)
    with pytest.raises(DataError) as refused:
        bring_in(store, Wanted(source=str(path), project="qa", name="yours.jsonl"))
    assert str(refused.value).startswith("yours.jsonl:2: completions: group 'g1' needs at least two completions")
    assert store.projects() == ()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("latin.jsonl", '{"id": "é", "prompt": "?", "completions": []}\n'.encode("latin-1"), "is not UTF-8 at byte"),
        ("wide.csv", "prompt,completion_a\n?,x\n".encode("utf-16"), "is not UTF-8"),
        ("empty.jsonl", b"", "is empty"),
        ("header.csv", b"prompt,completion_a,completion_b\n", "is empty"),
        ("cells.csv", b"prompt,completion_a,completion_b\n?,x\n", "has 2 cells where the header has 3"),
        ("odd.csv", b"frage,links,rechts\nWarum?,Darum.,Nein.\n", "are of no known format"),
        ("cut.jsonl.gz", b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "cut off"),
        ("not.parquet", b"PAR0 this is none", "is not a sound Parquet file"),
        ("word.json", b"[1, 2", "is not JSON"),
        ("strange.exe", b"MZ", "has an unknown extension"),
    ],
)
def test_a_broken_file_is_a_problem_of_a_dry_run(store: Store, tmp_path: Path, name: str, content: bytes, says: str):
    path = tmp_path / name
    path.write_bytes(content)
    done = bring_in(store, Wanted(source=str(path), project="qa", skip_bad=tmp_path / "bad.jsonl"), dry_run=True)
    assert says in " ".join(str(one["problem"]) for one in done.problems)
    assert not (done.counts and done.counts.groups)


def test_columns_are_told_so_that_they_can_be_named(store: Store, tmp_path: Path):
    path = tmp_path / "odd.csv"
    path.write_text("frage,links,rechts,besser\nWarum?,Darum.,Nein.,a\n")
    done = bring_in(store, Wanted(source=str(path), project="qa"), dry_run=True)
    assert done.columns == ("frage", "links", "rechts", "besser")
    names = {"prompt": "frage", "completion_a": "links", "completion_b": "rechts", "winner": "besser"}
    done = bring_in(store, Wanted(source=str(path), project="qa", columns=names))
    assert done.counts is not None
    assert (done.format, done.counts.groups, done.counts.judgments) == ("wide", 1, 1)


def test_cleaning_knows_what_the_project_has(store: Store, tmp_path: Path):
    first = saved(tmp_path / "first.jsonl", author(0, "x", "Mail me: a@example.com"), author(1, "x"))
    clean = Cleaning(unique=True, per_author=3, split_by_author=True, mask_pii=True)
    done = bring_in(store, Wanted(source=str(first), project="qa", cleaning=clean))
    assert (done.kinds, done.reasons) == ({"EMAIL": 1}, {})
    rows = [author(2, "x", "Mail me: b@example.com"), author(3, "x"), author(4, "x"), author(5, "y")]
    done = bring_in(store, Wanted(source=str(saved(tmp_path / "more.jsonl", *rows)), project="qa", cleaning=clean))
    assert done.reasons == {"repeated": 1, "enough of the author": 1}
    assert [(one["id"], one["because"]) for one in done.left_out] == [("a2", "a0"), ("a4", "x")]
    tasks = store.task_page(store.project("qa").id, after=0, limit=9)
    assert [task.row["id"] for task in tasks] == ["a0", "a1", "a3", "a5"]
    assert tasks[0].row["prompt"][0]["content"] == "Mail me: [EMAIL_1]"
    assert len({task.row["split"] for task in tasks if task.row["meta"]["author"] == "x"}) == 1


def test_a_dry_run_says_what_cleaning_would_find(store: Store, tmp_path: Path):
    rows = [author(0, "x", "Mail me: a@example.com"), author(1, "x", "Mail me: a@example.com")]
    done = bring_in(store, Wanted(source=str(saved(tmp_path / "r.jsonl", *rows)), project="qa"), dry_run=True)
    assert (done.seen, done.repeated, done.reasons) == ({"EMAIL": 2}, 1, {})


def test_meanings_come_from_the_reward_command(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fake = tmp_path / "fake.py"
    fake.write_text(
        "import json, sys\n"
        "import pyarrow as pa, pyarrow.parquet as pq\n"
        "flags = dict(zip(sys.argv[2::2], sys.argv[3::2]))\n"
        "assert sys.argv[1] == 'embed' and flags['--duplicates'] == '0.9', sys.argv\n"
        "rows = [json.loads(line) for line in open(flags['--data'])]\n"
        "first = {}\n"
        "found = [first.setdefault(row['prompt'][0]['content'].lower(), row['id']) for row in rows]\n"
        "pq.write_table(pa.table({'id': [row['id'] for row in rows], 'first': found}), flags['--output'])\n"
    )
    monkeypatch.setattr(meaning, "REWARD", (sys.executable, str(fake)))
    rows = [author(0, "x", "WHY?"), author(1, "x", "why?"), author(2, "x", "how?")]
    wanted = Wanted(source=str(saved(tmp_path / "r.jsonl", *rows)), project="qa", cleaning=Cleaning(unique_meaning=0.9))
    done = bring_in(store, wanted)
    assert [(one["id"], one["reason"], one["because"]) for one in done.left_out] == [("a1", "same meaning", "a0")]
    fake.write_text("import sys; sys.exit('reward: no such base')\n")
    with pytest.raises(DataError, match="reward embed failed: reward: no such base"):
        meaning.firsts([], 0.9)
    monkeypatch.setattr(meaning, "available", lambda: False)
    with pytest.raises(UsageError, match="which is not installed"):
        meaning.firsts([], 0.9)


def test_lists_in_a_report_are_short_and_their_length_is_said(store: Store, tmp_path: Path):
    path = saved(tmp_path / "bad.jsonl", GOOD[0], *('{"id": 3}' for _ in range(LISTED + 50)))
    done = bring_in(store, Wanted(source=str(path), project="qa", skip_bad=tmp_path / "out.jsonl"), dry_run=True)
    assert (len(done.problems), done.bad) == (LISTED, LISTED + 50)


def test_the_command_says_what_it_cleaned(database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rows = [author(n, "x", "Mail me: a@example.com") for n in range(3)]
    path = saved(tmp_path / "rows.jsonl", *rows)
    report = tmp_path / "report.json"
    flags = ["--project=qa", f"--db={database_url}", "--unique", "--mask-pii", f"--report={report}"]
    assert main(["import", str(path), *flags, "--dry-run"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "would import into qa (native): 1 groups, 0 judgments, 0 demonstrations",
        "left out 2 groups, since their prompt was there before: a1 for a0, a2 for a0",
        "masked: 1 × EMAIL (a0)",
    ]
    assert main(["import", str(path), *flags]) == 0
    assert capsys.readouterr().out.splitlines() == [said[0].replace("would import", "imported"), *said[1:]]
    assert json.loads(report.read_text())["reasons"] == {"repeated": 2}


def test_a_dry_run_with_problems_fails_and_names_their_lines(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = saved(tmp_path / "rows.jsonl", GOOD[0], '{"id": 3}', "nonsense")
    assert main(["import", str(path), "--project=qa", f"--db={database_url}", "--dry-run"]) == 1
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[0].startswith("would import into qa")
    assert [line.split(":")[0] for line in lines[1:]] == ["line 2", "line 3"]
    assert said.err == "labeler: 2 problems: an import would store nothing; mend them or use --skip-bad\n"


def test_progress_is_told_in_the_words_that_the_page_reads(store: Store, tmp_path: Path):
    path = saved(tmp_path / "many.jsonl", *(GOOD[0] | {"id": f"g{n}"} for n in range(2500)))
    progress = tmp_path / "progress.jsonl"
    bring_in(store, Wanted(source=str(path), project="qa", progress=progress))
    rows = [json.loads(line) for line in progress.read_text().splitlines()]
    assert [(row["stage"], row["step"]) for row in rows] == [("read", 1000), ("read", 2000), ("clean", 0), ("store", 0)]
