"""Label Studio's JSON export, of its Ranker and Pairwise tags.

A real task, shortened::

    {"id": 7, "data": {"prompt": "…", "answer1": "…", "answer2": "…"}, "annotations": [
      {"completed_by": 3, "lead_time": 8.2, "result": [{"type": "pairwise", "value": {"selected": "left"}}]}]}

A Ranker's value is ``{"ranker": {"rank": ["id2", "id1"]}}`` over the objects of a list in ``data``.

What we write are tasks to import there, for the labeling interface of `labeling_config`: a bucket for each rank, so
that ties can be told. Label Studio takes annotators only as members of its project, so our names stand, with the rest
of a judgment, under ``meta.judgment`` of the result, which it keeps as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labeler.errors import DataError
from labeler.formats import fields, native
from labeler.formats.fields import Row
from labeler.formats.scored import BESIDE, find_prompt
from labeler.formats.spec import Place, build_group, completions, person
from labeler.records import Completion, Group, Prompt, Ranking

OURS = "labeler"
"""Where a task's data has what our groups have more than Label Studio's tasks, their id among it."""
FEWEST_BUCKETS = 2


def is_labelstudio(row: Row) -> bool:
    """A Label Studio task with its annotations."""
    return isinstance(row.get("data"), Mapping) and isinstance(row.get("annotations"), list | tuple)


def parse_labelstudio(row: Row, place: Place) -> Group:
    """A Label Studio task: each Ranker or Pairwise result becomes a ranking, cancelled annotations do not count."""
    data = fields.mapping(fields.required(row, "data"), "data")
    found = fields.items(fields.required(row, "annotations"), "annotations")
    annotations = [fields.mapping(a, f"annotations[{i}]") for i, a in enumerate(found)]
    prompt_name, prompt = find_prompt(data)
    answers, used = _list_answers(data) or _pair_answers(data, prompt_name, annotations)
    rankings = tuple(_labelstudio_rankings(annotations, answers))
    if OURS in data:
        return _our_group(fields.mapping(data[OURS], f"data.{OURS}"), prompt, answers, rankings)
    return build_group(
        {**data, "id": row.get("id")},
        place,
        prompt=prompt,
        answers=answers,
        rankings=rankings,
        used=used | {prompt_name},
    )


def _our_group(ours: Row, prompt: Prompt, answers: tuple[Completion, ...], rankings: tuple[Ranking, ...]) -> Group:
    """A task that we wrote, maybe with other annotations, as the group that it was."""
    where = f"data.{OURS}."
    return Group(
        fields.text(ours, "id", where),
        prompt,
        answers,
        rankings,
        fields.optional_text(ours, "source", where) or "",
        fields.optional_text(ours, "split", where),
        fields.meta(ours, f"{where}meta"),
    )


def _list_answers(data: Row) -> tuple[tuple[Completion, ...], frozenset[str]] | None:
    """The items of a Ranker's List: objects with an id and a body."""
    for name, value in data.items():
        if isinstance(value, list | tuple) and value and all(isinstance(v, Mapping) and "id" in v for v in value):
            return tuple(_item(item, f"data.{name}[{i}].") for i, item in enumerate(value)), frozenset({name})
    return None


def _item(item: Row, where: str) -> Completion:
    body = next((name for name in ("body", "text", "html", "title") if item.get(name) is not None), "body")
    return Completion(str(item["id"]), fields.text(item, body, where), fields.optional_text(item, "model", where))


def _pair_answers(data: Row, prompt: str, annotations: Sequence[Row]) -> tuple[tuple[Completion, ...], frozenset[str]]:
    """The two texts of a Pairwise tag: those that ``to_name`` names, else the only two beside the prompt."""
    results = (r for a in annotations for r in fields.items(a.get("result") or (), "result") if isinstance(r, Mapping))
    tags = next((str(r.get("to_name", "")).split(",") for r in results if r.get("type") == "pairwise"), [])
    names = [tag.strip() for tag in tags if tag.strip() in data]
    if len(names) != 2:
        names = [name for name, value in data.items() if isinstance(value, str) and name not in (prompt, *BESIDE)]
    if len(names) != 2:
        problem = f"cannot tell which two of {', '.join(data)} were compared; leave the prompt and two texts"
        raise DataError(problem, field="data")
    return completions([fields.text(data, name, "data.") for name in names]), frozenset(names)


