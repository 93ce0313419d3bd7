"""Finding words in the prompt and the completions."""

from __future__ import annotations

from board import Board
from browsing import Site, Visit
from playwright.sync_api import Page, expect

from labeler.records import Completion, Group, Message

NOW_IN_VIEW = """() => {
  const [range] = CSS.highlights.get("lb-found-now");
  const { top, bottom, left, right } = range.getBoundingClientRect();
  const main = document.querySelector(".lb-main").getBoundingClientRect();
  const under = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
  return top >= main.top - 1 && bottom <= main.bottom + 1 && range.startContainer.parentElement.contains(under);
}"""
NOW_TEXT = '() => [...CSS.highlights.get("lb-found-now")][0].toString()'


def opened(site: Site, visit: Visit, name: str, **options: object) -> Board:
    made = site.store.add_project(name)
    prompt = (
        Message("user", "An early Needle in a turn that is folded away."),
        Message("assistant", "Nothing."),
        Message("user", "And a needle\nin  the last turn."),
    )
    long = "hay\n" * 400
    completions = tuple(
        Completion(f"c{i}", text)
        for i, text in enumerate((f"{long}needle {long}", "nee\u200bdle needle", "a (b) [c]* $d", "none"))
    )
    site.store.import_groups(made.id, [Group("g", prompt, completions)])
    site.add_user(f"{name}-ann", projects=(name,))
    return visit.board(site, f"{name}-ann", **options)


def found_all(page: Page, count: int) -> None:
    for at in range(1, count + 1):
        expect(page.get_by_test_id("find-count")).to_have_text(f"{at} of {count}")
        assert str(page.evaluate(NOW_TEXT)).lower().replace("\u200b", "") == "needle"
        assert page.evaluate(NOW_IN_VIEW), f"hit {at} is not in view"
        page.keyboard.press("Enter")
    expect(page.get_by_test_id("find-count")).to_have_text(f"1 of {count}")


def test_find_goes_through_prompt_and_completions_and_opens_folds(site: Site, visit: Visit):
    board = opened(site, visit, "find")
    page = board.page
    assert page.locator(".lb-earlier").is_hidden()
    board.press("/")
    page.keyboard.type("needle")
    found_all(page, 5)
    expect(page.locator(".lb-earlier")).to_be_visible()
    board.press("Shift+Enter")
    expect(board.part("find-count")).to_have_text("5 of 5")
    board.press("Escape")
    expect(board.part("find")).to_be_hidden()
    assert page.evaluate('CSS.highlights.has("lb-found")') is False
    assert set(board.ranks().values()) == {""}
    board.press("a")
    assert board.ranks()["A"] == "1"


def test_find_takes_words_literally_and_white_space_loosely(site: Site, visit: Visit):
    board = opened(site, visit, "literal")
    for words, count in (("(b) [c]* $", "1 of 1"), ("needle in the", "1 of 1"), ("zebra", "not found"), ("", "")):
        board.press("/")
        board.page.keyboard.type(words)
        if not words:
            board.part("find-text").fill("")
        expect(board.part("find-count")).to_have_text(count)
        board.press("Escape")


def test_find_works_on_a_phone(site: Site, visit: Visit):
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    board = opened(site, visit, "findphone", **phone)
    board.part("menu").tap()
    board.part("find-open").tap()
    board.page.keyboard.type("needle")
    found_all(board.page, 5)


def test_find_counts_anew_for_the_next_task_and_for_the_compared(site: Site, visit: Visit):
    board = opened(site, visit, "anew")
    board.press("/")
    board.page.keyboard.type("needle")
    expect(board.part("find-count")).to_have_text("1 of 5")
    board.page.locator(".lb-main").focus()
    board.press("v")
    shown = [board.texts()[label].replace("\u200b", "").count("needle") for label in "AB"]
    expect(board.part("find-count")).to_have_text(f"1 of {2 + sum(shown)}")
    board.press("v")
    expect(board.part("find-count")).to_have_text("1 of 5")
    board.press("a", "b", "c", "d", "Enter")
    expect(board.part("no-tasks")).to_be_visible()
    expect(board.part("find-count")).to_have_text("not found")
