"""The command line, as a user types it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from labeler.accounts import Accounts
from labeler.cli import COMMANDS, main
from labeler.entities import Submission
from labeler.label_schema import preset, schema_from
from labeler.raters import Raters
from labeler.snapshot import read_snapshot
from labeler.store import Store

ROWS = [
    {
        "id": f"g{number}",
        "prompt": f"Question {number}?",
        "completions": [{"id": "a", "text": "Yes."}, {"id": "b", "text": "No."}],
        "rankings": [{"annotator": "x", "ranks": [1, 2]}, {"annotator": "y", "ranks": [1, 2 if number else 1]}],
    }
    for number in range(4)
]


@pytest.fixture
def db(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("LABELER_DB", database_url)
    return database_url


@pytest.fixture
def groups(tmp_path: Path) -> Path:
    path = tmp_path / "groups.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in ROWS))
    return path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):
    def run(*argv: object) -> tuple[int, str, str]:
        code = main([str(arg) for arg in argv])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_from_nothing_to_a_snapshot(empty_database_url: str, groups: Path, tmp_path: Path, run):
    at = ("--db", empty_database_url)
    code, _, problem = run("stats", "--project", "qa", *at)
    assert code == 1
    assert problem.startswith("labeler: there is no labeling database at ")
    assert "labeler init --db" in problem
    assert run("init", *at)[0] == 0
    assert run("init", *at)[0] == 0
    guidelines = tmp_path / "guide.md"
    guidelines.write_text("Prefer *true* answers.")
    code, said, _ = run("import", groups, "--project", "qa", "--overlap", 3, "--guidelines", guidelines, *at)
    assert (code, said) == (0, "imported into qa (native): 4 groups, 8 judgments, 0 demonstrations\n")
    code, said, _ = run("snapshot", "--project", "qa", "--out", tmp_path / "snap", *at)
    assert code == 0
    assert "4 groups, 8 rankings" in said
    assert [g.id for g in read_snapshot(tmp_path / "snap").groups] == ["g0", "g1", "g2", "g3"]
    store = Store.open(empty_database_url)
    assert (store.project("qa").guidelines, store.project("qa").overlap) == ("Prefer *true* answers.", 3)
    store.close()


def test_stats_for_people_and_programs(db: str, groups: Path, run):
    run("import", groups, "--project", "qa")
    code, said, _ = run("stats", "--project", "qa")
    assert code == 0
    assert "75.0%" in said
    assert "72.6% (training), 77.3% (held out)" in said
    code, said, _ = run("stats", "--project", "qa", "--json")
    figures = json.loads(said)
    assert figures["counts"]["judgments"] == 8
    assert [person["annotator"] for person in figures["annotators"]] == ["x", "y"]
    assert figures["reliability"]["agreement"]["value"] == 0.75
    assert figures["reliability"]["decided"]["comparisons"] == 3
    assert figures["leaderboard"].keys() == {"standings", "duels", "tie_parameter"}
    quality = {person["annotator"]: person for person in figures["quality"]["people"]}
    assert quality["x"]["agreement"]["value"] == 0.75
    assert quality["x"]["judgments"] == 4
    assert (figures["tasks"], figures["complete"]) == (4, True)
    figures = json.loads(run("stats", "--project", "qa", "--sample", "2", "--json")[1])
    assert (figures["tasks"], figures["complete"], figures["counts"]["judgments"]) == (2, False, 8)
    assert figures["quality"]["people"][0]["judgments"] == 2
    assert "from a random sample of 2 judged tasks:" in run("stats", "--project", "qa", "--sample", "2")[1]
    assert "--sample must be at least 1" in run("stats", "--project", "qa", "--sample", "0")[2]


def test_prompts_to_write_answers_to_and_figures_of_what_was_written(db: str, tmp_path: Path, run):
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"id": "a", "prompt": "Why?"}\n{"id": "b", "prompt": "How?"}\n')
    code, _, said = run("import", path, "--project", "letters")
    assert code == 1
    assert "for prompts alone there is the task demonstrate" in said
    code, said, _ = run("import", path, "--project", "letters", "--task", "demonstrate", "--overlap", 2)
    assert (code, said) == (0, "imported into letters (prompts): 2 groups, 0 judgments, 0 demonstrations\n")
    store = Store.open(db)
    letters, ann = store.project("letters"), store.add_user("ann", "labeler")
    task = store.next_task(letters.id, ann.id)
    assert task
    store.submit(ann.id, Submission("s", task.task_id, "write", written="Because it is."))
    store.close()
    code, said, _ = run("stats", "--project", "letters")
    assert code == 0
    assert "agreement: none to measure, since labelers write answers here" in said
    assert "written answers: 1, median 3 (" in said
    assert "InstructGPT" not in said
    figures = json.loads(run("stats", "--project", "letters", "--json")[1])
    assert (figures["writing"]["answers"], figures["writing"]["characters"]["median"]) == (1, 14.0)
    assert figures["quality"]["people"] == []
    code, said, _ = run("snapshot", "--project", "letters", "--out", tmp_path / "snap")
    assert (code, said.split(": ", 1)[1].split(" (")[0]) == (
        0,
        "0 groups, 0 rankings, 0 edits, 1 annotators, 1 demonstrations",
    )


def test_an_import_that_fails_stores_nothing(db: str, groups: Path, tmp_path: Path, run):
    single = tmp_path / "single.jsonl"
    single.write_text(json.dumps(ROWS[0] | {"completions": [{"id": "a", "text": "?"}], "rankings": []}))
    for source, problem in ((single, "at least two completions"), (tmp_path / "none.jsonl", "none.jsonl")):
        code, _, said = run("import", source, "--project", "qa")
        assert code == 1
        assert problem in said
        assert str(source) in said
    store = Store.open(db)
    assert store.projects() == ()
    store.close()
    assert run("import", groups, "--project", "qa")[0] == 0
    code, _, said = run("import", groups, "--project", "qa")
    assert (code, said) == (1, "labeler: the project 'qa' has 'g0' already; nothing was imported\n")
    code, said, _ = run("import", groups, "--project", "qa", "--skip-known")
    assert (code, said) == (0, "imported into qa (native): 0 groups, 0 judgments, 0 demonstrations\n")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"id": "a\0b"}, "id: has a NUL (U+0000) at character 1; remove it"),
        ({"rankings": [{"annotator": "\0", "ranks": [1, 2]}]}, "rankings[0].annotator: has a NUL (U+0000) at"),
        ({"source": "\ud800"}, "source: has an unpaired surrogate ('\\ud800') at character 0; remove or repair it"),
    ],
)
def test_what_a_database_cannot_hold_is_refused_by_both(db: str, tmp_path: Path, run, change: dict, problem: str):
    path = tmp_path / "odd.jsonl"
    path.write_text(f"{json.dumps(ROWS[0])}\n{json.dumps(ROWS[1] | change)}\n")
    code, _, said = run("import", path, "--project", "qa")
    assert code == 1
    assert said.startswith(f"labeler: {path}:2: {problem}")
    assert run("import", path, "--project", "qa", "--skip-bad", tmp_path / "bad.jsonl")[0] == 0
    (bad,) = (tmp_path / "bad.jsonl").read_text().splitlines()
    assert json.loads(bad)["line"] == 2
    guide = tmp_path / "guide.md"
    guide.write_text("Be\0kind.")
    code, _, said = run("import", path, "--project", "new", "--guidelines", guide, "--skip-bad", tmp_path / "bad.jsonl")
    assert (code, said) == (1, f"labeler: {guide}: guidelines: has a NUL (U+0000) at character 2; remove it\n")


@pytest.mark.parametrize("name", ["a\0b", "\udcff"])
def test_names_that_nobody_can_have_are_not_found(db: str, run, name: str):
    for command in (("stats", "--project", name), ("users", "disable", name)):
        code, _, said = run(*command)
        assert code == 1
        assert said.startswith("labeler: there is no ")
    code, _, said = run("users", "add", name)
    assert code == 2
    assert "printable" in said


def test_bad_rows_can_be_left_out(db: str, groups: Path, tmp_path: Path, run):
    groups.write_text(groups.read_text() + '{"id": "bad"}\n')
    code, _, said = run("import", groups, "--project", "qa")
    assert code == 1
    assert "groups.jsonl:5" in said
    code, said, _ = run("import", groups, "--project", "qa", "--skip-bad", tmp_path / "bad.jsonl")
    assert code == 0
    assert "1 bad rows written to" in said
    assert len((tmp_path / "bad.jsonl").read_text().splitlines()) == 1


def test_columns_are_renamed(db: str, tmp_path: Path, run):
    path = tmp_path / "pairs.csv"
    path.write_text("question,chosen,rejected\nWhy?,Because.,No.\n")
    code, said, _ = run("import", path, "--project", "qa", "--columns", "prompt=question")
    assert (code, said) == (0, "imported into qa (trl): 1 groups, 1 judgments, 0 demonstrations\n")
    code, _, said = run("import", path, "--project", "qa", "--columns", "prompt")
    assert code == 2
    assert "prompt=question" in said


def test_users(db: str, groups: Path, run, monkeypatch: pytest.MonkeyPatch):
    for name in ("qa", "prose", "verse"):
        run("import", groups, "--project", name)
    store = Store.open(db)
    accounts = Accounts(store)
    code, said, _ = run("users", "add", "ann", "--role", "labeler", "--project", "qa", "verse", "--project", "prose")
    assert code == 0
    token = said.rsplit("/invite/", 1)[1].strip()
    assert accounts.accept(token, "correct horse").name == "ann"
    monkeypatch.setattr(sys, "stdin", io.StringIO("battery staple\n"))
    code, said, _ = run("users", "add", "bob", "--role", "manager", "--password-stdin")
    assert (code, said) == (0, "added bob (manager; every project)\n")
    accounts.sign_in("bob", "battery staple")
    assert "/invite/" in run("users", "invite", "bob")[1]
    assert run("users", "disable", "bob")[0] == 0
    expected = "ann\tlabeler\tprose, qa, verse\nbob\tmanager\tevery project\tdisabled\n"
    assert run("users", "list")[1] == expected
    monkeypatch.setattr(sys, "stdin", io.StringIO("short\n"))
    for arguments, exit_code, problem in (
        (("add", "cy", "--password-stdin"), 2, "8 to 1024 characters"),
        (("add", "cy", "--password-stdin", "--invite"), 2, "not both"),
        (("add", "cy", "--project", "poems"), 1, "there is prose, qa, verse"),
        (("add", "ann"), 1, "already"),
        (("disable", "cy"), 1, "no user 'cy'"),
    ):
        code, _, said = run("users", *arguments)
        assert code == exit_code
        assert problem in said
        assert said.count("\n") == 1
    assert [user.name for user in store.users()] == ["ann", "bob"]
    store.close()


def test_raters_are_held_out_and_let_in_again(db: str, groups: Path, run):
    run("import", groups, "--project", "qa")
    store = Store.open(db)
    store.add_user("ann", "labeler")
    held_out = partial(Raters(store).held_out, store.project("qa").id)
    assert run("users", "hold-out", "ann", "--project", "qa")[:2] == (0, "ann is held out of qa\n")
    assert held_out() == ("ann",)
    assert run("users", "hold-out", "ann", "--project", "qa", "--back")[:2] == (0, "ann is no longer held out of qa\n")
    assert held_out() == ()
    for arguments, problem in ((("bob", "--project", "qa"), "no user 'bob'"), (("ann", "--project", "no"), "'no'")):
        code, _, said = run("users", "hold-out", *arguments)
        assert code == 1
        assert problem in said
    store.close()


@pytest.mark.parametrize(
    "arguments", [[], ["users"], ["stats"], ["init", "--nonsense"], ["import", "x", "--task", "y"]]
)
def test_wrong_usage_is_exit_code_2(run, arguments: list[str]):
    assert run(*arguments)[0] == 2


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS), ["users", "add"], ["users", "invite"]])
def test_every_command_explains_itself(run, command: list[str]):
    code, said, _ = run(*command, "--help")
    assert code == 0
    assert "usage: labeler" in said


def test_a_damaged_file_is_one_line(tmp_path: Path, run):
    path = tmp_path / "notes.db"
    path.write_text("shopping list " * 100)
    code, _, said = run("users", "list", "--db", f"sqlite:///{path}")
    assert code == 1
    assert "file is not a database" in said
    assert said.count("\n") == 1


def test_a_folder_that_cannot_be_written_is_one_line(db: str, groups: Path, tmp_path: Path, run):
    run("import", groups, "--project", "qa")
    (tmp_path / "file").write_text("")
    code, _, said = run("snapshot", "--project", "qa", "--out", tmp_path / "file" / "snap")
    assert code == 1
    assert said.count("\n") == 1
    assert "file" in said


def test_debug_shows_the_traceback(tmp_path: Path, run):
    code, _, said = run("users", "list", "--debug", "--db", f"sqlite:///{tmp_path / 'none.db'}")
    assert code == 1
    assert "Traceback" in said


def test_help_is_fast_and_loads_nothing_heavy():
    """Under a second; the bound here leaves room for a busy machine, the list of modules is what it rests on."""
    code = (
        "import sys; from labeler.cli import main; main(['--help']); "
        "sys.exit(bool({'sqlalchemy', 'alembic', 'datasets', 'streamlit', 'numpy'} & set(sys.modules)))"
    )
    begin = time.monotonic()
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0
    assert time.monotonic() - begin < 3


@pytest.mark.parametrize(
    ("flags", "asked"),
    [
        (("--task", "rate"), preset("rate")),
        (("--task", "rate", "--rate-only"), preset("rate", ranking=False)),
        (("--task", "pair"), preset("pair")),
        ((), preset("rank")),
    ],
)
def test_a_new_project_asks_what_the_import_says(db: str, groups: Path, run, flags, asked):
    assert run("import", groups, "--project", "qa", *flags)[0] == 0
    code, said, also = run("project", "show", "qa")
    assert (code, also) == (0, "version 1 of 1\n")
    assert schema_from(json.loads(said)) == asked


def test_the_settings_of_a_project_are_a_file_that_can_be_changed(db: str, groups: Path, tmp_path: Path, run):
    settings = tmp_path / "settings.toml"
    settings.write_text('task = "rate"\nflags = ["rude"]\nprompt_flags = []\n')
    assert run("import", groups, "--project", "qa", "--settings", settings)[0] == 0
    shown = tmp_path / "shown.json"
    shown.write_text(run("project", "show", "qa")[1])
    assert run("project", "set", "qa", shown)[1] == "qa: unchanged, version 1 of its settings\n"
    shown.write_text(json.dumps(json.loads(shown.read_text()) | {"top": 1}))
    assert run("project", "set", "qa", shown)[1] == "qa: now version 2 of its settings\n"
    assert json.loads(run("project", "show", "qa")[1])["top"] == 1
    assert json.loads(run("project", "show", "qa", "--version", 1)[1])["top"] is None
    code, _, problem = run("project", "show", "qa", "--version", 3)
    assert (code, problem) == (1, "labeler: 'qa' has no version 3 of its settings; the newest is 2\n")


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--rate-only",), "--rate-only goes with --task rate"),
        (("--task", "rank", "--settings", "x.json"), "give --settings or --task, not both"),
        (("--settings", "x.json"), "x.json is not there"),
        (("--task", "rate"), "'qa' asks for something else (task rank); change it with: labeler project set"),
    ],
)
def test_what_an_import_cannot_ask(db: str, groups: Path, run, flags, says: str):
    run("import", groups, "--project", "qa")
    code, _, problem = run("import", groups, "--project", "qa", *flags)
    assert (code, problem) == (2, f"labeler: {says}\n")


def test_stats_of_ratings_and_flags(db: str, tmp_path: Path, run):
    row = ROWS[0] | {"rankings": [{"annotator": "x", "ranks": [1, 2], "ratings": [7, 2], "flags": [[], ["rude"]]}]}
    path = tmp_path / "rated.jsonl"
    path.write_text(json.dumps(row))
    run("import", path, "--project", "qa", "--task", "rate")
    assert "mean rating of unknown model: 4.50 (95 % interval 4.50 to 4.50, 2)" in run("stats", "--project", "qa")[1]
    marks = json.loads(run("stats", "--project", "qa", "--json")[1])["marks"]
    assert [(item["what"], item["estimate"]["value"]) for item in marks["flags"]] == [("rude", 0.5)]


def test_dialogues_are_asked_for_with_a_task_or_a_settings_file(db: str, tmp_path: Path, run):
    starts, settings = tmp_path / "starts.jsonl", tmp_path / "chat.toml"
    starts.write_text('{"id": "a", "scenario": "Play a customer."}\n{"id": "b", "prompt": "Why?"}\n')
    settings.write_text('task = "chat"\nreplies = 2\n[suggest]\nurl = "http://127.0.0.1:8900/v1"\nmodel = "m"\n')
    code, said, _ = run("import", starts, "--project", "talks", "--task", "chat")
    assert (code, said) == (0, "imported into talks (prompts): 2 groups, 0 judgments, 0 demonstrations\n")
    assert run("import", starts, "--project", "more", "--settings", settings)[0] == 0
    code, said, _ = run("project", "show", "more")
    assert schema_from(json.loads(said)).offered == 2
    assert run("stats", "--project", "talks")[0] == 0
    assert run("snapshot", "--project", "talks", "--out", tmp_path / "snapshot")[0] == 0
    code, _, problem = run("import", starts, "--project", "ranks", "--task", "rank")
    assert code == 1
    assert "needs at least two completions" in problem
