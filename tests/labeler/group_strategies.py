"""Hypothesis strategies: any group and any demonstration that the records allow."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from labeler.records import Completion, Demonstration, Group, Message, Prompt, Ranking

texts = st.text(max_size=12) | st.sampled_from(
    [
        "",
        " lead",
        "trail \n",
        "a\r\nb\rc",
        '"q",x;\t',
        "[{",
        '[{"role": "user", "content": "x"}]',
        "null",
        "1",
        "é́漢🙂\u2028",
        "\x00",
    ]
)
names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=6)
finite = st.floats(0, 1e9, allow_nan=False)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
metas = st.dictionaries(texts, json_values, max_size=2)
turns = st.builds(Message, st.sampled_from(["user", "assistant"]), texts)


@st.composite
def prompts(draw: st.DrawFn, *, system: bool = True) -> Prompt:
    first = draw(st.lists(st.builds(Message, st.just("system"), texts), max_size=int(system)))
    return (*first, *draw(st.lists(turns, min_size=1, max_size=3)))


def plain_prompts() -> st.SearchStrategy[Prompt]:
    return texts.map(lambda text: (Message("user", text),))


@st.composite
def rankings(draw: st.DrawFn, ids: list[str]) -> Ranking:
    each = {"min_size": len(ids), "max_size": len(ids)}
    optional: dict[str, st.SearchStrategy[Any]] = {
        "ratings": st.lists(st.none() | st.integers(1, 7), **each).map(tuple),
        "flags": st.lists(st.lists(texts, max_size=2).map(tuple), **each).map(tuple),
        "all_bad": st.booleans(),
        "note": texts,
        "seconds": finite,
        "order": st.permutations(ids).map(tuple),
        "at": st.datetimes().map(lambda moment: moment.replace(microsecond=0).isoformat() + "Z"),
        "weight": finite,
        "prompt_flags": st.lists(texts, max_size=2).map(tuple),
        "top_only": st.booleans(),
    }
    if len(ids) == 2:
        optional["strength"] = st.integers(1, 4)
    chosen = draw(st.sets(st.sampled_from(sorted(optional)), max_size=4))
    ranks = tuple(draw(st.lists(st.none() | st.integers(-3, 9), **each)))
    return Ranking(draw(names), ranks, **{name: draw(optional[name]) for name in sorted(chosen)})


@st.composite
def groups(draw: st.DrawFn, prompt: st.SearchStrategy[Prompt] | None = None, models: bool = True) -> Group:
    ids = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    model = st.none() | (texts if models else names)
    return Group(
        id=draw(names),
        prompt=draw(prompts() if prompt is None else prompt),
        completions=tuple(Completion(i, draw(texts), draw(model)) for i in ids),
        rankings=tuple(draw(st.lists(rankings(ids), max_size=3))),
        source=draw(texts),
        split=draw(st.sampled_from([None, "train", "valid", "test"])),
        meta=draw(metas),
    )


def several(group: st.SearchStrategy[Group]) -> st.SearchStrategy[list[Group]]:
    return st.lists(group, min_size=1, max_size=3, unique_by=lambda each: each.id)


demonstrations = st.builds(
    Demonstration, names, prompts(), texts, annotator=st.none() | names, source=texts, meta=metas
)
