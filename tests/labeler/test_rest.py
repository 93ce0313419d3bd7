"""The REST API: who may do what, what is refused and how, and that the document is sound; without a server process."""

from __future__ import annotations

import gzip
import io
import json
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from labeler import jobs
from labeler.accounts import Accounts
from labeler.errors import ConflictError
from labeler.records import Completion, Group, Message
from labeler.routes import Guard, Services, rest_routes
from labeler.routes.rest import bodies
from labeler.routes.rest.declare import Operation
from labeler.routes.rest.routes import OPERATIONS
from labeler.routes.services import COOKIE
from labeler.store import Store
from labeler.tokens import Tokens

ROLES = ("labeler", "manager", "admin")
BODIES = {
    "add_user": {"name": "new"},
    "add_project": {"name": "new"},
    "set_settings": {"task": "rank"},
    "ask_model": {},
    "add_import": {"place": "hf:org/set"},
    "check_import": {"project": "essays"},
    "preview_export": {"min_overlap": 0},
    "start_export": {},
    "start_snapshot": {},
    "set_rules": {"dwell_seconds": 0},
    "add_webhook": {"url": "https://example.org/"},
    "set_guidelines": {"text": "Be kind."},
    "set_priorities": {"priorities": {"g1": 5}},
    "save_draft": {"draft": {}, "version": 1},
    "submit": {"submission_id": "s", "ranks": {"A": 1, "B": 2}},
    "skip": {"submission_id": "s2", "reason": "unclear"},
    "suggest": {"turns": []},
    "undo": {},
    "set_opt_out": {"until": None},
    "start_training": {},
    "make_model_current": {"training": "none"},
    "compare_models": {"first": "none", "second": "other"},
    "try_model": {"prompt": "Why?"},
    "order_queue": {},
    "find_disagreement": {},
    "make_vectors": {},
    "name_prompts": {"category": "essays", "groups": ["g1"]},
    "assign_user": {"projects": []},
    "set_aside": {"groups": ["nothing"], "aside": True},
    "set_language": {"language": None},
    "set_gold": {"share": 0},
    "adjudicate": {"submission_id": "d", "ranks": {"secret-0": 1, "secret-1": 2}},
    "send_back": {"comment": "look again"},
    "add_comment": {"text": "hm"},
    "set_exam": {"tasks": 0},
    "keep_for_exams": {"tasks": 1},
    "add_candidate": {"name": "new"},
    "grade_answer": {"grade": 5},
    "decide_candidate": {"outcome": "admit"},
    "write_answer": {"text": "hm"},
    "tick_areas": {"areas": []},
}
"""A body that each operation takes."""


@pytest.fixture
def database_url(tmp_path: Path, sqlite_template: Path) -> str:
    """One kind of database is enough here: the routes do not know which it is."""
    path = tmp_path / "labeler.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def people(store: Store) -> Store:
    """A project with two tasks; a person of each role, and a manager of another project."""
    essays = store.add_project("essays", dwell_seconds=0)
    store.add_project("poems")
    completions = tuple(Completion(f"secret-{i}", f"Text {i}.", "secret") for i in range(2))
    store.import_groups(essays.id, [Group(f"g{i}", (Message("user", f"{i}?"),), completions) for i in (1, 2)])
    for role in ROLES:
        store.add_user(role, role)
    store.add_user("foreign", "manager", ["poems"])
    return store


@pytest.fixture
def client(people: Store, tmp_path: Path) -> Iterator[TestClient]:
    services = Services(people, Accounts(people), tmp_path / "runs")
    app = Starlette(routes=rest_routes(services), middleware=[Middleware(Guard, services=services)])
    with TestClient(app) as opened:
        yield opened


@pytest.fixture
def asked(client: TestClient, people: Store) -> Callable[..., object]:
    """A request in somebody's name."""
    tokens = {name: Tokens(people).add(name, "test") for name in (*ROLES, "foreign")}

    def ask(name: str, method: str, path: str, **request: object) -> object:
        headers = {"authorization": f"Bearer {tokens[name]}", **request.pop("headers", {})}  # type: ignore[dict-item]
        return client.request(method, f"/api/v1{path}", headers=headers, **request)  # type: ignore[arg-type]

    return ask


