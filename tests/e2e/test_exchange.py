"""Data in and out in a real browser: upload, preview, import, export, on a desk and on a phone."""

from __future__ import annotations

import gzip
import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from board import group
from browsing import Site, Visit, open_site, settled
from hub_server import HubServer, hub_server
from playwright.sync_api import Page, expect

from labeler.records import Ranking

DESK = {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"}
PHONE = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "has_touch": True}
SECONDS = 60_000
WHY_LEFT_OUT = (
    "their prompt was there before",
    "their prompt starts as an earlier one does",
    "their prompt means the same as an earlier one",
    "their author has enough prompts",
)


FEW_SHOT = "Translate into French. Cheese: fromage. Bread: pain. Water: eau. "


def row(number: int, text: str, author: str | None = None, split: str | None = None) -> dict[str, object]:
    completions = [{"id": "a", "text": "<b>Because.</b>", "model": "secret-model"}, {"id": "b", "text": "So."}]
    by = {"author": author} if author else {}
    return {"id": f"g{number}", "prompt": text, "completions": completions, "split": split, "meta": by}


def tick(page: Page, label: str) -> None:
    page.get_by_test_id("stCheckbox").filter(has_text=label).locator("label").click()


def shot(page: Page, name: str) -> None:
    """A picture for people to look at, where SCREENSHOTS names a folder."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.wait_for_timeout(500)
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def manager(site: Site, visit: Visit, name: str, look: dict[str, object], *more: str) -> Page:
    """Somebody who has a project with a ranking, and more that are empty."""
    made = site.store.add_project(name)
    for empty in more:
        site.store.add_project(empty)
    site.store.import_groups(made.id, [replace(group(f"{name}-0"), rankings=(Ranking("x", (1, 2, 3, 3)),))])
    site.add_user(f"{name}-boss", "manager", (name, *more))
    return visit.board(site, f"{name}-boss", **look).page


def test_a_file_is_taken_in_on_a_phone(site: Site, visit: Visit, tmp_path: Path):
    name = "taken-in"
    page = manager(site, visit, name, PHONE)
    rows = [
        row(1, "Why? Write to a@example.com."),
        row(2, "Why? Write to a@example.com."),
        row(3, "How?"),
        row(4, f"{FEW_SHOT}Milk:", "ann", "test"),
        row(5, f"{FEW_SHOT}Sugar:"),
        row(6, "How do rivers flow?"),
        row(7, "Rivers, how do flow?"),  # to the stand-in of `reward embed` the same words mean the same
        row(8, "Who?", "ann"),
        row(9, "Whom?", "ann"),
    ]
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(b"".join(json.dumps(one).encode() + b"\n" for one in rows) + b"{broken\n"))
    page.goto(f"{site.url}/import")
    expect(page.get_by_role("heading", name="Import")).to_be_visible(timeout=SECONDS)
    shot(page, f"import-empty-{name}")
    page.locator("input[type=file]").set_input_files(str(path))
    expect(page.get_by_text("rows.jsonl.gz")).to_be_visible(timeout=SECONDS)
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.get_by_role("heading", name="What is in it")).to_be_visible(timeout=SECONDS)
    expect(page.get_by_text("Personal data in the first 200 groups: 2 × EMAIL")).to_be_visible(timeout=SECONDS)
    expect(page.get_by_text("<b>Because.</b>").first).to_be_visible()  # as text
    assert page.get_by_text("secret-model").count() == 0
    expect(page.get_by_role("button", name="Import", exact=True)).to_be_disabled()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the bad rows").click()
    assert json.loads(download.value.path().read_text())["line"] == len(rows) + 1
    shot(page, f"import-checked-{name}")
    assert fits(page)

    tick(page, "Leave bad rows out")
    page.get_by_text("Cleaning before people label it", exact=True).click()
    tick(page, "Leave out prompts that were there before")
    page.get_by_role("spinbutton", name="… or that begin with the same so many characters").fill("40")
    page.get_by_role("spinbutton", name="… or that mean the same, by cosine").fill("0.95")
    page.get_by_role("spinbutton", name="At most so many prompts of one author").fill("2")
    tick(page, "Put all prompts of an author into one split")
    tick(page, "Mask personal data")
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.get_by_text("1 × EMAIL masked.")).to_be_visible(timeout=SECONDS)
    for why in WHY_LEFT_OUT:
        expect(page.get_by_text(f"1 group left out: {why}.")).to_be_visible()
    expect(page.get_by_text("1 group put into test by its author.")).to_be_visible()
    shot(page, f"import-cleaned-{name}")
    page.reload()  # the state is on disk
    page.get_by_role("button", name="Import", exact=True).click(timeout=SECONDS)
    expect(page.get_by_text(f"Imported into {name}: 5 groups, 0 rankings, 0 demonstrations.")).to_be_visible(
        timeout=SECONDS
    )
    shot(page, f"import-done-{name}")
    taken = list(site.store.groups(site.store.project(name).id))
    assert [(one.id, one.split) for one in taken[1:]] == [
        ("g1", None), ("g3", None), ("g4", "test"), ("g6", None), ("g8", "test")
    ]  # fmt: skip
    page.get_by_role("button", name="Import something else").click()
    expect(page.locator("input[type=file]")).to_be_attached(timeout=SECONDS)
    assert fits(page)
    visit.problems[:] = [problem for problem in visit.problems if "404" not in problem]


def test_what_is_too_large_or_of_another_kind_is_not_taken(site: Site, visit: Visit, tmp_path: Path):
    page = manager(site, visit, "too-large", DESK)
    page.goto(f"{site.url}/import")
    large = tmp_path / "large.jsonl"
    with large.open("wb") as file:
        file.truncate(101 * 1024**2)
    page.locator("input[type=file]").set_input_files(str(large))
    expect(page.get_by_text(re.compile("100.*MB or smaller"))).to_be_visible(timeout=SECONDS)
    damaged = tmp_path / "damaged.jsonl.gz"
    damaged.write_bytes(b"no gzip at all")
    page.locator("input[type=file]").set_input_files(str(damaged))
    expect(page.get_by_text("damaged.jsonl.gz: is no sound gzip file, or cut off; pack it again")).to_be_visible(
        timeout=SECONDS
    )
    visit.problems[:] = [problem for problem in visit.problems if "404" not in problem]


def test_judgments_are_given_out_on_a_phone(site: Site, visit: Visit):
    name = "given-out"
    page = manager(site, visit, name, PHONE)
    page.goto(f"{site.url}/export")
    expect(page.get_by_role("heading", name="Export")).to_be_visible(timeout=SECONDS)
    page.get_by_role("combobox", name="Format").click()
    page.get_by_role("option", name="TRL preference pairs", exact=True).click()
    expect(page.get_by_text("“annotator”").or_(page.get_by_text('"annotator"')).first).to_be_visible(timeout=SECONDS)
    shot(page, f"export-rows-{name}")
    assert fits(page)
    page.get_by_role("button", name="Make it").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download pairs.jsonl").click(timeout=SECONDS)
    lines = download.value.path().read_text().splitlines()
    assert len(lines) == 5
    assert json.loads(lines[0])["annotator"] == "x"
    shot(page, f"export-made-{name}")
    assert fits(page)
    visit.problems[:] = [problem for problem in visit.problems if "404" not in problem]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A hub that servers started from now on push to."""
    with hub_server() as running:
        for name, value in running.environment(tmp_path / "hub-home").items():
            monkeypatch.setenv(name, value)
        yield running


