"""The managers' pages: people, progress, training and trying a model."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from dataclasses import replace

from board import Board, group
from browsing import PASSWORD, Site, Visit, fill_login, settled
from playwright.sync_api import Page, expect
from test_labeling import project

from labeler import jobs
from labeler.languages import LANGUAGES, SOURCE, read
from labeler.raters import Raters
from labeler.records import Ranking

InTime = Callable[..., None]


PATHS = {"People": "people", "Train & try": "train", "Project settings": "settings", "Overview": "overview"}


def open_page(visit: Visit, site: Site, manager: str, title: str) -> Page:
    """By its address: which links find room in the bar is the browser's business."""
    page = visit.board(site, manager).page
    page.goto(f"{site.url}/{PATHS[title]}")
    expect(page.get_by_role("heading", name=title)).to_be_visible(timeout=20_000)
    visit.problems[:] = [
        problem for problem in visit.problems if "404" not in problem
    ]  # Streamlit looks for itself below
    return page


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_role("combobox", name=label).click()
    page.keyboard.type(option)  # of a long list only a part is drawn
    page.get_by_role("option", name=option, exact=True).click()


def ranked_project(site: Site, name: str) -> None:
    made = site.store.add_project(name, overlap=2)
    first, second = Ranking("x", (1, 2, 3, 4), at="2026-01-02T03:04:05Z"), Ranking("y", (1, 2, 4, 3))
    splits = ("train", "train", "train", "valid")
    groups = [replace(group(f"{name}-{i}"), rankings=(first, second), split=split) for i, split in enumerate(splits)]
    site.store.import_groups(made.id, groups)
    site.add_user(f"{name}-boss", "manager", (name,))


BAR = ("Label", "Overview", "Train & try")
MENUS = {
    "Insight": ("Agreement", "Labelers", "Models", "Throughput", "My work"),
    "Data": ("Prompts", "Import", "Export"),
    "Quality": ("Review", "Gold", "Screening"),
    "Administration": ("Project settings", "People", "Webhooks", "Account"),
}


def test_every_page_stands_in_the_bar_or_in_a_menu_of_it(site: Site, visit: Visit):
    site.store.add_project("bars")
    site.add_user("bars-boss", "manager", ("bars",))
    narrow = {"viewport": {"width": 1024, "height": 720}}
    page = visit.sign_in(site, "bars-boss", **narrow)
    page.goto(f"{site.url}/account")
    settled(page)
    bar = page.get_by_test_id("stTopNav")
    expect(bar.get_by_role("link")).to_have_text(BAR)
    expect(bar.get_by_role("button")).to_have_text([*MENUS])  # nothing behind "more"
    for menu, names in MENUS.items():
        bar.get_by_role("button", name=menu).click()
        expect(page.get_by_role("menu", name=menu).get_by_role("menuitem")).to_have_text(names)
        page.keyboard.press("Escape")
    bar.get_by_role("button", name="Quality").click()
    page.get_by_role("menuitem", name="Gold", exact=True).click()
    expect(page).to_have_url(f"{site.url}/gold")
    for language in set(LANGUAGES) - {SOURCE}:
        page = visit.sign_in(site, "bars-boss", locale=language, **narrow)
        page.goto(f"{site.url}/account")
        settled(page)
        said = {message.id: message.string for message in read(language)}
        bar = page.get_by_test_id("stTopNav")
        expect(bar.get_by_role("link")).to_have_text([said[name] for name in BAR])
        expect(bar.get_by_role("button")).to_have_text([said[name] for name in MENUS])


def test_the_overview_shows_progress_and_agreement(site: Site, visit: Visit):
    ranked_project(site, "sums")
    page = open_page(visit, site, "sums-boss", "Overview")
    # Five of six pairs are judged alike in each group.
    expect(page.get_by_text("Everybody: 83.3 % (83.3 to 83.3) over 24 comparisons.")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("72.6 ± 1.5 %")).to_be_visible()
    expect(page.locator("[data-testid=stVegaLiteChart]")).to_have_count(3)


def test_an_invitation_link_makes_an_account_once(site: Site, visit: Visit, in_time: InTime):
    made = project(site, "invited")
    site.store.add_project("later")
    site.add_user("invited-boss", "manager", ("invited", "later"))
    page = open_page(visit, site, "invited-boss", "People")
    page.get_by_role("textbox", name="Name").fill("invited-new")
    page.get_by_role("button", name="Add and make an invitation link").click()
    link = page.locator("code").filter(has_text="/invite/")
    expect(link).to_be_visible(timeout=20_000)
    address = str(link.text_content()).strip()
    assert address.startswith(f"{site.url}/invite/")

    guest = visit.page(site)
    guest.goto(address)
    guest.fill("[name=password]", PASSWORD)
    guest.click("button")
    Board(guest).wait()
    new = site.store.user("invited-new").id
    assert site.store.memberships(new) == ("invited", "later")
    other = visit.page(site)
    other.goto(address)
    expect(other.get_by_role("alert")).to_contain_text("used already or has expired")
    visit.expect("404")

    choose(page, "Account", "invited-new")
    page.get_by_role("combobox", name="Projects of invited-new").press("Backspace")
    page.get_by_role("button", name="Save projects").click()
    in_time(lambda: site.store.memberships(new) == ("invited",))
    settled(page)
    choose(page, "Project with held-out raters", "invited")
    settled(page)
    choose(page, "Labelers of whom no model learns", "invited-new")
    page.keyboard.press("Escape")  # the list stays open for more
    settled(page)
    page.get_by_role("button", name="Save held-out raters").click()
    in_time(lambda: Raters(site.store).held_out(made) == ("invited-new",))
    settled(page)

    choose(page, "Person", "invited-new")
    page.get_by_role("button", name="Close the account").click()
    for _ in range(100):
        if site.store.user("invited-new").disabled:
            break
        page.wait_for_timeout(100)
    guest.goto(site.url)
    assert guest.url == f"{site.url}/login"


