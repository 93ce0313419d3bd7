"""Webhooks against a real receiver process, on both databases; signatures are checked by the standard's own library."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError
from store_helpers import ask, group, people, project, ranking, skip, wrote

from labeler import claims, delivery, jobs, signing, trainings
from labeler.chat import Turn, WrittenDialogue
from labeler.cli import main
from labeler.delivery import Deliverer, Rules
from labeler.entities import EVENT_TYPES, Edit, Submission
from labeler.errors import ConflictError, NotFoundError, PermissionDeniedError, UsageError
from labeler.label_schema import LabelSchema, preset
from labeler.outbox import Patience
from labeler.records import Ranking
from labeler.snapshot import freeze
from labeler.store import Store
from labeler.webhooks import Webhooks

ROOT = Path(__file__).parents[2]
QUICK = Patience(tries=4, first_seconds=0.02, growth=2.0, longest_seconds=0.1)


@dataclass(frozen=True)
class Receiver:
    file: Path
    url: str

    def got(self) -> list[dict[str, Any]]:
        if not self.file.exists():
            return []
        lines = self.file.read_text().splitlines()
        return [json.loads(line) for line in lines]

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(row["body"]) for row in self.got()]


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    file = tmp_path / "received.jsonl"
    script = Path(__file__).with_name("webhook_receiver.py")
    with subprocess.Popen([sys.executable, str(script), str(file)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield Receiver(file, f"http://127.0.0.1:{process.stdout.readline().strip()}")
        process.kill()


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """On the real clock: receivers refuse what is old."""
    opened = Store.open(database_url)
    yield opened
    opened.close()


@contextmanager
def delivering(store: Store, rules: Rules | None = None, until: Callable[[], object] = lambda: True) -> Iterator[None]:
    """A deliverer that works until something is true."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delivery, "POLL_SECONDS", 0.02)
        with Deliverer(store, rules or Rules(private=True, patience=QUICK)).running():
            yield
            wait(until)


