"""Gold items in the browser: hidden before the answer, told of after it, and a pause that a manager lifts."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from board import Board, group
from browsing import Site, Visit
from playwright.sync_api import Page, expect

from labeler.gold import GoldRules
from labeler.gold_desk import GoldDesk
from labeler.records import Group

PHONE = {"width": 390, "height": 844}
NOTE = "Only answer 0 names the number <b>that was asked for</b>."


def picture(page: Page, name: str) -> None:
    """Keep a screenshot where somebody wants to look at it."""
    if folder := os.environ.get("LABELER_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png")


def gold_group(name: str) -> Group:
    return replace(group(name), meta={"gold_ranks": [1, 2, 3, 4], "gold_note": NOTE})


def gold_project(site: Site, name: str, **rules: object) -> int:
    made = site.store.add_project(name, overlap=1)
    site.store.import_groups(made.id, [group(f"{name}-{i}") for i in range(12)])
    site.store.import_groups(made.id, [gold_group(f"{name}-gold-{i}") for i in range(8)])
    GoldDesk(site.store).set_rules(made.id, GoldRules(**{"share": 0.5, **rules}))  # type: ignore[arg-type]
    site.add_user(f"{name}-ann", "labeler", (name,))
    site.add_user(f"{name}-boss", "manager", (name,))
    return made.id


def is_gold(board: Board) -> bool:
    return "-gold-" in next(iter(board.texts().values()))


def labels(board: Board, *, right: bool) -> list[str]:
    """Letters in the right order, or turned round."""
    number = {label: int(text.split()[1]) for label, text in board.texts().items()}
    return sorted(number, key=lambda label: number[label] if right else -number[label])


def answer(board: Board, *, right: bool) -> bool:
    """Rank and submit; whether the person is told something, which is left open."""
    before = board.task
    board.press(*labels(board, right=right), "Enter")
    told = board.page.locator("[data-testid=gold-feedback]")
    told.or_(board.page.locator(f"body:not(:has([data-task-id='{before}']))")).first.wait_for(state="attached")
    return told.count() > 0


def until_gold(board: Board) -> None:
    while not is_gold(board):
        assert not answer(board, right=True)


def test_a_wrong_answer_is_told_with_the_right_one_and_why(site: Site, visit: Visit):
    gold_project(site, "told", feedback="wrong")
    board = visit.board(site, "told-ann", viewport=PHONE, color_scheme="dark")
    until_gold(board)
    right, wrong = labels(board, right=True), labels(board, right=False)
    before = board.task
    board.press(*wrong, "Enter")
    dialog = board.part("gold-feedback")
    expect(dialog).to_be_visible()
    assert board.task == before  # what is talked of is still there
    expect(board.part("gold-right")).to_have_text(" > ".join(right))
    expect(board.part("gold-yours")).to_have_text(" > ".join(wrong))
    expect(board.part("gold-note")).to_have_text(NOTE)
    picture(board.page, "gold-feedback")
    board.page.wait_for_timeout(600)
    board.press("Enter")  # the button has the focus
    expect(dialog).to_have_count(0)
    board.gone(before)
    while not is_gold(board):
        assert not answer(board, right=True)
    assert not answer(board, right=True)  # told only when wrong


def test_nothing_on_the_page_tells_a_gold_item_before_the_answer(site: Site, visit: Visit):
    project_id = gold_project(site, "blind", feedback="each")
    board = visit.board(site, "blind-ann")
    shapes, ids = {}, {}
    while len(shapes) < 2:
        gold = is_gold(board)
        raw = board.page.evaluate(f"fetch('/api/task?project={project_id}').then((answer) => answer.text())")
        assert "gold" not in raw.replace("blind-gold-", "")
        html = board.page.content()
        assert "gold" not in html.replace("blind-gold-", "").replace("lb-gold", "").replace("gold.js", "")
        shapes[gold] = shape(board.page.evaluate("JSON.parse", raw))
        ids.setdefault(gold, []).append(board.task)
        if answer(board, right=True):
            board.part("gold-continue").click()
            expect(board.part("gold-feedback")).to_have_count(0)
    assert shapes[True] == shapes[False]
    assert all(number > 2**31 for found in ids.values() for number in found)  # no ids of the database


def shape(value: object) -> object:
    """Names and kinds of everything in JSON."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return "number" if isinstance(value, int | float) else type(value).__name__


def test_who_falls_short_is_paused_and_a_manager_lets_them_go_on(site: Site, visit: Visit):
    gold_project(site, "short", threshold=0.8, least=1)
    board = visit.board(site, "short-ann")
    until_gold(board)
    answer(board, right=False)
    expect(board.part("no-tasks")).to_contain_text("paused")
    picture(board.page, "gold-paused")
    boss = visit.board(site, "short-boss").page
    boss.goto(f"{site.url}/gold")
    expect(boss.get_by_text("short-ann is paused: 0.0 %")).to_be_visible(timeout=20_000)
    picture(boss, "gold-page")
    boss.get_by_role("button", name="Let short-ann go on").click()
    expect(boss.get_by_text("short-ann is paused")).to_have_count(0, timeout=20_000)
    board.page.reload()
    board.wait()
    assert board.part("ranking-board").count() == 1
    visit.problems[:] = [p for p in visit.problems if "404" not in p]


def test_a_manager_mixes_gold_items_in(site: Site, visit: Visit):
    project_id = gold_project(site, "mixes")
    GoldDesk(site.store).set_rules(project_id, GoldRules())
    page = visit.board(site, "mixes-boss", viewport=PHONE).page
    page.goto(f"{site.url}/gold")
    expect(page.get_by_text("None are mixed in now.")).to_be_visible(timeout=20_000)
    slider = page.get_by_role("slider")
    slider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved. It holds from the next task on.")).to_be_visible(timeout=20_000)
    assert GoldDesk(site.store).rules(project_id).share == pytest.approx(0.1)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    picture(page, "gold-page-phone")
    visit.problems[:] = [p for p in visit.problems if "404" not in p]
