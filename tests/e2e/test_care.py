"""Pause, content warning and breaks, all by keyboard."""

from __future__ import annotations

import time
from dataclasses import replace

from board import Board, group
from browsing import Site, Visit
from playwright.sync_api import expect
from test_labeling import project

from labeler.label_schema import LabelSchema

WARNING = "Some texts describe violence.\nTake your time."


def warned(site: Site, name: str, sensitive: tuple[bool, ...], **schema: object) -> int:
    made = site.store.add_project(name, schema=LabelSchema(**schema), dwell_seconds=0)  # type: ignore[arg-type]
    groups = [replace(group(f"{name}-{i}", 2), meta={"sensitive": s}) for i, s in enumerate(sensitive)]
    site.store.import_groups(made.id, groups)
    site.add_user(f"{name}-ann", projects=(name,))
    return made.id


def arrive(site: Site, visit: Visit, name: str) -> Board:
    board = Board(visit.sign_in(site, name))
    expect(board.part("content-warning")).to_be_visible(timeout=30_000)
    board.page.wait_for_timeout(600)  # what is pressed sooner was meant for something else
    return board


def test_a_pause_covers_the_texts_and_stops_the_clock(site: Site, visit: Visit):
    project_id = project(site, "pause")
    start = time.monotonic()
    board = visit.board(site, "pause-ann")
    board.press("a", ".")
    expect(board.part("paused")).to_be_visible()
    box = board.part("paused").bounding_box()
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, 1440, 900)
    covered = "() => document.elementFromPoint(700, 450).closest('dialog')?.dataset.testid"
    assert board.page.evaluate(covered) == "paused"
    board.press("b")
    board.page.wait_for_timeout(3000)
    board.press("Enter")
    expect(board.part("paused")).to_have_count(0)
    assert board.ranks() == {"A": "1", "B": "", "C": "", "D": ""}
    board.press(".")
    board.page.wait_for_timeout(600)
    board.press(".")
    expect(board.part("paused")).to_have_count(0)
    board.submit("b", "c", "d")
    (judgment,) = site.store.judgments(project_id)
    assert judgment.seconds is not None
    assert judgment.seconds < time.monotonic() - start - 3


def test_the_warning_comes_before_the_texts_once_in_a_sitting(site: Site, visit: Visit):
    warned(site, "warned", (True, True, False), content_warning=WARNING)
    board = arrive(site, visit, "warned-ann")
    assert board.part("completion").count() == 0
    expect(board.part("content-warning")).to_contain_text("Some texts describe violence.")
    board.press("Escape", "Escape", "Escape")
    expect(board.part("content-warning")).to_be_visible()
    board.press("Enter")
    board.wait()
    expect(board.part("progress")).to_have_text("0 of 3")
    board.page.reload()
    board.wait()
    assert board.part("content-warning").count() == 0


def test_not_today_leaves_the_sensitive_tasks_out_until_one_includes_them(site: Site, visit: Visit):
    project_id = warned(site, "nottoday", (True, True, False), content_warning=WARNING)
    board = arrive(site, visit, "nottoday-ann")
    board.press("Tab", "Enter")
    board.wait()
    expect(board.part("progress")).to_have_text("0 of 1")
    expect(board.part("legend")).to_contain_text("Sensitive tasks are left out")
    (only,) = [
        task.id for task in site.store.task_page(project_id, after=0, limit=9) if not task.row["meta"]["sensitive"]
    ]
    assert board.task == only
    board.submit("a", "b")
    expect(board.part("no-tasks")).to_be_visible()
    board.page.reload()
    board.wait()
    assert board.part("content-warning").count() == 0
    expect(board.part("no-tasks")).to_be_visible()
    board.part("care-include").click()
    expect(board.part("progress")).to_have_text("1 of 3")
    board.press("!")
    board.page.wait_for_timeout(600)
    board.press("Tab", "Enter")
    expect(board.part("no-tasks")).to_be_visible()


def test_a_break_is_suggested_between_tasks_after_the_minutes_of_the_project(site: Site, visit: Visit):
    warned(site, "breaks", (False, False, False), break_minutes=20)
    board = visit.board(site, "breaks-ann")
    user = site.store.user("breaks-ann").id
    board.submit("a", "b")
    assert board.part("break").count() == 0
    board.page.evaluate(
        f"localStorage.setItem('labeler-stint:{user}', JSON.stringify({{seconds: 1300, at: Date.now()}}))"
    )
    board.page.wait_for_timeout(1200)
    assert board.part("break").count() == 0  # not in the middle of a task
    board.submit("a", "b")
    expect(board.part("break")).to_contain_text("20 minutes")
    board.press("Enter")
    expect(board.part("break")).to_be_visible()  # that press came too soon to be an answer
    board.page.wait_for_timeout(600)
    board.press("Enter")
    expect(board.part("paused")).to_be_visible()
    board.page.wait_for_timeout(600)
    board.press(".")
    board.submit("b", "a")
    assert board.part("break").count() == 0
