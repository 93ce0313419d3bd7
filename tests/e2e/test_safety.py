"""What must never happen: lost or doubled answers, texts that act, models that show, doors that stand open."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from board import Board, group
from browsing import Site, Visit, fill_login
from playwright.sync_api import Route, expect
from test_labeling import project

from labeler.records import Completion, Group, Message

ACTIVE = (
    '<img src="http://evil.example/a.png" onerror="window.hit=1"><script>window.hit=1</script>',
    "**bold** ![x](http://evil.example/b.png) [link](javascript:window.hit=1) <b>b</b>\n\n\n  - list\t$x^2$ :smile:",
    "reversed \u202etxet\u202c zero\u200bwidth &amp; &lt;i&gt; {{7*7}} \x07",
    "👩\u200d👩\u200d👧 ordinary emoji, trailing spaces   ",
)


def test_texts_are_shown_exactly_and_nothing_in_them_acts(site: Site, visit: Visit):
    made = site.store.add_project("exact")
    completions = tuple(Completion(f"secretmodel-{i}", text, "secretmodel") for i, text in enumerate(ACTIVE))
    turns = (("system", ACTIVE[1]), ("user", ACTIVE[2]), ("assistant", "ok"), ("user", ACTIVE[0]))
    prompt = tuple(Message(role, text) for role, text in turns)
    site.store.import_groups(made.id, [Group("g", prompt, completions)])
    site.add_user("exact-ann", projects=("exact",))
    page = visit.page(site)
    answers: list[str] = []
    page.on("response", lambda response: answers.append(response.text()) if "/api/" in response.url else None)
    page.goto(f"{site.url}/login")
    fill_login(page, "exact-ann")
    board = Board(page)
    board.wait()
    assert sorted(board.texts().values()) == sorted(ACTIVE)
    expect(board.part("prompt")).to_contain_text('<img src="http://evil.example/a.png"')
    for text in (ACTIVE[1], ACTIVE[2]):
        assert text in str(board.part("prompt").text_content())
    codes = page.locator("[data-testid=completion] .lb-unseen")
    assert [code.get_attribute("data-code") for code in codes.all()] == ["U+202E", "U+202C", "U+200B", "U+0007"]
    board.press("v")
    assert page.evaluate("window.hit") is None
    assert page.locator(".lb img, .lb script, .lb b, .lb a:not([data-testid=account])").count() == 0
    assert "secretmodel" not in page.content()
    assert answers
    assert not any("secretmodel" in answer for answer in answers)


def test_a_second_enter_or_click_never_submits_the_next_task(site: Site, visit: Visit):
    project_id = project(site, "double", groups=6)
    board = visit.board(site, "double-ann")
    board.rank_all()
    first = board.task
    board.press("Enter", "Enter", "Enter")
    board.gone(first)
    board.press("Enter")
    second = board.task
    board.rank_all()
    board.part("submit").dblclick()
    board.gone(second)
    board.page.wait_for_timeout(700)
    assert site.store.progress(project_id, site.store.user("double-ann").id).done == 2
    assert set(board.ranks().values()) == {""}


def test_a_held_enter_does_not_submit_a_finished_draft_of_the_next_task(site: Site, visit: Visit):
    project_id = project(site, "held", groups=3)
    board = visit.board(site, "held-ann")
    waiting = board.task
    board.rank_all()
    board.saved()
    # A correction comes before the finished draft, which is on the screen right after it.
    user = site.store.user("held-ann").id
    board.press("Backspace")
    board.submit("d")
    board.rank_all()
    board.saved()
    finished = board.task
    board.press("u")
    board.page.wait_for_selector(f"[data-task-id='{waiting}']")
    board.page.wait_for_timeout(700)
    board.page.keyboard.down("Enter")
    board.gone(waiting)
    assert board.task == finished
    for _ in range(5):
        board.page.keyboard.down("Enter")
    board.page.wait_for_timeout(800)
    board.page.keyboard.down("Enter")
    assert site.store.progress(project_id, user).done == 1
    board.page.keyboard.up("Enter")
    board.press("Enter")
    board.gone(finished)
    assert site.store.progress(project_id, user).done == 2


def test_when_drafts_cannot_be_saved_submitting_is_off_until_they_can(site: Site, visit: Visit):
    project_id = project(site, "failing")
    board = visit.board(site, "failing-ann")
    board.page.route("**/api/draft", lambda route: route.abort())
    board.rank_all()
    expect(board.part("saving")).to_contain_text("Not saved")
    expect(board.part("submit")).to_be_disabled()
    board.press("Enter")
    board.page.wait_for_timeout(300)
    assert site.store.counts(project_id).judgments == 0
    board.page.unroute("**/api/draft")
    board.saved()
    expect(board.part("submit")).to_be_enabled()
    board.press("Enter")
    expect(board.part("progress")).to_have_text("1 of 3")
    visit.expect("ERR_FAILED")


def test_an_answer_whose_reply_was_lost_is_sent_again_and_counts_once(site: Site, visit: Visit):
    project_id = project(site, "lost")
    board = visit.board(site, "lost-ann")
    sent: list[dict[str, object]] = []

    def lose_the_first_reply(route: Route) -> None:
        sent.append(route.request.post_data_json)
        if len(sent) == 1:
            route.fetch()
            route.abort()
        else:
            route.continue_()

    board.page.route("**/api/submit", lose_the_first_reply)
    board.submit("a", "b", "c", "d")
    expect(board.part("progress")).to_have_text("1 of 3")
    assert len(sent) == 2
    assert sent[0] == sent[1]
    assert site.store.counts(project_id).judgments == 1
    visit.expect("ERR_FAILED")


def test_a_reservation_that_ran_out_and_was_taken_leads_on_to_the_next_task(site: Site, visit: Visit):
    project_id = project(site, "late", groups=1, lease_seconds=0.5)
    site.add_user("late-bob", projects=("late",))
    board = visit.board(site, "late-ann")
    board.page.wait_for_timeout(700)
    other = visit.board(site, "late-bob")
    assert other.task == board.task
    other.submit("a", "b", "c", "d")
    board.rank_all()
    board.press("Enter")
    expect(board.part("no-tasks")).to_be_visible()
    expect(board.part("message")).to_contain_text("Your reservation of this task ran out and others took it")
    (standing,) = site.store.judgments(project_id)
    assert standing.annotator == "late-bob"
    visit.expect("409")


def test_a_refused_answer_can_be_mended_and_sent_again(site: Site, visit: Visit):
    project_id = project(site, "refused")
    board = visit.board(site, "refused-ann")
    refusal = {"status": 409, "json": {"error": "Too soon."}}
    board.page.route("**/api/submit", lambda route: route.fulfill(**refusal), times=1)
    board.rank_all()
    board.press("Enter")
    expect(board.part("message")).to_have_text("Too soon.")
    task = board.task
    board.press("Enter")
    board.gone(task)
    assert site.store.counts(project_id).judgments == 1
    visit.expect("409")


def test_the_latest_of_two_windows_with_one_task_wins(site: Site, visit: Visit):
    project(site, "windows")
    first, second = visit.board(site, "windows-ann"), visit.board(site, "windows-ann")
    first.press("a", "b", "c")
    first.saved()
    first.page.wait_for_timeout(1100)
    second.press("d")
    second.saved()
    first.page.reload()
    first.wait()
    assert first.ranks() == {"A": "", "B": "", "C": "", "D": "1"}


def test_a_save_that_was_long_on_its_way_does_not_end_up_in_the_correction(site: Site, visit: Visit):
    project(site, "slow")
    board = visit.board(site, "slow-ann")
    page = board.page
    on_its_way: list[Route] = []

    def hold(route: Route) -> None:
        on_its_way.append(route)

    page.route("**/api/draft", hold, times=1)
    with page.expect_request("**/api/draft"):
        board.press("a", "b")
    first = board.submit("c", "d")
    board.press("u")
    page.wait_for_selector(f"[data-task-id='{first}']")
    board.press("Backspace", "Backspace", "d", "c")
    board.saved()
    with page.expect_response("**/api/draft") as answer:
        on_its_way[0].continue_()
    assert answer.value.json() == {"version": None}
    page.reload()
    board.wait()
    assert board.task == first
    assert board.ranks() == {"A": "1", "B": "2", "C": "4", "D": "3"}


def test_a_save_for_a_cancelled_correction_does_not_end_up_in_the_next_opening(site: Site, visit: Visit):
    project(site, "cancelled")
    board = visit.board(site, "cancelled-ann")
    page = board.page
    first = board.submit("a", "b", "c", "d")
    waiting = board.task
    board.press("u")
    page.wait_for_selector(f"[data-task-id='{first}']")
    on_its_way: list[Route] = []

    def hold(route: Route) -> None:
        on_its_way.append(route)

    page.route("**/api/draft", hold, times=1)
    with page.expect_request("**/api/draft"):
        board.press("Backspace", "Backspace")
    board.part("keep").click()
    page.wait_for_selector(f"[data-task-id='{waiting}']")
    board.press("u")
    page.wait_for_selector(f"[data-task-id='{first}']")
    assert board.ranks() == {"A": "1", "B": "2", "C": "3", "D": "4"}
    with page.expect_response("**/api/draft") as answer:
        on_its_way[0].continue_()
    assert answer.value.json() == {"version": None}
    page.reload()
    board.wait()
    assert board.task == first
    assert board.ranks() == {"A": "1", "B": "2", "C": "3", "D": "4"}


def test_an_unsent_draft_left_in_the_browser_does_not_end_up_in_the_correction(site: Site, visit: Visit):
    project(site, "left")
    board = visit.board(site, "left-ann")
    other = Board(board.page.context.new_page())
    other.page.goto(site.url)
    other.wait()
    other.page.route("**/api/draft", lambda route: route.abort())
    first = board.submit("a", "b", "c", "d")
    other.press("d")
    expect(other.part("saving")).to_contain_text("Not saved")
    other.press("c")
    other.page.close()
    board.press("u")
    board.page.wait_for_selector(f"[data-task-id='{first}']")
    assert board.ranks() == {"A": "1", "B": "2", "C": "3", "D": "4"}


def test_a_window_whose_task_was_answered_in_another_goes_on_and_says_why(site: Site, visit: Visit):
    project_id = project(site, "overtaken")
    board, behind = visit.board(site, "overtaken-ann"), visit.board(site, "overtaken-ann")
    first = board.submit("a", "b", "c", "d")
    assert behind.task == first
    behind.press("d")
    behind.gone(first)
    expect(behind.part("message")).to_contain_text("answered")
    assert behind.task == board.task
    assert set(behind.ranks().values()) == {""}
    behind.submit("d", "c", "b", "a")
    assert site.store.counts(project_id).judgments == 2


def test_a_draft_outlives_a_restart_of_the_server(own_site: Site, visit: Visit):
    project_id = project(own_site, "restart")
    board = visit.board(own_site, "restart-ann")
    task = board.task
    board.press("d", "c")
    board.saved()
    own_site.stop()
    board.press("b")
    expect(board.part("saving")).to_contain_text("Not saved")
    own_site.start()
    board.press("a")
    board.saved()
    board.press("Enter")
    board.gone(task)
    assert own_site.store.counts(project_id).judgments == 1
    assert own_site.store.history(project_id, own_site.store.user("restart-ann").id)[0].summary == "D > C > B > A"
    board.page.wait_for_timeout(3000)  # Streamlit finds its server again and must leave the board alone
    assert board.page.locator(".lb").count() == 1
    visit.expect("ERR_CONNECTION|WebSocket|server endpoint|server is not responding|ERR_EMPTY")


def test_two_browsers_never_get_the_same_slot(site: Site, visit: Visit):
    project_id = project(site, "slots", groups=8)
    for name in ("bob", "eve"):
        site.add_user(f"slots-{name}", projects=("slots",))
    boards = [visit.board(site, f"slots-{name}") for name in ("ann", "bob", "eve")]
    assert len({board.task for board in boards}) == 3
    done: list[int] = []
    while any(board.part("ranking-board").count() for board in boards):
        shown = [board.task for board in boards if board.part("ranking-board").count()]
        assert len(set(shown)) == len(shown)
        done += [board.submit() for board in boards if board.part("ranking-board").count()]
    assert len(done) == len(set(done)) == 8
    assert site.store.counts(project_id).finished == 8


def test_who_is_signed_out_keeps_the_draft_and_gets_a_link(site: Site, visit: Visit):
    project(site, "expired")
    board = visit.board(site, "expired-ann")
    board.press("b")
    board.saved()
    board.page.context.clear_cookies()
    board.press("c")
    link = board.part("message").get_by_role("link")
    expect(link).to_be_visible()
    expect(board.part("submit")).to_be_disabled()
    link.click()
    fill_login(board.page, "expired-ann")
    board.wait()
    assert board.ranks() == {"A": "", "B": "1", "C": "2", "D": ""}
    visit.expect("401")


def test_who_is_signed_out_while_answering_keeps_the_draft(site: Site, visit: Visit):
    project_id = project(site, "gone")
    board = visit.board(site, "gone-ann")
    board.rank_all()
    board.saved()
    other = board.page.context.new_page()
    other.goto(site.url)
    other.get_by_test_id("sign-out").click()
    other.wait_for_url(f"{site.url}/login")
    board.press("Enter")
    expect(board.part("message").get_by_role("link")).to_be_visible()
    assert site.store.counts(project_id).judgments == 0
    fill_login(other, "gone-ann")
    again = Board(other)
    again.wait()
    assert again.ranks() == board.ranks()
    again.page.wait_for_timeout(600)  # an Enter in the first half second belongs to what was on the screen before
    again.press("Enter")
    expect(again.part("progress")).to_have_text("1 of 3")
    visit.expect("401")


def test_what_is_on_ones_page_is_never_recorded_as_somebody_elses(site: Site, visit: Visit):
    """Two people share a browser, and the task: the cookie is of whoever signed in last."""
    project_id = project(site, "shared", groups=1, overlap=2)
    site.add_user("shared-bob", projects=("shared",))
    board = visit.board(site, "shared-ann")
    other = Board(board.page.context.new_page())
    other.page.goto(f"{site.url}/login")
    fill_login(other.page, "shared-bob")
    other.wait()
    assert other.task == board.task
    board.press("a")
    expect(board.part("message").get_by_role("link")).to_be_visible()
    board.press("b", "c", "d", "Enter")
    other.page.reload()
    other.wait()
    assert set(other.ranks().values()) == {""}
    assert site.store.counts(project_id).judgments == 0
    visit.expect("401")


def test_an_answer_given_without_network_is_sent_when_it_is_back(site: Site, visit: Visit):
    project_id = project(site, "offline")
    board = visit.board(site, "offline-ann")
    board.rank_all()
    board.saved()
    board.page.context.set_offline(True)
    task = board.task
    board.press("Enter")
    expect(board.part("message")).to_contain_text("Not sent yet")
    expect(board.part("submit")).to_be_disabled()
    board.page.context.set_offline(False)
    board.gone(task)
    assert site.store.counts(project_id).judgments == 1
    visit.expect("ERR_INTERNET_DISCONNECTED|WebSocket")


def test_back_and_forward_lead_to_the_draft(site: Site, visit: Visit):
    project(site, "back")
    board = visit.board(site, "back-ann")
    task = board.task
    board.press("c", "a")
    board.page.go_back()
    board.page.wait_for_url(f"{site.url}/login")
    board.page.go_forward()
    board.wait()
    assert board.task == task
    assert board.ranks() == {"A": "2", "B": "", "C": "1", "D": ""}


def test_labelers_have_no_managers_pages(site: Site, visit: Visit):
    project(site, "closed")
    board = visit.board(site, "closed-ann")
    assert board.page.get_by_role("link", name="Overview").count() == 0
    for path in ("overview", "people", "train"):
        board.page.goto(f"{site.url}/{path}")
        board.wait()
        assert board.page.url == f"{site.url}/"
        assert board.page.get_by_role("heading").count() == 0


def test_nothing_opens_without_a_session(site: Site, visit: Visit):
    page = visit.page(site)
    for path in ("/", "/overview", "/train"):
        page.goto(site.url + path)
        assert page.url == f"{site.url}/login"
    fill_login(page, "nobody", "wrong password")
    expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
    visit.expect("403")


def test_a_phone_ranks_by_taps_and_swipes(site: Site, visit: Visit, in_time: Callable[..., None]):
    project_id = project(site, "phone")
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
    board = visit.board(site, "phone-ann", **phone)
    page = board.page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    cards = page.locator(".lb-card")
    for label in "ABCD":
        page.get_by_role("button", name=f"Show completion {label}").tap()
        card = page.locator(f"[data-card={label}]")
        in_time(lambda card=card: abs(card.bounding_box()["x"]) < 2)
        assert card.bounding_box()["width"] == pytest.approx(390, abs=1)
    assert cards.count() == 4
    ends = [page.locator(".lb-row .lb-end").nth(i).bounding_box() for i in (0, 1)]
    assert ends[0]["y"] == ends[1]["y"], "best and worst stand on one line"
    for button in (board.chip("A"), board.part("submit"), board.part("skip")):
        box = button.bounding_box()
        assert box
        assert box["y"] + box["height"] <= 844
        assert box["height"] >= 32
    board.chip("C").tap()
    board.part("tie").tap()
    board.chip("A").tap()
    board.chip("B").tap()
    board.chip("D").tap()
    assert board.ranks() == {"A": "1", "B": "2", "C": "1", "D": "3"}
    task = board.task
    board.part("submit").tap()
    board.gone(task)
    assert site.store.counts(project_id).judgments == 1


def test_many_people_at_once_over_the_api(site: Site, visit: Visit):
    """Thirty people's requests at the same moment each get an answer, and no slot is given twice."""
    made = site.store.add_project("crowd", overlap=2)
    site.store.import_groups(made.id, [group(f"crowd-{i}") for i in range(30)])
    boards = []
    for i in range(3):
        site.add_user(f"crowd-{i}", projects=("crowd",))
        boards.append(visit.board(site, f"crowd-{i}"))
    script = """async (project) => Promise.all(Array.from({length: 10}, () =>
        fetch(`/api/task?project=${project}`).then((r) => r.json()).then((j) => j.task.id)))"""
    found = [board.page.evaluate(script, made.id) for board in boards]
    assert all(len(set(ids)) == 1 for ids in found)
    assert threading.active_count() < 50
