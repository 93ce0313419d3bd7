"""Policies behind a URL, against a real server on this machine that misbehaves on purpose."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tiny_models import save_reward_model

from labeler.errors import DataError, ModelError, ProductError, TrainingError, UsageError
from labeler.formats import read
from reward import patience
from reward.config.generate import GenerateConfig, RerankConfig
from reward.generate import run
from reward.patience import Pace, retry_after
from reward.rerank import run as rerank

KEY = "sk-very-secret"
DROP = "drop"


class Server(ThreadingHTTPServer):
    """Chat completions made from the prompt and the seed; ``moods`` go first, one per request.

    A mood is a status, (status, headers), (status, headers, error), or `DROP` for a connection that just ends.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.moods, self.asked, self.running, self.most_at_once = [], [], 0, 0
        self.several, self.models, self.length_field, self.seconds = True, ["tiny"], "max_tokens", 0.0
        self.lock = threading.Lock()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def posts(self):
        return [body for _, body, _ in self.asked if body]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.answer(None)

    def do_POST(self):
        self.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def answer(self, body):
        server = self.server
        with server.lock:
            server.asked.append((time.monotonic(), body, self.headers.get("Authorization")))
            mood = server.moods.pop(0) if server.moods else 200
            server.running += 1
            server.most_at_once = max(server.most_at_once, server.running)
        time.sleep(server.seconds)
        with server.lock:
            server.running -= 1
        if mood == DROP:
            self.close_connection = True
            self.connection.close()
            return
        status, headers, error = (*((mood,) if isinstance(mood, int) else mood), {}, None)[:3]
        if status != 200:
            self.send(status, headers, {"error": error or {"message": f"trouble with {KEY}", "code": "trouble"}})
        elif body is None:
            self.send(200, {}, {"data": [{"id": name} for name in server.models]})
        elif body["model"] not in server.models:
            self.send(404, {}, {"error": {"message": f"no model {body['model']}", "code": "model_not_found"}})
        elif server.several == "refused" and "n" in body:
            self.send(400, {}, {"error": {"message": "n must be 1"}})
        elif server.length_field not in body:
            self.send(400, {}, {"error": {"message": f"use '{server.length_field}' instead"}})
        else:
            self.send(200, {}, self.completions(body))

    def completions(self, body):
        count = body.get("n", 1) if self.server.several is True else 1
        asked = f"{body['messages'][-1]['content']} {body['seed']}"
        texts = [hashlib.sha256(f"{asked} {i}".encode()).hexdigest()[:9] for i in range(count)]
        choices = [
            {
                "index": i,
                "message": {"role": "assistant", "content": t},
                "finish_reason": "stop" if int(t[0], 16) < 8 else "length",
            }
            for i, t in enumerate(texts)
        ]
        usage = {"prompt_tokens": 7, "completion_tokens": 9 * count}
        return {"model": "tiny-2026", "system_fingerprint": "fp1", "choices": choices, "usage": usage}

    def send(self, status, headers, content):
        data = json.dumps(content).encode()
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(data))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(patience, "FIRST_DELAY", 0.01)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    running = Server()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text("".join(json.dumps({"id": f"p{i}", "prompt": f"Say {i}."}) + "\n" for i in range(6)), "utf-8")
    return path


def config(server, prompts, output, **more):
    return GenerateConfig(policy=server.url, prompts=str(prompts), output=output, **({"k": 3, "seed": 5} | more))


def sampled(server, prompts, output, **more):
    run(config(server, prompts, output, **more))
    return output.read_bytes()


