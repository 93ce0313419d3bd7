"""What embeddings tell: near-duplicates, nearest texts, clusters. Pure; vectors have length 1, so a dot is a cosine."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import HDBSCAN, KMeans

from reward.bootstrap import Floats, Ints
from reward.embeddings import Vectors

BLOCK = 512
"""Rows that are compared with all others at once, so that memory grows with the number of texts, not its square."""
SMALLEST_CLUSTER = 5


def near_duplicates(vectors: Vectors, threshold: float) -> Ints:
    """(N,) for each text the first one of its set: texts whose cosine is at least the threshold, directly or by steps.

    Args:
        vectors: (N, d).
        threshold: 0 to 1.
    """
    unique, place = np.unique(vectors, axis=0, return_inverse=True)  # equal texts would give a quadratic number of hits
    names = np.arange(len(unique))
    for start in range(0, len(unique), BLOCK):
        close = unique[start : start + BLOCK] @ unique[start:].T >= threshold
        a, b = np.nonzero(close)
        links = coo_array((np.ones(len(a)), (names[a + start], names[b + start])), shape=(len(unique), len(unique)))
        names = connected_components(links, directed=False)[1][names]
    sets = names[place.ravel()]
    _, first, member = np.unique(sets, return_index=True, return_inverse=True)
    return first[member].astype(np.int64)


def nearest(vectors: Vectors, queries: Vectors, count: int) -> tuple[Ints, Floats]:
    """(Q, count) the texts nearest to each query, nearest first, and their cosines.

    Args:
        vectors: (N, d). queries: (Q, d).
        count: at most N.
    """
    cosine = (queries @ vectors.T).astype(np.float64)
    order = np.argsort(-cosine, axis=1, kind="stable")[:, :count]
    return order.astype(np.int64), np.take_along_axis(cosine, order, axis=1)


def clusters(vectors: Vectors, count: int | None, *, seed: int = 0) -> Ints:
    """(N,) cluster of each text, numbered from the largest; −1 for texts that belong to none.

    Args:
        vectors: (N, d).
        count: so many clusters by k-means, in which every text has one; None finds their number by HDBSCAN (Campello
            et al. 2013), whose time grows with N².
        seed: of k-means.
    """
    if count is None:
        found = HDBSCAN(min_cluster_size=SMALLEST_CLUSTER, copy=True).fit_predict(vectors)
    else:
        found = KMeans(count, n_init=3, random_state=seed).fit_predict(vectors)
    names, sizes = np.unique(found[found >= 0], return_counts=True)
    rank = np.full(int(found.max(initial=-1)) + 2, -1)  # the last entry stands for −1
    rank[names[np.argsort(-sizes, kind="stable")]] = np.arange(len(names))
    numbered: Ints = rank[found].astype(np.int64)
    return numbered


def representatives(vectors: Vectors, found: Ints) -> dict[int, int]:
    """Cluster → the text nearest to its mean; −1 has none."""
    chosen = {}
    for name in range(int(found.max(initial=-1)) + 1):
        members = np.flatnonzero(found == name)
        chosen[name] = int(members[np.argmax(vectors[members] @ vectors[members].mean(axis=0))])
    return chosen
