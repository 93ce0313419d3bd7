"""Asking a model for suggestions, at a real server on this machine that misbehaves on purpose."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator

import pytest
from model_server import ModelServer, model_server

from labeler.endpoint_settings import Endpoint
from labeler.records import Message
from labeler.suggest import KEYS, SuggestError, key_for, replies

ASK = (Message("system", "Be brief."), Message("user", "Why?"))
THREE = tuple(f"reply {index} to 2 turns: Why?" for index in range(3))


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model_server() as running:
        yield running


def endpoint(server: ModelServer, **changes: object) -> Endpoint:
    return Endpoint(server.url, "secret-model", **{"temperature": 0.5, "max_tokens": 99, **changes})  # type: ignore[arg-type]


def ask(server: ModelServer, count: int = 3, **changes: object) -> tuple[str, ...]:
    return asyncio.run(replies(endpoint(server, **changes), ASK, count)).texts


def test_all_replies_are_asked_for_at_once(server: ModelServer):
    found = asyncio.run(replies(endpoint(server), ASK, 3))
    assert (found.texts, found.served) == (THREE, "secret-model-2026")
    said = [{"role": message.role, "content": message.content} for message in ASK]
    asked = {"model": "secret-model", "messages": said, "temperature": 0.5, "n": 3, "max_tokens": 99}
    assert server.bodies == [asked]
    assert server.paths == ["/v1/chat/completions"]


@pytest.mark.parametrize(("mood", "requests"), [("one", 3), ("no-n", 4), ("new", 2)])
def test_servers_that_know_less_are_asked_again(server: ModelServer, mood: str, requests: int):
    server.mood = mood
    assert len(ask(server)) == 3
    assert len(server.bodies) == requests


@pytest.mark.parametrize(
    ("mood", "says", "detail"),
    [
        ("fail", "refused to answer", "answered 500: .*exploded"),
        ("redirect", "cannot be reached", "redirect, which is not followed"),
        ("huge", "too long", "more than"),
        ("garbage", "not understood", "no JSON"),
        ("empty", "not understood", "no choices"),
    ],
)
def test_trouble_is_said_plainly_with_the_way_out(server: ModelServer, mood: str, says: str, detail: str):
    server.mood = mood
    with pytest.raises(SuggestError, match=says) as caught:
        ask(server)
    assert str(caught.value).endswith("Write the turn yourself, or ask again.")
    assert "secret-model" not in str(caught.value)
    assert re.search(detail, caught.value.detail)
    assert server.paths == ["/v1/chat/completions"]  # nothing was followed, nothing tried twice


def test_a_slow_server_is_waited_for_only_so_long(server: ModelServer):
    server.mood = "slow"
    began = time.monotonic()
    with pytest.raises(SuggestError, match="did not answer within 1 seconds"):
        ask(server, timeout=1)
    assert time.monotonic() - began < 10


def test_a_server_that_is_not_there_cannot_be_reached(server: ModelServer):
    gone = Endpoint("http://127.0.0.1:1/v1", "m")
    with pytest.raises(SuggestError, match="cannot be reached"):
        asyncio.run(replies(gone, ASK, 1))


def test_a_key_goes_only_to_the_server_that_it_was_given_for(server: ModelServer, monkeypatch: pytest.MonkeyPatch):
    own = server.url.removesuffix("/v1")
    monkeypatch.setenv(KEYS, f"https://api.example.com=sk-other, {own}=sk-own=with=signs")
    ask(server, 1)
    assert server.keys == ["Bearer sk-own=with=signs"]
    assert key_for("https://api.example.com:443/v1") == "sk-other"
    for url in ("http://api.example.com/v1", "https://api.example.com.evil.net/v1", "https://api.example.com:444/v1"):
        assert key_for(url) is None
    monkeypatch.setenv(KEYS, "https://api.example.com=sk-other")
    ask(server, 1)
    assert server.keys[-1] is None