def test_an_admin_pushes_to_the_hub_and_takes_it_in_from_there(
    hub: HubServer, own_url: str, visit: Visit, tmp_path: Path
):
    with open_site(own_url, tmp_path) as site:
        rows = [replace(group("pushed"), rankings=(Ranking("x", (1, 2, 3, 3)),), split="train")]
        site.store.import_groups(site.store.add_project("pushed").id, rows)
        site.add_user("root", "admin")
        page = visit.sign_in(site, "root")
        expect(page.get_by_test_id("no-tasks")).to_be_visible(timeout=SECONDS)
        page.goto(f"{site.url}/export")
        page.get_by_role("combobox", name="Format").click(timeout=SECONDS)
        page.get_by_role("option", name="TRL preference pairs", exact=True).click()
        field = page.get_by_role("textbox", name="Also push it to a data set on the Hugging Face Hub")
        field.fill("org/pushed", timeout=SECONDS)
        field.press("Enter")
        settled(page)
        page.get_by_role("button", name="Make it").click()
        expect(page.get_by_text("Pushed to org/pushed.")).to_be_visible(timeout=SECONDS)

        page.goto(f"{site.url}/import")
        page.get_by_role("textbox", name="Or a data set on the Hugging Face Hub").fill("hf:org/pushed", timeout=SECONDS)
        page.get_by_role("button", name="Look at it").click()
        page.get_by_role("button", name="Check", exact=True).click(timeout=SECONDS)
        expect(page.get_by_text("Format: trl. Completions: 5 with 2.")).to_be_visible(timeout=SECONDS)
        page.get_by_role("button", name="Import", exact=True).click()
        done = page.get_by_text("Imported into pushed: 5 groups, 5 rankings, 0 demonstrations.")
        expect(done).to_be_visible(timeout=SECONDS)
        page.close()
        taken = [one for one in site.store.groups(site.store.project("pushed").id) if one.id != "pushed"]
    assert hub.sets["org/pushed"].private
    (rows,) = hub.load("org/pushed", tmp_path / "hub-home").values()
    assert [row["annotator"] for row in rows] == ["x"] * 5
    assert [(one.completions[0].text, one.rankings[0].annotator, one.split) for one in taken] == [
        (row["chosen"], "x", "train") for row in rows
    ]
    visit.problems[:] = [problem for problem in visit.problems if "404" not in problem]


def test_a_labeler_comes_to_neither_page(site: Site, visit: Visit):
    made = site.store.add_project("kept-out")
    site.store.import_groups(made.id, [group("kept-out-0")])
    site.add_user("kept-out-ann", "labeler", ("kept-out",))
    page = visit.board(site, "kept-out-ann").page
    for path in ("import", "export"):
        page.goto(f"{site.url}/{path}")
        assert page.url == f"{site.url}/"
    visit.problems[:] = [problem for problem in visit.problems if "404" not in problem]
