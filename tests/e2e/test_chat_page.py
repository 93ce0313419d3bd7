"""Writing dialogues in a real browser: suggestions, replies to rank, reloads, restarts and a model in trouble."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import DESKTOP, Site, Visit, from_menu
from model_server import ModelServer, model_server
from playwright.sync_api import Locator, Page, expect

from labeler.endpoint_settings import Endpoint
from labeler.label_schema import LabelSchema
from labeler.records import Group, Message
from labeler.routes.assets import ASSETS
from labeler.snapshot import freeze

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with model_server() as running:
        yield running


# Whatever is done to a dialogue, its roles take turns, what was offered stays known, and a draft brings it back.
RANDOM_MOVES = """async (assets) => {
  const d = await import(`${assets}/dialogue.js`);
  let seed = 11;
  const random = (n) => (seed = (seed * 48271) % 2147483647) % n;
  for (let run = 0; run < 300; run += 1) {
    const start = [[], [{ role: "user" }], [{ role: "system" }]][random(3)];
    const offers = new Map();
    let state = d.fromDraft(null);
    const here = () => offers.get(state.writing.offer);
    const offer = () => ({ id: offers.size + 1, replies: ["x", "y", "z"] });
    const give = (s, made) => (offers.set(made.id, made), d.offered(s, made));
    const moves = [
      (s) => d.write(s, ["", "a", "b c"][random(3)]),
      (s) => (s.writing.text.trim() ? d.add(s, d.nextRole(start, s)) : s),
      (s) => (d.nextRole(start, s) === "assistant" && s.writing.reply === null ? give(s, offer()) : s),
      (s) => (here() ? d.take(s, here(), random(3)) : s),
      (s) => (here() ? d.rank(s, [1, 2, random(2) ? 2 : null]) : s),
      (s) => (s.turns.length ? d.change(s, random(s.turns.length), "changed") : s),
      (s) => (s.turns.length ? d.removeFrom(s, random(s.turns.length)) : s),
      (s) => d.putBack(s),
      (s) => d.toggleDone(s),
    ];
    for (let i = 0; i < 40; i += 1) {
      const before = JSON.stringify(state);
      const next = moves[random(moves.length)](state);
      if (JSON.stringify(state) !== before) return "a move changed the state it was given";
      state = next;
      const said = [...start.filter(({ role }) => role !== "system"), ...state.turns];
      if (said.some(({ role }, at) => role !== ["user", "assistant"][at % 2])) return `roles: ${JSON.stringify(state)}`;
      for (const turn of [...state.turns, state.writing]) {
        if (turn.offer !== null && !state.shown.includes(turn.offer)) return `offer: ${JSON.stringify(state)}`;
        if (turn.reply !== null && turn.offer === null) return `reply: ${JSON.stringify(state)}`;
      }
      const again = d.fromDraft(JSON.parse(JSON.stringify(d.toDraft(state))));
      const same = JSON.stringify({ ...again, removed: state.removed }) === JSON.stringify(state);
      if (!same) return `draft: ${JSON.stringify(state)}`;
    }
  }
  return "sound";
}"""


class Talk:
    """One person's screen."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.wait()

    def wait(self) -> None:
        self.page.wait_for_selector("[data-testid=chat], [data-testid=no-tasks]", timeout=30_000)

    def part(self, name: str) -> Locator:
        return self.page.get_by_test_id(name)

    @property
    def turns(self) -> list[tuple[str, str]]:
        found = self.page.locator("[data-testid=turn] .lb-text").all()
        rows = [each.locator("xpath=ancestor::*[@data-testid='turn']") for each in found]
        return [
            (str(row.get_attribute("data-role")), str(each.text_content()))
            for row, each in zip(rows, found, strict=True)
        ]

    def write(self, text: str) -> None:
        """Type a turn and add it, by keyboard."""
        self.part("turn-input").focus()
        self.page.keyboard.insert_text(text)
        self.page.keyboard.press("Control+Enter")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def saved(self) -> None:
        expect(self.part("saving")).to_have_text("saved", timeout=10_000)


