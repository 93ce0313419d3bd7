"""Exports: what the filters leave, every format and its way back, the Hub, and the command."""

from __future__ import annotations

import json
import shutil
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import pytest
from group_strategies import groups as some_groups
from group_strategies import several
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_helpers import ask, group, people, project, ranking

from labeler import export_jobs, jobs
from labeler.cli import main
from labeler.entities import Judgment, Project, User
from labeler.errors import DataError, UsageError
from labeler.exporting import FILES, chosen, data_files, export, preview
from labeler.formats import read, write_groups
from labeler.formats.argilla import user_id
from labeler.hub_push import push, write_data_set
from labeler.label_schema import Flag, LabelSchema
from labeler.records import Completion, Demonstration, Group, Message, Ranking
from labeler.selection import Export, Selection
from labeler.snapshot import freeze, read_snapshot
from labeler.store import Store

same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)


@pytest.fixture(autouse=True)
def this_code_in_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs run in folders of their own; they are to import what the tests import."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


def ranked(number: int, *people: str, at: str | None = None, split: str | None = None) -> Group:
    said = tuple(Ranking(name, (1, 2, 2), at=at) for name in people)
    return group(number, rankings=said, split=split)


@pytest.fixture
def essays(store: Store) -> Project:
    made = store.add_project("essays", overlap=3, dwell_seconds=0)
    rows = [
        ranked(0, "x", "y", at="2025-06-01T10:00:00Z", split="train"),
        ranked(1, "x", at="2025-06-02T23:59:59Z", split="valid"),
        ranked(2, "y", "z", split="test"),
        group(3),
    ]
    store.import_groups(made.id, rows, [Demonstration("d", (Message("user", "Why?"),), "Because.", "x")])
    return made


@pytest.mark.parametrize(
    ("selection", "left"),
    [
        ({}, {"g0": "xy", "g1": "x", "g2": "yz"}),
        ({"min_overlap": 0}, {"g0": "xy", "g1": "x", "g2": "yz", "g3": ""}),
        ({"min_overlap": 2}, {"g0": "xy", "g2": "yz"}),
        ({"annotators": ("y",)}, {"g0": "y", "g2": "y"}),
        ({"annotators": ("x", "y"), "min_overlap": 2}, {"g0": "xy"}),
        ({"since": "2025-06-02"}, {"g1": "x"}),
        ({"until": "2025-06-01"}, {"g0": "xy"}),
        ({"since": "2025-06-01", "until": "2025-06-02"}, {"g0": "xy", "g1": "x"}),
        ({"splits": ("valid", "test")}, {"g1": "x", "g2": "yz"}),
        ({"schema_version": 1}, {}),
    ],
)
def test_filters_leave_what_they_say(store: Store, essays: Project, selection: dict[str, Any], left: dict[str, str]):
    wanted = Export(to="native", selection=Selection(**selection))
    with store.frozen(essays.id) as frozen:
        found = {one.id: "".join(r.annotator for r in one.rankings) for one in chosen(frozen, wanted)}
    assert found == left


def test_judgments_of_a_version_of_the_settings(store: Store):
    made = project(store, groups=2)
    (ann,) = people(store, "ann")
    store.submit(ann.id, ranking(ask(store, made, ann)))
    store.set_schema(made.id, LabelSchema(top=2))
    task = ask(store, made, ann)
    ranks = dict(zip([shown.completion_id for shown in task.completions], (1, 2, None), strict=True))
    store.submit(ann.id, ranking(task, ranks=ranks))
    for version in (1, 2):
        with store.frozen(made.id) as frozen:
            (one,) = chosen(frozen, Export(to="native", selection=Selection(schema_version=version)))
        assert one.rankings[0].top_only == (version == 2)


@pytest.mark.parametrize("to", FILES)
def test_every_format_is_written_with_its_manifest(store: Store, essays: Project, tmp_path: Path, to: Any):
    manifest = export(store, essays, Export(to=to), tmp_path / "out")
    assert json.loads((tmp_path / "out" / "manifest.json").read_text()) == json.loads(json.dumps(manifest))
    assert manifest["counts"]["groups"] == 3
    assert manifest["counts"]["rankings"] == 5
    assert (tmp_path / "out" / FILES[to]).exists()
    assert {str(path.relative_to(tmp_path / "out")) for path in data_files(tmp_path / "out")} == set(manifest["files"])
    found = read(tmp_path / "out" / FILES[to])
    pairs = {"trl", "trl-conversational", "openrlhf", "hh-rlhf"}
    assert len(found.groups) == (10 if to in pairs else 3)  # two strict preferences of each ranking
    export(store, essays, Export(to=to, selection=Selection(splits=("train",))), tmp_path / "out")  # in its own place
    assert len(read(tmp_path / "out" / FILES[to]).groups) == (4 if to in pairs else 1)


