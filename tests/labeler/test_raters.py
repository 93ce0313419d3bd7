"""Who works on what, and raters of whom no model learns: in snapshots, in exports, on the page of agreement."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from store_helpers import ask, group, project, ranking

from labeler.entities import Project
from labeler.errors import NotFoundError, PermissionDeniedError
from labeler.exporting import export, preview
from labeler.formats import read
from labeler.label_schema import LabelSchema
from labeler.raters import Raters
from labeler.records import Ranking
from labeler.selection import Export, Selection
from labeler.snapshot import HELD_OUT, freeze, read_snapshot
from labeler.store import Store, Submission


@pytest.fixture
def essays(store: Store) -> Project:
    """Two groups that ann and bea ranked, bea the other way round; a third that bea alone did."""
    made = project(store, 0, overlap=2)
    both = (Ranking("ann", (1, 2, 3)), Ranking("bea", (3, 2, 1)))
    rows = [group(0, rankings=both, split="train"), group(1, rankings=both, split="test"), group(2, rankings=both[1:])]
    store.import_groups(made.id, rows)
    for name in ("ann", "bea"):
        store.add_user(name, "labeler")
    return made


def annotators(path: Path) -> list[list[str]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [[said["annotator"] for said in json.loads(line)["rankings"]] for line in lines]


def test_a_snapshot_keeps_held_out_raters_apart(store: Store, essays: Project, tmp_path: Path):
    before = freeze(store, essays, tmp_path / "before")
    assert "held_out" not in before
    assert not (tmp_path / "before" / HELD_OUT).exists()
    Raters(store).hold_out(essays.id, "bea", held=True)
    manifest = freeze(store, essays, tmp_path / "after")
    assert annotators(tmp_path / "after" / "groups.jsonl") == [["ann"], ["ann"]]
    assert annotators(tmp_path / "after" / HELD_OUT) == [["bea"], ["bea"], ["bea"]]
    assert manifest["held_out"] == {"annotators": ["bea"], "groups": 3, "rankings": 3}
    assert (manifest["counts"]["rankings"], manifest["counts"]["annotators"]) == (2, 1)
    assert {r.annotator for one in read_snapshot(tmp_path / "after").groups for r in one.rankings} == {"ann"}
    assert {r.annotator for one in read(tmp_path / "after").groups for r in one.rankings} == {
        "ann"
    }  # as a training does
    apart = read(tmp_path / "after" / HELD_OUT).groups
    assert [one.split for one in apart][:2] == ["train", "test"]
    (tmp_path / "after" / HELD_OUT).write_text("")
    with pytest.raises(Exception, match="was changed since"):
        read_snapshot(tmp_path / "after")
    Raters(store).hold_out(essays.id, "bea", held=False)
    freeze(store, essays, tmp_path / "again")
    assert (tmp_path / "again" / "groups.jsonl").read_bytes() == (tmp_path / "before" / "groups.jsonl").read_bytes()


def test_what_held_out_raters_write_is_no_demonstration(store: Store, tmp_path: Path):
    made = store.add_project("answers", schema=LabelSchema("demonstrate", ranking=False, all_bad=False), overlap=2)
    store.import_groups(made.id, [group(0, 0)])
    for name in ("ann", "bea"):
        user = store.add_user(name, "labeler")
        task = ask(store, made, user)
        store.submit(user.id, Submission(f"s-{name}", task.task_id, "write", written=f"By {name}."))
    Raters(store).hold_out(made.id, "bea", held=True)
    freeze(store, made, tmp_path / "snap")
    assert [one.completion for one in read_snapshot(tmp_path / "snap").demonstrations] == ["By ann."]


def test_an_export_has_them_only_by_name(store: Store, essays: Project, tmp_path: Path):
    Raters(store).hold_out(essays.id, "bea", held=True)
    export(store, essays, Export(to="native"), tmp_path / "usual")
    assert annotators(tmp_path / "usual" / "groups.jsonl") == [["ann"], ["ann"]]
    named = Export(to="native", selection=Selection(annotators=("bea",)))
    export(store, essays, named, tmp_path / "named")
    assert annotators(tmp_path / "named" / "groups.jsonl") == [["bea"], ["bea"], ["bea"]]
    assert [row["annotator"] for row in preview(store, essays, Export(to="trl"))] == ["ann", "ann", "ann"]


def test_only_members_are_held_out(store: Store, essays: Project):
    poems = store.add_project("poems")
    store.add_user("eve", "labeler", ("poems",))
    with pytest.raises(PermissionDeniedError, match="does not belong to the project 'essays'"):
        Raters(store).hold_out(essays.id, "eve", held=True)
    Raters(store).hold_out(poems.id, "eve", held=True)
    assert (Raters(store).held_out(poems.id), Raters(store).held_out(essays.id)) == (("eve",), ())


def test_projects_of_an_account_change(store: Store, essays: Project):
    store.add_project("poems")
    raters, root = Raters(store), store.add_user("root", "admin")
    ann = store.user("ann")
    assert raters.assign(root, "ann", ["poems"]) == ("poems",)
    with pytest.raises(PermissionDeniedError, match="does not belong"):
        store.next_task(essays.id, ann.id)
    assert raters.assign(root, "ann", ["essays", "poems"]) == ("essays", "poems")
    assert raters.assign(root, "ann", []) == ()
    assert store.next_task(essays.id, ann.id) is not None
    with pytest.raises(NotFoundError, match="there is no project 'odes'"):
        raters.assign(root, "ann", ["odes"])
    assert store.memberships(ann.id) == ()


def test_who_is_restricted_decides_about_own_projects_alone(store: Store, essays: Project):
    for name in ("poems", "odes"):
        store.add_project(name)
    raters, boss = Raters(store), store.add_user("boss", "manager", ("essays", "poems"))
    store.add_user("eve", "labeler", ("poems", "odes"))
    assert raters.assign(boss, "eve", ["essays"]) == ("essays", "odes")
    with pytest.raises(PermissionDeniedError, match="'boss' does not belong to the project 'odes'"):
        raters.assign(boss, "eve", ["odes"])
    with pytest.raises(PermissionDeniedError, match="for every project"):
        raters.assign(boss, "ann", ["essays"])
    store.add_user("mia", "labeler", ("essays",))
    with pytest.raises(PermissionDeniedError, match="for every project"):
        raters.assign(boss, "mia", [])
    store.add_user("root", "admin")
    with pytest.raises(PermissionDeniedError, match="only an admin may change the account 'root'"):
        raters.assign(boss, "root", ["essays"])
    assert store.memberships(store.user("root").id) == ()


def test_a_correction_of_somebody_held_out_stays_apart(store: Store, tmp_path: Path):
    made = project(store, 1)
    ann = store.add_user("ann", "labeler")
    Raters(store).hold_out(made.id, "ann", held=True)
    first = ask(store, made, ann)
    store.submit(ann.id, ranking(first))
    freeze(store, made, tmp_path / "snap")
    assert annotators(tmp_path / "snap" / "groups.jsonl") == []
    assert annotators(tmp_path / "snap" / HELD_OUT) == [["ann"]]
