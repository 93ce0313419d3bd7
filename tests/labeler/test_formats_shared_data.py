"""Real, human-labelled groups, where their folder is at hand: as many as its README says."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from labeler.formats import group_to_row, parse_group, read

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("REWARD_LABELER_SHARED", ROOT.parent / "shared")) / "data"
README = DATA / "README.md"
TABLE = (
    re.findall(r"^\| (\S+\.jsonl(?:\.gz)?) \| ([\d,]+) \| (\S+) \| (\S+)", README.read_text(), re.MULTILINE)
    if README.is_file()
    else []
)


@pytest.mark.skipif(not TABLE, reason="there is no folder of shared data")
@pytest.mark.parametrize(("name", "count", "k", "judgments"), TABLE, ids=[row[0] for row in TABLE])
def test_real_files(name: str, count: str, k: str, judgments: str) -> None:
    found = read(DATA / name)
    assert (found.format, found.skipped) == ("native", 0)
    assert len(found.groups) + len(found.demonstrations) == int(count.replace(",", ""))
    if k == "–":
        assert not found.groups
        return
    sizes = {len(group.completions) for group in found.groups}
    assert (min(sizes), max(sizes)) == (int(k.split("–", maxsplit=1)[0]), int(k.rsplit("–", maxsplit=1)[-1]))
    if judgments[0].isdigit():
        assert sum(len(group.rankings) for group in found.groups) == int(judgments.replace(",", ""))
    assert all(parse_group(group_to_row(group)) == group for group in found.groups)
