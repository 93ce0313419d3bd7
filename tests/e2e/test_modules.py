"""The board's pure modules, run in the browser that will run them."""

from __future__ import annotations

import sys

import pytest
from browsing import Site, Visit
from playwright.sync_api import Page

from labeler.label_schema import LabelSchema, schema_row
from labeler.routes.assets import ASSETS

# Every sequence of moves from a small alphabet leaves a sound state: each completion once, no rank without a place.
RANDOM_MOVES = """async (assets) => {
  const r = await import(`${assets}/ranking.js`);
  let seed = 7;
  const random = (n) => (seed = (seed * 48271) % 2147483647) % n;
  const labels = ["A", "B", "C", "D", "E"];
  const moves = [
    (s) => r.place(s, labels[random(5)]), (s) => r.toggleTie(s),
    (s) => r.takeBack(s), (s) => r.toggle(s, labels[random(5)]),
    (s) => r.setRank(s, labels[random(5)], 1 + random(5)), (s) => r.unrank(s, labels[random(5)]),
    (s) => r.step(s, labels[random(5)], random(2) ? 1 : -1),
    (s) => r.moveToGap(s, labels[random(5)], random(s.tiers.length + 1)),
    (s) => (s.tiers.length ? r.moveToTier(s, labels[random(5)], random(s.tiers.length)) : s),
  ];
  for (let run = 0; run < 400; run += 1) {
    let state = r.emptyRanking(labels);
    for (let i = 0; i < 30; i += 1) {
      const before = JSON.stringify(state);
      const next = moves[random(moves.length)](state);
      if (JSON.stringify(state) !== before) return "a move changed the state it was given";
      state = next;
      const placed = state.tiers.flat();
      if (new Set(placed).size !== placed.length) return `twice: ${JSON.stringify(state)}`;
      if ([...state.trail].sort().join() !== [...placed].sort().join()) return `trail: ${JSON.stringify(state)}`;
      if (state.tiers.length && !state.tiers.at(-1).length) return `open end: ${JSON.stringify(state)}`;
      if (r.unranked(state).length + placed.length !== labels.length) return `lost: ${JSON.stringify(state)}`;
      const again = r.fromDraft(labels, { ranks: r.ranksOf(state), trail: state.trail, tie: state.tie });
      if (again.tie !== state.tie || !labels.every((label) => r.rankOf(again, label) === r.rankOf(state, label)))
        return `draft: ${JSON.stringify(state)}`;
    }
    while (state.trail.length) state = r.takeBack(state);
    if (r.unranked(state).length !== 5) return "Backspace does not empty it";
  }
  return "sound";
}"""

DIFF = """async ([assets, left, right]) => {
  const { wordDiff } = await import(`${assets}/diff.js`);
  return wordDiff(left, right).sides;
}"""

# A text of 20,000 words beside a copy with some of them replaced, and beside an unrelated one from the same language.
LONG_DIFF = """async (assets) => {
  const { wordDiff } = await import(`${assets}/diff.js`);
  let seed = 5;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  const word = () => `w${Math.floor(8000 * random() ** 3)}`; // few words are common, most are rare
  const words = () => Array.from({ length: 20000 }, word);
  const left = words();
  const right = left.map((one, at) => (at % 500 === 250 ? "replaced" : one));
  const timed = (a, b) => {
    let best = Infinity, found;
    for (let run = 0; run < 5; run += 1) {
      const start = performance.now();
      found = wordDiff(a, b);
      best = Math.min(best, performance.now() - start);
    }
    return { milliseconds: best, sides: found.sides, exact: found.exact };
  };
  const texts = [left, right, words()].map((all) => all.join(" "));
  return { texts, near: timed(texts[0], texts[1]), far: timed(texts[0], texts[2]) };
}"""


@pytest.fixture
def page(site: Site, visit: Visit) -> Page:
    opened = visit.page(site)
    opened.goto(f"{site.url}/login")
    return opened


def test_any_sequence_of_moves_leaves_a_sound_ranking(page: Page):
    assert page.evaluate(RANDOM_MOVES, ASSETS) == "sound"


@pytest.mark.parametrize(
    ("left", "right", "marked"),
    [
        ("the cat sat", "the dog sat", (["cat"], ["dog"])),
        ("same", "same", ([], [])),
        ("", "new words", ([], ["new words"])),
        ("a b c d", "a c d e", (["b "], [" e"])),
        ("x, y", "x; y", ([","], [";"])),
        ("naïve été", "naive été", (["naïve"], ["naive"])),
    ],
)
def test_word_differences(page: Page, left: str, right: str, marked: tuple[list[str], list[str]]):
    sides = page.evaluate(DIFF, [ASSETS, left, right])
    assert ["".join(piece["text"] for piece in side) for side in sides] == [left, right]
    assert tuple([piece["text"] for piece in side if not piece["same"]] for side in sides) == marked


def test_comparing_long_texts_gives_them_back_whole(page: Page):
    left, right = "word and other " * 3000, "other and word\n" * 3000
    sides = page.evaluate(DIFF, [ASSETS, left, right])
    assert ["".join(piece["text"] for piece in side) for side in sides] == [left, right]