def opened(
    site: Site,
    visit: Visit,
    name: str,
    model: ModelServer | None,
    replies: int | None = None,
    seconds: float = 60,
    **options: object,
) -> Talk:
    endpoint = Endpoint(model.url, "secret-model", number=3, timeout=seconds) if model else None
    schema = LabelSchema("chat", all_bad=False, suggest=endpoint, replies=replies)
    made = site.store.add_project(name, schema=schema, dwell_seconds=0)
    starts = [
        Group(f"{name}-{i}", (Message("system", "You sell shoes."),), (), meta={"scenario": "You want <b>boots</b>."})
        for i in range(2)
    ]
    site.store.import_groups(made.id, starts)
    site.add_user(f"{name}-ann", projects=(name,))
    return Talk(visit.sign_in(site, f"{name}-ann", **options))


def only_dialogue(site: Site, name: str, folder: Path) -> tuple[dict[str, object], list[dict[str, object]]]:
    """The one demonstration of a snapshot, and its groups."""
    freeze(site.store, site.store.project(name), folder)
    read = [
        [json.loads(line) for line in (folder / f"{part}.jsonl").read_text().splitlines()]
        for part in ("demonstrations", "groups")
    ]
    (demonstration,), groups = read
    return demonstration, groups


def test_a_dialogue_is_written_by_keyboard_with_suggestions(
    site: Site, visit: Visit, model: ModelServer, tmp_path: Path
):
    talk = opened(site, visit, "talks", model)
    expect(talk.part("scenario")).to_contain_text("You want <b>boots</b>.")
    assert talk.turns == [("system", "You sell shoes.")]
    talk.press("w")
    expect(talk.part("turn-input")).to_be_focused()
    box = talk.part("turn-input").bounding_box()
    assert box
    assert box["width"] > 0.8 * DESKTOP["width"]
    talk.write("Do you have boots?")
    expect(talk.part("suggestion")).to_have_count(3)
    talk.press("Escape", "b")
    expect(talk.part("turn-input")).to_have_value("reply 1 to 2 turns: Do you have boots?")
    talk.press("Control+Enter")
    expect(talk.part("origin")).to_have_text(["suggestion"])
    expect(talk.part("suggestion")).to_have_count(0)
    talk.write("In black?")
    expect(talk.part("suggestion")).to_have_count(3)
    talk.press("Escape", "a")
    talk.page.keyboard.insert_text(" Yes.")
    talk.press("Control+Enter")
    expect(talk.part("origin")).to_have_text(["suggestion", "suggestion, edited"])
    talk.write("Thanks!")
    talk.write("You are welcome.")  # without waiting for the model
    assert [role for role, _ in talk.turns[1:]] == ["user", "assistant"] * 3
    assert talk.part("submit").is_disabled()
    talk.press("Escape", "x")
    expect(talk.part("submit")).to_be_enabled()
    first = talk.part("chat").get_attribute("data-task-id")
    talk.press("Enter")
    expect(talk.page.locator(f"[data-testid=chat][data-task-id='{first}']")).to_have_count(0, timeout=15_000)
    expect(talk.part("progress")).to_have_text("1 of 2")
    assert talk.turns == [("system", "You sell shoes.")]

    demonstration, groups = only_dialogue(site, "talks", tmp_path / "snapshot")
    assert groups == []
    assert demonstration["completion"] == "You are welcome."
    assert demonstration["meta"]["provenance"] == ["suggestion accepted", "suggestion edited", "written"]
    assert "secret" not in talk.page.content()


