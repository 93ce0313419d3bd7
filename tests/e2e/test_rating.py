"""Rating, flagging, the strength of a preference and top-k in a real browser, and what of it reaches the files."""

from __future__ import annotations

import json
from pathlib import Path

from board import Board, group
from browsing import Site, Visit, from_menu
from playwright.sync_api import expect

from labeler.label_schema import Flag, LabelSchema, preset, schema_from
from labeler.records import Ranking
from labeler.snapshot import freeze


def opened(site: Site, visit: Visit, name: str, schema: LabelSchema, k: int = 3, **options: object) -> Board:
    made = site.store.add_project(name, schema=schema, dwell_seconds=0)
    site.store.import_groups(made.id, [group(f"{name}-{i}", k) for i in range(3)])
    site.add_user(f"{name}-ann", projects=(name,))
    return visit.board(site, f"{name}-ann", **options)


def only_ranking(site: Site, name: str) -> tuple[dict[str, int], Ranking]:
    """Index of each completion by text, and the one ranking there is."""
    (found,) = [g for g in site.store.groups(site.store.project(name).id) if g.rankings]
    (ranking,) = found.rankings
    return {completion.text: index for index, completion in enumerate(found.completions)}, ranking


def test_rate_then_rank_by_keyboard(site: Site, visit: Visit, tmp_path: Path):
    board = opened(site, visit, "figure", preset("rate"))
    texts = board.texts()
    first = board.task
    assert board.part("submit").is_disabled()
    expect(board.part("step-rate")).to_have_attribute("aria-pressed", "true")
    board.press("l", "f", "2", "7", "0", "a", "ArrowLeft", "c", "6")
    expect(board.part("step-rank")).to_have_attribute("aria-pressed", "true")
    assert board.part("submit").is_disabled()
    board.press("b", "=", "c", "a")
    assert board.ranks() == {"A": "2", "B": "1", "C": "1"}
    board.press("Enter")
    board.gone(first)
    index, ranking = only_ranking(site, "figure")
    place = {label: index[text] for label, text in texts.items()}
    assert ranking.ratings
    assert {label: ranking.ratings[place[label]] for label in "ABC"} == {"A": 2, "B": 7, "C": 6}
    assert ranking.flags
    flags = {label: ranking.flags[place[label]] for label in "ABC"}
    assert flags == {"A": ("fails_task", "hallucination"), "B": (), "C": ("satisfies_constraint",)}
    assert ranking.prompt_flags == ("ambiguous",)
    assert {label: ranking.ranks[place[label]] for label in "ABC"} == {"A": 2, "B": 1, "C": 1}

    freeze(site.store, site.store.project("figure"), tmp_path / "snapshot")
    rows = [json.loads(line) for line in (tmp_path / "snapshot" / "groups.jsonl").read_text().splitlines()]
    (said,) = rows[0]["rankings"]
    assert said["ratings"] == list(ranking.ratings)
    assert said["prompt_flags"] == ["ambiguous"]
    # The next task starts with nothing rated, flagged or ranked.
    expect(board.part("step-rate")).to_have_attribute("aria-pressed", "true")
    expect(
        board.page.locator("[data-testid=rating][aria-pressed=true], [data-testid=flag][aria-pressed=true]")
    ).to_have_count(0)


def test_a_rating_draft_survives_a_reload_and_a_judgment_comes_back_for_correction(site: Site, visit: Visit):
    board = opened(site, visit, "keeps", preset("rate"))
    first = board.task
    board.press("5", "d", "3")
    board.saved()
    board.page.reload()
    board.wait()
    assert board.task == first
    given = board.page.locator("[data-testid=rating][aria-pressed=true]")
    assert [(one.get_attribute("data-label"), one.text_content()) for one in given.all()] == [("A", "5"), ("B", "3")]
    expect(board.page.locator("[data-card=B] .lb-tag")).to_have_text("denigrates a group")
    board.press("4", "a", "b", "c", "Enter")
    board.gone(first)
    board.press("u")
    board.page.wait_for_selector(f"[data-task-id='{first}']")
    assert board.ranks() == {"A": "1", "B": "2", "C": "3"}
    expect(given).to_have_count(3)
    board.press("r", "7", "Enter", "Enter")
    board.gone(first)
    _, ranking = only_ranking(site, "keeps")
    assert ranking.ratings
    assert sorted(filter(None, ranking.ratings)) == [3, 4, 7]
    (judgment,) = site.store.judgments(site.store.project("keeps").id)
    assert judgment.supersedes