def path_of(operation: Operation, task: int = 1) -> str:
    values = {"project": 1, "task": task, "user": 1, "token": 99, "training": "none", "pause": 9, "judgment": 2}
    values |= {"name": "nobody", "number": 0, "webhook": 99, "delivery": 99, "run": "none"}
    values |= {"export": "none", "source": "none"}
    return operation.path.format(**values)


def body_of(operation: Operation) -> dict[str, object]:
    if "upload" in operation.hints:
        return {
            "content": b'{"prompt": "?", "chosen": "a", "rejected": "b"}\n',
            "headers": {"content-type": bodies.JSON_LINES},
        }
    return {"json": BODIES[operation.name]} if "body" in operation.hints else {}


def assert_problem(answer, status: int) -> dict[str, object]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found = answer.json()
    assert set(found) == {"type", "title", "status", "detail", "field", "line"}
    assert found["status"] == status
    assert found["detail"]
    return found


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_do_what_it_may_and_no_more(asked, people: Store, role: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jobs, "start", _no_training)
    expected = {
        "revoke_token": 404,
        "lift_pause": 404,
        "get_training": 404,
        "cancel_training": 404,
        "start_training": 409,
        "make_vectors": 409,
        **dict.fromkeys(("start_export", "start_snapshot"), 409),
        **dict.fromkeys(("get_export_run", "cancel_export", "download_export_file"), 404),
        **dict.fromkeys(("get_import", "check_import", "store_import", "cancel_import", "get_bad_rows"), 404),
        "put_import_away": 404,
        "ask_model": 400,  # the project has none
        **dict.fromkeys(("add_reviewer", "remove_reviewer", "hold_out", "let_in"), 404),  # there is nobody of the name
        **dict.fromkeys(("make_model_current", "compare_models"), 400),  # there is no model
        **dict.fromkeys(("try_model", "order_queue", "find_disagreement"), 400),
        **dict.fromkeys(("get_model_run", "cancel_model_run", "get_training_report"), 404),
        "cancel_vectors": 404,
        "suggest": 403,  # the task is answered by then
        "keep_for_exams": 400,  # none has a known answer
        **dict.fromkeys(("grade_answer", "decide_candidate", "write_answer", "tick_areas"), 404),  # nobody is screened
    }
    if role == "labeler":  # who was not made a reviewer
        expected |= dict.fromkeys(("list_review", "get_review", "adjudicate", "list_adjudications", "send_back"), 403)
        expected |= {"one_more_opinion": 403}
    expected |= dict.fromkeys(("remove_webhook", "list_deliveries", "redeliver"), 404)
    held = people.next_task(1, people.user(role).id)
    for operation in OPERATIONS:
        if operation.name == "skip":
            held = people.next_task(1, people.user(role).id)
        assert held
        answer = asked(role, operation.method, path_of(operation, held.task_id), **body_of(operation))
        if operation.name == "undo":  # of the skip, which is the last answer
            assert answer.json()["task"]["id"] == held.task_id
        if ROLES.index(role) < ROLES.index(operation.least):
            assert "needs the role manager" in assert_problem(answer, 403)["detail"]
        elif operation.name in expected:
            assert_problem(answer, expected[operation.name])
        else:
            assert answer.status_code in (200, 204), f"{operation.name}: {answer.text}"


def _no_training(*anything: object, **named: object) -> None:
    raise ConflictError("not in this test")


def test_without_a_token_nothing_is_answered_also_not_to_a_browser(client: TestClient, people: Store):
    accounts = Accounts(people)
    client.cookies.set(COOKIE, accounts.enter(accounts.invite("admin")))
    for operation in OPERATIONS:
        for headers in ({}, {"authorization": "Bearer made-up"}, {"authorization": "Basic YTpi"}):
            answer = client.request(operation.method, f"/api/v1{path_of(operation)}", headers=headers)
            assert_problem(answer, 401)
            assert answer.headers["www-authenticate"].startswith("Bearer")


def test_who_does_not_belong_to_a_project_is_refused(asked):
    within = [operation for operation in OPERATIONS if {"project", "task"} & set(operation.in_path)]
    assert len(within) > 15
    for operation in within:
        answer = asked("foreign", operation.method, path_of(operation), **body_of(operation))
        assert "does not belong to the project 'essays'" in assert_problem(answer, 403)["detail"], operation.name