def test_replies_are_ranked_and_the_dialogue_goes_on_with_the_best(
    site: Site, visit: Visit, model: ModelServer, tmp_path: Path
):
    talk = opened(site, visit, "ranks", model, replies=4)
    talk.write("Do you have boots?")
    expect(talk.part("suggestion")).to_have_count(4)
    expect(talk.part("chip")).to_have_count(4)
    talk.page.locator("[data-testid=suggestion][data-card=B]").focus()
    talk.press("1")
    expect(talk.page.locator("[data-testid=chip][data-label=B]")).to_have_attribute("data-rank", "1")
    talk.press("Backspace", "c", "a", "=", "d")
    talk.press("Enter")
    expect(talk.part("message")).to_contain_text("Rank every reply first")
    talk.press("b", "Enter")
    expect(talk.part("turn-input")).to_have_value("reply 2 to 2 turns: Do you have boots?")
    talk.press("Control+Enter", "Escape", "x", "Enter")
    expect(talk.part("progress")).to_have_text("1 of 2", timeout=15_000)
    demonstration, (group,) = only_dialogue(site, "ranks", tmp_path / "snapshot")
    assert demonstration["meta"]["provenance"] == ["suggestion accepted"]
    assert group["prompt"][-1]["content"] == "Do you have boots?"
    assert [completion["model"] for completion in group["completions"]] == ["secret-model"] * 4
    assert group["rankings"][0]["ranks"] == [2, 3, 1, 2]


def test_reload_another_browser_and_a_restart_in_the_middle_lose_nothing(
    own_site: Site, visit: Visit, model: ModelServer
):
    talk = opened(own_site, visit, "keeps", model, replies=3)
    talk.write("Do you have boots?")
    expect(talk.part("suggestion")).to_have_count(3)
    talk.press("b", "a")
    talk.part("turn-input").fill("half a thought")
    talk.saved()
    before = talk.turns
    talk.page.reload()
    talk.wait()
    assert talk.turns == before
    expect(talk.part("turn-input")).to_have_value("half a thought")
    chips = {c.get_attribute("data-label"): c.get_attribute("data-rank") for c in talk.part("chip").all()}
    assert chips == {"A": "2", "B": "1", "C": ""}

    own_site.stop()
    talk.part("turn-input").fill("half a thought, and")
    expect(talk.part("saving")).to_contain_text("Not saved", timeout=15_000)
    expect(talk.part("submit")).to_be_disabled()
    own_site.start()
    talk.part("turn-input").fill("half a thought, and more")
    talk.saved()
    visit.expect("ERR_CONNECTION|WebSocket|server endpoint|server is not responding|ERR_EMPTY")
    other = Talk(visit.sign_in(own_site, "keeps-ann"))
    assert other.turns == before
    expect(other.part("turn-input")).to_have_value("half a thought, and more")
    expect(other.part("suggestion")).to_have_count(3)


def test_turns_are_changed_deleted_and_put_back(site: Site, visit: Visit):
    talk = opened(site, visit, "chat-turns", None)
    for text in ("one", "two", "three", "four"):
        talk.write(text)
    expect(talk.part("suggest")).to_be_hidden()  # no model is set
    talk.part("turn-edit").nth(1).click()
    expect(talk.part("turn-editor")).to_be_focused()
    talk.page.keyboard.press("Control+A")
    talk.page.keyboard.insert_text("two, better")
    talk.press("Control+Enter")
    assert [text for _, text in talk.turns[1:]] == ["one", "two, better", "three", "four"]
    talk.part("turn-delete").nth(2).click()
    assert [text for _, text in talk.turns[1:]] == ["one", "two, better"]
    expect(talk.page.get_by_text("2 turns were deleted.")).to_be_visible()
    talk.part("put-back").click()
    assert [text for _, text in talk.turns[1:]] == ["one", "two, better", "three", "four"]
    talk.press("Backspace")
    assert [text for _, text in talk.turns[1:]] == ["one", "two, better", "three"]
    talk.press("x")
    expect(talk.part("message")).to_contain_text("must end with a turn of the assistant")
    assert not talk.part("done").is_checked()
    talk.press("p", "x", "Enter")
    expect(talk.part("progress")).to_have_text("1 of 2", timeout=15_000)
    talk.press("u")
    expect(talk.part("turn-text")).to_have_text(["one", "two, better", "three", "four"])
    talk.part("turn-edit").nth(3).click()
    talk.page.keyboard.insert_text("!")
    talk.press("Control+Enter", "Enter")
    expect(talk.part("turn-text")).to_have_count(0, timeout=15_000)
    (judgment,) = site.store.judgments(site.store.project("chat-turns").id)
    assert judgment.supersedes
    assert judgment.dialogue
    assert judgment.dialogue.turns[-1].text == "four!"