def wait(until: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, "it never became true"
        time.sleep(0.02)


def settled(store: Store) -> Callable[[], bool]:
    return lambda: not any(webhook.pending for webhook in Webhooks(store).all())


def test_everything_that_happens_is_told_signed_and_in_order(store: Store, receiver: Receiver, tmp_path: Path):
    _, secret = Webhooks(store).add(f"{receiver.url}/ok")
    essays = project(store, groups=2)
    ann, bob = people(store, "ann", "bob")
    first = ask(store, essays, ann)
    judgment = store.submit(ann.id, ranking(first, note="private words"))
    store.undo(essays.id, ann.id)
    store.submit(ann.id, ranking(ask(store, essays, ann), ranks=dict.fromkeys(("c0", "c1", "c2"), 1)))
    store.submit(bob.id, skip(ask(store, essays, bob)))
    store.submit(ann.id, ranking(ask(store, essays, ann)))
    freeze(store, essays, tmp_path / "snapshot")
    with delivering(store, until=settled(store)):
        pass
    verifier = Verifier(secret)
    told = [verifier.verify(row["body"].encode(), row["headers"]) for row in receiver.got()]
    assert [event["type"] for event in told] == [
        "import.finished",
        "judgment.created",
        "task.done",
        "judgment.corrected",
        "judgment.created",
        "judgment.created",
        "task.done",
        "project.finished",
        "snapshot.created",
    ]
    assert told[0]["data"] == {"project": {"id": 1, "name": "essays"}, "groups": 2, "judgments": 0, "demonstrations": 0}
    created, corrected = told[1]["data"], told[3]["data"]
    assert (created["judgment"], created["annotator"], created["kind"]) == (judgment.id, "ann", "rank")
    assert sorted(created["ranks"].values()) == [1, 2, 3]
    assert (corrected["supersedes"], set(corrected["ranks"].values())) == (judgment.id, {1})
    assert told[4]["data"]["kind"] == "skip"
    assert told[-1]["data"]["counts"]["rankings"] == 2
    everything = "".join(row["body"] for row in receiver.got())
    assert "Answer" not in everything
    assert "Question" not in everything
    assert "private words" not in everything
    row = receiver.got()[0]
    with pytest.raises(WebhookVerificationError):
        verifier.verify(row["body"].replace("essays", "essayz").encode(), row["headers"])
    assert {found.state for found in Webhooks(store).deliveries(1)} == {"delivered"}


def test_texts_come_along_where_they_are_asked_for(store: Store, receiver: Receiver):
    webhooks = Webhooks(store)
    webhooks.add(f"{receiver.url}/ok", events=("judgment.created",), texts=True)
    essays = project(store, groups=1)
    (ann,) = people(store, "ann")
    store.submit(ann.id, ranking(ask(store, essays, ann)))
    with delivering(store, until=settled(store)):
        pass
    (event,) = receiver.bodies()
    assert event["data"]["prompt"] == [{"role": "user", "content": "Question 0?"}]
    assert event["data"]["completions"][1] == {"id": "c1", "text": "Answer 1 to 0.", "model": "model-1"}


def test_what_labelers_write_is_told_where_texts_are_asked_for(store: Store):
    webhooks = Webhooks(store)
    for number, texts in enumerate((True, False)):
        webhooks.add(f"https://example.org/{number}", events=("judgment.created",), texts=texts)
    (ann,) = people(store, "ann")
    asked = {"answers": preset("demonstrate"), "edits": LabelSchema(edit="required"), "talks": preset("chat")}
    tasks = {}
    for number, (name, schema) in enumerate(asked.items()):
        made = store.add_project(name, schema=schema, dwell_seconds=0)
        store.import_groups(made.id, [group(number, 3 if name == "edits" else 0)])
        tasks[name] = ask(store, made, ann)
    store.submit(ann.id, wrote(tasks["answers"], "My \0 answer."))
    store.submit(ann.id, ranking(tasks["edits"], ranks={"c0": 1, "c1": 2, "c2": 3}, edit=Edit("c0", "My edit.")))
    said = WrittenDialogue((Turn("assistant", "My reply."),))
    store.submit(ann.id, Submission("talk", tasks["talks"].task_id, "rank", dialogue=said))
    told, ids = ([row.body for row in webhooks.deliveries(number)] for number in (1, 2))
    found = {event["project"]["name"]: event for event in (json.loads(body)["data"] for body in told)}
    assert (found["answers"]["kind"], found["answers"]["written"]) == ("write", "My \0 answer.")
    assert (found["edits"]["edit"], found["edits"]["written"]) == ({"of": "c0", "text": "My edit."}, None)
    assert [turn["text"] for turn in found["talks"]["dialogue"]["turns"]] == ["My reply."]
    assert len(ids) == 3
    assert "My " not in "".join(ids)


def test_an_endpoint_hears_of_its_project_and_its_events_only(store: Store, receiver: Receiver):
    project(store, groups=1)
    poems = store.add_project("poems")
    Webhooks(store).add(f"{receiver.url}/ok", project="poems", events=("import.finished",))
    store.import_groups(1, [group(7)])
    store.import_groups(poems.id, [group(1)])
    (ann,) = people(store, "ann")
    store.submit(ann.id, ranking(ask(store, poems, ann)))
    with delivering(store, until=settled(store)):
        pass
    assert [(event["type"], event["data"]["project"]["name"]) for event in receiver.bodies()] == [
        ("import.finished", "poems")
    ]


def test_what_did_not_happen_is_not_told(store: Store, monkeypatch: pytest.MonkeyPatch):
    essays = project(store, groups=1, overlap=2)
    (ann,) = people(store, "ann")
    Webhooks(store).add("https://example.org/")
    task = ask(store, essays, ann)

    def broken(*_: object) -> None:
        raise ConflictError("after the judgment was written")

    with monkeypatch.context() as patch:
        patch.setattr(claims, "drop", broken)
        with pytest.raises(ConflictError):
            store.submit(ann.id, ranking(task))
    with pytest.raises(ConflictError):
        store.import_groups(essays.id, [group(0)])
    assert (Webhooks(store).deliveries(1), store.counts(essays.id).judgments) == ((), 0)
    answer = ranking(task)
    store.submit(ann.id, answer)
    store.submit(ann.id, answer)  # sent again: recorded once, told once
    assert [found.type for found in Webhooks(store).deliveries(1)] == ["judgment.created"]


def test_of_two_who_finish_the_last_two_tasks_one_tells_that_the_project_is_finished(store: Store):
    for turn in range(8):
        name = f"p{turn}"
        added = store.add_project(name, dwell_seconds=0)
        store.import_groups(added.id, [group(0), group(1)])
        users = people(store, f"ann{turn}", f"bob{turn}")
        Webhooks(store).add("https://example.org/", project=name, events=("project.finished",))
        answers = [(user.id, ranking(ask(store, added, user))) for user in users]
        threads = [threading.Thread(target=store.submit, args=answer) for answer in answers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(Webhooks(store).deliveries(turn + 1)) == 1


def test_a_project_that_is_finished_by_its_rules_is_told_once(store: Store):
    webhooks = Webhooks(store)
    webhooks.add("https://example.org/", events=("project.finished",))
    essays = project(store, groups=2, overlap=3)
    (ann,) = people(store, "ann")
    store.submit(ann.id, ranking(ask(store, essays, ann)))
    store.set_rules(essays.id, overlap=1)
    assert webhooks.deliveries(1) == ()
    store.set_rules(essays.id, overlap=2)
    store.submit(ann.id, ranking(ask(store, essays, ann)))
    for _ in range(2):
        store.set_rules(essays.id, overlap=1)
    (told,) = webhooks.deliveries(1)
    assert json.loads(told.body)["data"]["project"]["name"] == "essays"


def test_failures_are_tried_again_in_order_and_at_last_given_up(store: Store, receiver: Receiver):
    webhooks = Webhooks(store)
    webhooks.add(f"{receiver.url}/failing/2", events=("import.finished",))
    webhooks.add(f"{receiver.url}/status/500", events=("import.finished",))
    essays = store.add_project("essays")
    for number in range(3):
        store.import_groups(essays.id, [group(number)])
    with delivering(store, until=settled(store)):
        pass
    came = [row["headers"]["webhook-id"] for row in receiver.got() if row["path"].startswith("/failing")]
    assert came[0] == came[1] == came[2]  # the others wait for the first
    assert len(set(came)) == 3
    assert len(came) == 5
    sent = webhooks.deliveries(1)
    assert [found.message for found in reversed(sent)] == came[2:]
    assert [(found.state, found.tries, found.status, found.answer) for found in sent] == [
        ("delivered", 1, 200, "fine"),
        ("delivered", 1, 200, "fine"),
        ("delivered", 3, 200, "fine"),
    ]
    assert {(found.state, found.tries, found.status) for found in webhooks.deliveries(2)} == {("failed", 4, 500)}
    webhooks.redeliver(1, sent[0].id)
    with delivering(store, until=settled(store)):
        pass
    again = receiver.got()[-1]["headers"]["webhook-id"]
    assert again == sent[0].message


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/slow/30", None, "no answer within 0.5 seconds"),
        ("/drip", None, "no answer within 0.5 seconds"),
        ("/redirect", 302, "fine"),
        ("/status/404", 404, "fine"),
        ("/long", 200, "x" * 500),
    ],
)
def test_receivers_that_misbehave_hold_nothing_up(
    store: Store, receiver: Receiver, path: str, status: int | None, said: str
):
    webhooks = Webhooks(store)
    webhooks.add(f"{receiver.url}{path}", events=("import.finished",))
    webhooks.add(f"{receiver.url}/ok?other", events=("import.finished",))
    store.import_groups(store.add_project("essays").id, [group(1)])
    rules = Rules(private=True, timeout=10.0 if status else 0.5, patience=Patience(tries=1))
    begin = time.monotonic()
    with delivering(store, rules, settled(store)):
        pass
    assert time.monotonic() - begin < 8
    (found,) = webhooks.deliveries(1)
    assert (found.status, found.answer, found.tries) == (status, said, 1)
    assert [row["path"] for row in receiver.got()].count("/ok?other") == 1
    assert "/ok" not in [row["path"] for row in receiver.got()]  # where the redirect leads


