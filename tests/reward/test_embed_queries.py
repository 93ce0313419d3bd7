"""Queries answered as they come: the vectors of `reward embed`, and an end when nobody asks."""

import io
import json
import threading
import time

import numpy as np
import pytest

from labeler.errors import DataError
from reward.embed_queries import answer_all
from reward.encoder import TextEncoder
from reward.progress import Progress


@pytest.fixture(scope="module")
def encoder(tiny_base):
    return TextEncoder.load(str(tiny_base("llama")))


def asked(encoder, *lines):
    out = io.StringIO()
    answer_all(encoder, io.StringIO("".join(f"{line}\n" for line in lines)), out, idle_seconds=20)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_the_vectors_are_those_of_the_file(encoder):
    texts = ["prime numbers", "Zwei\nZeilen 🚪"]
    ready, *answers = asked(encoder, *(json.dumps({"text": text}) for text in texts))
    assert ready == {"ready": json.loads(json.dumps(encoder.recipe))}
    expected = encoder.embed(texts, Progress(quiet=True))
    assert np.array([row["vector"] for row in answers]) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("line", ["prime numbers", "[]", '{"query": "x"}'])
def test_what_is_no_query_is_refused(encoder, line):
    with pytest.raises(DataError, match="a query must be a line of JSON"):
        asked(encoder, line)


def test_it_ends_when_nobody_asks(encoder):
    class Silent(io.StringIO):
        def __next__(self):
            threading.Event().wait(30)
            raise StopIteration

    began = time.monotonic()
    answer_all(encoder, Silent(), io.StringIO(), idle_seconds=0.2)
    assert time.monotonic() - began < 10