def test_rating_without_ranking_by_mouse_and_by_keyboard(site: Site, visit: Visit):
    board = opened(site, visit, "mouse", preset("rate", ranking=False))
    page, first = board.page, board.task
    assert board.part("chip").count() == 0 or not board.part("chip").first.is_visible()
    for label, rating in {"C": 1, "A": 4, "B": 7}.items():
        page.locator(f"[data-testid=rating][data-label={label}][data-rating='{rating}']").click()
    page.locator("[data-flag=moral_judgment]").click()
    expect(page.locator("[data-card=B] .lb-tag")).to_have_text("moral judgment")
    board.part("submit").click()
    board.gone(first)
    _, ranking = only_ranking(site, "mouse")
    assert ranking.ratings
    assert sorted(filter(None, ranking.ratings)) == [1, 4, 7]
    assert set(ranking.ranks) == {None}
    board.press("h")
    expect(board.part("history").locator("li")).to_contain_text("A 4, B 7, C 1")
    board.press("Escape")
    second = board.task
    board.press("5", "2", "6")
    expect(board.part("submit")).to_be_enabled()
    board.press("Enter")
    board.gone(second)
    said = [item.ranking for item in site.store.judgments(site.store.project("mouse").id) if item.ranking]
    assert sorted(sorted(filter(None, one.ratings or ())) for one in said) == [[1, 4, 7], [2, 5, 6]]
    assert {rank for one in said for rank in one.ranks} == {None}


def test_a_pair_with_its_strength(site: Site, visit: Visit):
    board = opened(site, visit, "pairs", preset("pair"), k=2)
    texts, first = board.texts(), board.task
    board.press("3")
    expect(board.part("message")).to_contain_text("Type the letter of the better one")
    board.press("b", "a")
    assert board.part("submit").is_disabled()
    board.press("Backspace", "3")
    assert board.ranks() == {"A": "2", "B": "1"}
    expect(board.page.locator("[data-strength='3']")).to_have_attribute("aria-pressed", "true")
    board.press("Enter")
    board.gone(first)
    index, ranking = only_ranking(site, "pairs")
    assert (ranking.strength, ranking.ranks[index[texts["B"]]]) == (3, 1)
    second = board.task
    board.press("a", "=", "b", "Enter")
    board.gone(second)
    third = board.task
    expect(board.page.get_by_text("both bad")).to_be_visible()
    board.press("x", "Enter")
    board.gone(third)
    said = [g.rankings[0] for g in site.store.groups(site.store.project("pairs").id)]
    assert sorted((r.strength or 0, r.ranks[0] or 0, r.all_bad) for r in said)[:2] == [(0, 0, True), (0, 1, False)]


def test_only_the_best_are_ranked(site: Site, visit: Visit):
    board = opened(site, visit, "best", LabelSchema(top=2), k=4)
    texts, first = board.texts(), board.task
    board.press("d")
    assert board.part("submit").is_disabled()
    board.press("a", "b")
    assert board.part("submit").is_disabled()
    board.press("Enter")
    expect(board.part("message")).to_contain_text("Only the best 2 are asked for: take B off.")
    board.press("Backspace", "Enter")
    board.gone(first)
    index, ranking = only_ranking(site, "best")
    ranks = {label: ranking.ranks[index[text]] for label, text in texts.items()}
    assert ranks == {"D": 1, "A": 2, "B": 3, "C": 3}
    assert ranking.compare(index[texts["B"]], index[texts["C"]]) is None
    board.press("u")
    board.page.wait_for_selector(f"[data-task-id='{first}']")
    assert board.ranks() == {"A": "2", "B": "", "C": "", "D": "1"}


