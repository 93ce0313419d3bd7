"""Review and comments in the browser: the list, judgments side by side, deciding, sending back, talking."""

from __future__ import annotations

from board import Board, group
from browsing import Site, Visit
from playwright.sync_api import Page, expect
from test_gold_page import PHONE, picture

from labeler.chat import Turn, WrittenDialogue
from labeler.entities import Submission
from labeler.label_schema import LabelSchema, preset
from labeler.records import Group
from labeler.review_desk import ReviewDesk
from labeler.threads import Threads

ORDERS = {"a": ((0, 1, 2, 3), (3, 2, 1, 0)), "b": ((0, 1, 2, 3), (1, 0, 2, 3)), "c": ((0, 1, 2, 3), (0, 1, 2, 3))}
"""What two labelers say of three tasks: all otherwise, one pair otherwise, the same."""


def judged(site: Site, name: str, schema: LabelSchema | None = None) -> int:
    made = site.store.add_project(name, overlap=2, dwell_seconds=0, schema=schema)
    site.store.import_groups(made.id, [group(f"{name}-{task}") for task in ORDERS])
    site.add_user(f"{name}-boss", "manager", (name,))
    rates = bool(schema and schema.rates)
    for place, who in enumerate(("ann", "bob")):
        site.add_user(f"{name}-{who}", "labeler", (name,))
        user = site.store.user(f"{name}-{who}")
        while task := site.store.next_task(made.id, user.id):
            order = ORDERS[task.group_id[-1]][place]
            ranks = {f"secretmodel-{index}": rank for rank, index in enumerate(order, 1)}
            ratings = {name: 7 - rank for name, rank in ranks.items()} if rates else {}
            flags = {"secretmodel-1": ("hallucination",)} if rates else {}
            answer = Submission(
                f"{name}-{who}-{task.task_id}", task.task_id, "rank", ranks, ratings, flags, note=f"note of {who}"
            )
            site.store.submit(user.id, answer)
    return made.id


def open_review(visit: Visit, site: Site, who: str, **look: object) -> Page:
    page = visit.board(site, who, **look).page
    page.goto(f"{site.url}/review")
    page.wait_for_selector("[data-testid=judgment], [data-testid=review-empty]", timeout=30_000)
    return page


def said(page: Page) -> list[str]:
    return page.locator("[data-testid=judgment] [data-testid=said]").all_text_contents()


def test_the_most_disagreed_comes_first_and_keys_go_on(site: Site, visit: Visit):
    judged(site, "sides")
    page = open_review(visit, site, "sides-boss")
    lines = page.get_by_test_id("review-line")
    expect(lines).to_have_count(3)
    assert [text.split("%")[0].strip() for text in lines.all_text_contents()] == ["100", "17", "0"]
    assert sorted(said(page)) == ["A > B > C > D", "D > C > B > A"]
    assert "sides-ann" not in page.content()  # blind until asked
    picture(page, "review-desk")
    page.keyboard.press("n")
    expect(page.get_by_role("heading", name="sides-ann")).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_test_id("review-count")).to_contain_text("2 of 3")
    assert sorted(said(page)) == ["A > B > C > D", "B > A > C > D"]
    page.keyboard.press("ArrowUp")
    expect(page.get_by_test_id("review-count")).to_contain_text("1 of 3")
    visit.problems[:] = [p for p in visit.problems if "404" not in p]


def test_a_reviewer_accepts_one_and_writes_another_on_a_phone(site: Site, visit: Visit):
    project_id = judged(site, "final")
    page = open_review(visit, site, "final-boss", viewport=PHONE, color_scheme="dark")
    page.get_by_test_id("accept").first.click()
    expect(page.get_by_test_id("final")).to_contain_text("final-boss accepted a judgment")
    picture(page, "review-phone")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_test_id("review-count")).to_contain_text("2 of 3")
    for key in ("b", "d", "=", "a", "c"):
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("final")).to_contain_text("B > A = D > C")
    decisions = ReviewDesk(site.store).decisions(project_id, after=0, limit=9)
    finals = {final.group_id: final for final in decisions}
    assert finals["final-a"].accepted
    assert (finals["final-b"].ranking.ranks, finals["final-b"].accepted) == ((2, 1, 3, 2), None)
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    page.get_by_test_id("review-show").select_option("final")
    expect(page.get_by_test_id("review-line")).to_have_count(2)
    visit.problems[:] = [p for p in visit.problems if "404" not in p]


