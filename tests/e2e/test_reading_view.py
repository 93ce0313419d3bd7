"""The reading view in a browser: drawn on demand, and nothing that a text holds acts, fetches or leads anywhere."""

from __future__ import annotations

import pytest
from board import Board, group
from browsing import Site, Visit
from playwright.sync_api import Route, expect

from labeler import reading
from labeler.records import Completion, Group, Message

WRITTEN = (
    "# Title\n\n- *one*\n- `two`\n\n$\\frac{a}{b}$ [here](http://evil.example/x) ![cat](http://evil.example/cat.png)"
)
HOSTILE = (
    WRITTEN,
    "<img src=http://evil.example/a.png onerror=window.hit=1><script>window.hit=1</script><svg/onload=window.hit=1>",
    "[a](javascript:window.hit=1) <http://evil.example/b> ![b](//evil.example/b.png)\n\n"
    "<style>@import 'http://evil.example/c.css';</style><iframe src=http://evil.example/d></iframe>",
    "$\\text{<img src=http://evil.example/e onerror=window.hit=1>}$ $\\href{http://evil.example}{x}$ \u202et \u200bz",
)
ALIVE = (
    "a, img, script, style, iframe, object, embed, link, form, input, svg, video, audio, base, meta, [style], [onerror]"
)


def opened(site: Site, visit: Visit, name: str, texts: tuple[str, ...], groups: int = 1, **options: object) -> Board:
    made = site.store.add_project(name, dwell_seconds=0)
    completions = tuple(Completion(f"c{i}", text, "secretmodel") for i, text in enumerate(texts))
    prompt = (Message("user", "What is **this**?"), Message("assistant", "> a quote"), Message("user", texts[0]))
    site.store.import_groups(made.id, [Group(f"{name}-{i}", prompt, completions) for i in range(groups)])
    site.add_user(f"{name}-ann", projects=(name,))
    return visit.board(site, f"{name}-ann", **options)


def test_hostile_texts_are_drawn_and_do_nothing(site: Site, visit: Visit):
    board = opened(site, visit, "drawn", HOSTILE)
    page = board.page
    before = page.url
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    board.press("*")
    expect(page.locator(".lb-drawn math")).to_have_count(4)  # two of the prompt and WRITTEN, two of the last
    page.locator(".lb-fold-turns").click()
    assert page.locator(f".lb-drawn :is({ALIVE})").count() == 0
    assert page.evaluate("window.hit") is None
    expect(page.locator(".lb-prompt .lb-address").first).to_have_text(" (http://evil.example/x)")
    page.locator(".lb-prompt .lb-link").click()
    page.locator(".lb-prompt .lb-image").click()
    page.wait_for_timeout(300)
    assert page.url == before
    assert asked
    assert all(url.startswith(f"{site.url}/") for url in asked)
    expect(board.part("legend")).to_contain_text("What is judged is the exact text")
    codes = page.locator(".lb-drawn .lb-unseen")
    assert [code.get_attribute("data-code") for code in codes.all()] == ["U+202E", "U+200B"]
    board.press("*")
    assert sorted(board.texts().values()) == sorted(HOSTILE)


def test_what_the_page_copies_is_harmless_whatever_the_server_answers(site: Site, visit: Visit):
    board = opened(site, visit, "fence", ("one", "two"))
    page = board.page
    html = (
        '<p onclick="window.hit=1" style="position:fixed" class="lb-dialog">kept<img src=x onerror="window.hit=1">'
        '<a href="http://evil.example">link</a><script>window.hit=1</script></p><math><mtext><table><mglyph><style>'
        '<!--</style><img title="--&gt;&lt;img src=1 onerror=window.hit=1&gt;"></math><form action="//evil.example">'
    )
    page.evaluate("(html) => (window.fetch = async () => Response.json({ html: [html] }))", html)
    board.press("*")
    expect(page.locator(".lb-drawn").first).to_contain_text("kept")
    assert page.locator(f".lb-drawn :is({ALIVE}), .lb-drawn [onclick], .lb-drawn .lb-dialog").count() == 0
    assert page.evaluate("window.hit") is None
    visit.expect("Content Security Policy")  # which the parser heeds too, in a document without a life of its own


def test_the_choice_stays_with_the_person_and_the_next_task_is_drawn_at_once(site: Site, visit: Visit):
    board = opened(site, visit, "stays", (WRITTEN, "plain"), groups=3)
    page = board.page
    board.press("*")
    expect(page.locator(".lb-drawn h3").first).to_have_text("Title")
    board.submit("a", "b")
    assert page.locator("[data-card] .lb-drawn h3").count() == 1
    page.reload()
    board.wait()
    assert page.locator("[data-card] .lb-drawn h3").count() == 1
    site.add_user("stays-bob", projects=("stays",))
    other = visit.board(site, "stays-bob")
    assert other.page.locator(".lb-drawn").count() == 0


def test_a_text_too_long_to_be_drawn_is_shown_as_it_is(site: Site, visit: Visit):
    board = opened(site, visit, "toolong", ("*short*", "*long* " * reading.LONGEST_TEXT))
    board.press("*")
    expect(board.page.locator(".lb-undrawn")).to_have_text(
        "This text is too long for the reading view and is shown as it is."
    )
    assert board.page.locator("[data-card] .lb-drawn").count() == 1


def test_without_the_server_texts_stay_as_they_are(site: Site, visit: Visit):
    board = opened(site, visit, "noserver", ("*one*", "*two*"))

    def refuse(route: Route) -> None:
        route.abort()

    board.page.route("**/api/reading", refuse)
    board.press("*")
    expect(board.part("message")).to_contain_text("cannot be reached")
    expect(board.part("reading-toggle")).to_have_attribute("aria-pressed", "false")
    assert sorted(board.texts().values()) == ["*one*", "*two*"]
    visit.expect("ERR_FAILED")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_unseen_characters_have_a_legend_and_can_be_left_unmarked(site: Site, visit: Visit, scheme: str):
    texts = (
        "zero\u200bwidth \u200b\u202eabc\u202c",
        "می\u200cروم",
        "👩\u200d👧 ❤️ 1️⃣ 🏴\U000e0067\U000e0062\U000e007f",
        "fi\u00adne a\ufe01",
    )
    board = opened(site, visit, f"unseen-{scheme}", texts, color_scheme=scheme)
    legend = board.part("legend")
    for entry in (
        "U+200B zero width space",
        "U+202E right-to-left override",
        "U+200C zero width non-joiner",
        "U+00AD soft hyphen",
        "U+FE01 invisible",
    ):
        expect(legend).to_contain_text(entry)
    codes = board.page.locator("[data-testid=completion] .lb-unseen")
    assert sorted(str(code.get_attribute("data-code")) for code in codes.all()) == sorted(
        ["U+200B", "U+200B", "U+202E", "U+202C", "U+200C", "U+00AD", "U+FE01"]
    )
    shown = "(node) => getComputedStyle(node, '::before').content"
    assert codes.first.evaluate(shown) != "none"
    board.part("codes-toggle").click()
    assert codes.first.evaluate(shown) == "none"
    assert sorted(board.texts().values()) == sorted(texts)
    expect(legend).to_contain_text("show codes")


def test_ordinary_texts_have_no_legend(site: Site, visit: Visit):
    made = site.store.add_project("plain")
    site.store.import_groups(made.id, [group("plain-0")])
    site.add_user("plain-ann", projects=("plain",))
    expect(visit.board(site, "plain-ann").part("legend")).to_be_empty()