def test_who_answers_gone_is_left_alone(store: Store, receiver: Receiver):
    webhooks = Webhooks(store)
    webhooks.add(f"{receiver.url}/status/410", events=("import.finished",))
    essays = store.add_project("essays")
    for number in range(2):
        store.import_groups(essays.id, [group(number)])
    with delivering(store, until=lambda: not webhooks.all()[0].active):
        pass
    store.import_groups(essays.id, [group(5)])
    assert [found.state for found in webhooks.deliveries(1)] == ["pending", "failed"]
    assert len(receiver.got()) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0x7f.1", "10.1.2.3"])
def test_private_addresses_are_refused_unless_allowed(store: Store, receiver: Receiver, host: str):
    if store.database.sqlite is False:
        pytest.skip("one kind of database is enough here")
    url = receiver.url.replace("127.0.0.1", host)
    webhooks = Webhooks(store)
    webhooks.add(f"{url}/ok", events=("import.finished",))
    store.import_groups(store.add_project("essays").id, [group(1)])
    with delivering(store, Rules(timeout=1.0, patience=Patience(tries=1)), settled(store)):
        pass
    (found,) = webhooks.deliveries(1)
    assert (found.state, found.status) == ("failed", None)
    assert re.fullmatch(r"\S+ is a private address; labeler serve --private-webhooks allows those", found.answer or "")
    assert receiver.got() == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:4700::6810:84e5", True),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("192.168.1.1", False),
        ("224.0.0.1", False),
        ("0.0.0.0", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("64:ff9b::a00:1", False),
        ("64:ff9b::5db8:d822", True),
        ("2002:7f00:1::", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool):
    assert delivery.is_public(delivery.ip_address(address)) is public


def test_signatures_are_those_of_the_standard():
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314, "name": "\xc3\xa4"}'
    expected = Verifier(secret).sign(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", datetime.fromtimestamp(1614265330, UTC), body.decode()
    )
    assert signing.signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == expected


