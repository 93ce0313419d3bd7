"""The routes and the guard before them, without a browser."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from labeler import server
from labeler.accounts import Accounts
from labeler.errors import UsageError
from labeler.records import Completion, Group, Message
from labeler.routes import Guard, Services, asset_routes, board_routes, door_routes, sign_on_routes
from labeler.routes.assets import ASSETS
from labeler.routes.services import COOKIE
from labeler.store import Store

PASSWORD = "correct horse"


async def _page(request: object) -> PlainTextResponse:
    return PlainTextResponse("page")


async def _socket(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("in")
    await websocket.close()


def build(store: Store, runs: Path, *, one_click: bool = False) -> Starlette:
    services = Services(store, Accounts(store), runs, one_click)
    rest = [Route("/", _page), Route("/overview", _page), WebSocketRoute("/_stcore/stream", _socket)]
    doors = [*door_routes(services), *sign_on_routes(services)]
    routes = [*asset_routes(), *doors, *board_routes(services), *rest]
    return Starlette(routes=routes, middleware=[Middleware(Guard, services=services)])


def group(number: int) -> Group:
    completions = tuple(Completion(f"secret-{i}", f"Text {i}.", "secret") for i in range(3))
    return Group(f"g{number}", (Message("user", f"Question {number}?"),), completions)


@pytest.fixture
def database_url(tmp_path: Path, sqlite_template: Path) -> str:
    """One kind of database is enough here: the routes do not know which it is."""
    path = tmp_path / "labeler.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def people(store: Store) -> Store:
    project = store.add_project("essays")
    store.import_groups(project.id, [group(i) for i in range(3)])
    for name, role in (("ann", "labeler"), ("bob", "labeler"), ("mia", "manager")):
        store.add_user(name, role)
    return store


@pytest.fixture
def client(people: Store, tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(build(people, tmp_path), follow_redirects=False) as opened:
        opened.app_state["accounts"] = Accounts(people)
        yield opened


def sign_in(client: TestClient, name: str = "ann") -> TestClient:
    """With a session, without the time that a password takes."""
    accounts = client.app_state["accounts"]
    client.cookies.set(COOKIE, accounts.enter(accounts.invite(name)))
    return client


def submission(shown: dict[str, object], **changes: object) -> dict[str, object]:
    ranks = {"A": 2, "B": 1, "C": 1}
    answer = {"submission_id": "s1", "project": 1, "task": shown["id"], "kind": "rank", "ranks": ranks}
    return {**answer, "all_bad": False, "note": None, "seconds": 3.5, **changes}


def test_health_needs_no_session_and_tells_the_truth(client: TestClient, people: Store):
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    with people.database.write() as connection:
        connection.exec_driver_sql("DROP TABLE alembic_version")
    assert client.get("/healthz").status_code == 503


def test_without_a_session_pages_lead_to_login_and_the_api_is_shut(client: TestClient):
    for path in ("/", "/overview"):
        answer = client.get(path, headers={"accept": "text/html"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    for method, path in (("GET", "/api/task"), ("POST", "/api/submit"), ("PUT", "/api/draft")):
        answer = client.request(method, path)
        assert (answer.status_code, answer.json()) == (401, {"error": "You are signed out."})


def test_without_a_provider_there_is_no_other_way_in(client: TestClient):
    for path in ("/oidc/start", "/oidc/link", "/oidc/callback?state=x&code=y", "/oidc/end", "/oidc/"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert "Sign in with" not in client.get("/login").text


def test_a_wrong_password_and_an_unknown_name_sound_the_same(client: TestClient):
    answers = [client.post("/login", data={"name": name, "password": "wrong"}) for name in ("ann", "nobody")]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert answers[0].text.replace("ann", "nobody") == answers[1].text
    assert "set-cookie" not in answers[0].headers


def test_names_are_escaped_and_large_forms_refused(client: TestClient):
    answer = client.post("/login", data={"name": '"><script>x</script>', "password": "wrong"})
    assert "<script>x" not in answer.text
    assert client.post("/login", data={"name": "ann", "password": "x" * 20_000}).status_code == 403


def test_the_session_cookie_is_for_this_site_and_no_script(client: TestClient, people: Store, tmp_path: Path):
    Accounts(people).set_password("ann", PASSWORD)
    answer = client.post("/login", data={"name": "ann", "password": PASSWORD})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    with TestClient(build(people, tmp_path), base_url="https://testserver", follow_redirects=False) as secure:
        assert "Secure" in secure.post("/login", data={"name": "ann", "password": PASSWORD}).headers["set-cookie"]


def test_signing_out_ends_the_session_on_the_server(client: TestClient):
    token = sign_in(client).cookies[COOKIE]
    assert client.get("/api/projects").status_code == 200
    assert client.post("/logout").headers["location"] == "/login"
    assert client.get("/api/projects", headers={"cookie": f"{COOKIE}={token}"}).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_another_site_can_change_nothing(client: TestClient, headers: dict[str, str]):
    sign_in(client)
    for method, path in (("POST", "/api/submit"), ("PUT", "/api/draft"), ("POST", "/logout"), ("POST", "/login")):
        assert client.request(method, path, headers=headers).status_code == 403
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/_stcore/stream", headers=headers):
        pass
    assert client.get("/api/projects").status_code == 200


def test_the_websocket_needs_a_session(client: TestClient):
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/_stcore/stream"):
        pass
    sign_in(client)
    with client.websocket_connect("/_stcore/stream", headers={"origin": "http://testserver"}) as opened:
        assert opened.receive_text() == "in"


def test_every_answer_forbids_what_it_does_not_need(client: TestClient):
    for path in ("/login", "/healthz", "/api/task", f"{ASSETS}/board.js"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe-eval" not in policy
        assert "script-src 'self' blob: 'sha256-" in policy
        assert "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"
    assert client.get("/login").headers["cache-control"] == "no-store"
    assert "immutable" in client.get(f"{ASSETS}/board.js").headers["cache-control"]


def test_managers_pages_are_shut_for_labelers(client: TestClient):
    assert sign_in(client).get("/overview").headers["location"] == "/"
    assert client.get("/settings").headers["location"] == "/"
    assert sign_in(client, "mia").get("/overview").text == "page"


def test_a_task_goes_out_blind_and_comes_back_as_a_judgment(client: TestClient, people: Store):
    sign_in(client)
    project = client.get("/api/projects").json()["projects"][0]
    assert project["name"] == "essays"
    first = client.get("/api/task", params={"project": project["id"]})
    assert "secret" not in first.text
    task = first.json()["task"]
    assert [item["label"] for item in task["completions"]] == ["A", "B", "C"]
    answer = client.post("/api/submit", json=submission(task))
    assert answer.json()["progress"]["done"] == 1
    assert answer.json()["task"]["id"] != task["id"]
    assert client.post("/api/submit", json=submission(task)).json()["progress"]["done"] == 1
    assert client.post("/api/submit", json=submission(task, ranks={"A": 1, "B": 2, "C": 3})).status_code == 409
    (judgment,) = people.judgments(project["id"])
    texts = {item["label"]: item["text"] for item in task["completions"]}
    assert judgment.ranking
    (done,) = [one for one in people.groups(project["id"]) if one.rankings]
    ranks = {c.text: rank for c, rank in zip(done.completions, judgment.ranking.ranks, strict=True)}
    assert ranks == {texts["A"]: 2, texts["B"]: 1, texts["C"]: 1}


def test_drafts_undo_and_history(client: TestClient, clock):
    sign_in(client)
    task = client.get("/api/task?project=1").json()["task"]
    draft = {
        "ranks": {"B": 1},
        "trail": ["B"],
        "tie": True,
        "ratings": {},
        "flags": {},
        "prompt_flags": [],
        "strength": None,
        "all_bad": False,
        "written": None,
        "edit": None,
        "note": "hm",
        "reason": None,
        "seconds": 2,
    }
    assert client.put("/api/draft", json={"task": task["id"], "version": 1, "draft": draft}).status_code == 200
    assert client.get("/api/task?project=1").json()["task"]["draft"] == draft
    client.post("/api/submit", json=submission(task))
    (item,) = client.get("/api/history?project=1").json()["items"]
    assert item["summary"] == "B = C > A"
    undone = client.post("/api/undo", json={"project": 1}).json()["task"]
    assert undone["correction"]
    assert undone["draft"]["ranks"] == {"A": 2, "B": 1, "C": 1}
    body = {"project": 1, "task": task["id"]}
    assert client.post("/api/cancel-correction", json=body).json()["task"]["id"] != task["id"]
    assert client.post("/api/cancel-correction", json=body).status_code == 404


@pytest.mark.parametrize(
    ("changes", "status", "says"),
    [
        ({"ranks": {"A": 1}}, 400, "ranks"),
        ({"ranks": {"A": 1, "B": 2, "Z": 3}}, 400, "there is no completion 'Z'"),
        ({"ranks": {"A": 1, "B": 2, "C": 99}}, 400, "from 1 to 3"),
        ({"ranks": {"A": 1, "B": 2, "C": True}}, 400, "from 1 to 3"),
        ({"ranks": [1, 2, 3]}, 400, "Ranks: must be of type dict"),
        ({"ratings": {"A": 8}}, 400, "ratings.A: must be a whole number from 1 to 7"),
        ({"ratings": {"A": 1}}, 400, "ratings: are not asked for"),
        ({"flags": {"Z": []}}, 400, "there is no completion 'Z'"),
        ({"flags": {"A": "rude"}}, 400, "flags: must be a list of strings"),
        ({"prompt_flags": [1]}, 400, "prompt_flags: must be a list of strings"),
        ({"strength": "2"}, 400, "strength: must be of type int"),
        ({"strength": 2}, 400, "strength: goes with a preference between two"),
        ({"schema_version": 9}, 400, "schema_version: is 9; the newest is 1"),
        ({"kind": "burn"}, 400, "kind"),
        ({"kind": "skip"}, 400, "say why the task is skipped"),
        ({"seconds": -1}, 400, "seconds"),
        ({"seconds": "1"}, 400, "seconds"),
        ({"note": "x" * 10_001}, 400, "at most 10000"),
        ({"task": "1"}, 400, "Task: must be of type int"),
        ({"task": 999}, 404, "there is no task 999"),
        ({"submission_id": ""}, 400, "no id"),
    ],
)
def test_a_wrong_answer_is_refused_in_one_sentence(client: TestClient, people: Store, changes, status: int, says: str):
    task = sign_in(client).get("/api/task?project=1").json()["task"]
    answer = client.post("/api/submit", json=submission(task, **changes))
    assert answer.status_code == status
    assert says.lower() in answer.json()["error"].lower()
    assert list(people.judgments(1)) == []


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"seconds": NaN}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"{}", "text/plain", 400),
        (b'{"note": "' + b"x" * 300_000 + b'"}', "application/json", 413),
    ],
)
def test_what_is_no_small_json_object_is_refused(client: TestClient, content: bytes, kind: str, status: int):
    answer = sign_in(client).post("/api/submit", content=content, headers={"content-type": kind})
    assert answer.status_code == status
    assert answer.json()["error"]


def test_nobody_answers_for_somebody_else(client: TestClient):
    task = sign_in(client).get("/api/task?project=1").json()["task"]
    other = sign_in(client, "bob")
    assert other.post("/api/submit", json=submission(task)).status_code == 403
    draft = {"ranks": {}, "trail": [], "tie": False, "all_bad": False}
    assert other.put("/api/draft", json={"task": task["id"], "version": 1, "draft": draft}).status_code == 403


@pytest.mark.parametrize(
    "path", ["/api/task", "/api/task?project=x", "/api/history?project=-1", "/api/task?project=9e9"]
)
def test_a_project_is_named_by_number(client: TestClient, path: str):
    answer = sign_in(client).get(path)
    assert (answer.status_code, answer.json()["error"][:7]) == (400, "Project")


def test_an_unknown_project_is_not_found(client: TestClient):
    assert sign_in(client).get("/api/task?project=77").status_code == 404


def test_an_invitation_sets_a_password_once(client: TestClient, people: Store):
    people.add_user("new", "labeler")
    path = f"/invite/{Accounts(people).invite('new')}"
    assert "Welcome, new" in client.get(path).text
    assert "8" in client.post(path, data={"password": "short"}).text
    assert client.post(path, data={"password": "long enough"}).headers["location"] == "/"
    assert client.get("/api/projects").json()["user"]["name"] == "new"
    assert client.get(path).status_code == 404
    assert client.post(path, data={"password": "long enough"}).status_code == 404


def test_links_that_sign_in_by_a_click_are_for_the_demo_only(client: TestClient, people: Store, tmp_path: Path):
    token = Accounts(people).invite("ann")
    assert client.get(f"/signin/{token}").status_code == 404
    with TestClient(build(people, tmp_path, one_click=True), follow_redirects=False) as demo:
        assert demo.get(f"/signin/{token}").headers["location"] == "/"
        assert demo.get("/api/projects").json()["user"]["name"] == "ann"
        assert demo.get(f"/signin/{token}").status_code == 404


def test_a_port_in_use_is_said_in_one_line():
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(UsageError, match="choose another --host or --port"),
    ):
        server.listen("127.0.0.1", taken.getsockname()[1])


def test_runs_lie_next_to_the_database(people: Store, tmp_path: Path):
    assert server.runs_folder(people) == tmp_path / "labeler-runs"


def test_the_page_understands_every_answer_it_may_get(client: TestClient):
    """Errors are JSON with one sentence, whatever the route."""
    sign_in(client)
    for method, path in (("POST", "/api/undo"), ("PUT", "/api/draft"), ("POST", "/api/cancel-correction")):
        answer = client.request(method, path, json={})
        assert set(json.loads(answer.text)) == {"error"}