def test_a_restricted_manager_stays_within_own_projects(asked, people: Store):
    assert_problem(asked("foreign", "POST", "/projects", json={"name": "mine"}), 403)
    assert_problem(asked("foreign", "POST", "/users", json={"name": "eve", "projects": ["essays"]}), 403)
    made = asked("foreign", "POST", "/users", json={"name": "eve"}).json()
    assert made["user"]["projects"] == ["poems"]
    for name, projects in (("eve", []), ("eve", ["essays"]), ("labeler", ["poems"])):
        assert_problem(
            asked("foreign", "PUT", f"/users/{people.user(name).id}/projects", json={"projects": projects}), 403
        )
    assert people.memberships(people.user("eve").id) == ("poems",)
    assert [project["name"] for project in asked("foreign", "GET", "/projects").json()["items"]] == ["poems"]


def test_managers_make_and_close_no_admins(asked, people: Store):
    admin = people.user("admin").id
    assert_problem(asked("manager", "POST", "/users", json={"name": "root", "role": "admin"}), 403)
    for action in ("invitation", "disable"):
        assert_problem(asked("manager", "POST", f"/users/{admin}/{action}"), 403)
    assert_problem(asked("admin", "POST", f"/users/{admin}/disable"), 403)
    assert asked("admin", "POST", "/users", json={"name": "root", "role": "admin"}).status_code == 200


def test_a_labeler_sees_no_model_and_no_completion_id(asked):
    for method, path in (("POST", "/projects/1/next-task"), ("GET", "/projects/1"), ("GET", "/projects/1/history")):
        assert "secret" not in asked("labeler", method, path).text


def test_sensitive_tasks_are_left_out_for_a_while(asked, clock):
    sensitive = json.dumps({"id": "hard", "prompt": "?", "responses": ["a", "b"], "meta": {"sensitive": True}})
    rows = {"content": sensitive.encode(), "headers": {"content-type": bodies.JSON_LINES}}
    assert asked("manager", "POST", "/projects/2/import", **rows).status_code == 200
    until = datetime.fromtimestamp(clock.now, UTC) + timedelta(hours=36)
    path, wanted = "/projects/2/opt-out", {"until": until.astimezone(timezone(timedelta(hours=2))).isoformat()}
    assert asked("labeler", "GET", path).json() == {"until": None}
    assert asked("labeler", "PUT", path, json=wanted).json() == {"until": f"{until:%Y-%m-%dT%H:%M:%SZ}"}
    assert asked("labeler", "POST", "/projects/2/next-task").json()["task"] is None
    assert asked("manager", "GET", path).json() == {"until": None}
    assert asked("labeler", "GET", "/projects/1/opt-out").json() == {"until": None}
    assert asked("labeler", "PUT", path, json={"until": None}).json() == {"until": None}
    assert asked("labeler", "POST", "/projects/2/next-task").json()["task"]
    asked("labeler", "PUT", path, json=wanted)
    clock.now += 36 * 3600
    assert asked("labeler", "GET", path).json() == {"until": None}


def test_a_moment_that_is_past_far_off_or_without_a_zone_is_refused(asked, clock):
    now = datetime.fromtimestamp(clock.now, UTC)
    soon = (now + timedelta(hours=1)).isoformat()
    far = (now + timedelta(hours=36, seconds=1)).isoformat()
    for text in (now.isoformat(), far, soon.removesuffix("+00:00"), "tonight"):
        found = assert_problem(asked("labeler", "PUT", "/projects/1/opt-out", json={"until": text}), 400)
        assert (found["field"], "of the next 36 hours" in found["detail"]) == ("until", True)
    assert asked("labeler", "GET", "/projects/1/opt-out").json() == {"until": None}
    assert asked("labeler", "PUT", "/projects/1/opt-out", json={"until": soon}).is_success


def test_notices_are_ones_own_and_name_nobody(asked, people: Store):
    tasks = {}
    for who in ("labeler", "manager"):
        tasks[who] = asked(who, "POST", "/projects/1/next-task").json()["task"]["id"]
        answer = {"submission_id": who, "ranks": {"A": 1, "B": 2}}
        judgment = asked(who, "POST", f"/tasks/{tasks[who]}/answer", json=answer).json()["judgment"]
        assert asked("admin", "POST", f"/judgments/{judgment}/send-back", json={"comment": f"To {who}."}).is_success
        said = {"text": "Why?", "labeler": who}
        assert asked("admin", "POST", f"/tasks/{tasks[who]}/comments", json=said).is_success
    found = asked("labeler", "GET", "/projects/1/notices")
    assert [item["comment"] for item in found.json()["again"]] == ["To labeler."]
    assert [(item["task"], item["labeler"]) for item in found.json()["unread"]] == [(tasks["labeler"], "labeler")]
    assert "admin" not in found.text
    asked("labeler", "GET", f"/tasks/{tasks['labeler']}/comments")
    assert asked("labeler", "GET", "/projects/1/notices").json()["unread"] == []


