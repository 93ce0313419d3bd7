"""Suggestions over HTTP: only the server talks to the model, and the browser never learns which one it is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from model_server import ModelServer, model_server
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from labeler.accounts import Accounts
from labeler.endpoint_settings import Endpoint
from labeler.gold import GoldRules
from labeler.gold_desk import GoldDesk
from labeler.handles import is_handle
from labeler.label_schema import LabelSchema
from labeler.offers import MOST_A_MINUTE
from labeler.records import Group, Message
from labeler.routes import Guard, Services, board_routes, chat_routes, rest_routes
from labeler.routes.services import COOKIE
from labeler.store import Store
from labeler.tokens import Tokens

TURNS = [{"role": "user", "text": "Hello"}]


@pytest.fixture
def database_url(tmp_path: Path, sqlite_template: Path) -> str:
    """One kind of database is enough here: the routes do not know which it is."""
    path = tmp_path / "labeler.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with model_server() as running:
        yield running


def asking(model: ModelServer, timeout: float) -> LabelSchema:
    return LabelSchema("chat", all_bad=False, suggest=Endpoint(model.url, "secret-model", number=2, timeout=timeout))


@pytest.fixture
def people(store: Store, model: ModelServer) -> Store:
    project = store.add_project("talks", schema=asking(model, 60), dwell_seconds=0)
    starts = [Group(f"d{i}", (Message("system", "Be brief."),), (), meta={"scenario": "Play."}) for i in range(2)]
    store.import_groups(project.id, starts)
    for name, role in (("ann", "labeler"), ("bob", "labeler"), ("mia", "manager")):
        store.add_user(name, role)
    return store


@pytest.fixture
def client(people: Store, tmp_path: Path) -> Iterator[TestClient]:
    services = Services(people, Accounts(people), tmp_path / "runs")
    routes = [*board_routes(services), *chat_routes(services), *rest_routes(services)]
    with TestClient(Starlette(routes=routes, middleware=[Middleware(Guard, services=services)])) as opened:
        accounts = Accounts(people)
        opened.cookies.set(COOKIE, accounts.enter(accounts.invite("ann")))
        yield opened


def task_of(client: TestClient) -> dict[str, object]:
    return client.get("/api/task?project=1").json()["task"]


def test_suggestions_come_for_a_task_under_the_name_that_hides_its_place(people: Store, client: TestClient):
    GoldDesk(people).set_rules(1, GoldRules())
    task = task_of(client)
    assert is_handle(task["id"])
    answer = client.post("/api/suggest", json={"task": task["id"], "turns": TURNS})
    assert answer.status_code == 200
    assert task_of(client)["offers"] == [answer.json()["offer"]]


def test_suggestions_come_without_their_model_and_are_there_after_a_reload(client: TestClient, model: ModelServer):
    task = task_of(client)
    assert (task["scenario"], task["offers"]) == ("Play.", [])
    answer = client.post("/api/suggest", json={"task": task["id"], "turns": TURNS})
    offer = answer.json()["offer"]
    assert offer["replies"] == [f"reply {index} to 2 turns: Hello" for index in range(2)]
    assert task_of(client)["offers"] == [offer]
    seen = [
        answer,
        client.get("/api/projects"),
        client.get("/api/task?project=1"),
        client.get("/api/history?project=1"),
    ]
    assert not any("secret" in each.text or "127.0.0.1" in each.text for each in seen)
    assert client.get("/api/projects").json()["projects"][0]["schema"]["suggests"] == 2
    assert model.bodies[0]["messages"][0] == {"role": "system", "content": "Be brief."}


def test_a_dialogue_is_drafted_and_submitted(client: TestClient, people: Store):
    task = task_of(client)
    offer = client.post("/api/suggest", json={"task": task["id"], "turns": TURNS}).json()["offer"]
    turns = [{**TURNS[0], "offer": None, "reply": None, "ranks": None}]
    writing = {"text": offer["replies"][1], "offer": offer["id"], "reply": 1, "ranks": None}
    dialogue = {"turns": turns, "shown": [offer["id"]], "writing": writing, "done": False}
    empty = {"ranks": {}, "trail": [], "tie": False, "all_bad": False}
    draft = {"task": task["id"], "version": 1, "draft": {**empty, "dialogue": dialogue}}
    assert client.put("/api/draft", json=draft).json() == {"version": 1}
    assert task_of(client)["draft"]["dialogue"] == dialogue
    said = [*turns, {"role": "assistant", "text": writing["text"], "offer": offer["id"], "reply": 1, "ranks": None}]
    body = {"submission_id": "s1", "project": 1, "task": task["id"], "kind": "rank", "ranks": {}, "all_bad": False}
    answer = client.post("/api/submit", json={**body, "dialogue": {"turns": said, "shown": [offer["id"]]}})
    assert answer.json()["progress"]["done"] == 1
    (judgment,) = people.judgments(1)
    assert judgment.dialogue
    assert judgment.dialogue.offers[0].parameters["served"] == "secret-model-2026"
    assert judgment.dialogue.provenance(judgment.dialogue.turns[1]) == "suggestion accepted"


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"turns": TURNS}, 400, "task"),
        ({"task": 1}, 400, "turns"),
        ({"task": 1, "turns": []}, 400, "must end with a turn of the user"),
        ({"task": 1, "turns": [{"role": "assistant", "text": "x"}]}, 400, "it is the turn of the user"),
        ({"task": 1, "turns": [{"role": "user", "text": "x", "model": "y"}]}, 400, "is no field here"),
        ({"task": 1, "turns": TURNS, "url": "http://evil.example"}, 200, ""),
        ({"task": 99, "turns": TURNS}, 404, "there is no task 99"),
    ],
)
def test_what_is_no_dialogue_is_refused(client: TestClient, model: ModelServer, body, status: int, says: str):
    task = task_of(client)
    answer = client.post("/api/suggest", json={**body, **({"task": task["id"]} if body.get("task") == 1 else {})})
    assert answer.status_code == status
    assert says.lower() in answer.text.lower()
    assert len(model.bodies) == (status == 200)


@pytest.mark.parametrize("mood", ["fail", "redirect", "slow", "garbage"])
def test_a_model_in_trouble_is_said_plainly_and_hides_what_it_is(
    client: TestClient, people: Store, model: ModelServer, mood: str
):
    model.mood = mood
    if mood == "slow":
        people.set_schema(1, asking(model, 1))
    task = task_of(client)
    answer = client.post("/api/suggest", json={"task": task["id"], "turns": TURNS})
    assert answer.status_code == 502
    assert "Write the turn yourself, or ask again." in answer.json()["error"]
    assert "secret" not in answer.text
    model.mood = ""
    people.set_schema(1, asking(model, 60))
    assert client.post("/api/suggest", json={"task": task["id"], "turns": TURNS}).status_code == 200


def test_too_many_requests_are_told_so(client: TestClient):
    task = task_of(client)
    answers = [client.post("/api/suggest", json={"task": task["id"], "turns": TURNS}) for _ in range(MOST_A_MINUTE + 1)]
    assert [answer.status_code for answer in answers] == [200] * MOST_A_MINUTE + [429]
    assert "go on by yourself" in answers[-1].json()["error"]


def test_a_task_of_somebody_else_gets_no_suggestions(client: TestClient, people: Store, model: ModelServer):
    other = people.next_task(1, people.user("bob").id)
    assert other
    answer = client.post("/api/suggest", json={"task": other.task_id, "turns": TURNS})
    assert answer.status_code == 403
    assert model.bodies == []


def test_programs_get_suggestions_too_and_only_managers_see_the_model(client: TestClient, people: Store):
    def headers(name: str) -> dict[str, str]:
        return {"authorization": f"Bearer {Tokens(people).add(name, 'test')}"}

    task = client.post("/api/v1/projects/1/next-task", headers=headers("ann")).json()["task"]
    asked = client.post(f"/api/v1/tasks/{task['id']}/suggestions", headers=headers("ann"), json={"turns": TURNS})
    assert len(asked.json()["replies"]) == 2
    own = client.get("/api/v1/projects/1", headers=headers("ann"))
    assert own.json()["settings"]["suggest"] is None
    assert "secret" not in own.text
    assert (
        client.get("/api/v1/projects/1", headers=headers("mia")).json()["settings"]["suggest"]["model"]
        == "secret-model"
    )
    said = {"task": "chat", "suggest": {"url": "http://evil.example/v1", "model": "m"}}
    assert client.put("/api/v1/projects/1/settings", headers=headers("ann"), json=said).status_code == 403
    turns = [*TURNS, {"role": "assistant", "text": asked.json()["replies"][0], "offer": asked.json()["id"], "reply": 0}]
    answer = {"submission_id": "s1", "dialogue": {"turns": turns}}
    assert client.post(f"/api/v1/tasks/{task['id']}/answer", headers=headers("ann"), json=answer).status_code == 200
    (row,) = client.get("/api/v1/projects/1/judgments", headers=headers("mia")).json()["items"]
    assert row["dialogue"]["offers"][0]["model"] == "secret-model"
