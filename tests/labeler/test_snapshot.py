"""Freezing judgments into files."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from store_helpers import ask, group, people, project, ranking, skip

from labeler.errors import DataError, UsageError
from labeler.formats import prompt_key, read, split_of
from labeler.label_schema import Flag, LabelSchema
from labeler.records import Demonstration, Message, Ranking
from labeler.snapshot import freeze, read_snapshot
from labeler.store import Store


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def labeled(store: Store):
    """Five tasks: one judged by two, one corrected, one skipped, two untouched; one demonstration."""
    essays = project(store, overlap=2)
    store.import_groups(essays.id, [], [Demonstration("d0", (Message("user", "Écris."),), "Voilà.\u2028")])
    ann, bob = people(store, "ann", "bob")
    first = ask(store, essays, ann)
    store.submit(ann.id, ranking(first, ranks={"c0": 1, "c1": 2, "c2": 2}, seconds=2.5, note="naïve"))
    store.submit(bob.id, ranking(ask(store, essays, bob)))
    second = ask(store, essays, ann)
    store.submit(ann.id, ranking(second, ranks={"c0": 1, "c1": 2, "c2": 3}))
    store.undo(essays.id, ann.id)
    store.submit(ann.id, ranking(second, ranks={"c0": 3, "c1": 2, "c2": 1}))
    store.submit(ann.id, skip(ask(store, essays, ann)))
    return essays, first, second


def test_what_is_in_it(store: Store, labeled, tmp_path: Path):
    essays, first, second = labeled
    manifest = freeze(store, essays, tmp_path / "snap")
    assert manifest["counts"] == {"groups": 2, "rankings": 3, "edits": 0, "annotators": 2, "demonstrations": 1}
    assert manifest["excluded"] == {"skipped_judgments": 1, "corrected_judgments": 1, "groups_without_ranking": 3}
    snapshot = read_snapshot(tmp_path / "snap")
    by_id = {g.id: g for g in snapshot.groups}
    assert set(by_id) == {first.group_id, second.group_id}
    ranked = by_id[first.group_id].rankings[0]
    assert (ranked.annotator, ranked.ranks, ranked.seconds, ranked.note) == ("ann", (1, 2, 2), 2.5, "naïve")
    assert (ranked.order, ranked.at) == (first.order, "2025-06-15T15:06:40Z")
    assert [r.ranks for r in by_id[second.group_id].rankings] == [(3, 2, 1)]
    assert by_id[first.group_id].completions[0].model == "model-0"
    assert snapshot.demonstrations == tuple(store.demonstrations(essays.id))
    for name, facts in manifest["files"].items():
        content = (tmp_path / "snap" / name).read_bytes()
        assert facts == {"sha256": sha256(content).hexdigest(), "bytes": len(content)}
    imported = read(tmp_path / "snap")
    assert (imported.groups, imported.demonstrations) == (snapshot.groups, snapshot.demonstrations)


def test_same_judgments_same_bytes(store: Store, labeled, tmp_path: Path, clock):
    essays, *_ = labeled
    freeze(store, essays, tmp_path / "one")
    clock.now += 10_000_000
    freeze(store, essays, tmp_path / "two")
    freeze(store, essays, tmp_path / "two")  # in place of itself
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert sorted(path.name for path in tmp_path.iterdir() if "db" not in path.name) == ["one", "two"]


def test_a_snapshot_imported_again_gives_the_same_groups(store: Store, labeled, tmp_path: Path):
    essays, *_ = labeled
    freeze(store, essays, tmp_path / "one")
    copy = store.add_project("copy", overlap=2)
    first = read_snapshot(tmp_path / "one")
    store.import_groups(copy.id, first.groups, first.demonstrations)
    freeze(store, copy, tmp_path / "two")
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert (one["groups.jsonl"], one["demonstrations.jsonl"]) == (two["groups.jsonl"], two["demonstrations.jsonl"])


def test_one_prompt_is_in_one_split(store: Store, tmp_path: Path):
    essays = store.add_project("essays", seed=5)
    said = (Ranking("x", (1, 2, 3)),)
    many = [group(number, rankings=said) for number in range(60)]
    same = [replace(g, id=f"again-{g.id}") for g in many[:20]]
    came_with = [
        replace(group(100, rankings=said), split="test"),
        replace(group(101, rankings=said), id="t", split="train", prompt=group(100).prompt),
        replace(group(102, rankings=said), id="n", prompt=group(100).prompt),
        replace(group(103, rankings=said), split="valid"),
    ]
    store.import_groups(essays.id, [*many, *same, *came_with])
    manifest = freeze(store, essays, tmp_path / "snap")
    splits: dict[str, set[str | None]] = {}
    for g in read_snapshot(tmp_path / "snap").groups:
        splits.setdefault(prompt_key(g.prompt), set()).add(g.split)
    assert all(len(found) == 1 for found in splits.values())
    by_hash = {prompt_key(g.prompt): {split_of(prompt_key(g.prompt), seed=5)} for g in many}
    assert by_hash.items() <= splits.items()
    assert splits[prompt_key(group(100).prompt)] == {"test"}
    assert splits[prompt_key(group(103).prompt)] == {"valid"}
    assert manifest["groups_moved_to_keep_prompts_in_one_split"] == 1
    assert sum(facts["groups"] for facts in manifest["splits"].values()) == 84
    assert sum(facts["prompts"] for facts in manifest["splits"].values()) == 62


def test_a_changed_file_is_named(store: Store, labeled, tmp_path: Path):
    essays, *_ = labeled
    folder = tmp_path / "snap"
    freeze(store, essays, folder)
    path = folder / "groups.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"ranks": [1', b'"ranks": [2', 1))
    with pytest.raises(DataError, match=r"groups\.jsonl: was changed"):
        read_snapshot(folder)
    (folder / "demonstrations.jsonl").unlink()
    path.unlink()
    with pytest.raises(DataError, match=r"groups\.jsonl: is missing"):
        read_snapshot(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"schema": 2}))
    with pytest.raises(DataError, match="schema 2; this version reads 1"):
        read_snapshot(folder)
    with pytest.raises(DataError, match=r"manifest\.json: is missing"):
        read_snapshot(tmp_path)


def test_only_a_snapshot_is_replaced(store: Store, labeled, tmp_path: Path):
    essays, *_ = labeled
    (tmp_path / "empty").mkdir()
    freeze(store, essays, tmp_path / "empty")
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="holds something that is no snapshot"):
        freeze(store, essays, precious)
    with pytest.raises(UsageError, match="is not a folder"):
        freeze(store, essays, precious / "thesis.txt")
    assert contents(precious) == {"thesis.txt": b"years of work"}


def test_a_failed_snapshot_leaves_the_old_one(store: Store, labeled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    essays, *_ = labeled
    freeze(store, essays, tmp_path / "snap")
    before = contents(tmp_path / "snap")

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        freeze(store, essays, tmp_path / "snap")
    assert contents(tmp_path / "snap") == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_ratings_flags_and_what_was_asked_are_in_it(store: Store, tmp_path: Path):
    asked = LabelSchema("rate", ranking=False, flags=(Flag("rude"),), prompt_flags=(Flag("vague"),))
    essays = store.add_project("essays", schema=asked, dwell_seconds=0)
    store.import_groups(essays.id, [group(number) for number in range(2)])
    (ann,) = people(store, "ann")
    given = {
        "ranks": {},
        "ratings": {"c0": 3, "c1": 7, "c2": 3},
        "flags": {"c2": ("rude",)},
        "prompt_flags": ("vague",),
    }
    store.submit(ann.id, ranking(ask(store, essays, ann), **given))
    store.set_schema(essays.id, LabelSchema("rate", ranking=False))
    store.submit(ann.id, ranking(ask(store, essays, ann), **given | {"flags": {}, "prompt_flags": (), "all_bad": True}))
    manifest = freeze(store, essays, tmp_path / "snap")
    versions = [
        (item["version"], item["rankings"], [flag["name"] for flag in item["flags"]])
        for item in manifest["label_schemas"]
    ]
    assert versions == [(1, 1, ["rude"]), (2, 1, [])]
    by_flags = {r.flags: r for g in read_snapshot(tmp_path / "snap").groups for r in g.rankings}
    first = by_flags[(), (), ("rude",)]
    assert (first.ratings, first.prompt_flags, first.ranks) == ((3, 7, 3), ("vague",), (None, None, None))
    freeze(store, essays, tmp_path / "snap", ranks_from_ratings=True)
    by_flags = {r.flags: r for g in read_snapshot(tmp_path / "snap").groups for r in g.rankings}
    assert by_flags[(), (), ("rude",)].ranks == (2, 1, 2)
    assert by_flags[None].ranks == (None, None, None)  # all are bad
