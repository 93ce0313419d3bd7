"""Toxicity: the figures of RealToxicityPrompts, a classifier's label by name, and the API against a local server."""

import json
import math
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
from tiny_models import COMMON, SHORT, SIZE, byte_tokenizer
from transformers import BertConfig, BertForSequenceClassification

from labeler.errors import ModelError
from reward.policies.classifier import Classifier
from reward.policies.perspective import TRIES, Perspective
from reward.policies.records import Answers
from reward.policies.toxicity import score_texts, toxicity
from reward.progress import Progress

QUIET = Progress(None, quiet=True)
TEXTS = ["You are kind.", "A much longer text than the others, " * 20, "No."]


def test_the_figures_of_real_toxicity_prompts():
    scores = [
        [[0.1, 0.6], [0.2]],
        [[0.3, 0.4], [float("nan")]],
        [[0.9, 0.5], []],
    ]
    first, second = toxicity("rule", ("a", "b"), scores).policies
    assert first.mean.value == pytest.approx((0.35 + 0.35 + 0.7) / 3)
    assert first.share.value == pytest.approx(3 / 6)
    assert first.expected_maximum.value == pytest.approx((0.6 + 0.4 + 0.9) / 3)
    assert first.probability.value == pytest.approx(2 / 3)
    assert (first.answers, first.samples, first.unscored) == (6, (2, 2), 0)
    assert (second.answers, second.unscored, second.mean.prompts) == (1, 1, 1)
    nothing = toxicity("rule", ("a",), [[[float("nan")]]]).policies[0]
    assert nothing.mean.value is nothing.share.value is None


def test_every_different_text_is_scored_once_and_no_empty_one():
    asked_for = []

    def score(texts):
        asked_for.extend(texts)
        return [len(text) / 10 for text in texts]

    answers = Answers(("a", "b"), (), ((("yes", " "), ("no",)), (("no",), ("yes",))))
    scores = score_texts(answers, score)
    assert asked_for == ["yes", "no"]
    assert scores[0][0][0] == 0.3
    assert math.isnan(scores[0][0][1])
    assert scores[1] == [[0.2], [0.3]]


@pytest.fixture
def save_classifier(tmp_path):
    def save(labels, problem_type=None):
        torch.manual_seed(0)
        common = {key: COMMON[key] for key in ("vocab_size", "pad_token_id")}
        config = BertConfig(
            **SIZE,
            **common,
            **SHORT,
            initializer_range=0.5,
            id2label=dict(enumerate(labels)),
            problem_type=problem_type,
        )
        folder = tmp_path / "classifier"
        BertForSequenceClassification(config).save_pretrained(folder)
        byte_tokenizer(None, encoder=True).save_pretrained(folder)
        return folder

    return save


@pytest.mark.parametrize(
    ("labels", "problem_type", "independent"),
    [
        (("neutral", "toxic"), None, False),
        (("toxic", "insult", "threat"), "multi_label_classification", True),
        (("toxic",), None, True),
    ],
)
def test_probabilities_are_those_of_the_label_by_its_name(save_classifier, labels, problem_type, independent):
    folder = save_classifier(labels, problem_type)
    classifier = Classifier.load(str(folder), "Toxic")
    found = classifier.probabilities(TEXTS, QUIET)
    place = labels.index("toxic")
    for text, value in zip(TEXTS, found, strict=True):
        ids = classifier.tokenizer(text, truncation=True, max_length=512, return_tensors="pt")
        with torch.no_grad():
            logits = classifier.model(**ids).logits[0].double().numpy()
        expected = 1 / (1 + np.exp(-logits)) if independent else np.exp(logits) / np.exp(logits).sum()
        assert value == pytest.approx(expected[place], abs=1e-5)
    assert len({round(value, 6) for value in found}) > 1


def test_an_unknown_label_names_those_that_are_there(save_classifier):
    with pytest.raises(ModelError, match=r"no label 'toxic'; .*--toxicity-label: negative, positive"):
        Classifier.load(str(save_classifier(("negative", "positive"))), "toxic")


class Service(BaseHTTPRequestHandler):
    """Scores a text by its number of exclamation marks; what ``script`` holds is answered first."""

    script: list[tuple[int, dict[str, str], str]]
    seen: list[tuple[str, str | None, dict]]

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append((self.path, self.headers["X-Goog-Api-Key"], body))
        text = body["comment"]["text"]
        score = {"attributeScores": {"TOXICITY": {"summaryScore": {"value": min(1.0, text.count("!") / 10)}}}}
        status, headers, said = self.script.pop(0) if self.script else (200, {}, json.dumps(score))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said.encode())

    def log_message(self, *_):
        """Nothing."""


@pytest.fixture
def service():
    handler = type("Scripted", (Service,), {"script": [], "seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    handler.url = f"http://127.0.0.1:{server.server_port}"
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


class Time:
    """A clock that sleeping moves."""

    def __init__(self):
        self.now, self.slept = 0.0, []

    def sleep(self, seconds):
        self.now += seconds
        self.slept.append(seconds)

    def clock(self):
        return self.now


def asked(service, texts, rate=2.0):
    time = Time()
    api = Perspective(service.url, "secret", rate, time.sleep, time.clock)
    return api.probabilities(texts, QUIET), time


def test_the_api_is_asked_as_it_wants_and_no_faster_than_allowed(service):
    found, time = asked(service, ["Hi!", "Go!!!!!!", "Well"])
    assert found == [0.1, 0.6, 0.0]
    path, key, body = service.seen[0]
    assert (path, key) == ("/v1alpha1/comments:analyze", "secret")
    assert body == {"comment": {"text": "Hi!"}, "requestedAttributes": {"TOXICITY": {}}, "doNotStore": True}
    assert len(service.seen) == 3
    assert time.now == pytest.approx(1.0)  # three texts, two a second


def test_a_busy_service_is_asked_again(service):
    service.script += [(429, {"Retry-After": "7"}, "slow down"), (503, {}, "")]
    found, time = asked(service, ["Hi!"])
    assert found == [0.1]
    assert [seconds for seconds in time.slept if seconds] == [7.0, 2.0]


def test_what_cannot_be_scored_is_left_out(service):
    service.script.append((400, {}, '{"error": {"message": "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"}}'))
    found, _ = asked(service, ["?", "Hi!"])
    assert math.isnan(found[0])
    assert found[1] == 0.1


@pytest.mark.parametrize(
    ("script", "match"),
    [
        ([(403, {}, "")], r"403.*PERSPECTIVE_API_KEY"),
        ([(400, {}, "API key not valid. Please pass a valid API key.")], "refuses the key"),
        ([(200, {}, "{}")], "without a score"),
        ([(500, {}, "")] * TRIES, f"in {TRIES} tries .500"),
    ],
)
def test_a_service_that_refuses_is_named(service, script, match):
    service.script += script
    with pytest.raises(ModelError, match=match) as caught:
        asked(service, ["Hi!"])
    assert "secret" not in str(caught.value)


def test_a_service_out_of_reach_is_named():
    time = Time()
    api = Perspective("http://127.0.0.1:9", "secret", 1.0, time.sleep, time.clock)
    with pytest.raises(ModelError, match=r"could not be asked in 6 tries"):
        api.probabilities(["Hi!"], QUIET)
    assert [seconds for seconds in time.slept if seconds] == [1, 2, 4, 8, 16]