def test_nor_does_one_who_reviews(asked, people: Store):
    task = asked("labeler", "POST", "/projects/1/next-task").json()["task"]["id"]
    answer = {"submission_id": "s", "ranks": {"A": 1, "B": 2}, "note": "hm"}
    assert asked("labeler", "POST", f"/tasks/{task}/answer", json=answer).status_code == 200
    assert asked("manager", "PUT", "/projects/1/reviewers/labeler").status_code == 204
    said = {"submission_id": "d", "ranks": {"A": 2, "B": 1}, "letters": True}
    assert asked("labeler", "POST", f"/tasks/{task}/adjudication", json=said).status_code == 204
    for path in ("/review", "/projects/1/review", f"/tasks/{task}/review", "/projects/1/adjudications"):
        seen = asked("labeler", "GET", path)
        assert seen.status_code == 200
        assert "secret" not in seen.text
    assert asked("labeler", "GET", f"/tasks/{task}/review").json()["judgments"][0]["note"] == "hm"
    wrong = said | {"submission_id": "e", "ranks": {"C": 1}}
    assert "there is no completion 'C'" in assert_problem(
        asked("labeler", "POST", f"/tasks/{task}/adjudication", json=wrong), 400
    )["detail"]  # fmt: skip


def test_what_only_some_may_import_and_push(asked):
    place = {"place": "hf:org/set"}
    source = asked("foreign", "POST", "/imports", json=place).json()["id"]
    refused = asked("foreign", "POST", f"/imports/{source}/check", json={"project": "essays"})
    assert "restricted to some projects" in assert_problem(refused, 403)["detail"]
    assert_problem(asked("manager", "GET", f"/imports/{source}"), 404)
    refused = asked("manager", "POST", "/imports", json={"place": "/etc/passwd"})
    assert "only an admin may name a path" in assert_problem(refused, 403)["detail"].lower()
    flags = {"project": "essays", "columns": {"--db": "x"}}
    assert assert_problem(asked("foreign", "POST", f"/imports/{source}/check", json=flags), 403)
    own = asked("manager", "POST", "/imports", json=place).json()["id"]
    refused = asked("manager", "POST", f"/imports/{own}/check", json=flags)
    assert assert_problem(refused, 400)["field"] == "columns"
    refused = asked("manager", "POST", "/projects/1/exports", json={"push": "org/set"})
    assert "only an admin may push" in assert_problem(refused, 403)["detail"].lower()


def test_the_same_submission_is_recorded_once(asked, people: Store):
    task = asked("labeler", "POST", "/projects/1/next-task").json()["task"]["id"]
    answer = {"submission_id": "once", "ranks": {"A": 1, "B": 2}, "seconds": 2.0}
    first, again = (asked("labeler", "POST", f"/tasks/{task}/answer", json=answer) for _ in range(2))
    assert first.json() == again.json()
    assert people.counts(1).judgments == 1
    other = {**answer, "ranks": {"A": 2, "B": 1}}
    assert_problem(asked("labeler", "POST", f"/tasks/{task}/answer", json=other), 409)


