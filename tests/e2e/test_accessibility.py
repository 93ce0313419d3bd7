"""axe-core finds nothing serious on any page, light and dark; contrast is part of its rules (WCAG 2.2 A and AA)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from board import Board, group
from browsing import DESKTOP, Site, Visit, settled
from playwright.sync_api import Page, expect

from labeler.accounts import Accounts
from labeler.exam import ExamRules
from labeler.exam_desk import ExamDesk
from labeler.label_schema import LabelSchema, preset
from labeler.records import Ranking

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
COLOURS = ("color-contrast",)
"""All that can differ between the light and the dark look of one page."""
GRAVE = ("serious", "critical")
STREAMLITS: dict[str, tuple[str, ...]] = {}
"""Rules that Streamlit's own elements break, with the elements; nothing of ours is excused."""


SHORTEN = "document.querySelectorAll('section > article:nth-of-type(n + 6)').forEach((each) => each.remove())"
"""Of every section of the API's page five operations, which are drawn alike: axe takes long for hundreds."""


def grave(page: Page, rules: Sequence[str] = RULES) -> list[str]:
    """What axe says of the page as it is now: rule, element and why, without what Streamlit does by itself."""
    page.evaluate(AXE)
    found: dict[str, Any] = page.evaluate("(rules) => axe.run(document, {runOnly: rules})", rules)
    return [
        f"{violation['id']}: {node['html'][:200]} {node['failureSummary']}"
        for violation in found["violations"]
        if violation["impact"] in GRAVE
        for node in violation["nodes"]
        if not any(part in node["html"] for part in STREAMLITS.get(violation["id"], ()))
    ]


def grave_in_both_lights(page: Page) -> list[str]:
    """What `grave` says of a page of managers, light and then dark."""
    found = _once_faded_in(page, RULES)
    page.emulate_media(color_scheme="dark")
    expect(page.get_by_test_id("stApp")).to_have_css("color-scheme", "dark")
    found += [f"dark: {each}" for each in _once_faded_in(page, COLOURS)]
    page.emulate_media(color_scheme="light")
    return found


def _once_faded_in(page: Page, rules: Sequence[str]) -> list[str]:
    """Colours of what has just been drawn, or was in another theme, come by and by."""
    for _ in range(5):
        found = grave(page, rules)
        if not found:
            break
        page.wait_for_timeout(500)
    return found


def judged(site: Site, name: str) -> None:
    """A project with something on every page, and a labeler and a manager in it."""
    schema = replace(preset("rate"), content_warning="Violence.")
    made = site.store.add_project(name, schema=schema, guidelines="Be kind.", overlap=3)
    groups = []
    for n in range(6):
        said = tuple(
            Ranking(who, ranks, at=f"2026-01-0{1 + n % 3}T10:00:00Z", ratings=(7, 5, 3, 1))
            for who, ranks in (("x", (1, 2, 3, 4)), ("y", (1, 2, 4, 3)))
        )
        groups.append(replace(group(f"{name}-{n}"), rankings=said))
    site.store.import_groups(made.id, groups)
    site.add_user(f"{name}-boss", "manager", (name,))


def test_doors(site: Site, visit: Visit):
    site.store.add_user("door", "labeler", ())
    page = visit.page(site)
    for path in ("login", f"invite/{Accounts(site.store).invite('door')}", "invite/unknown", "api/docs"):
        page.goto(f"{site.url}/{path}")
        page.evaluate(SHORTEN)
        page.emulate_media(color_scheme="light")
        assert grave(page) == [], path
        page.emulate_media(color_scheme="dark")
        assert grave(page, COLOURS) == [], path
    visit.expect("404")


BOARDS: dict[str, tuple[LabelSchema, int]] = {
    "rank": (LabelSchema(), 4),
    "rate": (preset("rate"), 4),
    "pair": (preset("pair"), 2),
    "demonstrate": (preset("demonstrate"), 0),
    "chat": (preset("chat"), 0),
}
"""What the task asks for, and of how many completions."""
TEXT = "# A *title*\n\n- `code`\n\n$x^2$ [a](http://a.example) zero\u200bwidth\n" + "words and more " * 300


@pytest.mark.parametrize(("scheme", "look"), [("light", "phone"), ("dark", "desk")])
@pytest.mark.parametrize("task", BOARDS)
def test_the_board(site: Site, visit: Visit, scheme: str, look: str, task: str):
    schema, k = BOARDS[task]
    name = f"axe-{task}-{scheme}-{look}"
    made = site.store.add_project(name, schema=replace(schema, content_warning="Violence."), guidelines="Be kind.")
    site.store.import_groups(made.id, [group(name, k, TEXT)])
    site.add_user(f"{name}-ann", projects=(name,))
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True} if look == "phone" else {}
    board = Board(visit.sign_in(site, f"{name}-ann", color_scheme=scheme, **phone))
    page = board.page
    expect(board.part("content-warning")).to_be_visible(timeout=30_000)
    assert grave(page) == []
    page.wait_for_timeout(600)
    board.press("Enter")
    expect(page.locator("[data-task-id]").first).to_be_visible()
    for step, act in STEPS[task].items():
        act(board)
        assert grave(page) == [], step