@pytest.mark.parametrize("mood", ["fail", "redirect", "slow"])
def test_a_model_in_trouble_never_blocks_the_writing(site: Site, visit: Visit, model: ModelServer, mood: str):
    model.mood = mood
    talk = opened(site, visit, f"trouble-{mood}", model, replies=3, seconds=5 if mood == "slow" else 60)
    talk.write("Hello?")
    if mood == "slow":
        expect(talk.part("suggest-state")).to_contain_text("are being written")
    talk.part("turn-input").fill("Still here.")
    expect(talk.part("suggest-state")).to_contain_text("Write the turn yourself, or ask again.", timeout=15_000)
    visit.expect("502")
    expect(talk.part("turn-input")).to_have_value("Still here.")
    talk.press("Control+Enter", "Escape", "x")
    expect(talk.part("submit")).to_be_enabled()
    model.mood = ""
    model.release.set()
    talk.press("x", "Backspace", "q")
    expect(talk.part("suggestion")).to_have_count(3)


def test_suggestions_that_come_late_wait_beside_what_was_typed(site: Site, visit: Visit, model: ModelServer):
    model.mood = "slow"
    talk = opened(site, visit, "slow-suggestions", model)
    talk.write("Hello?")
    talk.part("turn-input").fill("My own.")
    model.release.set()
    expect(talk.part("suggestion")).to_have_count(3)
    expect(talk.part("turn-input")).to_have_value("My own.")
    talk.part("suggestion-use").first.click()
    expect(talk.part("turn-input")).to_have_value("My own.\n\nreply 0 to 2 turns: Hello?")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_writes_and_ranks_by_touch(site: Site, visit: Visit, model: ModelServer, scheme: str, tmp_path: Path):
    name = f"phone-{scheme}"
    talk = opened(site, visit, name, model, replies=2, color_scheme=scheme, **PHONE)
    talk.part("turn-input").tap()
    talk.part("turn-input").fill("Do you have boots?")
    talk.part("add-turn").tap()
    expect(talk.part("suggestion")).to_have_count(2)
    for part in ("turn-input", "add-turn", "submit"):
        box = talk.part(part).bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert box["y"] + box["height"] <= 844
    talk.part("chip").nth(1).tap()
    talk.page.locator("[data-testid=chip][data-label=A]").tap()
    talk.page.locator("[data-testid=suggestion-use][data-label=B]").tap()
    talk.part("add-turn").tap()
    talk.part("done").tap()
    talk.part("submit").tap()
    expect(talk.part("progress")).to_have_text("1 of 2", timeout=15_000)
    _, (group,) = only_dialogue(site, name, tmp_path / "snapshot")
    assert group["rankings"][0]["ranks"] == [2, 1]


def test_any_sequence_of_moves_leaves_a_sound_dialogue(site: Site, visit: Visit):
    page = visit.page(site)
    page.goto(f"{site.url}/login")
    assert page.evaluate(RANDOM_MOVES, ASSETS) == "sound"


def test_a_manager_sets_and_tries_the_model(site: Site, visit: Visit, model: ModelServer):
    site.store.add_project("sets", schema=LabelSchema("chat", all_bad=False))
    site.add_user("sets-boss", "manager", ("sets",))
    page = visit.sign_in(site, "sets-boss")
    from_menu(page, "Administration", "Project settings")
    address = page.get_by_role("textbox", name="Address of the model's server")
    expect(address).to_be_visible(timeout=20_000)
    address.fill(model.url)
    page.get_by_role("textbox", name="Model, as the server calls it").fill("secret-model")
    page.get_by_role("button", name="Ask the model once").click()
    expect(page.get_by_text("reply 0 to 1 turns")).to_be_visible(timeout=20_000)
    page.get_by_role("button", name="Save as a new version").click()
    expect(page.get_by_text("Saved: version 2")).to_be_visible(timeout=20_000)
    assert site.store.project("sets").schema.suggest == Endpoint(model.url, "secret-model")