def test_an_answer_is_written_over_the_api(asked, people: Store):
    settings = {"task": "demonstrate", "prompt_flags": [{"name": "vague"}]}
    project = asked(
        "admin", "POST", "/projects", json={"name": "letters", "settings": settings, "dwell_seconds": 0}
    ).json()
    assert (project["settings"]["task"], project["settings"]["ranking"]) == ("demonstrate", False)
    at = f"/projects/{project['id']}"
    rows = b'{"id": "a", "prompt": "Why?"}\n'
    asked("manager", "POST", f"{at}/import", content=rows, headers={"content-type": bodies.JSON_LINES})
    task = asked("labeler", "POST", f"{at}/next-task").json()["task"]
    assert task["completions"] == []
    draft = {"draft": {"written": "Because", "prompt_flags": ["vague"]}, "version": 1}
    asked("labeler", "PUT", f"/tasks/{task['id']}/draft", json=draft)
    assert asked("labeler", "POST", f"{at}/next-task").json()["task"]["draft"]["written"] == "Because"
    answer = {"submission_id": "w", "written": "Because.\n", "prompt_flags": ["vague"]}
    recorded = asked("labeler", "POST", f"/tasks/{task['id']}/answer", json=answer).json()
    assert recorded["kind"] == "write"
    (judgment,) = asked("manager", "GET", f"{at}/judgments").json()["items"]
    assert judgment["written"] == {"text": "Because.\n", "prompt_flags": ["vague"]}
    assert (judgment["ranking"], judgment["edit"]) == (None, None)
    stats = asked("manager", "GET", f"{at}/stats").json()
    assert (stats["writing"]["answers"], stats["writing"]["words"]["median"]) == (1, 1.0)
    assert stats["reliability"]["agreement"]["value"] is None
    assert stats["marks"]["prompt_flags"][0]["what"] == "vague"
    assert_problem(asked("admin", "POST", f"{at}/trainings", json={}), 400)


def test_the_best_is_improved_over_the_api(asked, people: Store):
    asked("manager", "PUT", "/projects/1/settings", json={"task": "rank", "edit": "required"})
    task = asked("labeler", "POST", "/projects/1/next-task").json()["task"]
    path = f"/tasks/{task['id']}"
    draft = {"draft": {"ranks": {"A": 1}, "edit": {"of": "A", "text": "Bet"}}, "version": 1}
    asked("labeler", "PUT", f"{path}/draft", json=draft)
    kept = asked("labeler", "POST", "/projects/1/next-task").json()["task"]["draft"]
    assert kept["edit"] == {"of": "A", "text": "Bet"}
    answer = {"submission_id": "e", "ranks": {"A": 1, "B": 2}}
    assert assert_problem(asked("labeler", "POST", f"{path}/answer", json=answer), 400)["field"] == "edit"
    for of in ("B", "C"):
        wrong = {**answer, "edit": {"of": of, "text": "Better."}}
        assert assert_problem(asked("labeler", "POST", f"{path}/answer", json=wrong), 400)["field"] == "edit.of"
    asked("labeler", "POST", f"{path}/answer", json={**answer, "edit": {"of": "A", "text": "Better."}})
    (judgment,) = asked("manager", "GET", "/projects/1/judgments").json()["items"]
    best = judgment["ranking"]["ranks"].index(1)
    assert judgment["edit"] == {"of": f"secret-{best}", "text": "Better."}
    assert asked("manager", "GET", "/projects/1/stats").json()["writing"]["edits"]["edited"] == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": 5}, "name"),
        ({}, "name"),
        ({"name": "x", "overlap": True}, "overlap"),
        ({"name": "x", "overlap": 0}, "overlap"),
        ({"name": "x", "overlapp": 1}, "overlapp"),
        ({"name": "x" * 101}, "name"),
        ({"name": "x", "dwell_seconds": 61}, "dwell_seconds"),
        ({"name": "x", "settings": {"task": "dance"}}, "settings.task"),
        ({"name": "x", "settings": {"flags": [{"name": "a"}, {"text": "b"}]}}, "settings.flags[1].name"),
        ([], "body"),
    ],
)
def test_a_wrong_field_is_named(asked, body, field: str):
    assert assert_problem(asked("admin", "POST", "/projects", json=body), 400)["field"] == field


def test_what_cannot_be_read_is_refused(asked, monkeypatch: pytest.MonkeyPatch):
    sent = {"headers": {"content-type": "application/json"}}
    for content in (b"{", b"NaN", b"\xff", b"[" * 100_000, b'{"name": NaN}'):
        assert_problem(asked("admin", "POST", "/projects", content=content, **sent), 400)
    assert_problem(asked("admin", "POST", "/projects", content=b"x" * (bodies.JSON_BYTES + 1), **sent), 413)
    assert_problem(asked("admin", "POST", "/projects", content=b"name=x"), 415)
    assert_problem(asked("admin", "POST", "/projects/1/import", content=b"x"), 415)
    monkeypatch.setattr(bodies, "UPLOAD_BYTES", 1000)
    lines = {"headers": {"content-type": bodies.JSON_LINES}}
    assert_problem(asked("admin", "POST", "/projects/1/import", content=b"x" * 1001, **lines), 413)
    file = {"file": ("a.jsonl", io.BytesIO(b"x" * 1001))}
    assert_problem(asked("admin", "POST", "/projects/1/import", files=file), 413)
    assert_problem(asked("admin", "POST", "/projects/1/import", files={"file": ("a.exe", io.BytesIO(b"x"))}), 415)


