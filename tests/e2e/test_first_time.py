"""Somebody who has never been here ranks ten items without touching a mouse."""

from __future__ import annotations

import re

from board import Board
from browsing import Site, Visit
from playwright.sync_api import expect
from test_labeling import project

from labeler.accounts import Accounts

COUNT = """
window.presses = 0; window.pointed = 0;
addEventListener("keydown", () => (window.presses += 1), true);
for (const kind of ["pointerdown", "wheel"]) addEventListener(kind, () => (window.pointed += 1), true);
"""
MOST = 6


def test_ten_items_by_keyboard_with_at_most_six_presses_each(site: Site, visit: Visit):
    project_id = project(site, "newcomer", groups=10)
    site.store.add_user("newcomer-new", "labeler", ("newcomer",))
    page = visit.page(site)
    page.add_init_script(COUNT)
    page.goto(f"{site.url}/invite/{Accounts(site.store).invite('newcomer-new')}")
    page.keyboard.press("Tab")
    if page.evaluate("document.activeElement.name") != "password":  # the field may have the focus already
        page.keyboard.press("Shift+Tab")
    page.keyboard.type("a long password")
    page.keyboard.press("Enter")
    board = Board(page)
    board.wait()
    hint = page.locator(".lb-row .lb-gap").evaluate("(gap) => getComputedStyle(gap, '::before').content")
    assert re.search("type letters", hint), "the screen says what to do"
    for done in range(1, 11):
        before = page.evaluate("window.presses")
        page.wait_for_timeout(600)
        task = board.task
        board.press(*(("c", "a", "=", "d", "b", "Enter") if done % 2 else ("d", "b", "a", "c", "Enter")))
        board.gone(task)
        assert page.evaluate("window.presses") - before <= MOST
        expect(board.part("progress")).to_have_text(f"{done} of 10")
    expect(board.part("no-tasks")).to_be_visible()
    assert page.evaluate("window.pointed") == 0
    assert site.store.counts(project_id).judgments == 10
