"""Topics, sentiments, use cases from a few labels: logistic regression on embeddings. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

from labeler.errors import DataError
from reward.bootstrap import Interval
from reward.embeddings import Vectors

INVERSE_PENALTY = 10.0
"""C of the regression: vectors of length 1 need larger weights than scikit-learn's default of 1 lets them have."""
FOLDS = 5


@dataclass(frozen=True)
class Classified:
    """Labels for all texts, and how far to trust them.

    Attributes:
        labels: one per text; a given label stays as it is.
        probabilities: of these labels according to the regression on all given ones; 1 for a given label.
        accuracy: on labelled texts that the regression had not seen, with its interval (Wilson).
        majority: what always guessing the most frequent label would get right.
        folds: of the cross-validation. given: labels that people gave. classes: how many different ones.
    """

    labels: tuple[str, ...]
    probabilities: tuple[float, ...]
    accuracy: float
    accuracy_ci95: Interval
    majority: float
    folds: int
    given: int
    classes: int


def classify(vectors: Vectors, texts: Sequence[str], given: Sequence[str | None], *, seed: int = 0) -> Classified:
    """Give every text a label, by a regression on those that have one.

    Args:
        vectors: (N, d) of the texts.
        texts: (N,) equal texts are never on both sides of the cross-validation.
        given: (N,) a label, or None.
        seed: of the folds.

    Raises:
        DataError: fewer than two labels, or one that fewer than two different texts have.
    """
    known = [k for k, label in enumerate(given) if label is not None]
    truth = np.asarray([given[k] for k in known], dtype=str)
    folds = _folds([texts[k] for k in known], truth)
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=1000)
    guessed = cross_val_predict(model, vectors[known], truth, groups=[texts[k] for k in known], cv=split)
    right = int((guessed == truth).sum())
    interval = binomtest(right, len(known)).proportion_ci(method="wilson")
    model.fit(vectors[known], truth)
    chance = model.predict_proba(vectors)
    labels = [str(model.classes_[k]) for k in chance.argmax(axis=1)]
    return Classified(
        tuple(found if label is None else label for found, label in zip(labels, given, strict=True)),
        tuple(float(p) if label is None else 1.0 for p, label in zip(chance.max(axis=1), given, strict=True)),
        right / len(known),
        (float(interval.low), float(interval.high)),
        max(Counter(truth.tolist()).values()) / len(known),
        folds,
        len(known),
        len(model.classes_),
    )


def _folds(texts: Sequence[str], truth: np.ndarray) -> int:
    """As many folds as the rarest label has texts, at most `FOLDS`."""
    different = Counter(label for _, label in {*zip(texts, truth.tolist(), strict=True)})
    if len(different) < 2:
        raise DataError(f"there are {len(different)} different labels; give at least two")
    rarest, count = min(different.items(), key=lambda item: item[1])
    if count < 2:
        raise DataError(f"a single text has the label {rarest!r}; label at least two with each")
    return min(FOLDS, count)
