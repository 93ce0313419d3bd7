"""Prompts by words and by vectors, against brute force and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from labeler.prompt_search import by_meaning, by_words, parts_of, plane, typical

TEXTS = [
    "Name a prime number.",
    "Which number is prime, and why is a prime number prime?",
    "Schreib über die Öffnung der Tür.",
    "A number of things.",
]


def found(query: str) -> list[int]:
    return by_words([text.casefold() for text in TEXTS], query).tolist()


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("prime", [0, 1]),
        ("PRIME number", [0, 1]),
        ('"prime number"', [0, 1]),
        ('"number prime"', [1]),
        ('why "is prime"', [1]),
        ("öffnung", [2]),
        ("missing", []),
        ("", [0, 1, 2, 3]),
        ('"', []),
    ],
)
def test_every_part_of_the_query_must_be_there(query: str, places: list[int]):
    assert sorted(found(query)) == places


def test_texts_that_are_made_of_the_query_come_first():
    assert found("number")[0] in (0, 3)
    assert found("prime") == [1, 0]  # three times in 56 characters, once in 20


def test_parts_are_words_and_phrases():
    assert parts_of('one "two  three" FOUR "') == ["one", "two  three", "four", '"']


@pytest.fixture
def vectors() -> np.ndarray:
    drawn = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def test_the_nearest_come_first(vectors: np.ndarray):
    order, cosine = by_meaning(vectors, vectors[7])
    assert order[0] == 7
    assert cosine[0] == pytest.approx(1)
    assert [float(vectors[k] @ vectors[7]) for k in order] == pytest.approx(cosine.tolist(), abs=1e-6)
    assert sorted(cosine.tolist(), reverse=True) == cosine.tolist()


def test_typical_members_are_nearest_to_the_mean(vectors: np.ndarray):
    members = np.array([3, 9, 11, 20, 41])
    middle = vectors[members].mean(axis=0)
    expected = sorted(members.tolist(), key=lambda k: -float(vectors[k] @ middle))
    assert typical(vectors, members, 3).tolist() == expected[:3]
    assert typical(vectors, members, 9).tolist() == expected


def test_the_picture_is_of_principal_components(vectors: np.ndarray):
    theirs = PCA(2).fit_transform(vectors)
    assert np.abs(plane(vectors)) == pytest.approx(np.abs(theirs), abs=1e-5)