def test_splits_are_those_of_a_snapshot(store: Store, tmp_path: Path):
    made = store.add_project("essays", seed=5)
    store.import_groups(made.id, [ranked(n, "x") for n in range(40)] + [replace(ranked(3, "x", split="test"), id="t")])
    freeze(store, made, tmp_path / "snapshot")
    export(store, made, Export(to="native"), tmp_path / "export")
    assert read(tmp_path / "export" / "groups.jsonl").groups == read_snapshot(tmp_path / "snapshot").groups


def test_nothing_left_is_said_and_leaves_what_was_there(store: Store, essays: Project, tmp_path: Path):
    export(store, essays, Export(to="trl"), tmp_path / "out")
    before = (tmp_path / "out" / "pairs.jsonl").read_bytes()
    with pytest.raises(UsageError, match="nothing is left by these filters"):
        export(store, essays, Export(to="openrlhf", selection=Selection(annotators=("nobody",))), tmp_path / "out")
    assert (tmp_path / "out" / "pairs.jsonl").read_bytes() == before
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="holds something that is no export"):
        export(store, essays, Export(to="trl"), tmp_path / "own")


def test_pairs_tell_annotator_margin_and_ties(tmp_path: Path):
    pair = (Completion("a", "7"), Completion("b", "9"))
    rows = [
        Group("g", (Message("user", "p"),), pair, (Ranking("ann", (2, 1), strength=4), Ranking("bob", (1, 1)))),
        Group("h", (Message("user", "q"),), pair, (Ranking("ann", (1, 2), strength=1),)),
    ]
    assert write_groups(rows, tmp_path / "t.jsonl", format="trl", ties=True) == 4
    written = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    said = [(row["chosen"], row["annotator"], row["tie"], row["margin"]) for row in written]
    assert said == [
        ("9", "ann", False, 1.0),
        ("7", "bob", True, 0.0),
        ("9", "bob", True, 0.0),
        ("7", "ann", False, 0.0),
    ]
    found = read(tmp_path / "t.jsonl").groups
    assert [one.rankings[0].ranks for one in found] == [(1, 2), (1, 1), (1, 1), (1, 2)]
    assert [one.rankings[0].annotator for one in found] == ["ann", "bob", "bob", "ann"]
    assert write_groups(rows, tmp_path / "t.jsonl", format="trl") == 2
    assert "tie" not in (tmp_path / "t.jsonl").read_text()
    with pytest.raises(UsageError, match="csv has no rows for ties; the formats that have are openrlhf, trl"):
        Export(to="csv", ties=True)


@given(data=st.data())
@settings(same_folder)
def test_label_studio_and_back(tmp_path: Path, data: st.DataObject):
    written = [one for one in data.draw(several(some_groups())) if one.completions]
    write_groups(written, tmp_path / "tasks.json", format="labelstudio")
    if written:
        assert list(read(tmp_path / "tasks.json", format="labelstudio").groups) == written


@given(data=st.data())
@settings(same_folder)
def test_argilla_and_back(tmp_path: Path, data: st.DataObject):
    written = [one for one in data.draw(several(some_groups())) if one.completions]
    write_groups(written, tmp_path / "records.json", format="argilla")
    kept = [
        replace(one, rankings=tuple(Ranking(r.annotator, r.ranks) for r in one.rankings if r.last is not None))
        for one in written
    ]
    if written:
        assert list(read(tmp_path / "records.json", format="argilla").groups) == kept