def test_waits_grow_and_differ():
    patience = Patience()
    for failures, longest in ((1, 5), (2, 20), (3, 80), (7, 20480), (9, 21600)):
        waits = [patience.wait(failures) for _ in range(200)]
        assert longest / 2 <= min(waits) < 0.6 * longest
        assert 0.9 * longest < max(waits) <= longest


def test_several_processes_deliver_everything_once_and_in_order(store: Store, database_url: str, receiver: Receiver):
    webhooks = Webhooks(store)
    for name in "abc":
        webhooks.add(f"{receiver.url}/ok?{name}", events=("judgment.created",))
    essays = project(store, groups=25)
    (ann,) = people(store, "ann")
    others = [Store.open(database_url) for _ in range(3)]
    with ExitStack() as stack:
        for opened in (store, *others):
            stack.enter_context(delivering(opened))
        for _ in range(25):
            store.submit(ann.id, ranking(ask(store, essays, ann)))
        wait(settled(store))
    for opened in others:
        opened.close()
    for number, name in enumerate("abc", start=1):
        came = [row["headers"]["webhook-id"] for row in receiver.got() if row["path"] == f"/ok?{name}"]
        assert came == [found.message for found in reversed(webhooks.deliveries(number))]
        assert len(came) == 25


DELIVERS = """
import sys, threading
from labeler import delivery
from labeler.store import Store
delivery.MARGIN_SECONDS, delivery.POLL_SECONDS = 0.5, 0.02
with delivery.Deliverer(Store.open(sys.argv[1]), delivery.Rules(private=True, timeout=2.0)).running():
    threading.Event().wait()
"""


