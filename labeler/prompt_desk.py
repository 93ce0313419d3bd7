"""A project's prompts for programs: filtered, found, near-duplicates, clusters, and categories learned of examples."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from labeler import jobs, prompt_jobs, prompt_search
from labeler.agreement import Estimate
from labeler.agreement_slices import mean_taus, slices
from labeler.comparisons import Resamples, comparisons
from labeler.embedder import Embedder
from labeler.entities import Project
from labeler.errors import DataError, UsageError
from labeler.prompt_map import PromptMap
from labeler.prompt_rows import PromptRow, TaskProgress, TaskWork
from labeler.prompt_search import Floats, Ints
from labeler.records import Group
from labeler.store import Store

TYPICAL = 5
"""So many prompts stand for a cluster."""


@dataclass(frozen=True, eq=False, slots=True)
class Prompts:
    """N prompts of a project.

    Attributes:
        rows: the prompts (N).
        work: how far their tasks are (N).
        place: (N) of each in the map, −1 without a vector.
        map: empty before there are vectors.
    """

    rows: Sequence[PromptRow]
    work: Sequence[TaskWork]
    place: Ints
    map: PromptMap

    def at(self, kept: Sequence[int]) -> Prompts:
        """Only these, in this order."""
        places = self.place[np.asarray(kept, dtype=np.int64)]
        return Prompts([self.rows[n] for n in kept], [self.work[n] for n in kept], places, self.map)

    def known(self) -> Prompts:
        """Those that have a vector."""
        return self.at(np.flatnonzero(self.place >= 0).tolist())


@dataclass(frozen=True, slots=True)
class PromptInfo:
    """A prompt and how far its task is.

    Attributes:
        task: id of the task.
        group: id of the group.
        prompt: a single message as it is, several each with their role.
        use_case: meta.use_case, or none.
        source: where it came from, or none.
        judgments: standing rankings and answers.
        cluster: counted from 1, the largest; 0 for a prompt in none, null for one without a vector.
        first: id of the first group of which it is a near-duplicate, its own where it is none.
        category: as learned from prompts that were named.
        probability: of that category.
        nearness: cosine to what was searched by meaning.
    """

    task: int
    group: str
    prompt: str
    use_case: str
    source: str
    state: TaskProgress
    judgments: int
    priority: int
    cluster: int | None
    first: str | None
    category: str | None
    probability: float | None
    nearness: float | None


@dataclass(frozen=True, slots=True)
class DuplicateSet:
    """Prompts that say nearly the same.

    Attributes:
        first: id of the group that came first; the filters may have left it out of `groups`.
        prompt: the text of one of them, the first where it is there.
        groups: ids of their groups.
    """

    first: str
    prompt: str
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClusterInfo:
    """Prompts that are about something alike.

    Attributes:
        cluster: counted from 1; 0 holds those in no cluster.
        category: what most of those of its prompts that were named are called.
        such_as: its most typical prompt; null for those in no cluster.
        typical: ids of the groups of its most typical prompts, which are to be named where it gets a category.
        tasks: how many prompts are in it.
        judgments: standing rankings and answers in it.
        agreement: share of equal verdicts of two people; null where no two judged a prompt of it.
    """

    cluster: int
    category: str | None
    such_as: str | None
    typical: tuple[str, ...]
    tasks: int
    waiting: int
    started: int
    finished: int
    judgments: int
    agreement: Estimate | None


@dataclass(frozen=True, slots=True)
class CategoryInfo:
    """A category of prompts.

    Attributes:
        examples: prompts that were named so.
        prompts: prompts that it was learned to hold.
        mean_probability: of these.
    """

    category: str
    examples: int
    prompts: int
    mean_probability: float | None


# What there is


def read(store: Store, runs: Path, project: Project) -> Prompts:
    """All prompts of a project as they are now."""
    with store.frozen(project.id) as frozen:
        stamp, work = frozen.prompts_stamp(), frozen.task_work()
    rows = [row for row in _rows(store, project.id, stamp) if row.task_id in work]
    found = vectors(runs, project)
    known = {name: place for place, name in enumerate(found.ids)}
    place = np.array([known.get(row.group_id, -1) for row in rows], dtype=np.int64)
    return Prompts(rows, [work[row.task_id] for row in rows], place, found)


@lru_cache(maxsize=4)
def _rows(store: Store, project_id: int, stamp: tuple[int, int]) -> list[PromptRow]:
    """Kept until there are other prompts: they are read for every page of a list."""
    with store.frozen(project_id) as frozen:
        return frozen.prompts()


def vectors(runs: Path, project: Project) -> PromptMap:
    """The project's vectors; empty where there are none that can be read, so that they can be made again."""
    file = prompt_jobs.vectors(runs, project)
    try:
        return _map(file, file.stat().st_mtime_ns)
    except (OSError, DataError):
        return PromptMap.empty()


@lru_cache(maxsize=2)
def _map(file: Path, changed: int) -> PromptMap:
    return PromptMap.load(file)


def kept(
    prompts: Prompts, use_cases: Sequence[str], sources: Sequence[str], states: Sequence[TaskProgress]
) -> list[int]:
    """Places of the prompts that the filters leave; an empty one leaves all."""
    return [
        n
        for n, (row, work) in enumerate(zip(prompts.rows, prompts.work, strict=True))
        if (not use_cases or row.category in use_cases)
        and (not sources or row.source in sources)
        and (not states or work.state in states)
    ]


