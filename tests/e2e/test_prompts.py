"""The pages of prompts and of trained models in a browser, on a desk and on a phone, light and dark."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from board import group
from browsing import Site, Visit
from playwright.sync_api import Page, expect
from test_managers import ranked_project

from labeler import trainings
from labeler.records import Message, Ranking

PHONE = {"width": 390, "height": 844}
LOOKS = {"desk": {}, "dark phone": {"viewport": PHONE, "color_scheme": "dark"}}
SOON = 20_000
TOPICS = ("prime numbers", "rivers of the north", "recipes with beans", "letters to a friend", "small stones")


def screenshot(page: Page, name: str) -> None:
    """Kept where somebody wants to look at them."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.wait_for_timeout(1500)
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.fixture
def forgiving(visit: Visit) -> Iterator[Visit]:
    """Streamlit looks for itself below the page and finds nothing."""
    yield visit
    visit.problems[:] = [problem for problem in visit.problems if "404" not in problem]


def prompts_project(site: Site, name: str) -> None:
    made = site.store.add_project(name, overlap=2)
    said = (Ranking("x", (1, 2, 3, 4)), Ranking("y", (1, 2, 4, 3)))
    groups = []
    for n in range(60):
        text = f"{TOPICS[n % 5]}: tell me more about {TOPICS[n % 5]} number {n // 10}"
        judged = said if n % 3 == 0 else ()
        meta = {"use_case": "chat" if n % 2 else "open qa"}
        groups.append(replace(group(f"{name}-{n}"), prompt=(Message("user", text),), rankings=judged, meta=meta))
    site.store.import_groups(made.id, groups)
    site.add_user(f"{name}-boss", "manager", (name,))


def fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


@pytest.mark.parametrize("look", ["dark phone"])
def test_prompts_are_mapped_searched_and_made_urgent(site: Site, forgiving: Visit, look: str):
    name = f"prompts-{look.rsplit(maxsplit=1)[-1]}"
    prompts_project(site, name)
    page = forgiving.board(site, f"{name}-boss", **LOOKS[look]).page
    page.goto(f"{site.url}/prompts")
    expect(page.get_by_role("heading", name="Prompts")).to_be_visible(timeout=SOON)
    page.get_by_role("button", name="Make vectors").click()
    expect(page.get_by_text("60 prompts have vectors by minilm-l6.")).to_be_visible(timeout=SOON)
    expect(page.locator("[data-testid=stVegaLiteChart]")).to_have_count(3, timeout=SOON)
    screenshot(page, f"clusters-{look}")
    fits(page)

    page.get_by_role("radio", name="Search").click()
    page.get_by_role("textbox", name="Search").fill("small stones")
    page.keyboard.press("Enter")
    expect(page.get_by_text("12 prompts hold all of it.")).to_be_visible(timeout=SOON)
    page.get_by_role("spinbutton", name="Priority").fill("90")
    page.get_by_role("button", name="Set their priority").click()
    expect(page.get_by_text("12 tasks have the priority 90 now.")).to_be_visible(timeout=SOON)
    made = site.store.project(name)
    with site.store.frozen(made.id) as frozen:
        place, work = frozen.task_ids(), frozen.task_work()
    assert {n for n in range(60) if work[place[f"{name}-{n}"]].priority == 90} == {*range(4, 60, 5)}

    page.get_by_role("button", name="Take them out of the queue").click()
    expect(page.get_by_text("12 tasks were taken out of the queue.")).to_be_visible(timeout=SOON)
    assert site.store.counts(made.id).tasks == 48
    page.get_by_role("button", name="Put them back").click()
    expect(page.get_by_text("12 tasks are in the queue again.")).to_be_visible(timeout=SOON)

    page.get_by_text("meaning", exact=True).click()
    page.get_by_role("textbox", name="Search").fill("northern rivers")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("stSlider")).to_be_visible(timeout=SOON)
    screenshot(page, f"search-{look}")
    fits(page)

    page.get_by_role("radio", name="Near-duplicates").click()
    expect(page.get_by_text(re.compile("prompts repeat another one, in"))).to_be_visible(timeout=SOON)
    screenshot(page, f"duplicates-{look}")
    fits(page)

    page.goto(f"{site.url}/prompts?project={name}&task={place[f'{name}-0']}")
    expect(page.get_by_role("heading", name="Completions")).to_be_visible(timeout=SOON)
    screenshot(page, f"task-{look}")
    fits(page)
    page.get_by_role("button", name="All prompts").click()
    expect(page.get_by_role("radio", name="Clusters")).to_be_visible(timeout=SOON)


