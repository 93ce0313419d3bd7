"""Urgency of tasks: with an import, and later from a file; on both databases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labeler.cli import main
from labeler.store import Store


def rows(priorities: dict[str, object]) -> str:
    made = (
        {
            "id": name,
            "prompt": f"About {name}?",
            "completions": [{"id": "a", "text": "Yes."}, {"id": "b", "text": "No."}],
            "meta": {} if priority is None else {"priority": priority, "select": {"rank": 1}},
        }
        for name, priority in priorities.items()
    )
    return "".join(f"{json.dumps(row)}\n" for row in made)


@pytest.fixture
def labeler(database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Runs a command on a file with these groups; returns the exit code and everything that was said."""

    def run(command: str, priorities: dict[str, object], name: str = "next.jsonl") -> tuple[int, str]:
        (tmp_path / name).write_text(rows(priorities))
        code = main([command, str(tmp_path / name), "--project", "qa", "--db", database_url])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run


def queue_order(url: str) -> list[str]:
    """What a labeler is handed, in order, by skipping."""
    from labeler.store import Submission  # noqa: PLC0415

    store = Store.open(url)
    user = store.add_user(f"labeler-{len(store.users()) + 1}", "labeler")
    project = store.project("qa")
    found: list[str] = []
    while task := store.next_task(project.id, user.id):
        found.append(task.group_id)
        store.submit(user.id, Submission(f"s-{user.id}-{len(found)}", task.task_id, "skip", reason="unclear"))
    store.close()
    return found


def test_an_import_brings_its_urgency(labeler, database_url):
    store = Store.open(database_url)
    store.add_project("qa", dwell_seconds=0)
    store.close()
    code, said = labeler("import", {"low": 1, "usual": None, "high": 100, "words": "soon", "middle": 50})
    assert code == 0, said
    order = queue_order(database_url)
    assert order[:3] == ["high", "middle", "low"]
    assert set(order[3:]) == {"usual", "words"}


def test_a_file_changes_the_urgency_of_what_is_there(labeler, database_url):
    store = Store.open(database_url)
    store.add_project("qa", dwell_seconds=0)
    store.close()
    assert labeler("import", {"g1": None, "g2": 100, "g3": None})[0] == 0
    assert labeler("prioritize", {"g3": 90, "g1": 80, "g2": 70}) == (0, "set the priority of 3 tasks of qa\n")
    assert queue_order(database_url) == ["g3", "g1", "g2"]


@pytest.mark.parametrize(
    ("priorities", "code", "problem"),
    [
        ({"g1": 9, "x": 1, "y": 2}, 1, "has no group 'x', 'y'; nothing was changed"),
        ({"g1": 9} | {f"n{k}": 1 for k in range(7)}, 1, "'n0', 'n1', 'n2' and 4 more"),
        ({"g1": 9, "g2": None}, 1, "next.jsonl: meta.priority: of group 'g2' is None; give a whole number"),
        ({"g1": 9, "g2": True}, 1, "of group 'g2' is True"),
        ({"g1": 9, "g2": 101}, 2, "the priority of 'g2' is 101; give a whole number from 0 to 100"),
    ],
)
def test_a_wrong_file_changes_nothing(labeler, database_url, priorities, code, problem):
    store = Store.open(database_url)
    store.add_project("qa", dwell_seconds=0)
    store.close()
    assert labeler("import", {"g1": 10, "g2": 20})[0] == 0
    found, said = labeler("prioritize", priorities)
    assert found == code
    assert problem in said
    assert said.count("\n") == 1
    assert queue_order(database_url) == ["g2", "g1"]  # though the file would have put g1 first, had it been taken


def test_an_import_with_an_impossible_urgency_stores_nothing(labeler, database_url):
    code, said = labeler("import", {"g1": 5, "g2": 500})
    assert code == 1
    assert "next.jsonl:2: meta.priority: group 'g2' is 500; give a whole number from 0 to 100" in said
    store = Store.open(database_url)
    assert store.projects() == ()
    store.close()
