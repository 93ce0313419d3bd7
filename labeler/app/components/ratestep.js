// The step before the ranking: each completion is rated and flagged, one after another, and the prompt is flagged.

import * as answers from "./answer.js";
import { letterOf, Panel, ratingRow, tags } from "./marks.js";
import { texts } from "./texts.js";

const { PROMPT } = answers;

export class RateStep {
  /**
   * @param {object} schema what the project asks
   * @param {string[]} labels of the completions
   * @param {Map<string, object>} cards see cards.js
   * @param {HTMLElement} promptTags where the prompt's flags are shown
   * @param {{read: () => object, change: (answer: object) => void, redraw: () => void, done: () => void, say: (text: string) => void}} board
   */
  constructor(schema, labels, cards, promptTags, board) {
    this.schema = schema;
    this.labels = labels;
    this.cards = cards;
    this.promptTags = promptTags;
    this.board = board;
    this.ofCompletions = answers.rates(schema) || schema.flags.length > 0;
    this.targets = [...(this.ofCompletions ? labels : []), ...(schema.prompt_flags.length ? [PROMPT] : [])];
    this.current = answers.unrated(board.read(), schema)[0] ?? this.targets[0];
    this.active = !schema.ranking || answers.unrated(board.read(), schema).length > 0;
    this.panel = new Panel(this.targets, (target) => this.flagsFor(target), { onTarget: (target) => this.go(target), onFlag: (name) => this.toggle(name) });
    this.rows = new Map(answers.rates(schema) ? labels.map((label) => [label, ratingRow(label, (rating) => this.#tap(label, rating))]) : []);
    for (const [label, row] of this.rows) cards.get(label).head.after(row.node);
  }

  flagsFor(target) {
    return target === PROMPT ? this.schema.prompt_flags : this.schema.flags;
  }

  // Where one is

  /** Go to a completion or the prompt, with the focus and in view. */
  go(target) {
    if (!this.targets.includes(target)) return;
    this.active = true;
    this.current = target;
    this.board.redraw();
    const card = this.cards.get(target)?.node;
    if (card) reveal(card);
    (card ?? this.promptTags.closest(".lb-main"))?.focus({ preventScroll: true });
  }

  /** Somebody went there by pointer or Tab, or swiped. */
  notice(target) {
    if (!this.targets.includes(target) || target === this.current) return;
    this.current = target;
    this.board.redraw();
  }

  next(direction) {
    const at = this.targets.indexOf(this.current) + direction;
    this.go(this.targets[Math.max(0, Math.min(at, this.targets.length - 1))]);
  }

  // What keys and taps do there

  /** A digit: rate the current completion and move on, at the end to the ranking. */
  rate(rating) {
    if (!this.rows.has(this.current)) return this.board.say(this.rows.size ? texts.rating.promptUnrated : texts.rating.flagsOnly);
    this.board.change(answers.withRating(this.board.read(), this.current, rating));
    const open = answers.unrated(this.board.read(), this.schema);
    const after = this.labels.indexOf(this.current);
    const following = open.find((label) => this.labels.indexOf(label) > after) ?? open[0];
    if (following) this.go(following);
    else if (this.schema.ranking) this.board.done();
  }

  #tap(label, rating) {
    this.notice(label);
    this.board.change(answers.withRating(this.board.read(), label, rating));
    if (rating && !answers.unrated(this.board.read(), this.schema).length && this.schema.ranking && this.active) this.board.say(texts.rating.complete);
  }

  toggle(name) {
    this.board.change(answers.toggleFlag(this.board.read(), this.current, name));
  }

  /** A letter: the flag that has it. Returns whether there is one. */
  typeFlag(letter) {
    const flag = this.flagsFor(this.current).find(({ key }) => key.toUpperCase() === letter);
    if (flag) this.toggle(flag.name);
    return Boolean(flag);
  }

  /** Backspace: the rating of the current completion or, without one, of the one before. */
  takeBack() {
    const { ratings } = this.board.read();
    const before = this.labels.slice(0, this.labels.indexOf(this.current) + 1).reverse();
    const label = this.current === PROMPT ? null : before.find((one) => ratings[one]);
    if (!label) return;
    this.go(label);
    this.board.change(answers.withRating(this.board.read(), label, null));
  }

  draw(answer, { off }) {
    this.panel.node.hidden = !this.active;
    this.panel.draw(answer, this.current, { off });
    for (const [label, row] of this.rows) row.mark(answer.ratings[label] ?? null, off);
    for (const [label, card] of this.cards) {
      card.tags.replaceChildren(...tags(this.schema.flags, answers.flagsOf(answer, label)));
      card.node.classList.toggle("lb-current", this.active && label === this.current);
      if (this.rows.size) card.node.setAttribute("aria-label", texts.card.rated(label, answer.ratings[label]));
    }
    this.promptTags.replaceChildren(...tags(this.schema.prompt_flags, answer.promptFlags));
  }

  describe(answer) {
    const set = this.flagsFor(this.current).filter(({ name }) => answers.flagsOf(answer, this.current).includes(name));
    if (!this.active) return "";
    const flags = set.length ? [texts.rating.set(set.map(({ text }) => text))] : [];
    return [texts.rating.now(letterOf(this.current)), ...flags].join(" ");
  }
}

/** Bring a card's head into view: the row of cards is swiped on a phone, the page scrolls elsewhere. */
function reveal(card) {
  const main = card.closest(".lb-main").getBoundingClientRect();
  const { left, top } = card.getBoundingClientRect();
  if (left < main.left || left >= main.right || top < main.top || top > main.bottom - 120) card.scrollIntoView({ block: "start", inline: "start" });
}
