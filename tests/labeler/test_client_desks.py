"""The client against a real server: screening, prompts, and imports in the background; on both databases."""

from __future__ import annotations

import json
import time
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from client_server import ROWS, Witness, connected, of_desks, waited

from labeler.api.labeling import Answer
from labeler.api.projects import NewProject
from labeler.api.prompts import VectorsInfo
from labeler.api.screening import ExamInfo
from labeler.client import Client, submission_id
from labeler.client_prompts import Prompts
from labeler.errors import ConflictError, DataError
from labeler.exam import ExamRules


def test_the_desks_through_the_client_as_documented(database_url: str, tmp_path: Path):
    witness = Witness()
    with connected(database_url, tmp_path, {"root": "admin", "ann": "labeler"}, witness) as clients:
        screen(clients["root"], clients["ann"])
        prompts(clients["root"], tmp_path)
        imports(clients["root"], tmp_path)
    assert of_desks(witness.document) - witness.succeeded() == set()


def screen(root: Client, ann: Client) -> None:
    """Somebody takes an exam and is admitted."""
    desk, theirs = root.screening, ann.screening
    made = root.add_project(NewProject("exam", dwell_seconds=0))
    known = (json.dumps({**ROWS[0], "id": name, "meta": {"gold_ranks": [1, 2]}}) for name in ("known", "spare"))
    root.import_lines(made.id, "\n".join(known).encode())
    assert desk.exam(made.id) == ExamInfo(None, 0)
    desk.set_exam(made.id, ExamRules(tasks=1, prompts=("Write.",), areas=("Politics", "Age")))
    assert desk.keep_for_exams(made.id, 9) == 2
    desk.add_candidate(made.id, "ann")
    assert [(exam.project, exam.coming) for exam in theirs.exams()] == [(made.id, 1)]
    task = ann.next_task(made.id).task
    assert task
    ann.submit(task.id, Answer(submission_id(), ranks={item.label: 1 for item in task.completions}))
    theirs.write(made.id, 0, "Written.")
    theirs.tick(made.id, ("Age",))
    (exam,) = theirs.exams()
    assert (exam.done, exam.ticked, exam.written[0].text) == (1, ("Age",), "Written.")
    desk.grade(made.id, "ann", 0, 7)
    (candidate,) = desk.candidates(made.id)
    assert (candidate.scores.rankings.value, candidate.scores.grade.value, candidate.state) == (0.0, 7.0, "screening")
    desk.decide(made.id, "ann", "not yet", "too many ties")
    (candidate,) = desk.candidates(made.id)
    assert (candidate.state, candidate.decisions[0].note, theirs.exams()) == ("refused", "too many ties", ())


def imports(root: Client, folder: Path) -> None:
    """A file and a data set are looked at, cleaned and stored step by step."""
    desk = root.exchange
    rows = [{"question": f"Mail a@example.com, {n // 2}", "yes": "Yes.", "no": "No."} for n in range(4)]
    file = folder / "pairs.csv"
    lines = ["question,yes,no", *(",".join(f'"{text}"' for text in row.values()) for row in rows)]
    file.write_text("\n".join(lines))
    source = desk.upload(file)
    assert (source.name, source.step, source.report) == ("pairs.csv", None, None)
    with pytest.raises(ConflictError, match="Check it first"):
        desk.store(source.id)
    desk.check(source.id, "mail")
    named = waited(lambda: desk.import_run(source.id))
    assert named.report
    assert (named.ready, named.report.columns) == (False, ("question", "yes", "no"))
    with pytest.raises(ConflictError, match="bad rows"):
        desk.store(source.id)
    columns = {"prompt": "question", "chosen": "yes", "rejected": "no"}
    desk.check(source.id, "mail", task="rank", columns=columns, unique=True, mask_pii=True, overlap=2)
    checked = waited(lambda: desk.import_run(source.id))
    assert checked.report
    assert (checked.ready, checked.report.groups, checked.report.reasons) == (True, 2, {"repeated": 2})
    assert (checked.report.masked, checked.report.sizes) == ({"EMAIL": 2}, {"2": 2})
    assert "EMAIL" in checked.report.first[0]["prompt"][0]["content"]
    assert "mail" not in [project.name for project in root.projects()]
    desk.store(source.id)
    stored = waited(lambda: desk.import_run(source.id))
    assert (stored.step, stored.ready, stored.report and stored.report.groups) == ("store", False, 2)
    made = next(project for project in root.projects() if project.name == "mail")
    assert [task.overlap for task in root.tasks(made.id)] == [2, 2]
    for again in (lambda: desk.check(source.id, "mail"), lambda: desk.store(source.id)):
        with pytest.raises(ConflictError, match="imported already"):
            again()
    (folder / "bad.jsonl").write_text(f"{json.dumps(ROWS[0])}\nnonsense\n")
    bad = desk.upload(folder / "bad.jsonl")
    desk.check(bad.id, "mail")
    assert waited(lambda: desk.import_run(bad.id)).report.bad == 1
    found = json.loads(desk.download_bad_rows(bad.id, folder / "rows.jsonl").read_text())
    assert (found["file"], found["line"]) == ("bad.jsonl", 2)
    hub = desk.add_import("hf:org/set")
    desk.check(hub.id, "mail")
    cancelled = desk.cancel_import(hub.id).job
    assert cancelled
    assert cancelled.state == "cancelled"
    assert [item.name for item in desk.imports()] == ["hf:org/set", "bad.jsonl", "pairs.csv"]
    for item in desk.imports():
        desk.put_away(item.id)
    assert desk.imports() == ()