def test_labelers_do_not_get_there(site: Site, forgiving: Visit):
    prompts_project(site, "prompts-closed")
    site.add_user("prompts-ann", "labeler", ("prompts-closed",))
    page = forgiving.board(site, "prompts-ann").page
    page.goto(f"{site.url}/prompts")
    assert page.url == f"{site.url}/"


@pytest.mark.parametrize("look", ["desk"])
def test_models_are_compared_tried_and_asked(site: Site, forgiving: Visit, look: str):
    name = f"uses-{look.rsplit(maxsplit=1)[-1]}"
    ranked_project(site, name)
    made = site.store.project(name)
    site.store.import_groups(made.id, [group(f"{name}-open-{n}") for n in range(5)])
    page = forgiving.board(site, f"{name}-boss", **LOOKS[look]).page
    page.goto(f"{site.url}/train")
    for _ in range(2):
        page.get_by_role("button", name="Train a reward model").click(timeout=SOON)
        expect(page.get_by_text(re.compile(r"train: \d+ of 40"))).to_be_visible(timeout=SOON)
        expect(page.get_by_test_id("stMetricValue")).to_have_text("0.735", timeout=30_000)
    expect(page.get_by_text("This is the current model.")).to_be_visible()
    screenshot(page, f"train-{look}")
    runs = site.runs
    _, earlier = trainings.models(runs, made)
    page.get_by_role("combobox", name="Run").click()
    page.get_by_role("option", name=f"#{earlier.folder.name[-6:]}").click()
    page.get_by_role("button", name="Make it the current model").click()
    expect(page.get_by_text("This is the current model.")).to_be_visible()
    expect(page.get_by_text(f"Current model: #{earlier.folder.name[-6:]}")).to_be_visible()
    assert trainings.current(runs, made) == earlier

    page.get_by_role("radio", name="Compare").click()
    page.get_by_role("button", name="Compare on the same pairs").click()
    expect(page.get_by_text(re.compile("is better than"))).to_be_visible(timeout=SOON)
    screenshot(page, f"compare-{look}")
    fits(page)

    page.get_by_role("radio", name="Best of n").click()
    page.get_by_text("pasted", exact=True).click()
    page.get_by_role("textbox", name="Prompt").fill("Why?")
    page.get_by_role("textbox", name="Answers").fill("short\n---\nmuch longer")
    page.get_by_role("button", name="Rank them").click()
    answers = page.locator("[data-testid=stCode]")
    expect(answers).to_have_text(["Why?", "much longer", "short"], timeout=SOON)
    screenshot(page, f"best-{look}")
    fits(page)

    page.get_by_role("radio", name="Order the queue").click()
    page.get_by_role("button", name="Order the queue").click()
    expect(page.get_by_text("5 tasks were ordered by fisher-diverse.")).to_be_visible(timeout=SOON)
    with site.store.frozen(made.id) as frozen:
        assert sorted(work.priority for work in frozen.task_work().values())[-5:] == [96, 97, 98, 99, 100]
    screenshot(page, f"order-{look}")
    fits(page)

    page.get_by_role("radio", name="Disagreement").click()
    page.get_by_role("button", name="Find where model and people disagree").click()
    expect(page.get_by_text(re.compile("pairs that people decided"))).to_be_visible(timeout=SOON)
    screenshot(page, f"disagreement-{look}")
    fits(page)