def test_groups_say_how_they_were_made(server, prompts, tmp_path):
    sampled(server, prompts, tmp_path / "out.jsonl", temperature=0.7, top_p=0.9, max_new_tokens=50)
    groups = read(tmp_path / "out.jsonl").groups
    assert [group.id for group in groups] == [f"p{i}" for i in range(6)]
    for group in groups:
        made = group.meta["generation"]
        assert [c.model for c in group.completions] == ["tiny"] * 3
        assert len({c.text for c in group.completions}) == 3
        assert made | {"finished": 0, "finish_reason": 0} == {
            "policy": "tiny",
            "origin": server.url,
            "revision": "tiny",
            "temperature": 0.7,
            "top_p": 0.9,
            "max_new_tokens": 50,
            "seed": 5,
            "served": ["tiny-2026 fp1"],
            "finished": 0,
            "finish_reason": 0,
            "tokens": [None] * 3,
        }
        reasons = ["stop" if int(c.text[0], 16) < 8 else "length" for c in group.completions]
        assert made["finish_reason"] == reasons
        assert made["finished"] == [reason == "stop" for reason in reasons]
    assert len(server.posts()) == 6
    assert all((body["n"], body["max_tokens"], body["top_p"]) == (3, 50, 0.9) for body in server.posts())
    assert len({body["seed"] for body in server.posts()}) == 6
    assert all(0 <= body["seed"] < 2**31 for body in server.posts())
    assert {key for _, _, key in server.asked} == {f"Bearer {KEY}"}
    assert KEY not in (tmp_path / "out.jsonl").read_text()


@pytest.mark.parametrize("several", ["refused", "ignored"])
def test_a_server_without_n_is_asked_for_each(server, prompts, tmp_path, several):
    server.several = several
    sampled(server, prompts, tmp_path / "out.jsonl")
    groups = read(tmp_path / "out.jsonl").groups
    assert all(len({c.text for c in group.completions}) == 3 for group in groups)
    assert all(group.meta["generation"]["tokens"] == [9, 9, 9] for group in groups)
    assert [("n" in body) for body in server.posts()].count(True) == 1
    assert len(server.posts()) == 1 + 6 * 3


def test_trouble_that_passes_changes_nothing(server, prompts, tmp_path):
    calm = sampled(server, prompts, tmp_path / "calm.jsonl", policy_model="tiny")
    server.moods = [500, DROP, 200, (429, {"Retry-After": "0.05"}), 503, DROP, 200, 502, (429, {}, {"message": "slow"})]
    assert sampled(server, prompts, tmp_path / "rough.jsonl", policy_model="tiny") == calm
    assert len(server.posts()) == 6 + 6 + 7


def test_what_the_server_asks_to_wait_is_waited_by_all(server, prompts, tmp_path):
    server.moods = [(429, {"Retry-After": "0.6"})]
    sampled(server, prompts, tmp_path / "out.jsonl", k=1, policy_model="tiny", at_once=1)
    times = [at for at, _, _ in server.asked]
    assert times[1] - times[0] >= 0.6


def test_trouble_that_stays_names_the_prompt(server, prompts, tmp_path):
    server.moods = [200] + [500] * 9
    with pytest.raises(TrainingError, match=r"p1: http.*failed 3 times.*500"):
        run(config(server, prompts, tmp_path / "out.jsonl", policy_model="tiny", retries=2, at_once=1))
    assert [g.id for g in read(tmp_path / "out.jsonl").groups] == ["p0"]


@pytest.mark.parametrize(
    ("mood", "error", "match"),
    [
        ((401, {}), ModelError, r"p2: .*refused the key \(401\).*--key-variable"),
        ((404, {}, {"message": "gone"}), ModelError, r"p2: .*no model 'tiny'.*gone.*--policy-model"),
        (
            (400, {}, {"message": "maximum context length is 64", "code": "context_length_exceeded"}),
            DataError,
            r"p2: prompt: is too long for tiny.*64.*--max-new-tokens",
        ),
        ((400, {}, {"message": "bad role"}), DataError, r"p2: prompt: was refused.*bad role"),
        ((429, {}, {"message": "pay", "code": "insufficient_quota"}), TrainingError, "p2: .*429: pay"),
        ((418, {}), TrainingError, r"p2: .*trouble with \(key\)"),
    ],
)
def test_what_would_not_pass_is_said_at_once(server, prompts, tmp_path, mood, error, match):
    server.moods = [200, 200, mood]
    with pytest.raises(error, match=match) as caught:
        run(config(server, prompts, tmp_path / "out.jsonl", policy_model="tiny", at_once=1))
    assert KEY not in str(caught.value)
    assert [group.id for group in read(tmp_path / "out.jsonl").groups] == ["p0", "p1"]
    assert len(server.posts()) <= 3 + 4 + 1