TOPICS = ("prime numbers and what they are", "rivers of the north", "prime numbers and what they do", "stones")


def prompts(root: Client, folder: Path) -> None:
    """Twelve prompts of four topics are searched, put together, named, and come first where they are wanted."""
    project, desk = root.add_project(NewProject("topics", dwell_seconds=0)).id, root.prompts
    rows = [
        {
            **ROWS[0],
            "id": f"t{n}",
            "prompt": f"{TOPICS[n % 4]} {n // 4}",
            "meta": {"use_case": "chat" if n % 2 else "qa"},
        }
        for n in range(12)
    ]
    lines = "\n".join(map(json.dumps, rows)).encode()
    again = json.dumps({**rows[0], "id": "again", "prompt": "What they ARE 0, and prime numbers?"}).encode()
    (folder / "topics.jsonl").write_bytes(lines + b"\n" + again)
    with pytest.raises(ConflictError, match="too long for one request: send the file to /imports/upload"):
        root.import_file(project, folder / "topics.jsonl", unique_meaning=0.99)
    source = root.exchange.upload(folder / "topics.jsonl").id
    root.exchange.check(source, "topics", unique_meaning=0.99)
    would = waited(lambda: root.exchange.import_run(source)).report
    assert (would.groups, would.left_out[0].id, would.left_out[0].because) == (12, "again", "t0")
    assert list(root.tasks(project)) == []
    root.exchange.store(source)
    assert waited(lambda: root.exchange.import_run(source)).report.groups == 12
    root.exchange.put_away(source)
    before = desk.vectors(project)
    assert (before.base, before.prompts, before.job, before.usual_clusters) == (None, 0, None, 2)
    with pytest.raises(DataError, match="make them first"):
        list(desk.find(project, meaning="stones"))
    vectors = made(desk, project, clusters=3)
    assert (vectors.base, vectors.prompts, vectors.later, vectors.enough_examples) == ("minilm-l6", 12, 0, False)
    nearest = list(islice(desk.find(project, meaning="stones 1"), 3))
    assert nearest[0].group == "t7"
    assert nearest[0].nearness == pytest.approx(1, abs=1e-3)
    assert [found.group for found in desk.find(project, words='"of the" north 2')] == ["t9"]
    assert {found.group for found in desk.find(project, words="prime", use_case=("qa", "other"))} == {
        f"t{n}" for n in range(0, 12, 2)
    }
    clusters = desk.clusters(project)
    assert sum(cluster.waiting for cluster in clusters) == sum(cluster.tasks for cluster in clusters) == 12
    assert clusters[0].agreement is None
    inside = [found.group for found in desk.find(project, cluster=clusters[0].cluster)]
    assert (len(inside), tuple(inside[:5])) == (clusters[0].tasks, clusters[0].typical)
    assert all(len(found.groups) > 1 for found in desk.duplicates(project))
    desk.name(project, "geology", ["t1", "t3"])
    desk.name(project, "numbers", ["t0", "t2"])
    assert desk.vectors(project).enough_examples
    learned = made(desk, project)
    assert (learned.quality or "").startswith("Labels: 2 classes")
    assert [(item.category, item.examples, item.prompts) for item in desk.categories(project)] == [
        ("asked", 0, 12),
        ("geology", 2, 0),
        ("numbers", 2, 0),
    ]
    assert len(list(desk.find(project, category="asked", state=("waiting",)))) == 12
    root.set_priorities(project, {found.group: 60 for found in desk.find(project, words="stones")})
    assert {found.group for found in desk.find(project) if found.priority == 60} == {"t3", "t7", "t11"}
    desk.make_vectors(project, base="slow")
    job = desk.cancel_vectors(project).job
    assert job
    assert job.state == "cancelled"


def made(desk: Prompts, project: int, **how: Any) -> VectorsInfo:
    """The vectors when they are made."""
    desk.make_vectors(project, **how)
    end = time.monotonic() + 60
    while (found := desk.vectors(project)).job is None or found.job.state == "running":
        assert time.monotonic() < end
        time.sleep(0.05)
    assert (found.job.state, found.job.stage) == ("done", "embed"), found.job.message
    return found
