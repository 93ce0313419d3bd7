"""What a project asks: its settings, its checks, and the keys of its flags."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeler.errors import DataError, UsageError
from labeler.label_schema import (
    COMMAND_KEYS,
    FLAG_KEYS,
    OUTPUT_FLAGS,
    PROMPT_FLAGS,
    TASKS,
    Flag,
    LabelSchema,
    preset,
    schema_from,
    schema_of_text,
    schema_row,
    schema_text,
    with_keys,
)
from labeler.settings_file import read_settings, settings_text


def test_the_defaults_are_instructgpts():
    assert (len(OUTPUT_FLAGS), len(PROMPT_FLAGS)) == (11, 11)
    for flags in (OUTPUT_FLAGS, PROMPT_FLAGS):
        assert with_keys(flags) == flags  # each has a key of its own that no command has
    assert preset("rate").flags == OUTPUT_FLAGS
    assert preset("pair").strength
    assert preset("rank") == LabelSchema()
    assert (preset("demonstrate").prompt_flags, preset("demonstrate").flags) == (PROMPT_FLAGS, ())


@pytest.mark.parametrize("task", TASKS)
def test_what_is_written_reads_back(task, tmp_path):
    schema = preset(task)
    assert schema_from(schema_row(schema)) == schema
    assert schema_of_text(schema_text(schema)) == schema
    (tmp_path / "s.json").write_text(settings_text(schema))
    assert read_settings(tmp_path / "s.json") == schema


def test_toml_says_the_same(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text(
        'task = "rate"\nranking = false\nall_bad = false\nprompt_flags = []\nflags = ["hallucination", "too_long"]\n'
    )
    found = read_settings(path)
    assert (found.ranking, found.all_bad, found.prompt_flags) == (False, False, ())
    assert [(flag.name, flag.text, flag.key) for flag in found.flags] == [
        ("hallucination", "made up", "l"),
        ("too_long", "too long", "t"),
    ]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"task": "draw"}, "task: the task is 'draw'; it must be one of rank, rate, pair, demonstrate"),
        ({"edit": "always"}, "edit: is 'always'; it must be optional or required"),
        ({"edit": True}, "edit: is True; it must be a text"),
        ({"task": "rate", "ranking": False, "edit": "optional"}, "edit: goes with a ranking"),
        (
            {"task": "demonstrate", "ranking": True},
            "ranking: is for completions, of which the task",
        ),
        ({"task": "demonstrate", "top": 1}, "top: is for completions"),
        ({"task": "demonstrate", "flags": ["a"]}, "flags: is for completions"),
        ({"task": "demonstrate", "edit": "required"}, "edit: is for completions"),
        ({"tsak": "rank"}, "tsak: is no setting; did you mean 'task'?"),
        ({"ranking": False}, "ranking: the task rank is a ranking"),
        ({"task": "rate", "ranking": False, "top": 2}, "top: goes with a ranking"),
        ({"task": "pair", "top": 1}, "top: goes with a ranking of several"),
        ({"task": "rate", "ranking": False, "strength": True}, "strength: goes with a ranking"),
        ({"top": 0}, "top: must be 1 or more"),
        ({"top": True}, "top: is True; it must be a number"),
        ({"strength": 1}, "strength: is 1; it must be true or false"),
        ({"flags": "all"}, "flags: must be a list"),
        ({"flags": [{"text": "x"}]}, r"flags\[0\]: must be a name, or an object"),
        ({"flags": ["a", "a"]}, "flags.name: two have the name 'a'"),
        ({"flags": [{"name": "a", "key": "z"}, {"name": "b", "key": "z"}]}, "flags.key: two have the key 'z'"),
        ({"flags": [{"name": "a", "key": "x"}]}, r"flags\[0\].key: the key of 'a' is 'x'; it must be one of"),
        ({"flags": [{"name": " a"}]}, r"flags\[0\].name: ' a' must be 1 to 200 characters"),
        ({"prompt_flags": [f"f{i}" for i in range(18)]}, "prompt_flags.name: there are 18; at most 17"),
    ],
)
def test_what_no_project_can_ask_is_refused(settings, says):
    with pytest.raises(DataError, match=f"^{says}"):
        schema_from(settings)


flag_names = st.text(min_size=1, max_size=8).filter(lambda name: name == name.strip() and name.isprintable())


@given(st.lists(flag_names, unique=True, max_size=17))
def test_every_flag_has_a_key_of_its_own(names):
    keys = [flag.key for flag in with_keys(map(Flag, names))]
    assert len(set(keys)) == len(keys)
    assert set(keys) <= set(FLAG_KEYS)
    assert not set(keys) & COMMAND_KEYS


@pytest.mark.parametrize(
    ("name", "content", "error", "says"),
    [
        ("s.yaml", "x", UsageError, "must be named .json or .toml"),
        ("s.json", "{", DataError, "s.json: is no JSON"),
        ("s.json", "[]", DataError, "s.json: must be one object"),
        ("s.toml", 'task = "draw"', DataError, "s.toml: task: the task is 'draw'"),
    ],
)
def test_a_settings_file_that_is_none(tmp_path, name, content, error, says):
    (tmp_path / name).write_text(content)
    with pytest.raises(error, match=says):
        read_settings(tmp_path / name)
    with pytest.raises(UsageError, match="is not there"):
        read_settings(tmp_path / "missing.json")


def test_a_name_beyond_ascii_is_kept_as_it_is():
    schema = LabelSchema(flags=(Flag("größe"),))
    assert json.loads(schema_text(schema))["flags"][0]["name"] == "größe"
    assert schema_of_text(schema_text(schema)) == schema
