"""Finding prompts by their words, and what vectors of them tell: nearness, typical members, a picture. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Vectors = NDArray[np.float32]
_PART = re.compile(r'"([^"]+)"|(\S+)')


def parts_of(query: str) -> list[str]:
    """The words of a query, and its phrases in quotation marks, in lower case."""
    return [(phrase or word).casefold() for phrase, word in _PART.findall(query)]


def by_words(lowered: Sequence[str], query: str) -> Ints:
    """(H) places of the texts that hold every part of the query, those first that are made of it most.

    Args:
        lowered: N texts after `str.casefold`.
        query: words and ``"phrases"``; without any every text is found.
    """
    parts = parts_of(query)
    places = [place for place, text in enumerate(lowered) if all(part in text for part in parts)]
    shares = [
        sum(lowered[place].count(part) * len(part) for part in parts) / (len(lowered[place]) + 1) for place in places
    ]
    order = np.argsort(-np.asarray(shares, dtype=np.float64), kind="stable")
    return np.asarray(places, dtype=np.int64)[order]


def by_meaning(vectors: Vectors, query: Vectors) -> tuple[Ints, Floats]:
    """(N) all places from the nearest on, and their cosines.

    Args:
        vectors: (N, d) of length 1. query: (d) of length 1.
    """
    cosine = (vectors @ query).astype(np.float64)
    order = np.argsort(-cosine, kind="stable")
    return order.astype(np.int64), cosine[order]


def typical(vectors: Vectors, members: Ints, count: int) -> Ints:
    """(≤ count) the members (of N) nearest to their mean, the most typical first.

    Args:
        vectors: (N, d) of length 1.
    """
    inside = vectors[members]
    near = inside @ inside.mean(axis=0)
    chosen: Ints = members[np.argsort(-near, kind="stable")[:count]]
    return chosen


def plane(vectors: Vectors) -> Floats:
    """(N, 2) the two directions in which the vectors (N, d) differ most, for a picture (principal components)."""
    centred = (vectors - vectors.mean(axis=0)).astype(np.float64)
    _, directions = np.linalg.eigh(centred.T @ centred)
    found: Floats = centred @ directions[:, :-3:-1]
    return found