def test_a_bad_row_stops_the_import_and_its_place_is_said(asked, people: Store):
    rows = [{"prompt": "?", "chosen": "a", "rejected": "b"}, {"prompt": "?", "chosen": 1, "rejected": "b"}]
    content = "\n".join(map(json.dumps, rows)).encode()
    sent = {"content": content, "headers": {"content-type": bodies.JSON_LINES}}
    found = assert_problem(asked("manager", "POST", "/projects/1/import", **sent), 400)
    assert found["line"] == 2
    assert found["detail"].startswith("Body:2: ")
    assert people.counts(1).tasks == 2


def test_an_import_is_tried_cleaned_and_may_be_packed(asked, people: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bodies, "UPLOAD_BYTES", 2_000_000)
    rows = [{"id": f"n{n}", "prompt": f"Mail {n}@example.com", "responses": ["a", "b"]} for n in range(3)]
    content = "\n".join([*map(json.dumps, rows), "{"]).encode()
    query = {"dry_run": "true", "skip_bad": "true", "unique": "true", "mask_pii": "true", "priority": 4}
    file = {"file": ("rows.jsonl.gz", io.BytesIO(gzip.compress(content)))}
    would = asked("manager", "POST", "/projects/1/import", params=query, files=file).json()
    assert (would["groups"], would["bad"], would["reasons"], would["dry_run"]) == (1, 1, {"repeated": 2}, True)
    assert (would["masked"], would["problems"][0]["line"]) == ({"EMAIL": 1}, 4)
    assert people.counts(1).tasks == 2
    file = {"file": ("rows.jsonl.gz", io.BytesIO(gzip.compress(content)))}
    done = asked("manager", "POST", "/projects/1/import", params=query | {"dry_run": "false"}, files=file).json()
    assert done == would | {"dry_run": False}
    assert people.task_page(1, after=2, limit=9)[0].priority == 4
    bomb = {"file": ("rows.jsonl.gz", io.BytesIO(gzip.compress(bytes(3_000_000))))}
    assert (
        "MiB once unpacked" in assert_problem(asked("manager", "POST", "/projects/1/import", files=bomb), 400)["detail"]
    )


def test_an_import_at_once_compares_no_meanings(asked, people: Store):
    for dry_run in ("true", "false"):
        query = {"unique_meaning": "0.9", "dry_run": dry_run}
        sent = {"content": b'{"prompt": "?", "responses": ["a", "b"]}', "headers": {"content-type": bodies.JSON_LINES}}
        found = assert_problem(asked("manager", "POST", "/projects/1/import", params=query, **sent), 409)
        assert "send the file to /imports/upload, check it with unique_meaning" in found["detail"]
    assert people.counts(1).tasks == 2


def test_an_export_is_a_file_or_a_zip(asked, people: Store):
    pair = {"prompt": "?", "chosen": "a", "rejected": "b", "annotator": "x"}
    lines = {"content": json.dumps(pair).encode(), "headers": {"content-type": bodies.JSON_LINES}}
    assert asked("manager", "POST", "/projects/1/import", **lines).status_code == 200
    answer = asked("manager", "GET", "/projects/1/export", params={"to": "trl", "annotator": "x"})
    assert answer.json() == pair
    assert 'filename="pairs.jsonl"' in answer.headers["content-disposition"]
    answer = asked("manager", "GET", "/projects/1/export", params={"to": "labelstudio"})
    names = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
    assert {"tasks.json", "labeling-config.xml", "manifest.json"} <= set(names)
    for query in ({"to": "word"}, {"to": "csv", "ties": "true"}, {"since": "June"}, {"annotator": "nobody"}):
        assert_problem(asked("manager", "GET", "/projects/1/export", params=query), 400)


