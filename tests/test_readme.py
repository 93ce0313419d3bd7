"""README is true: its commands exist with these flags, and its example is a row of the format that it describes."""

import json
import re
import shlex
from pathlib import Path

import pytest

from labeler import cli as labeler_cli
from labeler.formats import group_to_row, parse_group
from reward import cli as reward_cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands():
    for line in "".join(blocks("sh")).splitlines():
        for part in line.split("&&"):
            words = shlex.split(part, comments=True)
            if words and Path(words[0]).name in ("labeler", "reward"):
                yield [Path(words[0]).name, *words[1:]]


def test_the_commands_are_found():
    said = {tuple(words[:2]) for words in commands()}
    assert {("labeler", name) for name in labeler_cli.COMMANDS} == {pair for pair in said if pair[0] == "labeler"}
    assert {("reward", name) for name in reward_cli.COMMANDS} == {pair for pair in said if pair[0] == "reward"}


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_a_command_has_these_flags(words):
    parse = {"labeler": labeler_cli.parse, "reward": reward_cli.parse}[words[0]]
    assert parse(words[1:]) is not None


def test_the_example_row_is_one():
    (text,) = blocks("json")
    row = json.loads(text)
    assert group_to_row(parse_group(row)) == row


@pytest.mark.parametrize(
    "name", re.findall(r"[\w]+\.py|\w+/", "".join(re.findall(r"## What is where\n(.*?)\n## ", README, re.DOTALL)))
)
def test_the_tree_names_what_exists(name):
    assert list(ROOT.glob(f"**/{name.rstrip('/')}")), f"{name} is in README's tree but not in the project"