def _labelstudio_rankings(annotations: Sequence[Row], answers: tuple[Completion, ...]) -> Iterator[Ranking]:
    for i, annotation in enumerate(annotations):
        if annotation.get("was_cancelled"):
            continue
        who, seconds = person(annotation.get("completed_by")), annotation.get("lead_time")
        for j, result in enumerate(fields.items(annotation.get("result") or (), f"annotations[{i}].result")):
            where = f"annotations[{i}].result[{j}]"
            ranks = _result_ranks(fields.mapping(result, where), answers, f"{where}.value")
            ours = fields.mapping(result.get("meta") or {}, f"{where}.meta").get("judgment")
            if ranks is not None and ours is not None:
                said = fields.mapping(ours, f"{where}.meta.judgment")
                yield native.parse_ranking({**said, "ranks": ranks}, f"{where}.meta.judgment")
            elif ranks is not None:
                time = None if seconds is None else fields.number(seconds, f"annotations[{i}].lead_time")
                yield Ranking(who, ranks, seconds=time)


def _result_ranks(result: Row, answers: tuple[Completion, ...], where: str) -> tuple[int | None, ...] | None:
    """The ranks that one result states; None where it is of another tag, or nothing was selected."""
    value = result.get("value")
    if result.get("type") == "pairwise":
        selected = fields.mapping(value, where).get("selected")
        return {"left": (1, 2), "right": (2, 1)}.get(str(selected))
    if result.get("type") != "ranker":
        return None
    ranker = fields.mapping(value, where).get("ranker")
    places = {c.id: i for i, c in enumerate(answers)}
    ranks: list[int | None] = [None] * len(answers)
    for item, rank in _ranked_items(ranker, f"{where}.ranker"):
        if item not in places:
            problem = f"ranks the item {item!r}, which the task does not have; export data and annotations together"
            raise DataError(problem, field=f"{where}.ranker")
        ranks[places[item]] = rank
    return tuple(ranks)


def _ranked_items(ranker: object, where: str) -> list[tuple[str, int]]:
    """Item ids with their ranks: the order of a single list, or the number in each bucket's name."""
    if isinstance(ranker, list | tuple):
        return [(str(item), rank) for rank, item in enumerate(ranker, start=1)]
    buckets = {name: ids for name, ids in fields.mapping(ranker, where).items() if name != "_"}
    if len(buckets) == 1:
        return _ranked_items(fields.items(next(iter(buckets.values())), where), where)
    numbers = {name: re.search(r"(\d+)$", name) for name in buckets}
    if not all(numbers.values()):
        problem = f"the buckets {', '.join(buckets)} have no order; end their names in numbers, 1 for the best"
        raise DataError(problem, field=where)
    return [
        (str(item), int(number[1]))
        for name, number in numbers.items()
        if number
        for item in fields.items(buckets[name], f"{where}.{name}")
    ]


def write_labelstudio(group: Group) -> Iterator[dict[str, Any]]:
    """A task to import, with an annotation for each ranking."""
    data: dict[str, Any] = {
        "prompt": native.prompt_rows(group.prompt),
        "answers": [{"id": c.id, "title": "", "body": c.text, "model": c.model} for c in group.completions],
        OURS: {"id": group.id, "source": group.source, "split": group.split, "meta": dict(group.meta)},
    }
    yield {"data": data, "annotations": [_annotation(ranking, group.completions) for ranking in group.rankings]}


def _annotation(ranking: Ranking, answers: Sequence[Completion]) -> dict[str, Any]:
    said = native.ranking_row(ranking)
    said.pop("ranks")
    ranks = range(1, max(len(answers), FEWEST_BUCKETS) + 1)
    buckets: dict[str, list[str]] = {f"rank-{rank}": [] for rank in ranks}
    for answer, rank in zip(answers, ranking.ranks, strict=True):
        if rank is not None:
            buckets[f"rank-{rank}"].append(answer.id)
    result = {"type": "ranker", "from_name": "rank", "to_name": "answers", "value": {"ranker": buckets}}
    time = {} if ranking.seconds is None else {"lead_time": ranking.seconds}
    return {"result": [{**result, "meta": {"judgment": said}}], **time}


def labeling_config(most: int) -> str:
    """The labeling interface (XML) that tasks of ours with at most so many completions need."""
    ranks = range(1, max(most, FEWEST_BUCKETS) + 1)
    buckets = "".join(f'    <Bucket name="rank-{rank}" title="{rank}"/>\n' for rank in ranks)
    return (
        "<View>\n"
        '  <Paragraphs name="prompt" value="$prompt" layout="dialogue" nameKey="role" textKey="content"/>\n'
        '  <List name="answers" value="$answers" title="Answers"/>\n'
        '  <Ranker name="rank" toName="answers">\n'
        f"{buckets}"
        "  </Ranker>\n"
        "</View>\n"
    )
