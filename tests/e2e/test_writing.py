"""Writing the ideal answer, and improving the best completion, in a real browser; and what of it reaches the files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from board import Board, group
from browsing import Site, Visit
from playwright.sync_api import Locator, expect

from labeler.label_schema import Flag, LabelSchema, preset, schema_row
from labeler.routes.assets import ASSETS
from labeler.snapshot import freeze
from labeler.store import Judgment

WRITE = LabelSchema("demonstrate", ranking=False, all_bad=False, prompt_flags=(Flag("vague", key="a"),))
SETTLED = 700
"""Milliseconds after which a submit without a touch before counts as meant for the task on the screen."""
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
EXACT = "  Two  spaces,\n\n\ttab <b>no markup</b> {{7*7}} \u202eturned\u202c and z\u200bero 👩\u200d👧 \n"


def opened(
    site: Site, visit: Visit, name: str, schema: LabelSchema, k: int, tasks: int = 3, **options: object
) -> Board:
    made = site.store.add_project(name, schema=schema, dwell_seconds=0)
    site.store.import_groups(made.id, [group(f"{name}-{i}", k) for i in range(tasks)])
    site.add_user(f"{name}-ann", projects=(name,))
    return visit.board(site, f"{name}-ann", **options)


def judgments(site: Site, name: str) -> list[Judgment]:
    return list(site.store.judgments(site.store.project(name).id))


def typed(box: Locator, text: str) -> None:
    """As one who types: at the end of what is there."""
    box.focus()
    box.press("Control+End")
    box.press_sequentially(text)


# Writing the ideal answer


def test_an_answer_is_written_by_keyboard_alone(site: Site, visit: Visit, tmp_path: Path):
    board = opened(site, visit, "letters", WRITE, 0)
    first, box = board.task, board.part("demonstration")
    expect(box).to_be_focused()
    expect(board.part("submit")).to_be_disabled()
    for hidden in ("tie", "all-bad", "compare-toggle", "chip"):
        expect(board.part(hidden)).to_be_hidden()
    board.page.keyboard.type("Skip, undo and submit are words here.")
    expect(board.part("words")).to_have_text("7 words, 37 characters")
    expect(board.part("submit")).to_be_enabled()
    board.press("Enter")  # a new line
    assert board.task == first
    board.press("Escape", "a")
    expect(board.page.locator(".lb-prompt .lb-tag")).to_have_text("vague")
    expect(box).to_have_value("Skip, undo and submit are words here.\n")
    board.press("Enter")
    expect(box).to_be_focused()
    board.page.keyboard.type("Yes")
    board.press("Control+Enter")
    board.gone(first)
    expect(board.part("progress")).to_have_text("1 of 3")
    expect(box).to_be_focused()
    expect(box).to_have_value("")
    (judgment,) = judgments(site, "letters")
    assert judgment.written
    assert judgment.written.text == "Skip, undo and submit are words here.\nYes"
    assert judgment.written.prompt_flags == ("vague",)
    assert judgment.seconds
    freeze(site.store, site.store.project("letters"), tmp_path / "snap")
    (row,) = [json.loads(line) for line in (tmp_path / "snap" / "demonstrations.jsonl").read_text().splitlines()]
    assert (row["completion"], row["annotator"]) == (judgment.written.text, "letters-ann")


def test_what_is_written_is_kept_to_the_letter(site: Site, visit: Visit):
    board = opened(site, visit, "exactly", WRITE, 0)
    first, box = board.task, board.part("demonstration")
    box.fill(EXACT)
    board.saved()
    board.page.reload()
    board.wait()
    expect(box).to_have_value(EXACT)
    board.page.wait_for_timeout(SETTLED)
    board.part("submit").click()
    board.gone(first)
    (judgment,) = judgments(site, "exactly")
    assert judgment.written
    assert judgment.written.text == EXACT
    board.press("Escape", "h")
    expect(board.part("history").locator("li")).to_contain_text("words: Two spaces, tab <b>no markup</b>")
    board.part("history").get_by_role("button", name="Correct").click()
    board.page.wait_for_selector(f"[data-task-id='{first}']")
    expect(box).to_have_value(EXACT)
    typed(box, "More.")
    board.press("Control+Enter")
    board.gone(first)
    (judgment,) = judgments(site, "exactly")
    assert judgment.written
    assert (judgment.written.text, bool(judgment.supersedes)) == (f"{EXACT}More.", True)


def test_words_are_saved_while_somebody_goes_on_typing(site: Site, visit: Visit):
    board = opened(site, visit, "steady", WRITE, 0)
    box, saves = board.part("demonstration"), []
    board.page.on("request", lambda request: saves.append(request.post_data_json) if "draft" in request.url else None)
    box.press_sequentially("never a pause " * 3, delay=100)  # 4 seconds, no two keys further apart than that
    texts = [save["draft"]["written"] for save in saves]
    assert len(texts) >= 1
    assert 5 < len(texts[0]) < 42


def test_half_a_sentence_survives_a_restart_of_the_server_and_goes_on_elsewhere(own_site: Site, visit: Visit):
    board = opened(own_site, visit, "restart", WRITE, 0)
    first, box = board.task, board.part("demonstration")
    typed(box, "One ")
    board.saved()
    own_site.stop()
    typed(box, "two ")
    expect(board.part("saving")).to_contain_text("Not saved")
    expect(board.part("submit")).to_be_disabled()
    board.page.wait_for_timeout(4000)  # Streamlit misses its server and says so: who types must not be disturbed
    expect(box).to_be_focused()
    board.page.keyboard.type("thr")
    own_site.start()
    board.page.wait_for_timeout(4000)  # it finds it again
    board.page.keyboard.type("ee")
    board.saved()
    other = visit.board(own_site, "restart-ann", **PHONE)
    assert other.task == first
    expect(other.part("demonstration")).to_have_value("One two three")
    own_site.stop()
    typed(box, " four")
    expect(board.part("saving")).to_contain_text("Not saved")
    own_site.start()
    board.page.reload()  # what was never sent is still in this browser
    board.wait()
    expect(box).to_have_value("One two three four")
    typed(box, "!")
    board.saved()
    board.press("Control+Enter")
    board.gone(first)
    (judgment,) = judgments(own_site, "restart")
    assert judgment.written
    assert judgment.written.text == "One two three four!"
    visit.expect("ERR_CONNECTION|WebSocket|server endpoint|server is not responding|ERR_EMPTY")


def test_skipping_undoing_and_the_sheet_of_keys(site: Site, visit: Visit):
    board = opened(site, visit, "panels", WRITE, 0)
    first, box = board.task, board.part("demonstration")
    board.press("Escape", "?")
    expect(board.part("help")).to_contain_text("Ctrl Enter")
    expect(board.part("help")).not_to_contain_text("all bad")
    board.press("Escape", "v", "x", "=", "r", "1")  # nothing to compare, rank or rate
    board.press("s")
    board.page.get_by_text("The prompt is unclear").click()
    board.part("skip-confirm").click()
    board.gone(first)
    board.press("Escape", "u")
    board.page.wait_for_selector(f"[data-task-id='{first}']")
    expect(board.part("message")).to_contain_text("You skipped this one: The prompt is unclear")
    typed(box, "After all.")
    board.press("Control+Enter")
    board.gone(first)
    assert [(j.kind, bool(j.supersedes)) for j in judgments(site, "panels")] == [("write", True)]
    board.page.wait_for_timeout(SETTLED)
    board.press("Control+Enter")
    expect(board.part("message")).to_contain_text("Write the answer first.")


def test_a_held_ctrl_enter_sends_one_answer(site: Site, visit: Visit):
    board = opened(site, visit, "held-write", WRITE, 0)
    first, box = board.task, board.part("demonstration")
    typed(box, "Mine.")
    board.page.keyboard.down("Control")
    board.page.keyboard.down("Enter")
    board.gone(first)
    for _ in range(4):
        board.page.keyboard.down("Enter")
    board.page.keyboard.up("Enter")
    board.page.keyboard.up("Control")
    board.page.wait_for_timeout(300)
    assert len(judgments(site, "held-write")) == 1
    expect(box).to_have_value("")


def test_an_answer_is_written_on_a_phone(site: Site, visit: Visit):
    board = opened(site, visit, "thumbs", preset("demonstrate"), 0, **PHONE)
    page, first, box = board.page, board.task, board.part("demonstration")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("[data-flag=requests_advice]").tap()
    box.tap()
    box.press_sequentially("By thumb.")
    board.saved()
    for part in (box, board.part("submit"), board.part("skip")):
        place = part.bounding_box()
        assert place
        assert place["x"] >= 0
        assert place["x"] + place["width"] <= 390
        assert place["y"] + place["height"] <= 844
    board.part("submit").tap()
    board.gone(first)
    (judgment,) = judgments(site, "thumbs")
    assert judgment.written
    assert (judgment.written.text, judgment.written.prompt_flags) == ("By thumb.", ("requests_advice",))


# Improving the best


def test_the_best_is_improved_by_keyboard(site: Site, visit: Visit, tmp_path: Path):
    board = opened(site, visit, "better", LabelSchema(edit="required"), 3)
    first, texts, box = board.task, board.texts(), board.part("edit-best")
    expect(box).to_be_hidden()
    board.press("e")
    expect(board.part("message")).to_contain_text("Rank first")
    board.press("b", "a", "c")
    expect(box).to_have_value(texts["B"])
    expect(board.part("submit")).to_be_disabled()
    board.press("Enter")
    expect(box).to_be_focused()
    typed(box, " Now improved.")
    board.press("Control+Enter")
    board.gone(first)
    (judgment,) = judgments(site, "better")
    assert judgment.edit
    assert judgment.edit.text == f"{texts['B']} Now improved."
    expect(box).to_be_hidden()
    freeze(site.store, site.store.project("better"), tmp_path / "snap")
    (row,) = [json.loads(line) for line in (tmp_path / "snap" / "groups.jsonl").read_text().splitlines()]
    ranks = row["rankings"][0]["ranks"]
    by_rank = {rank: completion["text"] for rank, completion in zip(ranks, row["completions"], strict=True)}
    assert by_rank == {1: judgment.edit.text, 2: texts["B"], 3: texts["A"], 4: texts["C"]}
    board.press("h")
    expect(board.part("history").locator("li")).to_contain_text("B > A > C · with a better text")


def test_improving_may_be_left_out_where_it_is_optional(site: Site, visit: Visit):
    board = opened(site, visit, "maybe", LabelSchema(edit="optional"), 3)
    board.submit("a", "b", "c")
    first = board.task
    board.press("a", "=", "b", "c", "e")
    box = board.part("edit-best")
    expect(box).to_be_focused()
    board.page.get_by_role("button", name="from B").click()
    expect(box).to_have_value(board.texts()["B"])
    typed(box, "!")
    board.part("submit").click()
    board.gone(first)
    with_edit, without = sorted(judgments(site, "maybe"), key=lambda judgment: judgment.edit is None)
    assert with_edit.edit
    assert with_edit.edit.text.endswith("!")
    assert without.edit is None


def test_a_better_text_belongs_to_the_best_it_was_made_from(site: Site, visit: Visit):
    board = opened(site, visit, "stale", LabelSchema(edit="optional"), 3)
    first, texts, box = board.task, board.texts(), board.part("edit-best")
    board.press("a", "b", "c")
    typed(box, " More.")
    board.press("Escape", "Backspace", "Backspace", "Backspace", "c", "b", "a")
    expect(box).to_have_value(f"{texts['A']} More.")
    expect(board.part("submit")).to_be_disabled()
    board.press("Control+Enter")
    expect(board.part("message")).to_contain_text("Your text was made from A: rank A first, or start again.")
    board.part("edit-again").click()
    expect(box).to_have_value(texts["C"])
    board.part("edit-again").click()  # "bring my text back"
    expect(box).to_have_value(f"{texts['A']} More.")
    board.part("edit-again").click()
    typed(box, " Else.")
    board.press("Control+Enter")
    board.gone(first)
    (judgment,) = judgments(site, "stale")
    assert judgment.edit
    assert judgment.edit.text == f"{texts['C']} Else."


def test_where_all_are_bad_a_better_one_is_written_and_survives_everything(own_site: Site, visit: Visit):
    board = opened(own_site, visit, "allbad", LabelSchema(edit="optional"), 3)
    first, box = board.task, board.part("edit-best")
    board.press("x", "e")
    expect(box).to_have_value("")
    typed(box, "Written ")
    board.saved()
    board.page.reload()
    board.wait()
    expect(box).to_have_value("Written ")
    own_site.stop()
    typed(box, "anew.")
    expect(board.part("saving")).to_contain_text("Not saved")
    own_site.start()
    board.saved()
    board.press("Control+Enter")
    board.gone(first)
    board.press("u")
    board.page.wait_for_selector(f"[data-task-id='{first}']")
    expect(box).to_have_value("Written anew.")
    typed(box, " Twice.")
    board.press("Control+Enter")
    board.gone(first)
    (judgment,) = judgments(own_site, "allbad")
    assert judgment.edit
    assert judgment.ranking
    assert (judgment.edit.of, judgment.edit.text, judgment.ranking.all_bad) == (None, "Written anew. Twice.", True)
    visit.expect("ERR_CONNECTION|WebSocket|server endpoint|server is not responding|ERR_EMPTY")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_improving_after_rating_on_a_phone(site: Site, visit: Visit, scheme: str):
    name = f"pocket-{scheme}"
    schema = replace(preset("rate"), edit="required")
    board = opened(site, visit, name, schema, 2, color_scheme=scheme, **PHONE)
    page, first = board.page, board.task
    for label in "AB":
        page.get_by_role("button", name=f"Show completion {label}").tap()
        page.locator(f"[data-testid=rating][data-label={label}][data-rating='6']").tap()
    board.part("step-rank").tap()
    for label in "BA":
        board.chip(label).tap()
    page.get_by_role("button", name="Improve the best", exact=True).tap()
    box = board.part("edit-best")
    box.tap()
    typed(box, " By thumb.")
    place = box.bounding_box()
    assert place
    assert place["x"] >= 0
    assert place["x"] + place["width"] <= 390
    board.part("submit").tap()
    board.gone(first)
    (judgment,) = judgments(site, name)
    assert judgment.edit
    assert judgment.edit.text.endswith(" By thumb.")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


# The pure module, over every sequence of changes

RANDOM_EDITS = """async ([assets, schema]) => {
  const a = await import(`${assets}/answer.js`);
  const e = await import(`${assets}/editing.js`);
  const r = await import(`${assets}/ranking.js`);
  let seed = 5;
  const random = (n) => (seed = (seed * 48271) % 2147483647) % n;
  const labels = ["A", "B", "C"];
  const texts = { A: "a", B: "b", C: "c" };
  const type = (s) => {
    const of = s.edit ? s.edit.of : (e.sources(s)[0] ?? null);
    const before = of === null ? "" : texts[of];
    return e.withText(s, of, ["", " ", before, "better"][random(4)], before);
  };
  const changes = [
    (s) => a.withRanking(s, r.place(s.ranking, labels[random(3)])),
    (s) => a.withRanking(s, r.toggleTie(s.ranking)),
    (s) => a.withRanking(s, r.unrank(s.ranking, labels[random(3)])),
    (s) => ({ ...s, allBad: !s.allBad }),
    type, type,
  ];
  let complete = 0;
  for (let run = 0; run < 400; run += 1) {
    let state = a.fromDraft(labels, schema, null);
    for (let i = 0; i < 20; i += 1) {
      state = changes[random(changes.length)](state);
      const again = a.fromDraft(labels, schema, a.toDraft(state));
      if (JSON.stringify(again.edit) !== JSON.stringify(state.edit)) return `draft: ${JSON.stringify(state)}`;
      const { ranks, all_bad: bad, edit } = a.toSubmission(state);
      const ranked = bad || Object.keys(ranks).length === 3;
      const best = Math.min(...Object.values(ranks));
      const from = edit && (edit.of === null ? bad : ranks[edit.of] === best);
      const fits = edit ? from && edit.text.trim() && edit.text !== texts[edit.of] : schema.edit !== "required";
      const ready = a.obstacle(state, schema) === null;
      if (ready !== Boolean(ranked && fits)) return `ready ${ready}: ${JSON.stringify(state)}`;
      complete += ready;
    }
  }
  return complete > 50 ? "sound" : `complete only ${complete} times`;
}"""


@pytest.mark.parametrize("edit", ["optional", "required"])
def test_any_sequence_of_changes_leaves_a_sound_edit(site: Site, visit: Visit, edit: str):
    page = visit.page(site)
    page.goto(f"{site.url}/login")
    schema = schema_row(LabelSchema()) | {"edit": edit}
    assert page.evaluate(RANDOM_EDITS, [ASSETS, schema]) == "sound"