def info(prompts: Prompts, n: int, nearness: float | None = None) -> PromptInfo:
    """One prompt."""
    row, work, place, found = prompts.rows[n], prompts.work[n], int(prompts.place[n]), prompts.map
    there = place >= 0
    return PromptInfo(
        task=row.task_id,
        group=row.group_id,
        prompt=row.text,
        use_case=row.category,
        source=row.source,
        state=work.state,
        judgments=work.judgments,
        priority=work.priority,
        cluster=int(found.cluster[place]) + 1 if there else None,
        first=found.first[place] if there else None,
        category=found.categories[place] if there else None,
        probability=found.sure[place] if there else None,
        nearness=nearness,
    )


# Finding


def by_words(prompts: Prompts, query: str) -> Prompts:
    """Those that hold every word and ``"phrase"``, those first that are made of it most."""
    return prompts.at(prompt_search.by_words([row.text.casefold() for row in prompts.rows], query).tolist())


def by_meaning(prompts: Prompts, query: str, log: Path) -> tuple[Prompts, Floats]:
    """Those with a vector from the nearest on, and their cosines.

    Args:
        log: file for what the process says that reads the query.

    Raises:
        UsageError: there are no vectors, or the ``reward`` command cannot run here.
        ModelError: that process failed.
    """
    if not prompts.map.ids:
        raise UsageError("a search by meaning needs vectors of the prompts; make them first")
    jobs.require()
    known = prompts.known()
    recipe = json.dumps(dict(prompts.map.recipe), sort_keys=True)
    order, cosine = prompt_search.by_meaning(known.map.vectors[known.place], _embedder(recipe, log).ask(query))
    return known.at(order.tolist()), cosine


@lru_cache(maxsize=4)
def _embedder(recipe: str, log: Path) -> Embedder:
    """One child for everybody who searches among vectors made in one way."""
    return Embedder(replace(PromptMap.empty(), recipe=json.loads(recipe)), log)


def in_cluster(prompts: Prompts, number: int) -> Prompts:
    """The prompts of a cluster, counted from 1, the most typical first; 0: those in none."""
    known = prompts.known()
    members = np.flatnonzero(known.map.cluster[known.place] == number - 1)
    if not len(members):
        return known.at([])
    order = prompt_search.typical(known.map.vectors[known.place], members, len(members))
    return known.at(order.tolist())


# What belongs together


def duplicates(prompts: Prompts) -> list[DuplicateSet]:
    """Sets of prompts that say nearly the same, the largest first."""
    known = prompts.known()
    sets: dict[str, list[PromptRow]] = defaultdict(list)
    for row, place in zip(known.rows, known.place.tolist(), strict=True):
        sets[known.map.first[place]].append(row)
    found = [
        DuplicateSet(first, _text_of(first, rows), tuple(row.group_id for row in rows))
        for first, rows in sets.items()
        if len(rows) > 1
    ]
    return sorted(found, key=lambda one: -len(one.groups))


def _text_of(first: str, rows: Sequence[PromptRow]) -> str:
    return next((row.text for row in rows if row.group_id == first), rows[0].text)


def clusters(prompts: Prompts, named: Mapping[str, str], judged: Sequence[Group]) -> list[ClusterInfo]:
    """The clusters, the largest first; those in none come last.

    Args:
        prompts: those looked at.
        named: group → category, as managers named them.
        judged: groups with their rankings, of which the agreement is told.
    """
    known = prompts.known()
    cluster = known.map.cluster[known.place]
    agreed = _agreement(known, cluster, judged)
    members = {int(number): np.flatnonzero(cluster == number) for number in np.unique(cluster)}
    order = sorted(members, key=lambda number: (number < 0, -len(members[number])))
    return [_cluster(known, number, members[number], named, agreed.get(number)) for number in order]


def _agreement(known: Prompts, cluster: Ints, judged: Sequence[Group]) -> dict[int, Estimate]:
    if not judged:
        return {}
    number = {row.group_id: str(each) for row, each in zip(known.rows, cluster.tolist(), strict=True)}
    names = [number.get(group.id) for group in judged]
    found = slices(comparisons(judged), mean_taus(judged), names, Resamples(len(judged)))
    return {int(part.name): part.agreement for part in found}


def _cluster(
    known: Prompts, number: int, places: Ints, named: Mapping[str, str], agreed: Estimate | None
) -> ClusterInfo:
    middle = prompt_search.typical(known.map.vectors[known.place], places, TYPICAL).tolist()
    given = Counter(named[name] for n in places if (name := known.rows[n].group_id) in named)
    states = Counter(known.work[n].state for n in places)
    return ClusterInfo(
        cluster=number + 1,
        category=given.most_common(1)[0][0] if given else None,
        such_as=known.rows[middle[0]].text if number >= 0 else None,
        typical=tuple(known.rows[n].group_id for n in middle),
        tasks=len(places),
        waiting=states["waiting"],
        started=states["started"],
        finished=states["finished"],
        judgments=sum(known.work[n].judgments for n in places),
        agreement=agreed,
    )


def categories(prompts: Prompts, named: Mapping[str, str]) -> list[CategoryInfo]:
    """What was named and what was learned of it, by name."""
    known = prompts.known()
    given, sure = Counter(named.values()), defaultdict(list)
    for place in known.place.tolist():
        if category := known.map.categories[place]:
            sure[category].append(known.map.sure[place])
    return [_category(name, given[name], sure[name]) for name in sorted({*given, *sure})]


def _category(name: str, examples: int, sure: Sequence[float | None]) -> CategoryInfo:
    chances = [chance for chance in sure if chance is not None]
    return CategoryInfo(name, examples, len(sure), float(np.mean(chances)) if chances else None)