def test_a_manager_trains_and_tries_a_model(site: Site, visit: Visit):
    ranked_project(site, "trains")
    page = open_page(visit, site, "trains-boss", "Train & try")
    page.get_by_role("button", name="Train a reward model").click()
    expect(page.get_by_text(re.compile(r"train: \d+ of 40"))).to_be_visible(timeout=20_000)
    page.reload()
    expect(page.get_by_text(re.compile(r"train: \d+ of 40"))).to_be_visible(timeout=20_000)
    expect(page.get_by_role("button", name="Train a reward model")).to_be_disabled()
    expect(page.get_by_test_id("stMetricValue")).to_have_text("0.735", timeout=30_000)
    run = next(job for job in jobs.all_jobs(site.runs, "train") if job.about["project"] == "trains")
    assert any("accuracy" in event.facts for event in jobs.events(run))  # there are groups to validate on
    with page.expect_download() as download:
        page.get_by_role("button", name="Download report.html").click()
    assert download.value.path().read_text() == "<h1>report</h1>"

    page.get_by_role("radio", name="Best of n").click()
    page.get_by_role("textbox", name="Prompt").fill("Say <i>hello</i>")
    page.get_by_role("button", name="Sample and rank").click()
    answers = page.locator("[data-testid=stCode]")
    best = "answer 3 to Say <i>hello</i> <b>bold</b> ![x](http://evil.example/x.png)"
    expect(answers.nth(1)).to_have_text(best, timeout=20_000)
    assert [text[:8] for text in answers.all_text_contents()[1:]] == ["answer 3", "answer 2", "answer 1", "answer 0"]
    visit.problems[:] = [p for p in visit.problems if "404" not in p]  # Streamlit looks for itself below /train


def test_a_training_can_be_cancelled_and_a_failed_one_says_why(site: Site, visit: Visit, in_time: InTime):
    ranked_project(site, "stops")
    page = open_page(visit, site, "stops-boss", "Train & try")
    page.get_by_role("button", name="Train a reward model").click()
    page.get_by_role("button", name="Cancel").click(timeout=20_000)
    expect(page.get_by_text("The training was cancelled.")).to_be_visible(timeout=20_000)
    run = next(job for job in jobs.all_jobs(site.runs, "train") if job.about["project"] == "stops")
    in_time(lambda: not jobs.is_running(run))

    page.get_by_role("combobox", name="Base model").fill("broken")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Train a reward model").click()
    expect(page.get_by_text("reward: --base broken: no such model")).to_be_visible(timeout=30_000)


def test_a_training_goes_on_while_the_server_restarts(own_site: Site, visit: Visit, in_time: InTime):
    ranked_project(own_site, "again")
    page = open_page(visit, own_site, "again-boss", "Train & try")
    page.get_by_role("button", name="Train a reward model").click()
    in_time(lambda: jobs.all_jobs(own_site.runs, "train"))
    (run,) = jobs.all_jobs(own_site.runs, "train")
    hold = run.folder / "hold"
    hold.touch()
    expect(page.get_by_text(re.compile(r"train: \d+ of 40"))).to_be_visible(timeout=20_000)
    page.close()
    own_site.stop()
    assert jobs.outcome(run).state == "running"
    own_site.start()
    hold.unlink()
    page = open_page(visit, own_site, "again-boss", "Train & try")
    expect(page.get_by_test_id("stMetricValue")).to_have_text("0.735", timeout=30_000)
    visit.problems.clear()  # the first page lost its server


def test_a_process_that_was_killed_counts_as_failed(site: Site, visit: Visit, in_time: InTime):
    ranked_project(site, "killed")
    page = open_page(visit, site, "killed-boss", "Train & try")
    page.get_by_role("button", name="Train a reward model").click()
    expect(page.get_by_text(re.compile(r"train: \d+ of 40"))).to_be_visible(timeout=20_000)
    run = next(job for job in jobs.all_jobs(site.runs, "train") if job.about["project"] == "killed")
    assert run.pid
    os.killpg(run.pid, signal.SIGKILL)
    expect(page.get_by_text("The training failed.")).to_be_visible(timeout=20_000)


def test_signing_out_ends_the_session(site: Site, visit: Visit):
    ranked_project(site, "leaves")
    page = open_page(visit, site, "leaves-boss", "People")
    cookies = page.context.cookies()
    page.get_by_test_id("sign-out").click()
    page.wait_for_url(f"{site.url}/login")
    page.context.add_cookies(cookies)
    page.goto(f"{site.url}/people")
    assert page.url == f"{site.url}/login"
    fill_login(page, "leaves-boss")
    Board(page).wait()