def test_lists_come_in_pages_that_leave_nothing_out(asked, people: Store):
    completions = (Completion("a", "x"), Completion("b", "y"))
    people.import_groups(1, [Group(f"n{i}", (Message("user", "?"),), completions) for i in range(5)])
    seen, cursor = [], None
    while True:
        query = {"limit": 3, **({"cursor": cursor} if cursor else {})}
        page = asked("manager", "GET", "/projects/1/tasks", params=query).json()
        seen += [task["group"]["id"] for task in page["items"]]
        assert len(page["items"]) <= 3
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == ["g1", "g2", *(f"n{i}" for i in range(5))]
    for bad in ({"limit": 0}, {"limit": 501}, {"limit": "x"}, {"cursor": "é"}, {"cursor": "-1"}, {"other": 1}):
        assert_problem(asked("manager", "GET", "/projects/1/tasks", params=bad), 400)


def test_prompts_are_searched_page_by_page(asked, people: Store):
    completions = (Completion("a", "x"), Completion("b", "y"))
    texts = ["tea", "tea and much else", "coffee", "tea now"]
    people.import_groups(1, [Group(f"n{n}", (Message("user", text),), completions) for n, text in enumerate(texts)])
    seen, query = [], {"words": "tea", "limit": 1}
    while True:
        page = asked("manager", "GET", "/projects/1/prompts", params=query).json()
        seen += [prompt["group"] for prompt in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert seen == ["n0", "n3", "n1"]  # what is made of the word most comes first
    two = asked("manager", "GET", "/projects/1/prompts?state=waiting&state=started&limit=2").json()
    assert [prompt["group"] for prompt in two["items"]] == ["g1", "g2"]
    assert asked("manager", "GET", "/projects/1/prompts?state=finished").json()["items"] == []
    for bad in ({"words": "a", "meaning": "b"}, {"meaning": "b"}, {"state": "asleep"}, {"cursor": "99"}):
        assert_problem(asked("manager", "GET", "/projects/1/prompts", params=bad), 400)
    unknown = {"category": "drinks", "groups": ["n0", "n9"]}
    refused = asked("manager", "PUT", "/projects/1/prompts/categories", json=unknown)
    assert assert_problem(refused, 400)["field"] == "groups[1]"
    assert asked("manager", "GET", "/projects/1/prompts/categories").json() == []


def test_what_is_not_there_and_wrong_methods_are_problems_too(asked):
    assert_problem(asked("labeler", "GET", "/nothing"), 404)
    assert_problem(asked("labeler", "GET", "/projects/77"), 404)
    assert_problem(asked("labeler", "GET", f"/projects/{'9' * 18}"), 404)
    assert_problem(asked("labeler", "GET", "/projects/essays"), 400)
    answer = asked("labeler", "PATCH", "/projects")
    assert_problem(answer, 405)
    assert answer.headers["allow"] == "GET, POST"


def test_guessing_a_secret_has_to_wait(client: TestClient, people: Store):
    token = Tokens(people).add("labeler", "guessed")
    wrong = f"{token[:-1]}{'A' if token[-1] != 'A' else 'B'}"
    answers = [client.get("/api/v1/me", headers={"authorization": f"Bearer {wrong}"}) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert answers[-1].headers["retry-after"] == "1"


def test_the_document_is_sound_and_names_every_operation(client: TestClient):
    found = client.get("/api/openapi.json").json()
    validate(found)  # by the OpenAPI initiative's own schema
    named = {operation["operationId"] for methods in found["paths"].values() for operation in methods.values()}
    assert named == {operation.name for operation in OPERATIONS}
    assert all(operation["summary"] for methods in found["paths"].values() for operation in methods.values())
    for operation in OPERATIONS:
        if "body" in operation.hints:
            described = found["paths"][f"/api/v1{operation.path}"][operation.method.lower()]["requestBody"]
            schema = {**described["content"]["application/json"]["schema"], "components": found["components"]}
            Draft202012Validator(schema).validate(BODIES[operation.name])
            assert list(Draft202012Validator(schema).iter_errors({"unknown": 1}))


def test_the_page_shows_every_operation_and_loads_nothing_from_elsewhere(client: TestClient):
    answer = client.get("/api/docs")
    assert answer.status_code == 200
    for operation in OPERATIONS:
        assert f'id="{operation.name}"' in answer.text
    links = re.findall(r'(?:href|src)="([^"]*)"', answer.text)
    assert {link[0] for link in links} == {"#", "/"}
    assert {link for link in links if link[0] == "#"} <= {f"#{name}" for name in re.findall(r'id="(\w+)"', answer.text)}
    assert "<script" not in answer.text
    assert "style=" not in answer.text
