"""The client against a real server process, on both databases; every answer is held against the OpenAPI document."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from client_server import ROWS, Witness, connected, everything, of_desks, waited
from fake_commands import trained
from model_server import model_server

from labeler.api.labeling import Answer, Draft, Skip
from labeler.api.oversight import Decision, GoldSettings
from labeler.api.people import NewPerson
from labeler.api.projects import EndpointSetting, FlagSetting, NewProject, Rules, Settings
from labeler.api.training import ModelRun, NewTraining, OrderQueue
from labeler.api.webhooks import NewWebhook
from labeler.client import Client, submission_id
from labeler.client_models import Models
from labeler.entities import UserRole
from labeler.errors import ConflictError, DataError, NotFoundError, PermissionDeniedError, StoreError
from labeler.formats import parse_group
from labeler.snapshot import read_snapshot
from labeler.store import Store


def test_everything_through_the_client_as_documented(database_url: str, tmp_path: Path):
    roles: dict[str, UserRole] = {"root": "admin", "ann": "labeler", "bob": "labeler"}
    witness = Witness()
    with connected(database_url, tmp_path, roles, witness) as clients:
        project = manage(clients["root"], tmp_path)
        label(clients["ann"], clients["bob"], project)
        results(clients["root"], project, tmp_path)
        oversee(clients["root"], clients["bob"], project)
        models(clients["root"], project, tmp_path)
        reviewed_by_a_labeler(clients["root"], clients["ann"], project)
        exports(clients["root"], project, tmp_path)
        people(clients["root"], clients["bob"])
    here = everything(witness.document) - of_desks(witness.document)
    assert here - witness.succeeded() == {"suggest"}  # it needs a model, see test_chat_routes
    store = Store.open(database_url)
    assert store.counts(project).corrections == 1
    store.close()


def manage(root: Client, folder: Path) -> int:
    """Make a project and fill it."""
    assert root.me().role == "admin"
    project = root.add_project(NewProject("essays", guidelines="Be kind.", overlap=2, dwell_seconds=0.0)).id
    asked = root.set_settings(project, Settings("rate", flags=(FlagSetting("hallucination"), FlagSetting("odd"))))
    assert (asked.settings_version, asked.settings.ranking) == (2, True)
    assert [flag.text for flag in asked.settings.flags or ()] == ["made up", "odd"]
    root.set_settings(project, Settings("rank"))
    assert root.set_guidelines(project, "Be kind and exact.").guidelines_version == 2
    lines = "".join(f"{json.dumps(row)}\n" for row in ROWS[:4])
    assert root.import_lines(project, lines.encode(), overlap=2).groups == 4
    file = folder / "more.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in ROWS[4:]))
    assert root.import_file(project, file).groups == 2
    with pytest.raises(ConflictError, match="already"):
        root.import_file(project, file)
    with pytest.raises(DataError, match="Give an address and the name of the model first"):
        root.ask_model(project)
    with model_server() as model:
        asked_once = root.ask_model(project, EndpointSetting(model.url, "policy"))
        assert asked_once == "reply 0 to 1 turns: Say hello in five words."
        model.mood = "fail"
        with pytest.raises(StoreError, match=r"refused to answer.*\(answered 500: .*exploded"):
            root.ask_model(project, EndpointSetting(model.url, "policy"))
    assert root.import_file(project, file, dry_run=True, skip_known=True).groups == 0
    root.set_priorities(project, {"g5": 100})
    assert [root.set_aside(project, ["g0", "g9"], aside=aside) for aside in (True, True, False)] == [1, 0, 1]
    tasks = list(root.tasks(project))
    assert [task.group["id"] for task in tasks] == [row["id"] for row in ROWS]
    assert [task.priority for task in tasks] == [0, 0, 0, 0, 0, 100]
    assert parse_group(tasks[0].group).completions[0].model == "m1"
    assert [item.name for item in root.projects()] == ["essays"]
    return project


def label(ann: Client, bob: Client, project: int) -> None:
    """Two people label: drafts, answers, a skip, a correction."""
    assert ann.project(project).guidelines == "Be kind and exact."
    task = ann.next_task(project).task
    assert task
    assert task.prompt[0].content == "Question 5?"
    assert ann.save_draft(task.id, Draft(ranks={"A": 1}, trail=("A",), seconds=1.5), 1).version == 1
    again = ann.next_task(project).task
    assert again
    assert (again.id, again.draft_version) == (task.id, 1)
    assert again.draft
    assert again.draft.ranks == {"A": 1}
    answer = Answer(submission_id(), ranks={"A": 1, "B": 2}, seconds=3.0, note="clear")
    first = ann.submit(task.id, answer)
    assert ann.submit(task.id, answer) == first
    with pytest.raises(DataError, match="is not ranked") as refused:
        ann.submit(ann.next_task(project).task.id, Answer(submission_id(), ranks={"A": 1}))  # type: ignore[union-attr]
    assert refused.value.field == "ranks"
    back = ann.undo(project)
    assert back.task
    assert back.task.correction == first.judgment
    ann.cancel_correction(task.id)
    assert ann.undo(project, first.judgment).task
    corrected = ann.submit(task.id, Answer(submission_id(), ranks={"A": 2, "B": 1}))
    assert corrected.supersedes == first.judgment
    assert [(item.judgment, item.summary) for item in ann.history(project)] == [(corrected.judgment, "B > A")]
    theirs = bob.next_task(project).task
    assert theirs
    assert theirs.id == task.id
    bob.submit(theirs.id, Answer(submission_id(), ranks={"A": 1, "B": 1}))
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    assert bob.opt_out(project, soon).until == f"{soon:%Y-%m-%dT%H:%M:%SZ}" == bob.opted_out(project).until
    assert bob.opt_out(project, None).until is None
    other = bob.next_task(project).task
    assert other
    assert bob.skip(other.id, Skip(submission_id(), "unclear")).kind == "skip"
    own = ann.my_work(project)
    assert (own.rankings, own.agreement, own.written) == (1, None, None)
    assert [day.rankings for day in own.days] == [1]


def results(root: Client, project: int, folder: Path) -> None:
    """What came out of it."""
    assert len(list(root.judgments(project))) == 3
    everything = list(root.judgments(project, standing=False))
    assert [judgment.stands for judgment in everything] == [False, True, True, True]
    assert everything[0].note == "clear"
    detail = root.task(project, everything[0].task)
    assert detail.task.group["id"] == "g5"
    assert [judgment.id for judgment in detail.judgments] == [judgment.id for judgment in everything[1:3]]
    with pytest.raises(NotFoundError, match="has no task 999"):
        root.task(project, 999)
    assert everything[0].ranking
    assert sorted(everything[0].ranking.ranks) == [1, 2]  # type: ignore[type-var]
    stats = root.stats(project)
    assert (stats.counts.judgments, stats.counts.skips, stats.counts.corrections) == (2, 1, 1)
    assert stats.reliability.agreement.value == 0.0
    insight(root, project)
    webhooks(root, project)
    snapshot = read_snapshot(root.download_snapshot(project, folder / "snapshot"))
    assert [len(group.rankings) for group in snapshot.groups] == [2]
    for name in ("packed.zip", "packed.tar.gz"):
        assert root.download_snapshot(project, folder / name).stat().st_size > 100
    pairs = root.download_export(project, folder / "pairs.jsonl", to="trl", ties=True, min_overlap=2)
    assert {json.loads(line)["annotator"] for line in pairs.read_text().splitlines()} == {"ann", "bob"}
    started = root.start_training(project, NewTraining("tiny"))
    assert started.judgments == 2
    if root.training(started.id).state == "running":
        with suppress(ConflictError):  # it ended meanwhile
            root.cancel_training(started.id)
    assert root.trainings()[0].id == started.id
    with pytest.raises(NotFoundError):
        root.training("none")


def oversee(root: Client, bob: Client, project: int) -> None:
    """Gold items, review, comments."""
    desk = root.oversight
    gold = json.dumps({**ROWS[0], "id": "gold", "meta": {"gold_ranks": [1, 2]}})
    root.import_lines(project, f"{gold}\n".encode())
    desk.set_gold(project, GoldSettings(0.5, "each", threshold=0.9, least=1))
    report = desk.gold(project)
    assert (report.rules.share, [item.group_id for item in report.items]) == (0.5, ["gold"])
    while (task := bob.next_task(project).task) and not desk.gold(project).people:
        right = {item.text: rank for rank, item in enumerate(parse_group(ROWS[0]).completions, 1)}
        wrong = {item.label: 3 - right.get(item.text, 1) for item in task.completions}
        recorded = bob.submit(task.id, Answer(submission_id(), ranks=wrong))
        assert recorded.task == task.id == next(bob.history(project)).task  # no ids of the database
    (person,) = desk.gold(project).people
    if person.pause is not None:
        desk.lift_pause(project, person.pause)
    else:
        with pytest.raises(NotFoundError):
            desk.lift_pause(project, 1)
    listed = desk.review(project).tasks
    assert listed[0].disagreement == 1.0
    first = listed[0].task_id
    theirs = next(item for item in root.judgments(project) if item.task == first and item.annotator == "bob")
    desk.set_reviewer(project, "bob", may=True)
    assert desk.reviewers(project) == ("bob",)
    desk.set_reviewer(project, "bob", may=False)
    assert desk.reviewers(project) == ()
    desk.send_back(theirs.id, "Look again, please.")
    assert [item.task_id for item in desk.review(project, "sent_back").tasks] == [first]
    desk.one_more_opinion(first)
    bob.oversight.comment(first, "Why?")
    desk.comment(first, "Because.", "bob")
    waiting = bob.notices(project)
    assert [(item.judgment, item.comment) for item in waiting.again] == [(theirs.id, "Look again, please.")]
    (talk,) = waiting.unread
    assert (talk.labeler, talk.count) == ("bob", 1)
    assert [(item.author, item.text) for item in bob.oversight.comments(talk.task)] == [
        ("bob", "Why?"),
        ("manager", "Because."),
    ]
    assert bob.notices(project).unread == ()
    desk.adjudicate(first, Decision(submission_id(), accepted=theirs.id))
    (final,) = desk.adjudications(project)
    assert (final.task, final.by, final.accepted, final.ranks) == (first, "root", theirs.id, (1, 1))


def reviewed_by_a_labeler(root: Client, ann: Client, project: int) -> None:
    """A labeler who was made a reviewer decides a task, in letters; before and after they may not."""
    desk = ann.oversight
    assert desk.reviewable() == ()
    with pytest.raises(PermissionDeniedError, match="'ann' may not review the project 'essays'"):
        desk.review(project)
    root.oversight.set_reviewer(project, "ann", may=True)
    assert [(item.id, item.judges) for item in desk.reviewable()] == [(project, True)]
    listed = next(item for item in desk.review(project, "final").tasks)
    seen = desk.reviewed(listed.task_id)
    assert [(item.label, item.text) for item in seen.completions] == [("A", "Yes."), ("B", "No.")]
    assert {item.annotator for item in seen.judgments} == {"ann", "bob"}
    assert seen.finals[-1].answer.ranks == {"A": 1, "B": 1}
    said = Decision(submission_id(), seen=seen.finals[-1].id, ranks={"A": 2, "B": 1}, letters=True)
    desk.adjudicate(listed.task_id, said)
    assert [final.answer.ranks for final in desk.reviewed(listed.task_id).finals][-1] == {"A": 2, "B": 1}
    assert [(final.by, final.ranks) for final in desk.adjudications(project)] == [("ann", (2, 1))]
    root.oversight.set_reviewer(project, "ann", may=False)
    refused = (
        lambda: desk.reviewed(listed.task_id),
        lambda: desk.adjudicate(listed.task_id, said),
        lambda: desk.send_back(seen.judgments[0].id, "Again."),
        lambda: desk.one_more_opinion(listed.task_id),
        lambda: list(desk.adjudications(project)),
    )
    for action in refused:
        with pytest.raises(PermissionDeniedError, match="may not review"):
            action()


def exports(root: Client, project: int, folder: Path) -> None:
    """Exports in the background: looked at before, waited for, downloaded, cancelled."""
    desk = root.exchange
    assert desk.exports() == ()
    (row,) = desk.preview_export(project, to="trl", annotators=("adjudicated",))
    assert row["annotator"] == "adjudicated"
    started = desk.start_export(project, to="csv", min_overlap=0)
    done = waited(lambda: desk.export(started.job.id))
    assert (done.project, done.what, done.push) == ("essays", "csv", None)
    assert (done.counts or {})["groups"] == len(list(root.tasks(project)))
    assert done.file
    assert desk.download(done.job.id, folder / done.file).read_text().startswith("id,")
    with pytest.raises(DataError, match="Set the environment variable HF_TOKEN"):
        desk.start_export(project, push="org/set")
    with pytest.raises(DataError, match="must be ORG/NAME"):
        desk.start_export(project, push="set")
    with pytest.raises(DataError, match="cannot be pushed; the formats that can are"):
        desk.start_export(project, to="csv", push="org/set")
    with pytest.raises(DataError, match="begins with a dash"):
        desk.start_export(project, annotators=("--out=elsewhere",))
    started = desk.start_snapshot(project)
    with pytest.raises(ConflictError, match="still being made"):
        desk.start_export(project)
    assert desk.cancel_export(started.job.id).job.state == "cancelled"
    assert [item.job.id for item in desk.exports()] == [started.job.id]  # the earlier one is gone
    with pytest.raises(NotFoundError, match="has no file"):
        desk.download(started.job.id, folder / "nothing")


def models(root: Client, project: int, folder: Path) -> None:
    """What is done with two trained models; the fake scores an answer by its length."""
    first, second = (trained(folder / "runs", "essays") for _ in range(2))
    desk = root.models
    assert [training.id for training in root.trainings() if training.current] == [second.folder.name]
    desk.make_current(project, first.folder.name)
    assert [training.id for training in root.trainings() if training.current] == [first.folder.name]
    with pytest.raises(DataError, match="which is no training of this project that gave a model"):
        desk.make_current(project, "none")
    (first.folder / "report").mkdir()
    (first.folder / "report" / "report.html").write_text("<h1>report</h1>")
    assert root.download_report(first.folder.name, folder / "report.html").read_text() == "<h1>report</h1>"
    started = (
        desk.compare(project, first.folder.name, second.folder.name),
        desk.try_prompt(project, "Why?", answers=("Short.", "A longer answer.")),
        desk.order_queue(project, OrderQueue(most=3)),
        desk.find_disagreement(project),
    )
    compared, tried, ordered, held = (ended(desk, project, run.job.id) for run in started)
    assert (compared.comparison or {})["difference"] == 0.08
    assert [(answer.rank, answer.text) for answer in tried.answers or ()] == [(1, "A longer answer."), (2, "Short.")]
    order = ordered.order or ()
    assert [place.priority for place in order] == [100, 99, 98]
    priorities = {task.group["id"]: task.priority for task in root.tasks(project)}
    assert {place.group: place.priority for place in order}.items() <= priorities.items()
    margins = [pair.margin for pair in held.disagreement or ()]
    assert margins
    assert margins == sorted(margins, reverse=True)
    assert {abs(margin) for margin in margins} == {1.0}
    slow = desk.try_prompt(project, "Why?", policy="slow")
    assert desk.cancel(project, slow.job.id).job.state == "cancelled"
    assert {run.kind for run in desk.runs(project)} == {"compare", "try", "order", "disagree"}


def ended(desk: Models, project: int, run: str) -> ModelRun:
    """The run when it is done."""
    end = time.monotonic() + 60
    while (found := desk.run(project, run)).job.state == "running":
        assert time.monotonic() < end
        time.sleep(0.05)
    assert found.job.state == "done", found.job.message
    return found


def insight(root: Client, project: int) -> None:
    """The pages' figures; they are those of the pure functions, which have tests of their own."""
    agreement = root.agreement(project)
    assert (agreement.tasks, agreement.complete) == (2, True)
    assert agreement.everything
    assert agreement.everything.agreement.value == 0.0
    quality = root.quality(project)
    assert [(person.figures.annotator, person.figures.judgments) for person in quality.people] == [
        ("ann", 1),
        ("bob", 1),
    ]
    assert quality.people[0].verdict
    board = root.leaderboard(project)
    assert {standing.model for standing in board.standings} == {"m1", "m2"}
    assert sum(standing.wins + standing.losses + standing.ties for standing in board.standings) == 4
    assert root.quality(project, annotator=("bob",)).people[0].figures.annotator == "bob"
    assert root.agreement(project, annotator=("bob",)).everything is None
    assert root.agreement(project, category=("none",), model=("m1",)).tasks == 2
    assert root.leaderboard(project, model=("m3",)).standings == ()
    today = root.agreement(project).days[0].name
    assert root.agreement(project, since=today, until=today, sample=1).tasks == 1
    assert root.agreement(project, until="2020-01-01").tasks == 0
    with pytest.raises(DataError, match="is no day; write it as 2026-01-31") as refused:
        root.agreement(project, since="June")
    assert refused.value.field == "since"
    assert {hour.annotator for hour in root.throughput(project, ["ann"]).hours} == {"ann"}
    throughput = root.throughput(project)
    assert sum(hour.rankings for hour in throughput.hours) == 2
    assert throughput.left == 10 == sum(task.remaining for task in root.tasks(project))
    changed = root.set_rules(project, Rules(overlap=1, lease_seconds=60.0))
    assert (changed.overlap, changed.dwell_seconds, changed.lease_seconds) == (1, 0.0, 60.0)
    assert root.throughput(project).left == 5
    with pytest.raises(DataError, match="at least 1"):
        root.set_rules(project, Rules(overlap=0))
    root.set_rules(project, Rules(overlap=2))