def drawn(board: Board) -> None:
    """The reading view."""
    board.press("*")
    expect(board.page.locator(".lb-drawn math").first).to_be_visible()


def found(board: Board) -> None:
    """Words are looked for."""
    board.press("/")
    board.page.keyboard.type("words")


def menu(board: Board) -> None:
    """On a phone; wider screens have none."""
    board.press("Escape")
    if board.part("menu").is_visible():
        board.part("menu").click()


def comments(board: Board) -> None:
    """The panel with a task's comments."""
    board.press("Escape", ";")
    expect(board.part("comments-panel")).to_be_visible()


def answered(board: Board) -> None:
    """An answer is begun."""
    board.part("demonstration").fill("Some words.")


def talked(board: Board) -> None:
    """The first turn is written."""
    board.press("w")
    board.page.keyboard.type("Hello?")
    board.press("Control+Enter", "Escape")


Step = Callable[[Board], object]
EMPTY: dict[str, Step] = {"empty": lambda _: None}
HELP: dict[str, Step] = {"help": lambda board: board.press("Escape", "?")}
STEPS: dict[str, dict[str, Step]] = {
    "rank": EMPTY
    | {
        "ranked": lambda board: board.press("a", "=", "b"),
        "reading": drawn,
        "compared": lambda board: board.press("v"),
        "find": found,
        "note": lambda board: board.press("Escape", "Escape", "n"),
        "menu": menu,
    }
    | HELP
    | {
        "guidelines": lambda board: board.press("Escape", "g"),
        "history": lambda board: board.press("Escape", "h"),
        "comments": comments,
        "skip": lambda board: board.press("Escape", "s"),
        "paused": lambda board: board.press("Escape", "."),
    },
    "rate": EMPTY
    | {
        "rated": lambda board: board.press("5", "f", "4"),
        "prompt": lambda board: board.press("0"),
        "ranked": lambda board: board.press("r", "a"),
    }
    | HELP,
    "pair": EMPTY | {"ranked": lambda board: board.press("a", "2")} | HELP,
    "demonstrate": EMPTY | {"answered": answered} | HELP,
    "chat": EMPTY | {"talked": talked} | HELP,
}


PAGES = {
    "mine": "My work",
    "account": "Account",
    "overview": "Overview",
    "agreement": "Agreement",
    "labelers": "Labelers",
    "models": "Models",
    "throughput": "Throughput",
    "import": "Import",
    "export": "Export",
    "prompts": "Prompts",
    "settings": "Project settings",
    "people": "People",
    "webhooks": "Webhooks",
    "train": "Train & try",
}


def test_the_pages_beside_it(site: Site, visit: Visit):
    name = "axe-pages"
    judged(site, name)
    page = visit.sign_in(site, f"{name}-boss")
    expect(page.get_by_test_id("content-warning")).to_be_visible(timeout=30_000)
    for path, heading in PAGES.items():
        page.goto(f"{site.url}/{path}")
        expect(page.get_by_role("heading", name=heading).first).to_be_visible(timeout=30_000)
        settled(page)
        assert grave_in_both_lights(page) == [], path
        assert fits_a_phone(page), path


def fits_a_phone(page: Page) -> bool:
    """Whether nothing of a page lies beside a narrow screen; the page is as wide again afterwards as it was."""
    wide = page.viewport_size or DESKTOP
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(400)  # charts and tables find their new width by and by
    fits = bool(page.evaluate("document.documentElement.scrollWidth <= 390"))
    page.set_viewport_size(wide)
    return fits


def test_the_pages_of_quality_work(site: Site, visit: Visit):
    name = "axe-quality"
    judged(site, name)
    site.add_user(f"{name}-ann", projects=(name,))
    exam, made, ann = ExamDesk(site.store), site.store.project(name), site.store.user(f"{name}-ann")
    exam.set_rules(made.id, ExamRules())
    exam.add_candidate(made.id, ann.name)
    exam.write(made.id, ann.id, 0, "I am sorry to hear it.")
    page = visit.sign_in(site, f"{name}-boss")
    expect(page.get_by_test_id("content-warning")).to_be_visible(timeout=30_000)
    for path, shown in (("gold", "Gold items"), ("screening", ann.name), ("review", "judgment 1")):
        page.goto(f"{site.url}/{path}")
        expect(page.get_by_role("heading", name=shown).first).to_be_visible(timeout=30_000)
        settled(page)
        assert grave_in_both_lights(page) == [], path
        assert fits_a_phone(page), path
    page = visit.sign_in(site, ann.name)
    expect(page.get_by_test_id("no-tasks").or_(page.get_by_test_id("content-warning")).first).to_be_visible(
        timeout=30_000
    )
    page.goto(f"{site.url}/exam")
    expect(page.get_by_role("textbox").first).to_be_visible(timeout=30_000)
    settled(page)
    assert grave_in_both_lights(page) == []
    assert fits_a_phone(page)