def test_a_change_of_the_settings_reaches_the_next_task_and_old_answers_keep_their_version(site: Site, visit: Visit):
    board = opened(site, visit, "moves", LabelSchema())
    project = site.store.project("moves")
    site.store.set_schema(project.id, LabelSchema(flags=(Flag("rude"),)))
    board.submit("a", "b", "c")
    board.press("r")
    expect(board.part("flag")).to_have_text("rudeD")
    board.press("d", "r")
    board.submit("c", "b", "a")
    versions = [(item.schema_version, item.ranking and item.ranking.flags) for item in site.store.judgments(project.id)]
    assert sorted(version for version, _ in versions) == [1, 2]
    assert dict(versions)[1] is None
    assert sorted(dict(versions)[2] or ()) == [(), (), ("rude",)]


PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def test_rating_by_touch_on_a_phone(site: Site, visit: Visit):
    board = opened(site, visit, "touch", preset("rate"), **PHONE)
    page, first = board.page, board.task
    for label, rating in {"A": 2, "B": 6, "C": 5}.items():
        page.get_by_role("button", name=f"Show completion {label}").tap()
        whose = page.get_by_role("button", name=f"Flags of completion {label}")
        expect(whose).to_have_attribute("aria-pressed", "true")
        button = page.locator(f"[data-testid=rating][data-label={label}][data-rating='{rating}']")
        button.tap()
        box = button.bounding_box()
        assert box
        assert box["width"] >= 40
        assert box["height"] >= 40
        assert box["x"] + box["width"] <= 390
    expect(board.part("message")).to_contain_text("All are rated: now rank them.")
    page.locator("[data-flag=harmful_advice]").tap()
    expect(page.locator("[data-card=C] .lb-tag")).to_have_text("harmful advice")
    assert not board.chip("A").is_visible()
    board.part("step-rank").tap()
    for label in "BCA":
        board.chip(label).tap()
    board.part("submit").tap()
    board.gone(first)
    _, ranking = only_ranking(site, "touch")
    assert ranking.ratings
    assert sorted(filter(None, ranking.ratings)) == [2, 5, 6]
    assert ranking.flags
    assert sorted(ranking.flags) == [(), (), ("harmful_advice",)]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_manager_turns_ranking_into_rating_and_sees_the_ratings(site: Site, visit: Visit):
    made = site.store.add_project("turns", overlap=2)
    site.store.import_groups(made.id, [group("turns-0", 3)])
    site.add_user("turns-boss", "manager", ("turns",))
    board = visit.board(site, "turns-boss")
    page = board.page
    from_menu(page, "Administration", "Project settings")
    expect(page.get_by_text("This is version 1 of the settings")).to_be_visible(timeout=30_000)
    page.get_by_role("combobox", name="Task").click()
    page.get_by_role("option", name="Rate, then rank", exact=True).click()
    expect(page.get_by_text("Not saved yet.")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Save as a new version").click()
    expect(page.get_by_text("Saved: version 2 of the settings")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("All 2 versions of the settings")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as a settings file").click()
    assert schema_from(json.loads(download.value.path().read_text())) == preset("rate")

    overlap = page.get_by_role("spinbutton", name="Labelers per task")
    overlap.fill("3")
    overlap.press("Tab")
    expect(overlap).to_have_value("3")
    page.get_by_role("button", name="Save how tasks are handed out").click()
    expect(page.get_by_text("Saved how tasks are handed out.")).to_be_visible(timeout=30_000)
    assert site.store.project("turns").overlap == 3

    page.get_by_role("link", name="Label", exact=True).click()
    board.wait()
    board.press("5", "f", "4", "3")
    board.submit("a", "b", "c")
    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_role("heading", name="Ratings and flags")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("Share of completions flagged, by model")).to_be_visible()