def test_a_cut_run_continues_to_the_same_file(server, prompts, tmp_path):
    whole = sampled(server, prompts, tmp_path / "whole.jsonl")
    second = whole.index(b"\n") + 1
    for cut in (0, second, second + 100, len(whole)):
        (tmp_path / "cut.jsonl").write_bytes(whole[:cut])
        before = len(server.posts())
        assert sampled(server, prompts, tmp_path / "cut.jsonl") == whole
        assert len(server.posts()) - before == 6 - whole[:cut].count(b"\n")
    with pytest.raises(UsageError, match="seed"):
        sampled(server, prompts, tmp_path / "cut.jsonl", seed=6)


@pytest.mark.parametrize("several", [True, "ignored"])
def test_requests_run_beside_each_other_up_to_a_limit(server, prompts, tmp_path, several):
    server.seconds, server.several = 0.05, several
    one = sampled(server, prompts, tmp_path / "one.jsonl", at_once=1)
    assert server.most_at_once == 1
    assert sampled(server, prompts, tmp_path / "three.jsonl", at_once=3) == one
    assert server.most_at_once == 3


def test_no_more_requests_start_in_a_minute_than_allowed(server, prompts, tmp_path):
    sampled(server, prompts, tmp_path / "out.jsonl", requests_per_minute=600, policy_model="tiny")
    times = sorted(at for at, _, _ in server.asked)
    assert times[-1] - times[0] >= 5 * 0.1 - 0.1


def test_the_only_model_is_found_and_others_are_asked_for(server, prompts, tmp_path):
    server.models = ["b", "a"]
    with pytest.raises(UsageError, match=r"2 models \(a, b\).*--policy-model"):
        run(config(server, prompts, tmp_path / "out.jsonl"))
    with pytest.raises(ModelError, match=r"p0: .*'c'"):
        run(config(server, prompts, tmp_path / "out.jsonl", policy_model="c"))
    sampled(server, prompts, tmp_path / "b.jsonl", policy_model="b", name="mine")
    assert read(tmp_path / "b.jsonl").groups[0].completions[0].model == "mine"
    server.moods = [401]
    with pytest.raises(ModelError, match="refused the key"):
        run(config(server, prompts, tmp_path / "new.jsonl"))


def test_a_model_that_calls_the_length_otherwise_is_understood(server, prompts, tmp_path):
    server.length_field = "max_completion_tokens"
    sampled(server, prompts, tmp_path / "out.jsonl", max_new_tokens=31)
    assert len(read(tmp_path / "out.jsonl").groups) == 6
    assert server.posts()[-1]["max_completion_tokens"] == 31


def test_nobody_there_is_an_error_for_people(prompts, tmp_path):
    settings = {
        "policy": "http://127.0.0.1:9/v1",
        "prompts": str(prompts),
        "output": tmp_path / "o.jsonl",
        "retries": 0,
    }
    with pytest.raises(ProductError, match=r"127.0.0.1:9/v1 failed 1 times.*ConnectError"):
        run(GenerateConfig(**settings))


def test_candidates_to_rerank_come_from_a_server_too(server, prompts, tmp_path):
    model = save_reward_model(tmp_path / "rm")
    out = tmp_path / "best.jsonl"
    rerank(RerankConfig(model=model, input=str(prompts), output=out, policy=server.url, n=4))
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [len(row["completions"]) for row in rows] == [4] * 6
    assert all(row["best"]["score"] == max(c["score"] for c in row["completions"]) for row in rows)


def test_waiting_times_are_read_as_http_writes_them():
    assert retry_after("2.5") == 2.5
    assert retry_after("-3") == 0
    assert retry_after(None) is retry_after("soon") is None
    soon = datetime.now(UTC) + timedelta(seconds=30)
    assert retry_after(format_datetime(soon, usegmt=True)) == pytest.approx(30, abs=2)


def test_a_pace_that_is_stopped_lets_nobody_wait():
    pace = Pace(None)
    pace.hold(1000)
    threading.Timer(0.05, pace.stop).start()
    with pytest.raises(TrainingError):
        pace.wait()