def test_ratings_and_flags_are_decided_too(site: Site, visit: Visit):
    project_id = judged(site, "rated", preset("rate"))
    page = open_review(visit, site, "rated-boss")
    expect(page.get_by_test_id("judgment").first).to_contain_text("made up")
    page.get_by_role("button", name="start from it").first.click()
    page.locator("[data-testid=rating][data-label=A][data-rating='2']").click()
    page.locator("[data-testid=flag][data-flag=sexual_content]").click()
    picture(page, "review-rated")
    page.get_by_test_id("review-decide").click()
    expect(page.get_by_test_id("final")).to_contain_text("A 2")
    (final,) = ReviewDesk(site.store).decisions(project_id, after=0, limit=9)
    assert final.ranking.ratings
    assert final.ranking.ratings[0] == 2
    assert any("sexual_content" in names for names in final.ranking.flags or ())
    visit.problems[:] = [p for p in visit.problems if "404" not in p]


def test_what_people_write_is_read_and_sent_back_but_not_decided(site: Site, visit: Visit):
    verses = site.store.add_project("verses", schema=preset("demonstrate"), dwell_seconds=0)
    plays = site.store.add_project("verse-plays", schema=preset("chat"), dwell_seconds=0)
    site.store.import_groups(verses.id, [group("verse", 0)])
    site.store.import_groups(plays.id, [Group("play", (), (), meta={"scenario": "Play a customer."})])
    for who, role in (("ann", "labeler"), ("boss", "manager")):
        site.add_user(f"verse-{who}", role, ("verses", "verse-plays"))
    ann = site.store.user("verse-ann")
    talk = WrittenDialogue((Turn("user", "Hello <b>there</b>"), Turn("assistant", "Hm?")))
    for made, said in (
        (verses, {"kind": "write", "written": "So <i>be</i> it."}),
        (plays, {"kind": "rank", "dialogue": talk}),
    ):
        task = site.store.next_task(made.id, ann.id)
        assert task
        site.store.submit(ann.id, Submission(f"verse-{made.id}", task.task_id, **said))  # type: ignore[arg-type]
    page = open_review(visit, site, "verse-boss")
    expect(page.get_by_test_id("written")).to_have_text("So <i>be</i> it.")
    expect(page.get_by_test_id("review-decide")).to_be_hidden()
    expect(page.get_by_test_id("accept")).to_have_count(0)
    for key in ("1", "Enter", "A"):
        page.keyboard.press(key)
    page.get_by_test_id("send-back").click()
    page.get_by_test_id("send-back-text").fill("Longer, please.")
    page.get_by_test_id("send-back-send").click()
    expect(page.get_by_text("Sent back: Longer, please.")).to_be_visible()
    page.get_by_test_id("review-project").select_option(label="verse-plays")
    expect(page.get_by_test_id("prompt")).to_contain_text("Play a customer.")
    expect(page.get_by_test_id("written")).to_have_text(["Hello <b>there</b>", "Hm?"])
    picture(page, "review-dialogue")
    assert not ReviewDesk(site.store).decisions(verses.id, after=0, limit=1)
    visit.problems[:] = [p for p in visit.problems if "404" not in p]


def test_a_judgment_is_sent_back_corrected_and_gone(site: Site, visit: Visit):
    project_id = judged(site, "again")
    page = open_review(visit, site, "again-boss")
    page.get_by_test_id("send-back").first.click()
    page.get_by_test_id("send-back-text").fill("Is A not made up?")
    page.get_by_test_id("send-back-send").click()
    expect(page.get_by_text("Sent back: Is A not made up?")).to_be_visible()
    back = page.get_by_test_id("judgment").first.get_attribute("data-judgment")
    judgment = next(item for item in site.store.judgments(project_id) if item.id == int(back or 0))

    board = visit.board(site, judgment.annotator)
    expect(board.part("history-open")).to_have_attribute("data-count", "1")
    board.press("h")
    expect(board.part("again")).to_have_text("Please look again: Is A not made up?")
    picture(board.page, "history-again")
    board.part("history").get_by_role("button", name="Correct").first.click()
    board.page.wait_for_selector("[data-testid=ranking-board]")
    board.press("Backspace", "Backspace", "Backspace", "Backspace")
    board.rank_all()
    board.press("Enter")
    expect(board.part("no-tasks")).to_be_visible()
    expect(board.part("history-open")).not_to_have_attribute("data-count", "1")
    user = site.store.user(judgment.annotator)
    assert ReviewDesk(site.store).returned(project_id, user.id) == {}
    visit.problems[:] = [p for p in visit.problems if "404" not in p]


