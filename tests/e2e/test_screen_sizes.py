"""The labeling screen on a small phone, a tablet and a desk: everything reachable, nothing cut, targets for fingers."""

from __future__ import annotations

from typing import Any

import pytest
from board import Board, group
from browsing import Site, Visit
from playwright.sync_api import Page, expect

from labeler.label_schema import LabelSchema, preset

TOUCH = {"has_touch": True, "is_mobile": True}
SIZES: dict[str, dict[str, Any]] = {
    "phone": {"viewport": {"width": 360, "height": 640}, **TOUCH},
    "tablet": {"viewport": {"width": 768, "height": 1024}, **TOUCH},
    "desk": {"viewport": {"width": 1440, "height": 900}},
}
SMALLEST = 44
# What a finger aims at and is smaller than it should be; what is in a closed menu is measured where it is open.
TARGETS = """() => [...document.querySelectorAll(".lb :is(button, a, select, .lb-all-bad, input:not([type=checkbox]))")]
  .filter((node) => node.checkVisibility() && !node.closest(".lb-live"))
  .map((node) => ({ what: node.textContent || node.name, ...node.getBoundingClientRect().toJSON() }))
  .filter(({ width, height }) => width > 0 && (width < %d || height < %d))
  .map(({ what, width, height }) => `${what} ${Math.round(width)}×${Math.round(height)}`)"""


def opened(site: Site, visit: Visit, name: str, schema: LabelSchema, look: dict[str, Any], k: int = 4) -> Board:
    made = site.store.add_project(name, schema=schema)
    site.store.import_groups(made.id, [group(f"{name}-{i}", k, "word and other\n" * 300) for i in range(2)])
    site.add_user(f"{name}-ann", projects=(name,))
    return visit.board(site, f"{name}-ann", **look)


def small_targets(page: Page) -> list[str]:
    found: list[str] = page.evaluate(TARGETS % (SMALLEST, SMALLEST))
    return found


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("task", ["rank", "rate", "pair"])
def test_nothing_is_cut_and_the_board_stands_below(site: Site, visit: Visit, size: str, task: str):
    look = SIZES[size]
    schema = preset(task)  # type: ignore[arg-type]
    board = opened(site, visit, f"size-{size}-{task}", schema, look, k=2 if task == "pair" else 4)
    page = board.page
    width, height = look["viewport"]["width"], look["viewport"]["height"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    foot = board.part("ranking-board").bounding_box()
    assert foot["y"] + foot["height"] == pytest.approx(height, abs=1)
    submit = board.part("submit").bounding_box()
    assert submit["x"] + submit["width"] <= width
    assert submit["y"] + submit["height"] <= height
    tools = page.locator(".lb-small").bounding_box() if size == "phone" else submit
    assert submit["y"] + submit["height"] <= tools["y"] + tools["height"] + 1, "Submit has a row of its own"
    text = page.locator("[data-card=A]").bounding_box()
    shown = min(text["y"] + text["height"], foot["y"]) - text["y"]
    assert shown >= 0.2 * height, "too little of a completion is seen"
    if size != "desk":
        assert small_targets(page) == []


@pytest.mark.parametrize("size", ["phone", "tablet"])
def test_the_menu_leads_to_the_account_and_every_panel_by_touch(site: Site, visit: Visit, size: str):
    board = opened(site, visit, f"menu-{size}", LabelSchema(), SIZES[size])
    page = board.page
    expect(board.part("account")).to_be_hidden()
    board.part("menu").tap()
    for part in (
        "account",
        "sign-out",
        "guidelines-open",
        "history-open",
        "find-open",
        "reading-toggle",
        "pause",
        "help-open",
    ):
        expect(board.part(part)).to_be_visible()
    assert small_targets(page) == []
    board.part("guidelines-open").tap()
    expect(board.part("guidelines")).to_be_visible()
    assert small_targets(page) == []
    page.get_by_role("button", name="Close").tap()
    expect(board.part("account")).to_be_hidden()
    board.part("menu").tap()
    board.part("pause").tap()
    page.wait_for_timeout(600)
    board.part("resume").tap()
    board.part("menu").tap()
    board.part("account").tap()
    expect(page.get_by_role("heading", name="Account")).to_be_visible(timeout=20_000)
    visit.problems[:] = [
        problem for problem in visit.problems if "404" not in problem
    ]  # Streamlit looks for itself below


def test_a_long_text_is_read_to_its_end_on_a_phone(site: Site, visit: Visit):
    board = opened(site, visit, "toend", LabelSchema(), SIZES["phone"])
    card = board.page.locator("[data-card=A]")
    card.evaluate("(node) => (node.scrollTop = node.scrollHeight)")
    last = """(node) => {
      const range = new Range();
      range.selectNodeContents(node.querySelector(".lb-text"));
      const lines = range.getClientRects();
      return lines[lines.length - 1].bottom <= document.querySelector(".lb-board").getBoundingClientRect().top;
    }"""
    assert card.evaluate(last)
