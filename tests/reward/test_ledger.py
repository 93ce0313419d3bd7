"""Steps are done once, survive kills, and notice when somebody changed what they were made from."""

import json
from dataclasses import replace

import pytest

from labeler.errors import DataError, UsageError
from reward.rounds.ledger import Ledger, Step, digest


@pytest.fixture
def plan(tmp_path):
    """Two steps, the second from the first's output, and the list of what ran."""
    ran = []

    def first():
        ran.append("first")
        (tmp_path / "numbers").mkdir(exist_ok=True)
        (tmp_path / "numbers" / "a.txt").write_text("1")

    def second():
        ran.append("second")
        (tmp_path / "sum.txt").write_text("2")

    numbers, total = tmp_path / "numbers", tmp_path / "sum.txt"
    return [Step("first", numbers, first), Step("second", total, second, [numbers], {"seed": 3})], ran


def test_each_step_is_done_once_and_recorded_with_its_inputs(plan, tmp_path):
    steps, ran = plan
    assert [Ledger(tmp_path).do(step) for step in steps] == [True, True]
    again = Ledger(tmp_path)
    assert [again.do(step) for step in steps] == [False, False]
    assert ran == ["first", "second"]
    row = json.loads((tmp_path / "ledger.jsonl").read_text().splitlines()[1])
    assert row["inputs"] == {"numbers": digest(tmp_path / "numbers")}
    assert row["output"] == {"sum.txt": digest(tmp_path / "sum.txt")}
    assert row["settings"] == {"seed": 3}
    assert row["versions"]["torch"]
    assert again.seconds("second") == row["seconds"]


def test_a_kill_while_the_record_is_written_repeats_only_the_record(plan, tmp_path):
    steps, ran = plan
    for step in steps:
        Ledger(tmp_path).do(step)
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    for step in steps:
        Ledger(tmp_path).do(step)
    assert ran == ["first", "second"]  # its output was whole
    assert len(path.read_text().splitlines()) == 2


def test_an_output_that_grows_is_continued_until_its_record_is_there(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("1\n")  # what a kill left

    def go_on():
        path.write_text("1\n2\n")

    ledger = Ledger(tmp_path)
    assert ledger.do(Step("lines", path, go_on, grows=True))
    assert path.read_text() == "1\n2\n"
    assert not ledger.do(Step("lines", path, go_on, grows=True))


def test_an_output_that_is_gone_is_made_again(plan, tmp_path):
    steps, ran = plan
    for step in steps:
        Ledger(tmp_path).do(step)
    (tmp_path / "sum.txt").unlink()
    assert [Ledger(tmp_path).do(step) for step in steps] == [False, True]
    assert ran == ["first", "second", "second"]


@pytest.mark.parametrize("changed", ["numbers/a.txt", "sum.txt"])
def test_what_was_changed_by_hand_is_refused_by_name(plan, tmp_path, changed):
    steps, _ = plan
    for step in steps:
        Ledger(tmp_path).do(step)
    (tmp_path / changed).write_text("other")
    with pytest.raises(UsageError, match=changed.split("/")[0]):
        for step in steps:
            Ledger(tmp_path).do(step)


def test_an_input_that_was_not_recorded_then_is_no_change(plan, tmp_path):
    steps, ran = plan
    for step in steps:
        Ledger(tmp_path).do(step)
    (tmp_path / "more.txt").write_text("looked at by newer code")
    assert not Ledger(tmp_path).do(replace(steps[0], inputs=[tmp_path / "more.txt"]))
    assert ran == ["first", "second"]


def test_a_missing_input_and_a_step_that_leaves_nothing_are_errors(tmp_path):
    ledger = Ledger(tmp_path)
    with pytest.raises(DataError, match="missing"):
        ledger.do(Step("needs", tmp_path / "out", lambda: None, [tmp_path / "nowhere"]))
    with pytest.raises(DataError, match="was not made"):
        ledger.do(Step("idle", tmp_path / "out", lambda: None))
    assert ledger.rows == {}


def test_paths_inside_the_folder_are_recorded_relative_to_it(plan, tmp_path):
    steps, _ = plan
    for step in steps:
        Ledger(tmp_path).do(step)
    row = json.loads((tmp_path / "ledger.jsonl").read_text().splitlines()[0])
    assert list(row["output"]) == ["numbers"]


def test_a_file_that_is_no_ledger_is_refused(tmp_path):
    (tmp_path / "ledger.jsonl").write_text("not JSON\n")
    with pytest.raises(DataError, match="is not a record"):
        Ledger(tmp_path)