def test_one_more_opinion_from_the_page(site: Site, visit: Visit):
    project_id = judged(site, "more")
    page = open_review(visit, site, "more-boss")
    page.keyboard.press("o")
    expect(page.get_by_text("2 judged, 3 wanted")).to_be_visible()
    site.add_user("more-cy", "labeler", ("more",))
    assert site.store.next_task(project_id, site.store.user("more-cy").id)
    visit.problems[:] = [p for p in visit.problems if "404" not in p]


def test_labeler_and_manager_talk_about_a_task(site: Site, visit: Visit):
    made = site.store.add_project("talk", overlap=3, dwell_seconds=0)
    site.store.import_groups(made.id, [group("talk-1")])
    for who, role in (("ann", "labeler"), ("bob", "labeler"), ("boss", "manager")):
        site.add_user(f"talk-{who}", role, ("talk",))
    board = visit.board(site, "talk-ann", viewport=PHONE, color_scheme="dark")
    board.part("comments").click()
    board.part("comment-text").fill("Is <b>B</b> right?")
    board.part("comment-send").click()
    expect(board.part("comment")).to_contain_text("Is <b>B</b> right?")
    picture(board.page, "comments-phone")
    board.page.keyboard.press("Escape")

    desk = Threads(site.store)
    boss = site.store.user("talk-boss")
    assert [item.count for item in desk.unread(made.id, boss.id)] == [1]
    page = visit.board(site, "talk-boss").page
    page.goto(f"{site.url}/review")
    expect(page.get_by_test_id("review-inbox")).to_have_attribute("data-count", "1", timeout=20_000)
    page.get_by_test_id("review-inbox").click()
    page.get_by_role("button", name="Read", exact=True).click()
    expect(page.get_by_test_id("comment")).to_contain_text("Is <b>B</b> right?")
    page.get_by_test_id("comment-text").last.fill("It is.")
    page.get_by_test_id("comment-send").last.click()
    expect(page.get_by_test_id("comment")).to_have_count(2)
    picture(page, "comments-boss")
    assert [item.count for item in desk.unread(made.id, boss.id)] == []
    board.page.reload()
    board.wait()
    expect(board.part("comments")).to_have_attribute("data-count", "1")
    board.press(";")
    expect(board.part("comment")).to_have_count(2)
    expect(board.part("comment").nth(1)).to_contain_text("manager")
    assert "talk-boss" not in board.page.content()
    expect(board.part("comments")).not_to_have_attribute("data-count", "1")
    other = visit.board(site, "talk-bob")
    other.press(";")
    expect(other.page.get_by_text("Nobody has written about this task yet.")).to_be_visible()
    visit.problems[:] = [p for p in visit.problems if "404" not in p]


def test_a_reviewer_finds_the_page_and_a_labeler_does_not(site: Site, visit: Visit):
    project_id = judged(site, "rights")
    page = visit.board(site, "rights-bob").page
    answer = page.evaluate(
        f"fetch('/api/review/list', {{method: 'POST', headers: {{'content-type': 'application/json'}}, "
        f"body: JSON.stringify({{project: {project_id}, show: 'disagreement'}})}}).then((answer) => answer.status)"
    )
    assert answer == 403
    visit.expect("403")
    ReviewDesk(site.store).set_reviewer(project_id, "rights-bob", may=True)
    page.reload()
    Board(page).wait()
    page.get_by_role("link", name="Review").click()
    expect(page.get_by_test_id("judgment")).to_have_count(2, timeout=20_000)
    visit.problems[:] = [p for p in visit.problems if "404" not in p]
