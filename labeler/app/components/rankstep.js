// The ranking: what typed letters, taps, drags and arrows do to it, with the strip that shows it.

import * as answers from "./answer.js";
import { el } from "./dom.js";
import * as ranking from "./ranking.js";
import { Strength } from "./strength.js";
import { Strip } from "./strip.js";
import { texts } from "./texts.js";

export class RankStep {
  /** @param {{read: () => object, change: (answer: object) => void, redraw: () => void, say: (text: string) => void}} board */
  constructor(board) {
    this.board = board;
    this.schema = null;
    this.strip = new Strip({
      onTap: (label) => this.tap(label),
      onTier: (label, index) => this.#change(ranking.moveToTier(this.state, label, index)),
      onGap: (label, index) => this.#change(ranking.moveToGap(this.state, label, index)),
      onPool: (label) => this.unrank(label),
      onRedraw: () => board.redraw(),
    });
    this.strength = new Strength((strength) => this.setStrength(strength));
    this.node = el("div", {}, this.strip.node, this.strength.node);
  }

  /** A new task with these labels. */
  open(schema, labels) {
    this.schema = schema;
    this.asksStrength = answers.asksStrength(labels, schema);
    this.strength.node.hidden = !this.asksStrength;
    this.strip.limit(answers.wanted(labels, schema), labels.length);
  }

  get state() {
    return this.board.read().ranking;
  }

  #change(state) {
    if (!this.schema.ranking) return;
    const answer = this.board.read();
    this.board.change(state === answer.ranking ? answer : answers.withRanking(answer, state));
  }

  tap(label) {
    this.#change(ranking.toggle(this.state, label));
  }

  typeLetter(letter, repeated) {
    const state = ranking.place(this.state, letter);
    if (state === this.state && !repeated) this.board.say(texts.ranking.twice(letter, ranking.rankOf(state, letter)));
    else this.#change(state);
  }

  typeRank(label, rank) {
    const { labels } = this.state;
    if (rank <= labels.length) this.#change(ranking.setRank(this.state, label, rank));
    else this.board.say(texts.ranking.tooHigh(labels.length));
  }

  step(label, direction) {
    this.#change(ranking.step(this.state, label, direction));
  }

  unrank(label) {
    this.#change(ranking.unrank(this.state, label));
  }

  toggleTie() {
    this.#change(ranking.toggleTie(this.state));
  }

  takeBack() {
    const answer = this.board.read();
    if (answer.strength) this.board.change({ ...answer, strength: null });
    else this.#change(ranking.takeBack(this.state));
  }

  setStrength(strength) {
    const before = this.board.read();
    const answer = strength <= texts.strength.words.length ? answers.withStrength(before, strength) : before;
    if (answer === before) this.board.say(texts.strength.how);
    else this.board.change(answer);
  }

  draw(answer, { off }) {
    this.strip.draw(answer.ranking, { off });
    if (this.asksStrength) this.strength.draw(answer, { off });
  }
}
