"""Ranking in a real browser, and what of it reaches the files that train a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from board import group
from browsing import Site, Visit
from playwright.sync_api import expect

from labeler.snapshot import freeze


def project(site: Site, name: str, groups: int = 3, k: int = 4, overlap: int = 1, **rules: object) -> int:
    made = site.store.add_project(name, overlap=overlap, **rules)
    site.store.import_groups(made.id, [group(f"{name}-{i}", k) for i in range(groups)])
    site.add_user(f"{name}-ann", projects=(name,))
    return made.id


def ranked_texts(site: Site, project_id: int) -> dict[str, list[list[str]]]:
    """Standing rankings by group: tiers of texts, best first."""
    found = {}
    for one in site.store.groups(project_id):
        for ranking in one.rankings:
            tiers: dict[int, list[str]] = {}
            for completion, rank in zip(one.completions, ranking.ranks, strict=True):
                if rank is not None:
                    tiers.setdefault(rank, []).append(completion.text)
            found[one.id] = [sorted(tiers[rank]) for rank in sorted(tiers)]
    return found


def test_a_ranking_by_keyboard_is_in_the_snapshot_as_it_was_made(site: Site, visit: Visit, tmp_path: Path):
    project_id = project(site, "keys")
    board = visit.board(site, "keys-ann")
    assert board.part("progress").text_content() == "0 of 3"
    assert board.part("submit").is_disabled()
    texts = board.texts()
    board.press("b", "d", "=", "a")
    assert board.ranks() == {"A": "2", "B": "1", "C": "", "D": "2"}
    assert board.part("submit").is_disabled()
    board.press("c", "Backspace", "c")
    first = board.task
    board.press("Enter")
    board.gone(first)
    expect(board.part("progress")).to_have_text("1 of 3")

    freeze(site.store, site.store.project("keys"), tmp_path / "snapshot")
    rows = [json.loads(line) for line in (tmp_path / "snapshot" / "groups.jsonl").read_text().splitlines()]
    (row,) = [row for row in rows if row["rankings"]]
    (ranking,) = row["rankings"]
    shown = [texts[label] for label in "ABCD"]
    by_id = {completion["id"]: completion["text"] for completion in row["completions"]}
    assert [by_id[name] for name in ranking["order"]] == shown
    ranks = {c["text"]: rank for c, rank in zip(row["completions"], ranking["ranks"], strict=True)}
    assert ranks == {texts["B"]: 1, texts["A"]: 2, texts["D"]: 2, texts["C"]: 3}
    assert ranking["annotator"] == "keys-ann"
    assert ranking["seconds"] > 0
    assert ranked_texts(site, project_id)


def test_dragging_makes_ranks_ties_and_takes_them_back(site: Site, visit: Visit):
    project_id = project(site, "drag")
    board = visit.board(site, "drag-ann")
    texts = board.texts()
    board.drag(board.chip("A"), board.page.locator(".lb-row"))
    assert board.ranks()["A"] == "1"
    board.drag(board.chip("B"), board.chip("A"))
    assert board.ranks() == {"A": "1", "B": "1", "C": "", "D": ""}
    board.drag(board.chip("C"), board.page.locator(".lb-gap").first)
    assert board.ranks() == {"A": "2", "B": "2", "C": "1", "D": ""}
    board.drag(board.chip("D"), board.page.locator(".lb-gap").nth(1))
    assert board.ranks() == {"A": "3", "B": "3", "C": "1", "D": "2"}
    board.drag(board.chip("B"), board.page.locator(".lb-pool"), at=(0.1, 0.5))
    assert board.ranks() == {"A": "3", "B": "", "C": "1", "D": "2"}
    board.drag(board.chip("B"), board.chip("C"))
    before = board.task
    board.part("submit").click()
    board.gone(before)
    tied = sorted((texts["B"], texts["C"]))
    assert list(ranked_texts(site, project_id).values()) == [[tied, [texts["D"]], [texts["A"]]]]


def test_chips_and_cards_work_by_keyboard_alone(site: Site, visit: Visit):
    project(site, "arrows")
    board = visit.board(site, "arrows-ann")
    board.chip("C").focus()
    board.press("ArrowUp")
    board.chip("A").focus()
    board.press("ArrowRight")
    assert board.ranks() == {"A": "2", "B": "", "C": "1", "D": ""}
    board.press("ArrowLeft")
    assert board.ranks()["A"] == "1"
    assert board.ranks()["C"] == "1"
    board.press("ArrowLeft")
    assert board.ranks() == {"A": "1", "B": "", "C": "2", "D": ""}
    board.press("ArrowDown")
    assert board.ranks()["A"] == ""
    for label, rank in {"A": "2", "B": "1", "C": "2", "D": "3"}.items():
        board.page.locator(f"[data-card={label}]").focus()
        board.press(rank)
    assert board.ranks() == {"A": "2", "B": "1", "C": "2", "D": "3"}
    live = board.page.locator(".lb-live")
    expect(live).to_have_text("Best to worst: B, then A and C tied, then D. All ranked.")
    expect(board.part("submit")).to_be_enabled()


def test_tapping_ranks_in_order_and_nine_letters_leave_the_panels_reachable(site: Site, visit: Visit):
    project(site, "nine", k=9)
    board = visit.board(site, "nine-ann")
    board.chip("I").click()
    board.page.locator("[data-card=H] .lb-letter").click()
    board.part("tie").click()
    board.chip("G").click()
    assert {label: rank for label, rank in board.ranks().items() if rank} == {"I": "1", "H": "2", "G": "2"}
    board.chip("G").click()
    assert board.ranks()["G"] == ""
    board.press("g", "a")
    assert board.ranks()["G"] == "3"
    board.press("Shift+H")
    expect(board.part("history")).to_be_visible()


def test_undo_brings_the_last_back_and_the_correction_replaces_it(site: Site, visit: Visit):
    project_id = project(site, "undo")
    board = visit.board(site, "undo-ann")
    texts = board.texts()
    first = board.submit("a", "b", "c", "d")
    second = board.task
    board.press("u")
    board.page.wait_for_selector(f"[data-task-id='{first}']")
    assert board.ranks() == {"A": "1", "B": "2", "C": "3", "D": "4"}
    board.part("keep").click()
    board.page.wait_for_selector(f"[data-task-id='{second}']")
    board.part("undo").click()
    board.page.wait_for_selector(f"[data-task-id='{first}']")
    board.press("Backspace", "Backspace", "Backspace", "Backspace", "d", "c", "b", "a", "Enter")
    board.gone(first)
    assert list(ranked_texts(site, project_id).values()) == [[[texts[label]] for label in "DCBA"]]
    (standing,) = site.store.judgments(project_id)
    assert standing.supersedes is not None
    assert site.store.counts(project_id).corrections == 1


def test_the_history_reopens_an_earlier_judgment(site: Site, visit: Visit):
    project(site, "history")
    board = visit.board(site, "history-ann")
    first = board.submit("a", "b", "c", "d")
    board.submit("d", "=", "c", "b", "a")
    board.press("h")
    entries = board.part("history").locator("li")
    expect(entries).to_have_count(2)
    expect(entries.first).to_contain_text("C = D > B > A")
    entries.nth(1).get_by_role("button").click()
    board.page.wait_for_selector(f"[data-task-id='{first}']")


def test_a_draft_is_there_after_a_reload_and_in_another_browser(site: Site, visit: Visit):
    project(site, "draft")
    board = visit.board(site, "draft-ann")
    task = board.task
    board.press("c", "a", "=", "b", "n")
    board.page.keyboard.type("half done")
    board.saved()
    board.page.reload()
    board.wait()
    assert board.task == task
    assert board.ranks() == {"A": "2", "B": "2", "C": "1", "D": ""}
    assert board.part("note-text").input_value() == "half done"
    other = visit.board(site, "draft-ann")
    assert other.task == task
    assert other.ranks() == {"A": "2", "B": "2", "C": "1", "D": ""}


def test_a_draft_changed_just_before_leaving_is_kept(site: Site, visit: Visit):
    project(site, "leave")
    board = visit.board(site, "leave-ann")
    board.press("b")
    board.page.reload()
    board.wait()
    assert board.ranks()["B"] == "1"


def test_all_bad_needs_no_ranking(site: Site, visit: Visit):
    project_id = project(site, "bad")
    board = visit.board(site, "bad-ann")
    board.press("b")
    board.part("all-bad").click()
    task = board.task
    board.press("Enter")
    board.gone(task)
    (judgment,) = site.store.judgments(project_id)
    assert judgment.ranking
    assert judgment.ranking.all_bad
    assert sorted(judgment.ranking.ranks, key=str) == [1, None, None, None]


def test_a_skip_needs_a_reason_and_can_be_taken_back(site: Site, visit: Visit):
    project_id = project(site, "skip")
    board = visit.board(site, "skip-ann")
    task = board.task
    board.part("skip").click()
    expect(board.part("skip-confirm")).to_be_disabled()
    board.page.get_by_label("The prompt is unclear").check()
    board.part("skip-text").fill("two readings")
    board.press("Enter")
    board.gone(task)
    (judgment,) = site.store.judgments(project_id)
    assert (judgment.kind, judgment.reason) == ("skip", "The prompt is unclear: two readings")
    board.press("u")
    board.page.wait_for_selector(f"[data-task-id='{task}']")
    expect(board.part("message")).to_contain_text("You skipped this one")
    board.submit("a", "b", "c", "d")
    assert [item.kind for item in site.store.judgments(project_id)] == ["rank"]


def test_when_everything_is_done_the_page_says_so(site: Site, visit: Visit):
    project(site, "end", groups=1)
    board = visit.board(site, "end-ann")
    board.submit("a", "b", "c", "d")
    expect(board.part("no-tasks")).to_be_visible()
    expect(board.part("progress")).to_have_text("1 of 1")
    expect(board.part("ranking-board")).to_have_count(0)
    board.press("u")
    expect(board.part("ranking-board")).to_have_count(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_help_guidelines_and_comparing(site: Site, visit: Visit, scheme: str):
    name = f"panels-{scheme}"
    made = site.store.add_project(name, guidelines="<b>Help</b> first.")
    site.store.import_groups(made.id, [group("long", 3, "word " * 2000)])
    site.add_user(f"{name}-ann", projects=(name,))
    board = visit.board(site, f"{name}-ann", color_scheme=scheme)
    board.press("?")
    expect(board.part("help")).to_contain_text("the next letter ties")
    board.press("a", "Enter", "Escape")
    assert set(board.ranks().values()) == {""}
    board.press("g")
    expect(board.part("guidelines")).to_contain_text("<b>Help</b> first.")
    board.press("Escape")

    more = board.page.locator(".lb-more").first
    height = board.part("completion").first.bounding_box()
    more.click()
    unfolded = board.part("completion").first.bounding_box()
    assert height
    assert unfolded
    assert height["height"] < 500 < unfolded["height"]

    board.press("v")
    marked = board.part("compare").locator("mark")
    first, second = (board.texts()[label].split()[1] for label in "AB")
    assert marked.all_text_contents() == [first, second]
    board.press("a", "Escape")
    expect(board.part("compare")).to_have_count(0)
    assert board.ranks()["A"] == "1"