def test_a_process_killed_in_the_middle_loses_nothing(store: Store, database_url: str, receiver: Receiver):
    webhooks = Webhooks(store)
    webhooks.add(f"{receiver.url}/hanging/1", events=("judgment.created",))
    essays = project(store, groups=6)
    (ann,) = people(store, "ann")
    for _ in range(3):
        store.submit(ann.id, ranking(ask(store, essays, ann)))
    with subprocess.Popen([sys.executable, "-c", DELIVERS, database_url], cwd=ROOT) as first:
        try:
            wait(receiver.got, 60.0)  # the first is on its way and not answered
        finally:
            first.kill()
    with delivering(store, until=settled(store)):
        for _ in range(3):
            store.submit(ann.id, ranking(ask(store, essays, ann)))
    came = [row["headers"]["webhook-id"] for row in receiver.got()]
    expected = [found.message for found in reversed(webhooks.deliveries(1))]
    assert [came[0], *expected] == came  # the first came twice, under one id; the others once and in order
    assert [found.state for found in webhooks.deliveries(1)] == ["delivered"] * 6


def test_the_end_of_a_training_is_told_once_whoever_notices(store: Store, tmp_path: Path):
    essays = project(store, groups=1)
    webhooks = Webhooks(store)
    webhooks.add("https://example.org/", events=("training.finished",))
    folder = jobs.new_folder(tmp_path / "runs", "train")
    about = {"project": essays.name, "base": "tiny", "judgments": 3}
    job = jobs.start(folder, "train", about, [(sys.executable, "-c", "raise SystemExit('no memory')")])
    wait(lambda: not jobs.is_running(job))
    for _ in range(2):
        trainings.tell_ended(store, tmp_path / "runs")
        (folder / trainings.TOLD).unlink()  # as another server that had not seen it
    trainings.tell_ended(store, tmp_path / "runs")
    (found,) = webhooks.deliveries(1)
    said = json.loads(found.body)["data"]
    assert (said["training"], said["state"], said["message"], said["base"]) == (
        folder.name,
        "failed",
        "no memory",
        "tiny",
    )


def test_managers_of_some_projects_see_and_add_endpoints_of_these_only(store: Store):
    store.add_project("essays")
    store.add_project("poems")
    root = store.add_user("root", "admin")
    mia = store.add_user("mia", "manager", ["poems"])
    webhooks = Webhooks(store)
    for name in ("essays", "poems", None):
        webhooks.add("https://example.org/", project=name)
    assert [found.project for found in webhooks.of(root)] == ["essays", "poems", None]
    assert [found.project for found in webhooks.of(mia)] == ["poems"]
    with pytest.raises(NotFoundError):
        webhooks.find(mia, 1)
    webhooks.check_may(mia, "poems")
    for foreign in ("essays", None):
        with pytest.raises(PermissionDeniedError, match="restricted"):
            webhooks.check_may(mia, foreign)


@pytest.mark.parametrize(
    "url",
    ["ftp://example.org", "example.org", "https://", "https://a:b@example.org", "https://exa mple.org", "http://[", ""],
)
def test_addresses_that_are_none_are_refused(store: Store, url: str):
    with pytest.raises(UsageError, match="no address to post to"):
        Webhooks(store).add(url)
    with pytest.raises(UsageError, match="there is no event"):
        Webhooks(store).add("https://example.org", events=("nonsense",))  # type: ignore[arg-type]


def test_the_command_line(store: Store, database_url: str, capsys: pytest.CaptureFixture[str]):
    def labeler(*words: str) -> str:
        assert main(["webhooks", *words, "--db", database_url]) == 0
        return capsys.readouterr().out

    essays = store.add_project("essays")
    added = labeler("add", "https://example.org/x", "--project", "essays", "--events", "import.finished")
    assert re.search(r"added webhook 1 \(import\.finished\); its secret, shown only now: whsec_\S{44}\n", added)
    store.import_groups(essays.id, [group(1, rankings=(Ranking("ann", (1, 2, 3)),))])
    assert labeler("list") == "1\thttps://example.org/x\tessays\t1 pending\n"
    assert re.fullmatch(r"1\t\S+Z\timport\.finished\tpending\t0 tries\t\n", labeler("deliveries", "1"))
    assert "sent again" in labeler("redeliver", "1", "1")
    assert labeler("remove", "1") == "removed webhook 1\n"
    assert labeler("list") == ""
    assert main(["webhooks", "remove", "1", "--db", database_url]) == 1
    assert EVENT_TYPES[0] == "judgment.created"
