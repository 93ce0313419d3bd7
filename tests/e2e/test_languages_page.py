"""The interface in German and Spanish, in a real browser: labeling, signing in, and the choice on the account page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from board import Board, group
from browsing import Site, Visit, fill_login, settled
from playwright.sync_api import Page, expect
from test_accessibility import grave, judged

from labeler.label_schema import LabelSchema, preset
from labeler.languages import LANGUAGES, SOURCE, read
from labeler.records import SCENARIO, Group

LOCALES = {"de": "de-DE", "es": "es-MX"}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
SAID: dict[str, dict[str, Any]] = {
    "de": {
        "submit": "SendenEnter",
        "progress": "0 von 2",
        "first": "Erst C, D reihen oder alle als schlecht markieren.",
        "order": "Von der besten zur schlechtesten: B und A gleichauf, dann D, dann C. Alle gereiht.",
        "skip": "Ich kann das Thema nicht beurteilen",
        "skipped": "übersprungen: Ich kann das Thema nicht beurteilen",
        "account": "Konto",
        "made up": "erfunden",
    },
    "es": {
        "submit": "EnviarEnter",
        "progress": "0 de 2",
        "first": "Ordenar primero C, D o marcar todas como malas.",
        "order": "De mejor a peor: B y A empatadas, después D, después C. Todas ordenadas.",
        "skip": "No puedo juzgar el tema",
        "skipped": "omitida: No puedo juzgar el tema",
        "account": "Cuenta",
        "made up": "inventado",
    },
}
# Texts that stick out of what holds them: of the page, or of a button, a tag or a heading.
STICKING_OUT = """() => {
  const width = document.documentElement.clientWidth;
  const wide = document.documentElement.scrollWidth > width ? [`page ${document.documentElement.scrollWidth}`] : [];
  const nodes = document.querySelectorAll(".lb :is(button, .lb-tag, h2, h3, label, summary), main :is(button, h1, p)");
  const sticks = ({ scrollWidth, clientWidth }) => clientWidth > 0 && scrollWidth > clientWidth + 1;
  const cut = [...nodes].filter((node) => node.checkVisibility() && sticks(node));
  return [...wide, ...cut.map((node) => `${node.tagName} ${node.textContent.slice(0, 60)}`)];
}"""


def project(site: Site, name: str, schema: LabelSchema, groups: int = 2, k: int = 4) -> None:
    made = site.store.add_project(name, schema=schema, dwell_seconds=0)
    site.store.import_groups(made.id, [group(f"{name}-{i}", k, "word and other\n" * 60) for i in range(groups)])
    site.add_user(f"{name}-ann", projects=(name,))


def talk(site: Site, name: str) -> None:
    made = site.store.add_project(name, schema=LabelSchema("chat", all_bad=False))
    site.store.import_groups(made.id, [Group(name, (), (), meta={SCENARIO: "You plan a trip."})])
    site.add_user(f"{name}-ann", projects=(name,))


def sticking_out(page: Page) -> list[str]:
    found: list[str] = page.evaluate(STICKING_OUT)
    return found


def headed(page: Page, heading: str) -> None:
    expect(page.get_by_role("heading", name=heading, exact=True).first).to_be_visible(timeout=30_000)
    settled(page)


def forgive_streamlit(visit: Visit) -> None:
    """It looks for itself below the address of every page but the first."""
    visit.problems[:] = [problem for problem in visit.problems if "404" not in problem]


@pytest.mark.parametrize("language", LOCALES)
def test_a_task_is_ranked_and_one_skipped_by_keyboard(site: Site, visit: Visit, language: str):
    name, said = f"speak-{language}", SAID[language]
    project(site, name, LabelSchema())
    board = visit.board(site, f"{name}-ann", locale=LOCALES[language])
    page = board.page
    assert page.evaluate("document.documentElement.lang") == language
    expect(board.part("submit")).to_have_text(said["submit"])
    expect(board.part("progress")).to_have_text(said["progress"])
    board.press("b", "=", "a")
    expect(board.part("submit")).to_have_attribute("title", said["first"])
    board.press("d", "c")
    expect(page.locator(".lb-live")).to_have_text(said["order"])
    ranked = board.task
    board.press("Enter")
    board.gone(ranked)
    board.press("s")
    page.get_by_label(said["skip"]).check()
    board.part("skip-confirm").click()
    expect(board.part("no-tasks")).to_be_visible()
    board.press("h")
    expect(board.part("history")).to_contain_text(said["skipped"])
    kept = {item.reason for item in site.store.judgments(site.store.project(name).id)}
    assert kept == {None, "I cannot judge the subject"}, "what is kept is the same in every language"


@pytest.mark.parametrize("language", LOCALES)
def test_usual_flags_are_translated_and_a_managers_own_are_not(site: Site, visit: Visit, language: str):
    name = f"flags-{language}"
    schema = preset("rate")
    project(
        site, name, replace(schema, flags=(*schema.flags, replace(schema.flags[0], name="own", text="own", key="b")))
    )
    board = visit.board(site, f"{name}-ann", locale=LOCALES[language])
    expect(board.page.locator("[data-flag=hallucination]")).to_contain_text(SAID[language]["made up"])
    expect(board.page.locator("[data-flag=own]")).to_have_text("ownB")
    board.press("l")
    expect(board.page.locator("[data-card=A] .lb-tag")).to_have_text(SAID[language]["made up"])


def test_signing_in_speaks_what_the_browser_asks_for(site: Site, visit: Visit):
    site.store.add_project("door-de")
    site.add_user("door-de", projects=("door-de",))
    page = visit.page(site, locale="de-AT")
    page.goto(f"{site.url}/login")
    assert page.evaluate("document.documentElement.lang") == "de"
    expect(page.get_by_role("heading", name="Anmelden")).to_be_visible()
    fill_login(page, "door-de", "wrong")
    expect(page.get_by_role("alert")).to_have_text("Der Name oder das Passwort ist falsch.")
    fill_login(page, "door-de")
    expect(page.get_by_test_id("no-tasks")).to_contain_text("keine Aufgaben mehr", timeout=30_000)
    visit.expect("403")


def test_the_choice_on_the_account_page_counts_at_once_and_for_good(site: Site, visit: Visit):
    project(site, "choice", LabelSchema())
    page = visit.board(site, "choice-ann").page
    page.goto(f"{site.url}/account")
    headed(page, "Account")
    page.get_by_role("combobox", name="Language").click()
    page.get_by_role("option", name="Deutsch").click()
    headed(page, "Konto")
    assert page.evaluate("document.documentElement.lang") == "de"
    expect(page.get_by_role("link", name="Zurück zum Annotieren")).to_be_visible()
    page.goto(site.url)
    board = Board(page)
    board.wait()
    expect(board.part("submit")).to_have_text("SendenEnter")
    again = visit.board(site, "choice-ann", locale="es-ES")
    expect(again.part("submit")).to_have_text("SendenEnter")
    forgive_streamlit(visit)


@pytest.mark.parametrize(("language", "look"), [("de", "phone"), ("es", "desk")])
def test_nothing_sticks_out_and_axe_is_content(site: Site, visit: Visit, language: str, look: str):
    name = f"fits-{language}-{look}"
    options: dict[str, Any] = {"locale": LOCALES[language], **(PHONE if look == "phone" else {})}
    project(site, f"{name}-rate", preset("rate"))
    project(site, f"{name}-pair", preset("pair"), k=2)
    talk(site, f"{name}-chat")
    door = visit.page(site, **options)
    door.goto(f"{site.url}/login")
    assert (sticking_out(door), grave(door)) == ([], [])
    for task in ("rate", "pair", "chat"):
        page = visit.sign_in(site, f"{name}-{task}-ann", **options)
        page.wait_for_selector("[data-testid=ranking-board], [data-testid=chat]", timeout=30_000)
        steps = {"open": "", "ranking": "r", "help": "?"} if task == "rate" else {"open": "", "help": "?"}
        for step, key in steps.items():
            if key:
                page.keyboard.press(key)
            assert (sticking_out(page), grave(page)) == ([], []), (task, step)


@pytest.mark.parametrize("language", LOCALES)
def test_pages_beside_the_board_fit_on_a_phone(site: Site, visit: Visit, language: str):
    name = f"beside-{language}"
    judged(site, name)
    site.add_user(f"{name}-ann", projects=(name,))
    page = visit.sign_in(site, f"{name}-ann", locale=LOCALES[language], **PHONE)
    expect(page.get_by_test_id("content-warning")).to_be_visible(timeout=30_000)
    page.goto(f"{site.url}/account")
    headed(page, SAID[language]["account"])
    assert (sticking_out(page), grave(page)) == ([], [])
    forgive_streamlit(visit)


PAGES = ("mine", "overview", "agreement", "labelers", "models", "throughput", "import", "export", "settings", "people")
PAGES = (*PAGES, "prompts", "train", "account", "review", "gold", "screening", "webhooks")


def test_managers_pages_have_no_english_left(site: Site, visit: Visit):
    """No whole line of a page is a text of the code that German says in another way."""
    assert set(LANGUAGES) - {SOURCE} == set(LOCALES)
    judged(site, "no-english")
    said = {message.id: message.string for message in read("de") if isinstance(message.id, str)}
    english = {text for text, german in said.items() if " " in text and german != text}
    page = visit.sign_in(site, "no-english-boss", locale="de-DE")
    expect(page.get_by_test_id("content-warning")).to_be_visible(timeout=30_000)
    for path in PAGES:
        page.goto(f"{site.url}/{path}")
        expect(page.get_by_role("heading").first).to_be_visible(timeout=30_000)
        settled(page)
        expect(page.locator("html")).to_have_attribute("lang", "de")
        shown = {line.strip() for line in page.locator("body").inner_text().splitlines()}
        assert english & shown == set(), path
    forgive_streamlit(visit)