def test_ranks_that_were_changed_in_label_studio_are_read(tmp_path: Path):
    one = group(1, rankings=(Ranking("ann", (1, 2, 3), note="sure", seconds=2.5),))
    write_groups([one], tmp_path / "tasks.json", format="labelstudio")
    (task,) = json.loads((tmp_path / "tasks.json").read_text())
    assert {answer["id"] for answer in task["data"]["answers"]} == {"c0", "c1", "c2"}
    assert "completed_by" not in task["annotations"][0]  # Label Studio refuses whom it does not know
    buckets = {"rank-1": ["c2"], "rank-2": ["c0", "c1"], "rank-3": []}
    task["annotations"][0]["result"][0]["value"]["ranker"] = buckets
    task["annotations"].append({"completed_by": 3, "result": [{"type": "ranker", "value": {"ranker": buckets}}]})
    (tmp_path / "tasks.json").write_text(json.dumps([task]))
    (found,) = read(tmp_path / "tasks.json").groups
    assert [(r.annotator, r.ranks, r.note) for r in found.rankings] == [
        ("ann", (2, 2, 1), "sure"),
        ("3", (2, 2, 1), None),
    ]


def test_the_labeling_interface_has_a_bucket_for_each_rank(store: Store, essays: Project, tmp_path: Path):
    export(store, essays, Export(to="labelstudio"), tmp_path / "out")
    view = ElementTree.parse(tmp_path / "out" / "labeling-config.xml").getroot()
    assert [bucket.get("name") for bucket in view.iter("Bucket")] == ["rank-1", "rank-2", "rank-3"]
    tasks = json.loads((tmp_path / "out" / "tasks.json").read_text())
    asked = {element.get("value") for element in view.iter() if (element.get("value") or "").startswith("$")}
    assert asked == {"$prompt", "$answers"} <= {f"${name}" for name in tasks[0]["data"]}


def test_argilla_records_are_of_its_second_version(tmp_path: Path):
    one = group(1, rankings=(Ranking("ann", (2, 1, 1)),))
    write_groups([one], tmp_path / "records.json", format="argilla")
    (record,) = json.loads((tmp_path / "records.json").read_text())
    assert list(record["fields"]) == ["prompt", "response-1", "response-2", "response-3"]
    (response,) = record["responses"]["ranking"]
    assert response["user_id"] == user_id("ann")
    assert response["value"] == [
        {"value": "response-2", "rank": 1},
        {"value": "response-3", "rank": 1},
        {"value": "response-1", "rank": 2},
    ]
    record["responses"]["ranking"].append({"value": ["response-3", "response-1", "response-2"], "user_id": "u7"})
    (tmp_path / "records.json").write_text(json.dumps([record]))
    (found,) = read(tmp_path / "records.json").groups
    assert [(r.annotator, r.ranks) for r in found.rankings] == [("ann", (2, 1, 1)), ("u7", (2, 3, 1))]


def test_the_first_rows_are_those_of_the_file(store: Store, essays: Project, tmp_path: Path):
    wanted = Export(to="trl", selection=Selection(annotators=("x",)))
    export(store, essays, wanted, tmp_path / "out")
    lines = (tmp_path / "out" / "pairs.jsonl").read_text().splitlines()
    assert preview(store, essays, wanted) == [json.loads(line) for line in lines[:3]]


class StubHub:
    """Stands where the Hub's client does, and keeps what it is given."""

    def __init__(self, place: Path, error: Exception | None = None) -> None:
        self.place, self.error = place, error
        self.calls: list[Any] = []

    def create_repo(self, repo_id: str, **options: object) -> None:
        if self.error:
            raise self.error
        self.calls.append((repo_id, options))

    def upload_folder(self, *, folder_path: str, **options: object) -> None:
        self.calls.append(options)
        shutil.copytree(folder_path, self.place)


def test_pushed_is_a_data_set_with_splits(store: Store, essays: Project, tmp_path: Path):
    hub = StubHub(tmp_path / "hub")
    assert push(store, essays, Export(to="trl"), "org/essays", hub=hub) == 10
    assert hub.calls[0] == ("org/essays", {"repo_type": "dataset", "private": True, "exist_ok": True})
    assert hub.calls[1]["repo_id"] == "org/essays"
    found = datasets.load_dataset(str(tmp_path / "hub"), cache_dir=str(tmp_path / "cache"))  # as the Hub's readers do
    assert {name: len(rows) for name, rows in found.items()} == {"train": 4, "validation": 2, "test": 4}
    assert found["validation"][0] == {
        "prompt": "Question 1?", "chosen": "Answer 0 to 1.", "rejected": "Answer 1 to 1.", "annotator": "x"
    }  # fmt: skip
    assert "| validation | 2 |" in (tmp_path / "hub" / "README.md").read_text()


