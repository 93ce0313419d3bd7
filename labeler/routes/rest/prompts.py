"""Prompts over the REST API: found by words and by meaning, near-duplicates, clusters, and categories from examples."""

from __future__ import annotations

from labeler import jobs, prompt_desk, prompt_jobs
from labeler.api.common import Page
from labeler.api.prompts import (
    ClusterQuery,
    MakeVectors,
    NamePrompts,
    PromptFilter,
    PromptPage,
    PromptQuery,
    VectorsInfo,
)
from labeler.entities import Project
from labeler.errors import DataError, NotFoundError
from labeler.prompt_desk import CategoryInfo, ClusterInfo, DuplicateSet, PromptInfo, Prompts
from labeler.prompt_search import Floats
from labeler.routes.rest.declare import Call, operation
from labeler.routes.rest.job_info import job_info
from labeler.routes.rest.paging import after, page_of

PROMPTS = "Prompts"


@operation("GET", "/projects/{project}/prompts", tag=PROMPTS, least="manager")
def list_prompts(call: Call, project: Project, query: PromptQuery) -> Page[PromptInfo]:
    """Prompts of the queue, filtered, and searched by words or by meaning.

    Their priority is set as that of all tasks, by the ids of their groups.
    """
    if query.words is not None and query.meaning is not None:
        raise DataError("is given beside words; search by one of them", field="meaning")
    found, cosine = _ordered(call, project, query)
    begin = _begin(found, query)
    left = [n for n in prompt_desk.kept(found, query.use_case, query.source, query.state) if n >= begin]
    shown = [n for n in left if _fits(found, n, query)][: query.limit + 1]
    items = [prompt_desk.info(found, n, None if cosine is None else round(float(cosine[n]), 4)) for n in shown]
    return page_of(items, query.limit, lambda prompt: prompt.task)


def _ordered(call: Call, project: Project, query: PromptQuery) -> tuple[Prompts, Floats | None]:
    """All that is searched, in its order; the filters come after it, so that a cursor keeps its place."""
    everything = _all(call, project)
    if query.meaning is not None:
        log = prompt_jobs.place(call.services.runs, project) / "queries-api.log"
        return prompt_desk.by_meaning(everything, query.meaning, log)
    if query.words is not None:
        return prompt_desk.by_words(everything, query.words), None
    return everything if query.cluster is None else prompt_desk.in_cluster(everything, query.cluster), None


def _begin(found: Prompts, query: PromptQuery) -> int:
    """The place after the cursor's."""
    last = after(query.cursor)
    if not last:
        return 0
    place = next((n for n, row in enumerate(found.rows) if row.task_id == last), None)
    if place is None:
        raise DataError("is none that this list gave; begin without one", field="cursor")
    return place + 1


def _fits(found: Prompts, n: int, query: PromptQuery) -> bool:
    place = found.place[n]
    return (query.cluster is None or (place >= 0 and found.map.cluster[place] == query.cluster - 1)) and (
        query.category is None or (place >= 0 and found.map.categories[place] == query.category)
    )


@operation("GET", "/projects/{project}/prompts/duplicates", tag=PROMPTS, least="manager")
def list_duplicates(call: Call, project: Project, query: PromptPage) -> Page[DuplicateSet]:
    """Sets of prompts that say nearly the same, the largest first; none before there are vectors."""
    found, begin = prompt_desk.duplicates(_filtered(call, project, query)), after(query.cursor)
    end = begin + query.limit
    return Page(tuple(found[begin:end]), str(end) if len(found) > end else None)


@operation("GET", "/projects/{project}/prompts/clusters", tag=PROMPTS, least="manager")
def list_clusters(call: Call, project: Project, query: ClusterQuery) -> tuple[ClusterInfo, ...]:
    """What the prompts are about, with progress and agreement, the largest cluster first; none without vectors."""
    with call.store.frozen(project.id) as frozen:
        judged, _ = frozen.sample(query.sample)
    named = prompt_jobs.examples(call.services.runs, project)
    groups = [group for group, _ in judged]
    return tuple(prompt_desk.clusters(_filtered(call, project, query), named, groups))


@operation("GET", "/projects/{project}/prompts/categories", tag=PROMPTS, least="manager")
def list_categories(call: Call, project: Project) -> tuple[CategoryInfo, ...]:
    """Categories that prompts were named by, and how many others were learned to be of them."""
    named = prompt_jobs.examples(call.services.runs, project)
    return tuple(prompt_desk.categories(_all(call, project), named))


@operation("PUT", "/projects/{project}/prompts/categories", tag=PROMPTS, least="manager")
def name_prompts(call: Call, project: Project, body: NamePrompts) -> None:
    """Name some prompts' category. Make the vectors again to learn that of all others.

    Two prompts or more of each of two categories or more are needed for that.
    """
    there = {row.group_id for row in _all(call, project).rows}
    for place, group in enumerate(body.groups):
        if group not in there:
            raise DataError(f"is {group!r}, which is no prompt of the project", field=f"groups[{place}]")
    prompt_jobs.name_prompts(call.services.runs, project, body.category.strip(), body.groups)


@operation("GET", "/projects/{project}/prompts/vectors", tag=PROMPTS, least="manager")
def get_vectors(call: Call, project: Project) -> VectorsInfo:
    """How the vectors stand that search by meaning, near-duplicates and clusters need, and how far their making is."""
    return _vectors(call, project)


@operation("POST", "/projects/{project}/prompts/vectors", tag=PROMPTS, least="manager")
def make_vectors(call: Call, project: Project, body: MakeVectors) -> VectorsInfo:
    """Make vectors, near-duplicates and clusters of all prompts, and learn categories where enough are named."""
    jobs.require()
    runs = call.services.runs
    everything = _all(call, project)
    found = everything.map
    before = len({*found.cluster.tolist()} - {-1}) or prompt_jobs.usual_clusters(len(everything.rows))
    base = body.base or (found.base if found.ids else prompt_jobs.BASE)
    prompt_jobs.start(call.store, runs, project, clusters=body.clusters or max(2, before), base=base)
    return _vectors(call, project)


@operation("POST", "/projects/{project}/prompts/vectors/cancel", tag=PROMPTS, least="manager")
def cancel_vectors(call: Call, project: Project) -> VectorsInfo:
    """End the making of vectors; what was read is kept for the next one."""
    done = prompt_jobs.all_runs(call.services.runs, project)
    if not done:
        raise NotFoundError(f"no vectors were ever made in {project.name!r}")
    jobs.cancel(done[0])
    return _vectors(call, project)


def _vectors(call: Call, project: Project) -> VectorsInfo:
    everything, runs = _all(call, project), call.services.runs
    done, named = prompt_jobs.all_runs(runs, project), prompt_jobs.examples(runs, project)
    found = everything.map
    return VectorsInfo(
        base=found.base if found.ids else None,
        prompts=len(found.ids),
        later=int((everything.place < 0).sum()) if found.ids else 0,
        usual_clusters=prompt_jobs.usual_clusters(len(everything.rows)),
        duplicates=prompt_jobs.DUPLICATES,
        examples=len(named),
        enough_examples=prompt_jobs.can_learn(named),
        quality=prompt_jobs.quality(runs, project),
        job=job_info(done[0]) if done else None,
    )


def _all(call: Call, project: Project) -> Prompts:
    return prompt_desk.read(call.store, call.services.runs, project)


def _filtered(call: Call, project: Project, query: PromptFilter) -> Prompts:
    everything = _all(call, project)
    return everything.at(prompt_desk.kept(everything, query.use_case, query.source, query.state))
