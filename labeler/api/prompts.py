"""Prompts on the wire: what is asked of them, and how their vectors stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from labeler.api.common import JobInfo
from labeler.api.typed import Limit
from labeler.prompt_rows import TaskProgress

Query = Annotated[str | None, Limit(1, 10_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptFilter:
    """Which prompts.

    Attributes:
        use_case: only those of these, as meta.use_case says.
        source: only those of these sources.
        state: only those whose tasks are waiting, started, finished, or taken out of the queue (aside).
    """

    use_case: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    state: tuple[TaskProgress, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptPage(PromptFilter):
    """Among which prompts something is looked for, and which part of what is found.

    Attributes:
        cursor: what the page before gave as ``next``.
        limit: at most so many.
    """

    cursor: Annotated[str | None, Limit(high=40)] = None
    limit: Annotated[int, Limit(1, 500)] = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptQuery(PromptPage):
    """Which prompts, and in which order: of import, or as they fit what is searched.

    Attributes:
        words: only those that hold every word and "phrase" of this, those first that are made of it most.
        meaning: those with a vector, the nearest in meaning to this first; not together with `words`.
        cluster: only those of this cluster, counted from 1; without a search the most typical come first; 0: in none.
        category: only those that were learned to be of this category.
    """

    words: Query = None
    meaning: Query = None
    cluster: Annotated[int | None, Limit(0, 1000)] = None
    category: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterQuery(PromptFilter):
    """Which prompts of the clusters are looked at.

    Attributes:
        sample: agreement is told of at most so many judged tasks, a random sample that stays the same.
    """

    sample: Annotated[int, Limit(1, 20_000)] = 1000


@dataclass(frozen=True, slots=True)
class MakeVectors:
    """How vectors, near-duplicates and clusters are made, and categories where enough prompts are named.

    Attributes:
        clusters: how many; as many as there are, else as are usual for so many prompts, where nothing is said.
        base: ``minilm-l6``, a folder of the server, or a name on the Hub; as before where nothing is said.
    """

    clusters: Annotated[int | None, Limit(2, 1000)] = None
    base: Annotated[str | None, Limit(1, 300)] = None


@dataclass(frozen=True, slots=True)
class VectorsInfo:
    """How the vectors of a project's prompts stand.

    Attributes:
        base: what made them; null before there are any.
        prompts: how many have one.
        later: how many came later and have none; make the vectors again to include them.
        usual_clusters: a handy number for so many prompts.
        duplicates: prompts with at least this cosine count as near-duplicates.
        examples: how many prompts were named as examples of a category.
        enough_examples: whether the next making learns the categories of the others from them.
        quality: how good the last making found the learned categories, in words.
        job: the last making of vectors, null before the first.
    """

    base: str | None
    prompts: int
    later: int
    usual_clusters: int
    duplicates: float
    examples: int
    enough_examples: bool
    quality: str | None
    job: JobInfo | None


@dataclass(frozen=True, slots=True)
class NamePrompts:
    """Prompts of one category, from which the others' are learned.

    Attributes:
        category: its name; an empty one takes back what was said of these prompts.
        groups: ids of their groups.
    """

    category: Annotated[str, Limit(high=200)]
    groups: Annotated[tuple[str, ...], Limit(1, 10_000)]