def test_texts_of_20_000_words_are_compared_at_once(page: Page):
    """The best of five runs, and within half a second, since the machine may be busy with other work."""
    found = page.evaluate(LONG_DIFF, ASSETS)
    left, right, other = found["texts"]
    for pair, (first, second) in {"near": (left, right), "far": (left, other)}.items():
        sides = found[pair]["sides"]
        assert ["".join(piece["text"] for piece in side) for side in sides] == [first, second]
        assert not found[pair]["exact"]
        assert found[pair]["milliseconds"] < 500, pair
    near = [[piece["text"] for piece in side if not piece["same"]] for side in found["near"]["sides"]]
    assert near[1] == ["replaced"] * 40
    assert len(near[0]) == 40
    sys.stdout.write(f"near {found['near']['milliseconds']:.0f} ms, far {found['far']['milliseconds']:.0f} ms\n")


CLOCK = """async (assets) => {
  const { AttentionClock } = await import(`${assets}/clock.js`);
  window.ticks = 0;
  window.attention = new AttentionClock(() => (window.ticks += 1));
  window.hide = (hidden) => Object.defineProperty(document, "visibilityState",
    { configurable: true, get: () => (hidden ? "hidden" : "visible") });
}"""


def test_attention_stops_when_the_tab_is_hidden_or_nobody_moves(page: Page):
    page.clock.install()
    page.evaluate(CLOCK, ASSETS)

    def seconds() -> float:
        return float(page.evaluate("window.attention.read()"))

    page.clock.run_for(30_000)
    assert seconds() == pytest.approx(30, abs=1)
    page.evaluate("window.hide(true)")
    page.clock.run_for(20_000)
    assert seconds() == pytest.approx(30, abs=1)
    page.evaluate("window.hide(false)")
    page.clock.run_for(100_000)
    assert seconds() == pytest.approx(40, abs=2)  # a minute after the last sign of life, 20 s of it hidden
    page.mouse.move(10, 10)
    page.clock.run_for(5_000)
    assert seconds() == pytest.approx(45, abs=2)


# Every sequence of changes leaves an answer that its own draft brings back, and that lacks what it says it lacks.
RANDOM_ANSWERS = """async ([assets, schema, k]) => {
  const a = await import(`${assets}/answer.js`);
  const r = await import(`${assets}/ranking.js`);
  let seed = 11;
  const random = (n) => (seed = (seed * 48271) % 2147483647) % n;
  const labels = ["A", "B", "C", "D"].slice(0, k);
  const one = () => labels[random(k)];
  const targets = [...labels, a.PROMPT];
  const changes = [
    (s) => (schema.ranking ? a.withRanking(s, r.place(s.ranking, one())) : s),
    (s) => (schema.ranking ? a.withRanking(s, r.toggleTie(s.ranking)) : s),
    (s) => (schema.ranking ? a.withRanking(s, r.unrank(s.ranking, one())) : s),
    (s) => (schema.task === "rate" ? a.withRating(s, one(), random(8)) : s),
    (s) => (schema.flags.length ? a.toggleFlag(s, targets[random(k + 1)], "f") : s),
    (s) => (a.asksStrength(labels, schema) ? a.withStrength(s, 1 + random(4)) : s),
    (s) => (schema.all_bad ? { ...s, allBad: !s.allBad } : s),
  ];
  const said = (s) => {
    const { ranks, ratings, strength, all_bad: bad } = a.toSubmission(s);
    return JSON.stringify([strength, bad, ...targets.map((at) => [ranks[at], ratings[at], a.flagsOf(s, at)])]);
  };
  let complete = 0;
  for (let run = 0; run < 300; run += 1) {
    let state = a.fromDraft(labels, schema, null);
    if (a.obstacle(state, schema) === null) return "nothing was said and nothing is missing";
    for (let i = 0; i < 20; i += 1) {
      const before = JSON.stringify(state);
      const next = changes[random(changes.length)](state);
      if (JSON.stringify(state) !== before) return "a change changed the answer it was given";
      state = next;
      const again = a.fromDraft(labels, schema, a.toDraft(state));
      if (said(again) !== said(state)) return `draft: ${said(state)} ${said(again)}`;
      const { ranks, ratings, strength, all_bad: bad } = a.toSubmission(state);
      const ranked = Object.keys(ranks).length;
      const tied = new Set(Object.values(ranks)).size < 2;
      if (strength && (k !== 2 || tied || ranked < 2)) return `strength: ${JSON.stringify(state)}`;
      const wanted = Math.min(schema.top ?? k, k);
      const worst = Math.max(...Object.values(ranks));
      const above = Object.values(ranks).filter((rank) => rank < worst).length;
      const rated = schema.task !== "rate" || Object.keys(ratings).length === k;
      const enough = !schema.ranking || ((bad || ranked >= wanted) && (wanted === k || above < wanted));
      const strong = !schema.strength || k !== 2 || bad || tied || strength;
      const ready = a.obstacle(state, schema) === null;
      if (ready !== Boolean(rated && enough && strong)) return `ready ${ready}: ${said(state)}`;
      complete += ready;
    }
  }
  return complete > 20 ? "sound" : `complete only ${complete} times`;
}"""
FLAG = {"name": "f", "text": "f", "about": "", "key": "f"}
ASKED = schema_row(LabelSchema())


@pytest.mark.parametrize(
    ("changes", "k"),
    [
        ({}, 3),
        ({"task": "rate", "flags": [FLAG], "prompt_flags": [FLAG]}, 2),
        ({"task": "rate", "ranking": False, "all_bad": False}, 2),
        ({"task": "pair", "strength": True}, 2),
        ({"top": 2}, 4),
        ({"top": 1, "all_bad": False}, 3),
    ],
)
def test_any_sequence_of_changes_leaves_a_sound_answer(page: Page, changes: dict[str, object], k: int):
    assert page.evaluate(RANDOM_ANSWERS, [ASSETS, ASKED | changes, k]) == "sound"
