"""Each format that the page Export offers, made there and read; two of them come back by the page Import."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pyarrow as pa
import pyarrow.parquet as pq
from browsing import Site, Visit, settled
from playwright.sync_api import Page, expect
from test_exchange import DESK, SECONDS, fits, manager, shot
from test_managers import choose

from labeler.app.exports import NOTES, TITLES
from labeler.exporting import PREVIEW_ROWS

Preferred = set[tuple[str, str]]
"""Texts of completions: the better one, the worse one."""


def by_ranks(ranked: Iterable[tuple[str, int]]) -> Preferred:
    entries = list(ranked)
    return {(better, worse) for better, first in entries for worse, second in entries if first < second}


def native(row: dict[str, Any]) -> Preferred:
    (ranking,) = row["rankings"]
    assert ranking["annotator"] == "x"
    return by_ranks(zip((one["text"] for one in row["completions"]), ranking["ranks"], strict=True))


def lines(content: bytes) -> Iterator[dict[str, Any]]:
    yield from map(json.loads, content.splitlines())


def pairs(rows: Iterable[dict[str, Any]]) -> Preferred:
    return {(_last(row["chosen"]), _last(row["rejected"])) for row in rows}


def _last(said: str | list[dict[str, str]]) -> str:
    """The answer at the end of a transcript, of messages, or alone."""
    return said.rpartition("\n\nAssistant: ")[2] if isinstance(said, str) else said[-1]["content"]


def member(content: bytes, name: str) -> bytes:
    """The file of this name in a packed export."""
    with ZipFile(io.BytesIO(content)) as packed:
        (path,) = (path for path in packed.namelist() if path.endswith(f"/{name}"))
        return packed.read(path)


def table(content: bytes) -> Preferred:
    rows = csv.DictReader(io.StringIO(content.decode(), newline=""))
    return by_ranks((row["completion"], int(row["rank"])) for row in rows)


def argilla(content: bytes) -> Preferred:
    (record,) = json.loads(content)
    (answer,) = record["responses"]["ranking"]
    return by_ranks((record["fields"][one["value"]], one["rank"]) for one in answer["value"])


def labelstudio(content: bytes) -> Preferred:
    assert b"<Ranker" in member(content, "labeling-config.xml")
    (task,) = json.loads(member(content, "tasks.json"))
    texts = {one["id"]: one["body"] for one in task["data"]["answers"]}
    buckets = task["annotations"][0]["result"][0]["value"]["ranker"]
    return by_ranks((texts[one], int(name.removeprefix("rank-"))) for name, ids in buckets.items() for one in ids)


READ: dict[str, Callable[[bytes], Preferred]] = {
    "snapshot": lambda content: native(*lines(member(content, "groups.jsonl"))),
    "native": lambda content: native(*lines(content)),
    "openrlhf": lambda content: pairs(lines(content)),
    "csv": table,
    "parquet": lambda content: native(*pq.read_table(pa.BufferReader(content)).to_pylist()),
    "datasets": lambda content: native(
        *pa.ipc.open_stream(member(content, "data-00000-of-00001.arrow")).read_all().to_pylist()
    ),
    "argilla": argilla,
    "labelstudio": labelstudio,
}
"""What the downloaded file of each format says."""
SHOWN = ("trl", "trl-conversational", "hh-rlhf")
"""Formats of which the first rows are read as the page shows them; a file of TRL is read in test_exchange."""


def choose_format(page: Page, form: str) -> None:
    choose(page, "Format", TITLES[form])
    expect(page.get_by_text(NOTES[form])).to_be_visible()
    settled(page)


def made(page: Page, project: str, form: str) -> bytes:
    """The file that the page gives out in a format."""
    choose_format(page, form)
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_text(f"{project}: {TITLES[form]}", exact=True)).to_be_visible()
    settled(page)  # or the file would be that of the format before
    with page.expect_download() as download:
        page.get_by_role("button", name=re.compile("^Download ")).click(timeout=SECONDS)
    return download.value.path().read_bytes()


def take_in(page: Page, project: str, form: str, path: Path) -> None:
    """Upload a file on the page Import, from its check to its end."""
    page.locator("input[type=file]").set_input_files(str(path))
    expect(page.get_by_text(path.name, exact=True)).to_be_visible(timeout=SECONDS)
    choose(page, "Into the project", project)
    settled(page)
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.get_by_text(f"Format: {form}. Completions: 1 with 4.")).to_be_visible(timeout=SECONDS)
    page.get_by_role("button", name="Import", exact=True).click()
    done = page.get_by_text(f"Imported into {project}: 1 groups, 1 rankings, 0 demonstrations.")
    expect(done).to_be_visible(timeout=SECONDS)
    page.get_by_role("button", name="Import something else").click()


def test_every_format_is_made_and_argilla_and_label_studio_come_back(site: Site, visit: Visit, tmp_path: Path):
    name, back = "formats", {"argilla": "formats-argilla", "labelstudio": "formats-labelstudio"}
    page = manager(site, visit, name, DESK, *back.values())
    (judged,) = site.store.groups(site.store.project(name).id)
    expected = by_ranks(zip((one.text for one in judged.completions), (1, 2, 3, 3), strict=True))
    page.goto(f"{site.url}/export")
    assert {*READ, *SHOWN} == TITLES.keys()
    for form in SHOWN:
        choose_format(page, form)
        rows = page.get_by_test_id("stCode")
        expect(rows).to_have_count(PREVIEW_ROWS)
        first = pairs(map(json.loads, rows.all_text_contents()))
        assert len(first & expected) == len(first) == PREVIEW_ROWS, form
    files = {}
    for form, read in READ.items():
        files[form] = made(page, name, form)
        assert read(files[form]) == expected, form
    shot(page, "export-made")
    assert fits(page)

    (tmp_path / "records.json").write_bytes(files["argilla"])
    (tmp_path / "tasks.json").write_bytes(member(files["labelstudio"], "tasks.json"))
    page.goto(f"{site.url}/import")
    for form, file in {"argilla": "records.json", "labelstudio": "tasks.json"}.items():
        take_in(page, back[form], form, tmp_path / file)
        (again,) = site.store.groups(site.store.project(back[form]).id)
        assert (again.id, again.prompt, again.rankings) == (judged.id, judged.prompt, judged.rankings)
        assert [one.text for one in again.completions] == [one.text for one in judged.completions]
    visit.problems[:] = [problem for problem in visit.problems if "404" not in problem]