def test_a_push_that_cannot_be_says_why(store: Store, essays: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with pytest.raises(UsageError, match="set the environment variable HF_TOKEN"):
        push(store, essays, Export(to="trl"), "org/essays")
    with pytest.raises(UsageError, match="must be ORG/NAME"):
        push(store, essays, Export(to="trl"), "essays", hub=StubHub(tmp_path / "hub"))
    with pytest.raises(UsageError, match="argilla cannot be pushed"):
        push(store, essays, Export(to="argilla"), "org/essays", hub=StubHub(tmp_path / "hub"))
    with pytest.raises(DataError, match=r"org/essays: the Hub refused \(403 Forbidden\)"):
        push(store, essays, Export(to="trl"), "org/essays", hub=StubHub(tmp_path / "hub", OSError("403 Forbidden")))
    nothing = Export(to="trl", selection=Selection(annotators=("nobody",)))
    with pytest.raises(DataError, match="nothing is left"):
        push(store, essays, nothing, "org/essays", hub=StubHub(tmp_path / "hub"))


def test_native_rows_of_a_data_set_read_back(store: Store, essays: Project, tmp_path: Path):
    assert write_data_set(store, essays, Export(to="native"), tmp_path) == 3
    (one,) = read(tmp_path / "data" / "test.parquet").groups
    assert [r.annotator for r in one.rankings] == ["y", "z"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"since": "June"}, "--since"), ({"min_overlap": -1}, "--min-overlap"), ({"splits": ("dev",)}, "--splits 'dev'")],
)
def test_filters_that_make_no_sense_are_refused(wrong: dict[str, Any], says: str):
    with pytest.raises(UsageError, match=says):
        Selection(**wrong)


def test_a_judgment_without_a_date_is_of_no_day():
    said = Judgment(
        1,
        1,
        "g",
        "x",
        None,
        "import",
        "rank",
        Ranking("x", (1, 2, 3)),
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
    )
    assert Selection().group(group(0), [said])
    assert Selection(until="2999-01-01").group(group(0), [said]) is None


def test_the_command(store: Store, essays: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    at = [f"--db={store.database.address}", "--project=essays"]
    flags = ["--to=trl", "--ties", "--splits", "train", "valid", "--annotators", "x"]
    assert main(["export", *at, *flags, f"--out={tmp_path / 'out'}"]) == 0
    assert capsys.readouterr().out == (
        f"wrote {tmp_path / 'out'}: 8 rows, 2 groups, 2 rankings, 1 annotators, 1 demonstrations\n"
    )
    assert main(["export", *at, "--to=trl"]) == 2
    assert "say where: --out FOLDER or --push ORG/NAME" in capsys.readouterr().err
    assert main(["export", *at, "--to=parquet", "--ties", f"--out={tmp_path / 'out'}"]) == 2


def test_made_by_a_process_of_its_own(store: Store, essays: Project, tmp_path: Path):
    mia = User(7, "mia", "manager", False)
    for wanted, name in ((Export(to="csv", selection=Selection(splits=("train", "test"))), "groups.csv"), (None, None)):
        job = export_jobs.start(store, tmp_path / "runs", mia, essays, wanted)
        patience = time.monotonic() + 60
        while jobs.is_running(job):
            assert time.monotonic() < patience
            time.sleep(0.05)
        assert jobs.outcome(job).state == "done", jobs.outcome(job).message
        path = export_jobs.download(job)
        assert path.name == (name or "essays-snapshot.zip")
        assert path.stat().st_size > 100
    assert len(jobs.all_jobs(tmp_path / "runs", "export")) == 1  # the earlier one is gone
    shutil.unpack_archive(path, tmp_path / "unpacked")
    assert read_snapshot(tmp_path / "unpacked" / "essays-snapshot").manifest["counts"]["groups"] == 3


def test_ratings_become_ranks_where_asked(store: Store):
    made = store.add_project("rated", schema=LabelSchema("rate", ranking=False, flags=(Flag("rude"),)))
    said = Ranking("x", (None, None, None), ratings=(3, 7, 3))
    store.import_groups(made.id, [group(0, rankings=(said,))])
    with store.frozen(made.id) as frozen:
        (one,) = chosen(frozen, Export(to="trl", ranks_from_ratings=True))
    assert one.rankings[0].ranks == (2, 1, 2)
