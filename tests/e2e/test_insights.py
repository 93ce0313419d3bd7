"""The insight pages in a browser: each opens with its pictures, on a desk and on a phone, light and dark."""

from __future__ import annotations

import csv
from dataclasses import replace

import pytest
from board import group
from browsing import Site, Visit
from playwright.sync_api import expect

from labeler.records import Ranking

PAGES = {"agreement": 2, "labelers": 2, "models": 2, "throughput": 2}
"""Pictures on each."""
PHONE = {"width": 390, "height": 844}


def judged_project(site: Site, name: str) -> None:
    made = site.store.add_project(name, overlap=3)
    groups = []
    for n in range(12):
        at = f"2026-01-0{1 + n % 3}T10:00:00Z"
        said = (Ranking("x", (1, 2, 3, 4), at=at), Ranking("y", (1, 2, 4, 3), at=at))
        groups.append(replace(group(f"{name}-{n}"), rankings=said))
    site.store.import_groups(made.id, groups)
    site.add_user(f"{name}-boss", "manager", (name,))
    site.add_user(f"{name}-ann", "labeler", (name,))


@pytest.mark.parametrize("look", [{}, {"viewport": PHONE, "color_scheme": "dark"}], ids=["desk", "dark phone"])
def test_each_page_draws_its_pictures(site: Site, visit: Visit, look: dict[str, object]):
    name = f"insights{len(look)}"
    judged_project(site, name)
    page = visit.board(site, f"{name}-boss", **look).page
    for path, pictures in PAGES.items():
        page.goto(f"{site.url}/{path}")
        expect(page.get_by_role("heading", name=path.capitalize())).to_be_visible(timeout=20_000)
        expect(page.locator("[data-testid=stVegaLiteChart]")).to_have_count(pictures, timeout=20_000)
        expect(page.get_by_role("button", name="Download CSV").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    table = page.get_by_test_id("stDataFrame").first
    table.hover()
    expect(page.get_by_role("button", name="Fullscreen").first).to_be_attached()
    expect(page.get_by_role("button", name="Download as CSV")).to_have_count(0)  # Streamlit's, as the page writes it
    page.goto(f"{site.url}/agreement")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click(timeout=20_000)
    with download.value.path().open(encoding="utf-8", newline="") as file:
        everything = next(csv.DictReader(file))
    assert everything["of"] == "everything"
    assert float(everything["equal verdicts"]) == pytest.approx(5 / 6)  # of six pairs two people differ on one
    assert float(everything["equal verdicts, low"]) <= 5 / 6 <= float(everything["equal verdicts, high"])
    visit.problems[:] = [p for p in visit.problems if "404" not in p]  # Streamlit looks for itself below the page


def test_a_labeler_finds_their_own_work_and_no_managers_page(site: Site, visit: Visit):
    judged_project(site, "mine")
    page = visit.board(site, "mine-ann").page
    page.get_by_test_id("history-open").click()
    page.get_by_test_id("my-work").click()
    expect(page.get_by_role("heading", name="My work")).to_be_visible(timeout=20_000)
    for path in PAGES:
        page.goto(f"{site.url}/{path}")
        assert page.url == f"{site.url}/"
    visit.problems[:] = [p for p in visit.problems if "404" not in p]
