"""The screening exam in the browser, from the candidate's first task to the manager's decision."""

from __future__ import annotations

from dataclasses import replace

from board import Board, group
from browsing import Site, Visit, settled
from playwright.sync_api import expect
from test_gold_page import PHONE, labels, picture
from test_managers import choose

from labeler.exam import ExamRules
from labeler.exam_desk import ExamDesk

ANSWER = "I am sorry that you feel so. <b>Please</b> talk to somebody."


def test_a_candidate_is_screened_and_admitted(site: Site, visit: Visit):
    made = site.store.add_project("screen", dwell_seconds=0)
    known = [replace(group(f"screen-known-{i}"), meta={"gold_ranks": [1, 2, 3, 4]}) for i in range(3)]
    site.store.import_groups(made.id, [group(f"screen-{i}") for i in range(3)])
    site.store.import_groups(made.id, known)
    site.add_user("screen-ann", "labeler", ("screen",))
    site.add_user("screen-boss", "manager", ("screen",))

    boss = visit.board(site, "screen-boss").page
    boss.goto(f"{site.url}/screening")
    boss.get_by_role("button", name="Save the exam").click(timeout=20_000)
    expect(boss.get_by_text("Saved.")).to_be_visible(timeout=20_000)
    boss.get_by_role("button", name="Take them").click()
    expect(boss.get_by_text("3 more tasks are kept for exams.")).to_be_visible(timeout=20_000)
    choose(boss, "Labeler", "screen-ann")
    boss.get_by_role("button", name="Let them take the exam").click()
    expect(boss.get_by_text("screen-ann gets only the exam from now on, until you admit them.")).to_be_visible(
        timeout=20_000
    )
    assert ExamDesk(site.store).rules(made.id) == ExamRules()

    board = visit.board(site, "screen-ann", viewport=PHONE)
    assert board.part("progress").text_content() == "0 of 3"
    for _ in range(3):
        assert "known" in next(iter(board.texts().values()))
        board.submit(*labels(board, right=True))
    expect(board.part("no-tasks")).to_contain_text("all tasks of the exam")
    board.part("go-on").click()
    page = board.page
    expect(page.get_by_text("3 of 3 done")).to_be_visible(timeout=20_000)
    page.get_by_role("textbox", name="Your answer 1").fill(ANSWER)
    page.get_by_text("Religion", exact=True).click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved. You can change it until a manager has decided.")).to_be_visible(timeout=20_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    picture(page, "exam-phone")

    boss.reload()
    expect(boss.get_by_text("100% of 18").first).to_be_visible(timeout=20_000)
    expect(boss.get_by_text("Areas: Religion")).to_be_visible()
    expect(boss.locator("[data-testid=stCode]").first).to_have_text(ANSWER)
    boss.get_by_role("radio", name="6").or_(boss.get_by_role("button", name="6", exact=True)).first.click()
    expect(boss.get_by_text("cut-off 6.0: reached")).to_be_visible(timeout=20_000)
    picture(boss, "screening-desk")
    settled(boss)
    boss.get_by_role("button", name="Admit").click()
    expect(boss.get_by_text("screen-ann: admit.")).to_be_visible(timeout=20_000)
    page.goto(site.url)
    admitted = Board(page)
    admitted.wait()
    assert "known" not in next(iter(admitted.texts().values()))
    visit.problems[:] = [p for p in visit.problems if "404" not in p]