def webhooks(root: Client, project: int) -> None:
    """An endpoint that is refused, since its address is private."""
    added = root.add_webhook(NewWebhook("http://127.0.0.1:9/", project="essays", events=("import.finished",)))
    assert added.secret.startswith("whsec_")
    assert [hook.url for hook in root.webhooks()] == ["http://127.0.0.1:9/"]
    row = {**ROWS[0], "id": "late"}
    root.import_lines(project, f"{json.dumps(row)}\n".encode())
    (told,) = root.deliveries(added.webhook.id)
    assert json.loads(told.body)["data"]["groups"] == 1
    assert root.redeliver(added.webhook.id, told.id).state == "pending"
    root.remove_webhook(added.webhook.id)
    with pytest.raises(NotFoundError, match="no webhook"):
        list(root.deliveries(added.webhook.id))


def people(root: Client, bob: Client) -> None:
    """Accounts come and go."""
    invitation = root.add_user(NewPerson("eve", "manager", ("essays",)))
    assert invitation.user.projects == ("essays",)
    assert invitation.path.startswith("/invite/")
    assert root.invite(invitation.user.id).path != invitation.path
    assert [person.name for person in root.users()] == ["root", "ann", "bob", "eve"]
    project = next(item.id for item in root.projects())
    root.hold_out(project, "eve", held=True)
    assert root.held_out(project) == ("eve",)
    root.hold_out(project, "eve", held=False)
    assert root.held_out(project) == ()
    assert root.assign_user(invitation.user.id, ()).projects == ()
    assert root.assign_user(invitation.user.id, ("essays",)).projects == ("essays",)
    with pytest.raises(NotFoundError, match="no project 'poems'"):
        root.assign_user(invitation.user.id, ("poems",))
    assert root.disable_user(invitation.user.id).disabled
    with pytest.raises(PermissionDeniedError, match="needs the role manager"):
        list(bob.users())
    bob.set_language("de")
    with pytest.raises(DataError, match="must be one of en, de, es"):
        bob.set_language("xx")
    (token,) = bob.tokens()
    assert token.last_used
    bob.revoke_token(token.id)
    with pytest.raises(PermissionDeniedError, match="revoked"):
        bob.me()


def test_what_cannot_be_reached_says_so():
    with Client("http://127.0.0.1:9", "x") as client, pytest.raises(StoreError, match="cannot be reached"):
        client.me()


def test_lists_are_followed_to_their_end():
    """A server of two pages, faked at the boundary."""
    pages = {None: (["1"], "a"), "a": (["2"], None)}

    def answer(request: httpx.Request) -> httpx.Response:
        items, cursor = pages[request.url.params.get("cursor")]
        row = {"at": "", "prompt": "", "summary": "", "new field": 1}
        return httpx.Response(
            200, json={"items": [{**row, "judgment": int(n), "task": 1} for n in items], "next": cursor}
        )

    client = Client("http://labeler.example", "x")
    client._http = httpx.Client(base_url="http://labeler.example", transport=httpx.MockTransport(answer))
    assert [item.judgment for item in client.history(1)] == [1, 2]
    client.close()
