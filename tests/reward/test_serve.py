"""``reward serve``: what it answers, refuses and counts, and how it starts and stops."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
import torch
from starlette.testclient import TestClient
from tiny_models import save_policy, save_reward_model
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from labeler.endpoint_settings import Endpoint
from labeler.errors import UsageError
from labeler.records import Message
from labeler.suggest import replies
from reward.artifact import Scorer
from reward.config.common import Sampling
from reward.config.serve import ServeConfig
from reward.data import render
from reward.policy import Policy
from reward.serving import protocol
from reward.serving.completions import chat_application, cut
from reward.serving.scores import score_application

ROOT = Path(__file__).parents[2]
ASK = [{"role": "user", "content": "Hi"}]
CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def policy(tmp_path_factory) -> Policy:
    folder = save_policy(tmp_path_factory.mktemp("served") / "tiny", seed=3)
    return Policy.load(str(folder), Sampling(precision="float32", device="cpu"))


@pytest.fixture
def chat(policy):
    with TestClient(chat_application(policy, longest=12, waiting=2)) as opened:
        yield opened


@pytest.fixture(scope="module")
def scorer(tmp_path_factory) -> Scorer:
    return Scorer.from_pretrained(save_reward_model(tmp_path_factory.mktemp("served") / "rm"), device="cpu")


@pytest.fixture
def scores(scorer):
    with TestClient(score_application(scorer, "rm", raw=False, waiting=2)) as opened:
        yield opened


def test_completions_are_those_of_the_sampler_and_the_seed_decides(chat, policy):
    body = {"model": policy.name, "messages": ASK, "n": 3, "seed": 7, "temperature": 0.8, "top_p": 0.9, "max_tokens": 9}
    first, again = chat.post(CHAT, json=body).json(), chat.post(CHAT, json=body).json()
    assert first["choices"] == again["choices"]
    assert first["id"] != again["id"]
    assert chat.post(CHAT, json=body | {"seed": 8}).json()["choices"] != first["choices"]
    drawn = [chat.post(CHAT, json=body | {"seed": None}).json()["choices"] for _ in range(2)]
    assert drawn[0] != drawn[1]  # without a seed each request draws anew
    assert (first["object"], first["model"]) == ("chat.completion", policy.name)
    for index, choice in enumerate(first["choices"]):
        assert (choice["index"], choice["message"]["role"]) == (index, "assistant")
        assert choice["finish_reason"] in ("stop", "length")


def test_tokens_are_counted_as_the_tokenizer_has_them(chat, policy):
    answer = chat.post(CHAT, json={"messages": ASK, "n": 4, "seed": 1, "max_tokens": 11}).json()
    text = policy.tokenizer.apply_chat_template(ASK, add_generation_prompt=True, tokenize=False)
    before = len(policy.tokenizer(text, add_special_tokens=False)["input_ids"])
    usage = answer["usage"]
    assert usage["prompt_tokens"] == before
    assert usage["total_tokens"] == before + usage["completion_tokens"]
    # No completion has more tokens than asked for, one that was cut has exactly so many, and an end counts as one.
    cut_short = [choice["finish_reason"] == "length" for choice in answer["choices"]]
    assert 11 * sum(cut_short) <= usage["completion_tokens"] <= 44
    assert chat.post(CHAT, json={"messages": ASK, "seed": 1}).json()["usage"]["completion_tokens"] <= 12


def test_temperature_zero_is_what_transformers_generates(chat, policy):
    answer = chat.post(CHAT, json={"messages": ASK, "temperature": 0, "max_tokens": 8}).json()["choices"][0]
    text = policy.tokenizer.apply_chat_template(ASK, add_generation_prompt=True, tokenize=False)
    ids = policy.tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        out = policy.model.generate(ids, do_sample=False, max_new_tokens=8, pad_token_id=0, eos_token_id=[0, 2])
    expected = [token for token in out[0, ids.shape[1] :].tolist() if token not in (0, 2)]
    assert answer["message"]["content"] == policy.tokenizer.decode(expected, clean_up_tokenization_spaces=False)


def test_a_text_ends_before_the_first_stop(chat):
    assert cut("one two three", ["three", "two"]) == "one "
    assert cut("one", ["two"]) is None
    body = {"messages": ASK, "seed": 2, "max_tokens": 40, "temperature": 1.0}
    plain = chat.post(CHAT, json=body).json()
    text = plain["choices"][0]["message"]["content"]
    assert len(text) > 4
    stopped = chat.post(CHAT, json=body | {"stop": [text[3]]}).json()
    assert stopped["choices"][0]["message"]["content"] == text[: text.index(text[3])]
    assert stopped["choices"][0]["finish_reason"] == "stop"
    assert stopped["usage"] == plain["usage"]  # what was computed is what is counted


def test_models_and_health(chat, policy):
    (entry,) = chat.get("/v1/models").json()["data"]
    assert (entry["id"], entry["object"], entry["max_model_len"]) == (policy.name, "model", 512)
    assert chat.get("/healthz").json() == {"status": "ok"}


def test_content_may_be_parts_of_text(chat):
    parts = [{"role": "user", "content": [{"type": "text", "text": "H"}, {"type": "text", "text": "i"}]}]
    whole, split = (chat.post(CHAT, json={"messages": m, "seed": 5}).json()["choices"] for m in (ASK, parts))
    assert whole == split


@pytest.mark.parametrize(
    ("body", "status", "param", "says"),
    [
        ({}, 400, "messages", "messages must be a list"),
        ({"messages": []}, 400, "messages", "at least one message"),
        ({"messages": [{"role": "tool", "content": "x"}]}, 400, "messages", "must be one of system"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "messages", "must be a text"),
        ({"messages": ASK, "model": "gpt-9"}, 404, "model", "there is no model 'gpt-9'"),
        ({"messages": ASK, "n": 0}, 400, "n", "from 1 to 64"),
        ({"messages": ASK, "n": True}, 400, "n", "a whole number"),
        ({"messages": ASK, "temperature": -1}, 400, "temperature", "from 0 to 2"),
        ({"messages": ASK, "temperature": "hot"}, 400, "temperature", "a number"),
        ({"messages": ASK, "top_p": 0}, 400, "top_p", "above 0"),
        ({"messages": ASK, "max_tokens": 0}, 400, "max_tokens", "from 1"),
        ({"messages": ASK, "max_tokens": 600}, 400, "messages", "more than the policy's context of 512"),
        ({"messages": [{"role": "user", "content": "x" * 600}]}, 400, "messages", "context"),
        ({"messages": ASK, "stop": [""]}, 400, "stop", "not empty"),
        ({"messages": ASK, "stream": True}, 400, "stream", "is not supported"),
        ({"messages": ASK, "tools": [{}]}, 400, "tools", "is not supported"),
        ({"messages": ASK, "frequency_penalty": 0.5}, 400, "frequency_penalty", "is not supported"),
    ],
)
def test_errors_have_the_shape_of_openai(chat, body, status, param, says):
    answer = chat.post(CHAT, json=body)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert says in error["message"]


def test_what_asks_for_nothing_is_no_error(chat):
    quiet = {"stream": False, "tools": [], "frequency_penalty": 0, "response_format": {"type": "text"}, "user": "me"}
    assert chat.post(CHAT, json={"messages": ASK} | quiet).status_code == 200


def test_other_paths_and_bodies_are_refused_in_the_same_shape(chat, monkeypatch):
    monkeypatch.setattr(protocol, "BODY_BYTES", 100)
    answers = [
        (chat.get("/v1/nothing"), 404),
        (chat.get(CHAT), 404),
        (chat.post(CHAT, content=b"{", headers={"content-type": "application/json"}), 400),
        (chat.post(CHAT, content=b"[]", headers={"content-type": "application/json"}), 400),
        (chat.post(CHAT, content=b"{}", headers={"content-type": "text/plain"}), 415),
        (chat.post(CHAT, json={"messages": "x" * 200}), 413),
    ]
    for answer, status in answers:
        assert (answer.status_code, set(answer.json())) == (status, {"error"})


def test_requests_take_turns_and_too_many_are_told_to_come_back(policy, monkeypatch):
    """One is worked on at a time; with two waiting, a fourth is refused."""
    begun, go_on, running, most = threading.Event(), threading.Event(), [0], [0]
    real = Policy.write

    def slow(self, *arguments):
        running[0] += 1
        most[0] = max(most[0], running[0])
        begun.set()
        go_on.wait(20)
        try:
            return real(self, *arguments)
        finally:
            running[0] -= 1

    monkeypatch.setattr(Policy, "write", slow)
    app = chat_application(policy, longest=4, waiting=2)

    async def four() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            asked = [asyncio.create_task(client.post(CHAT, json={"messages": ASK})) for _ in range(3)]
            while not begun.is_set():
                await asyncio.sleep(0.01)
            refused = await client.post(CHAT, json={"messages": ASK})
            go_on.set()
            return [refused, *await asyncio.gather(*asked)]

    refused, *served = asyncio.run(four())
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "overloaded")
    assert refused.headers["retry-after"] == "5"
    assert [answer.status_code for answer in served] == [200, 200, 200]
    assert most == [1]


# The reward model

TEXTS = ["No.", "Certainly, here it is."]


def stock(scorer, folder, texts):
    """Scores by transformers alone."""
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = [tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"] for text in texts]
    with torch.no_grad():
        return [float(model(input_ids=row).logits[0, 0]) for row in rows]


def test_every_form_gives_the_scores_of_stock_transformers(tmp_path):
    folder = save_reward_model(tmp_path / "rm")
    scorer = Scorer.from_pretrained(folder, device="cpu")
    rendered = [render(scorer.tokenizer, (Message("user", "Hi"),), text) for text in TEXTS]
    raw = stock(scorer, folder, rendered)
    normal = [(score - 0.5) / 2.0 for score in raw]
    said = [*ASK, {"role": "assistant", "content": TEXTS[0]}]
    with TestClient(score_application(scorer, "rm", raw=False, waiting=2)) as http:
        answer = {
            path: http.post(path, json=body).json()
            for path, body in (
                ("/score", {"prompt": ASK, "completions": TEXTS}),
                ("/get_reward", {"query": rendered, "prompts": ["Hi", "Hi"], "labels": ["", ""]}),
                ("/classify", {"model": "rm", "input": rendered, "use_activation": False, "add_special_tokens": False}),
                ("/pooling", {"model": "rm", "input": rendered, "task": "classify", "add_special_tokens": False}),
                ("/predict", {"inputs": [[text] for text in rendered], "raw_scores": True}),
                ("/rerank", {"query": "Hi", "texts": TEXTS, "raw_scores": True, "return_text": True}),
            )
        }
        chatted = http.post("/classify", json={"messages": said}).json()
        sglang = http.post("/classify", json={"text": rendered}).json()
        single = http.post("/predict", json={"inputs": rendered[0], "raw_scores": True}).json()
        squashed = http.post("/predict", json={"inputs": rendered[0]}).json()
    close = lambda values: pytest.approx(values, abs=1e-4)  # noqa: E731
    assert answer["/score"]["raw"] == close(raw)
    assert answer["/score"]["scores"] == close(normal)
    assert answer["/get_reward"]["rewards"] == answer["/get_reward"]["scores"] == close(normal)
    assert answer["/get_reward"]["extra_logs"] == {"raw_reward": close(raw)}
    assert [row["probs"] for row in answer["/classify"]["data"]] == [close([score]) for score in raw]
    assert [row["index"] for row in answer["/classify"]["data"]] == [0, 1]
    assert answer["/classify"]["data"][0]["num_classes"] == 1
    assert [row["data"] for row in answer["/pooling"]["data"]] == [close([score]) for score in raw]
    assert [row[0]["score"] for row in answer["/predict"]] == close(raw)
    assert single[0]["score"] == close(raw[0])
    assert squashed[0]["score"] == close(float(torch.sigmoid(torch.tensor(raw[0]))))
    assert chatted["data"][0]["probs"] == close([raw[0]])
    assert [row["embedding"] for row in sglang] == [close([score]) for score in raw]
    best = int(raw[1] > raw[0])
    assert [row["index"] for row in answer["/rerank"]] == [best, 1 - best]
    assert answer["/rerank"][0]["text"] == TEXTS[best]


def test_raw_scores_where_they_are_asked_for(scorer):
    with TestClient(score_application(scorer, "rm", raw=True, waiting=2)) as http:
        answer = http.post("/score", json={"prompt": "Hi", "completions": TEXTS}).json()
    assert answer["scores"] == answer["raw"]


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/score", {"completions": ["x"]}, "prompt"),
        ("/score", {"prompt": "Hi", "completions": []}, "completions must be a text or a list"),
        ("/score", {"prompt": "Hi", "completions": ["x"], "model": "other"}, "there is no model 'other'"),
        ("/get_reward", {"query": [1]}, "query must be"),
        ("/get_reward", {"query": ["x" * 600]}, "text 0 has 600 tokens"),
        ("/get_reward", {"query": [""]}, "text 0 has 0 tokens"),
        ("/classify", {"messages": ASK}, "the last message must be the assistant's"),
        ("/pooling", {"input": "x", "task": "embed"}, "only the task classify"),
        ("/predict", {"inputs": [["a", "b"]]}, "inputs must be"),
        ("/rerank", {"query": "Hi", "texts": ["x" * 600]}, "does not fit"),
        ("/rerank", {"query": ["a", "b"], "texts": ["x"]}, "query must be a text"),
    ],
)
def test_what_cannot_be_scored_is_refused(scores, path, body, says):
    answer = scores.post(path, json=body)
    assert answer.status_code in (400, 404)
    assert says in answer.json()["error"]["message"]


def test_a_completion_that_does_not_fit_has_no_score(scores):
    answer = scores.post("/score", json={"prompt": "Hi", "completions": ["short", "x" * 600]}).json()
    assert answer["scores"][0] is not None
    assert (answer["scores"][1], answer["raw"][1]) == (None, None)


# The command


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "--policy must be given, or --model"),
        ({"policy": "a", "model": Path("b")}, "and not both"),
        ({"policy": "http://h/v1"}, "this needs the weights"),
        ({"policy": "a", "port": 70000}, "--port must be 0 to 65535"),
        ({"policy": "a", "raw": True}, "--raw must be left out"),
        ({"policy": "a", "waiting": 0}, "--waiting must be at least 1"),
    ],
)
def test_wrong_usage_is_named(settings, says):
    with pytest.raises(UsageError, match=says):
        ServeConfig(**settings)


def started(*arguments: str) -> tuple[subprocess.Popen[str], str, str]:
    """The command as a process, its first line, and the URL in it."""
    command = [sys.executable, "-m", "reward", "serve", *arguments, "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    found = re.search(r"http://\S+", line)
    assert found, process.stderr.read()
    return process, line, found[0]


@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGTERM])
def test_the_labeling_app_gets_suggestions_of_a_policy_and_the_server_stops_cleanly(tmp_path, way):
    folder = save_policy(tmp_path / "tiny")
    process, line, url = started("--policy", str(folder), "--max-new-tokens", "8", "--precision", "float32")
    try:
        assert re.fullmatch(
            r"serving policy tiny \(/v1/chat/completions\) on http://127\.0\.0\.1:\d+ \(stop .*\)\n", line
        )
        endpoint = Endpoint(f"{url}/v1", "tiny", max_tokens=8)
        found = asyncio.run(replies(endpoint, (Message("system", "Be brief."), Message("user", "Hi")), 3))
        assert len(found.texts) == 3
        assert found.served.startswith("tiny ")
    finally:
        process.send_signal(way)
        out, errors = process.communicate(timeout=60)
    assert (process.returncode, out, errors) == (0, "", "")


def test_a_reward_model_is_served_by_the_same_command(tmp_path):
    folder = save_reward_model(tmp_path / "rm")
    process, line, url = started("--model", str(folder), "--name", "mine")
    try:
        assert "serving reward model mine (/score)" in line
        answer = httpx.post(f"{url}/score", json={"prompt": "Hi", "completions": ["a", "b"]}).json()
        assert answer["scores"] == pytest.approx([(score - 0.5) / 2 for score in answer["raw"]])
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        process.stdout.close()
        process.stderr.close()


def test_trouble_at_the_start_is_one_line(tmp_path):
    command = [sys.executable, "-m", "reward", "serve", "--model", str(tmp_path), "--port", "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("reward: ")
    assert done.stderr.count("\n") == 1
    assert json.dumps(done.stdout) == '""'
