// Writing a dialogue in both roles: the turns, the turn that is being written, and what a model suggests for it.

import { ChatView } from "./chatview.js";
import * as dialogue from "./dialogue.js";
import { ApiError, request } from "./http.js";
import { t, tn } from "./language.js";
import * as ranking from "./ranking.js";
import { RankStep } from "./rankstep.js";

const LABELS = "ABCDEFGHI";
const PATIENCE = 320000; // milliseconds; the server gives up before
const RANKING = { ranking: true, strength: false, top: null };

export class Chat {
  /**
   * @param {object} task as the server sends it, with `scenario` and `offers`
   * @param {object} schema of the project
   * @param {object|null} saved the draft's dialogue
   * @param {{changed: () => void, redraw: () => void, say: (text: string, options?: object) => void, ready: () => boolean, signedOut: () => void, focus: () => void}} board
   */
  constructor(task, schema, saved, board) {
    this.task = task;
    this.schema = schema;
    this.board = board;
    this.state = dialogue.fromDraft(saved);
    this.offers = new Map(task.offers.map((offer) => [offer.id, offer]));
    this.asking = null;
    this.trouble = "";
    this.editing = null;
    this.ranks = new RankStep({ read: () => ({ ranking: this.order, strength: null }), change: (answer) => this.#rank(answer.ranking), redraw: () => board.redraw(), say: (text) => board.say(text) });
    this.view = new ChatView(task, Boolean(schema.replies), this.ranks.node, this);
    this.order = ranking.emptyRanking([]);
  }

  /** It is in the page now: heights can be told. */
  open() {
    this.#openOffer();
    this.view.drawTurns(this);
    this.view.reset(this);
  }

  // What others ask of it

  content() {
    return { dialogue: dialogue.toDraft(this.state) };
  }

  submission() {
    return { dialogue: dialogue.toSubmission(this.state) };
  }

  obstacle() {
    return dialogue.obstacle(this.state);
  }

  get role() {
    return dialogue.nextRole(this.task.prompt, this.state);
  }

  /** The offer beside the turn that is being written. */
  get offer() {
    return this.offers.get(this.state.writing.offer) ?? null;
  }

  get labels() {
    return [...LABELS].slice(0, this.offer?.replies.length ?? 0);
  }

  /** The replies as the cards and the comparison show them. */
  get suggestions() {
    return this.labels.map((label, index) => ({ label, text: this.offer.replies[index] }));
  }

  get mayAsk() {
    return this.schema.suggests > 0 && this.role === "assistant" && !this.asking && this.state.writing.reply === null;
  }

  draw(off) {
    this.view.draw(this, off);
    if (this.schema.replies && this.offer) this.ranks.draw({ ranking: this.order }, off);
  }

  describe() {
    const suggested = this.asking ? t("Suggestions are being written.") : this.offer ? tn("{count} suggestion.", "{count} suggestions.", this.labels.length) : "";
    const ranked = this.schema.replies && this.offer ? ranking.describe(this.order) : "";
    return [dialogue.describe(this.state, this.role), suggested, ranked].filter(Boolean).join(" ");
  }

  // Changes

  #change(state, { turns = false } = {}) {
    if (!this.board.ready()) return;
    this.state = state;
    if (turns) this.view.drawTurns(this);
    this.board.changed();
  }

  type(text) {
    this.#change(dialogue.write(this.state, text));
  }

  changeTurn(index, text) {
    this.#change(dialogue.change(this.state, index, text));
  }

  /** Add the turn that is being written; after the user's, the model is asked. */
  add() {
    if (!this.board.ready()) return;
    const problem = dialogue.addObstacle(this.state, this.offer, this.schema.replies);
    if (problem) return this.board.say(problem);
    const { role } = this;
    this.editing = this.asking = null;
    this.trouble = "";
    this.#change(dialogue.add(this.state, role), { turns: true });
    this.#openOffer();
    this.view.reset(this);
    this.board.redraw();
    if (role === "user") this.suggest();
  }

  edit(index) {
    this.editing = this.editing === index ? null : index;
    this.view.drawTurns(this);
    if (this.editing === null) this.board.focus();
  }

  remove(index) {
    if (!this.board.ready()) return;
    if (index < 0) return this.board.say(t("There is no turn of yours to delete."));
    this.editing = this.asking = null;
    this.trouble = "";
    this.#change(dialogue.removeFrom(this.state, index), { turns: true });
    this.#openOffer();
    this.board.redraw();
  }

  putBack() {
    if (!this.state.removed.length) return this.board.say(t("Nothing was deleted just now."));
    this.#change(dialogue.putBack(this.state), { turns: true });
    this.#openOffer();
    this.board.redraw();
  }

  toggleDone() {
    if (!this.state.done && this.state.turns.at(-1)?.role !== "assistant") return this.#refuseDone();
    this.#change(dialogue.toggleDone(this.state));
  }

  #refuseDone() {
    this.board.say(t("The dialogue must end with a turn of the assistant."));
    this.board.redraw();
  }

  // Suggestions

  /** Ask for suggestions. Writing goes on meanwhile; an answer to a dialogue that went on without it is passed over. */
  async suggest() {
    if (!this.mayAsk || !this.board.ready()) return;
    const asking = (this.asking = {});
    this.trouble = "";
    this.board.redraw();
    const turns = this.state.turns.map(({ role, text }) => ({ role, text }));
    try {
      const { offer } = await request("POST", "/api/suggest", { task: this.task.id, turns }, { timeout: PATIENCE });
      if (this.asking === asking) this.#offered(offer);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (this.asking === asking) this.#failed(error);
    }
  }

  #offered(offer) {
    this.asking = null;
    this.offers.set(offer.id, offer);
    this.#change(dialogue.offered(this.state, offer));
    this.#openOffer();
    this.board.redraw();
    this.view.suggestions.scrollIntoView({ block: "nearest" });
    if (this.schema.replies && !this.state.writing.text) this.board.focus();
  }

  #failed(error) {
    this.asking = null;
    this.trouble = error.status === 0 ? t("{error} Write the turn yourself, or ask again.", { error: error.message }) : error.message;
    if (error.signedOut) this.board.signedOut();
    this.board.redraw();
  }

  /** The ranking and the cards of the present offer. */
  #openOffer() {
    const kept = this.state.writing.ranks ?? [];
    const ranks = Object.fromEntries(this.labels.map((label, index) => [label, kept[index]]).filter(([, rank]) => rank));
    this.order = ranking.fromDraft(this.labels, { ranks });
    this.ranks.open(RANKING, this.labels);
    this.view.drawSuggestions(this);
  }

  #rank(order) {
    this.order = order;
    const ranks = ranking.ranksOf(order);
    this.#change(dialogue.rank(this.state, this.labels.map((label) => ranks[label] ?? null)));
  }

  /** Put a reply into the text that is being written. */
  take(label) {
    if (!this.board.ready()) return;
    this.#change(dialogue.take(this.state, this.offer, this.labels.indexOf(label)));
    this.view.fill(this.state.writing.text);
  }

  /** The letter of a reply: rank it next, or take it where nothing is ranked. */
  tap(label) {
    if (this.schema.replies) this.ranks.tap(label);
    else this.take(label);
  }

  // Keys

  /** Enter outside a text: go on with the best reply, or add the turn. Returns whether it did either. */
  enter() {
    const { text } = this.state.writing;
    const ranked = this.schema.replies && this.offer && ranking.isComplete(this.order);
    if (ranked && !text) this.take(this.order.tiers[0][0]);
    else if (text.trim() || (this.offer && this.schema.replies && !this.state.done)) this.add();
    else return false;
    return true;
  }

  /** A key press inside a text: Ctrl with Enter adds the turn, or ends the change of an earlier one. */
  inText(event) {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return false;
    if (event.target === this.view.input) this.add();
    else if (event.target.closest(".lb-turn")) this.edit(this.editing);
    else return false;
    return true;
  }

  /** The action for a key press outside a text, or null. */
  command(event, letter) {
    if (this.labels.includes(letter) && !event.shiftKey) return this.schema.replies ? () => this.ranks.typeLetter(letter, event.repeat) : () => this.take(letter);
    const chip = document.activeElement?.matches?.(".lb-chip") ? document.activeElement.dataset.label : null;
    const arrows = chip ? { ArrowLeft: () => this.ranks.step(chip, -1), ArrowRight: () => this.ranks.step(chip, 1), ArrowUp: () => this.ranks.typeLetter(chip, false), ArrowDown: () => this.ranks.unrank(chip) } : {};
    const ranked = this.order.trail.length > 0;
    const focused = chip ?? document.activeElement?.closest?.("[data-card]")?.dataset.card;
    if (/^[1-9]$/.test(letter) && focused && this.schema.replies) return () => this.ranks.typeRank(focused, Number(letter));
    const keys = {
      ...arrows,
      "=": () => this.ranks.toggleTie(),
      Backspace: () => (ranked ? this.ranks.takeBack() : this.remove(this.state.turns.length - 1)),
      W: () => this.view.focus(),
      Q: () => this.suggest(),
      P: () => this.putBack(),
      X: () => this.toggleDone(),
    };
    return event.repeat && letter !== "Backspace" ? null : (keys[letter] ?? null);
  }
}
