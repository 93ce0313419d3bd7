// Improving the best completion after the ranking: a card behind those of the completions.

import { button, el } from "./dom.js";
import * as editing from "./editing.js";
import { t } from "./language.js";
import { asTyped, TextBox } from "./typing.js";

export const EDIT_KEYS = [
  ["e", t("improve the best (with Shift where a completion has that letter)")],
  ["Esc", t("out of the text again")],
  ["Ctrl Enter", t("submit, also from within the text")],
];

export class EditStep {
  /**
   * @param {object} schema what the project asks
   * @param {{label: string, text: string}[]} completions
   * @param {{read: () => object, change: (answer: object) => void, isRanked: () => boolean, say: (text: string) => void}} board
   */
  constructor(schema, completions, board) {
    this.board = board;
    this.required = schema.edit === "required";
    this.texts = new Map(completions.map(({ label, text }) => [label, asTyped(text)]));
    this.chosen = undefined; // what to start from, where several are best
    this.dropped = null; // the edit that "start again" took away
    this.text = new TextBox({ "data-testid": "edit-best", rows: "6" }, (text) => this.#type(text));
    this.title = el("span", { class: "lb-edit-title" });
    this.choices = el("span", { class: "lb-edit-choices", role: "group", "aria-label": t("Start from") });
    this.again = button("", { class: "lb-quiet", "data-testid": "edit-again", onclick: () => this.#startAgain() });
    this.hint = el("p", { class: "lb-muted" }, t("Rank the completions first; then the best can be improved here."));
    this.body = el("div", { class: "lb-edit-body" }, this.text.box, el("div", { class: "lb-edit-foot" }, this.text.words, this.again));
    this.node = el("article", { class: "lb-card lb-edit", "aria-label": t("Improve the best") }, el("header", { class: "lb-card-head" }, this.title, this.choices), this.hint, this.body);
  }

  get open() {
    return !this.body.hidden;
  }

  focus() {
    this.node.scrollIntoView({ block: "nearest", inline: "start" });
    if (this.open) this.text.focus();
    else this.board.say(t("Rank first; then the best can be improved."));
  }

  #source(answer) {
    const found = editing.sources(answer);
    if (answer.edit) return answer.edit.of;
    return found.includes(this.chosen) ? this.chosen : (found[0] ?? null);
  }

  #before(of) {
    return of === null ? "" : this.texts.get(of);
  }

  #type(text) {
    const answer = this.board.read();
    const of = this.#source(answer);
    this.dropped = null;
    this.board.change(editing.withText(answer, of, text, this.#before(of)));
  }

  #choose(of) {
    this.chosen = of;
    this.board.change({ ...this.board.read(), edit: null });
    this.text.focus();
  }

  /** Take the edit away, or bring back the one that was taken away. */
  #startAgain() {
    const answer = this.board.read();
    const edit = answer.edit ? null : this.dropped;
    this.dropped = answer.edit;
    this.board.change({ ...answer, edit });
    this.text.focus();
  }

  draw(answer, { off }) {
    const of = this.#source(answer);
    const found = editing.sources(answer);
    this.body.hidden = !(answer.edit || (this.board.isRanked() && found.length));
    this.hint.hidden = this.open;
    this.title.textContent = this.#titleFor(of);
    this.text.box.setAttribute("aria-label", this.title.textContent);
    this.text.box.placeholder = of === null ? t("Write a better one …") : "";
    this.choices.hidden = !this.open || Boolean(answer.edit) || found.length < 2;
    this.choices.replaceChildren(...found.map((label) => this.#choice(label, label === of, off)));
    this.again.hidden = !(answer.edit || this.dropped);
    this.again.textContent = answer.edit ? t("start again") : t("bring my text back");
    this.again.disabled = off;
    if (this.open) this.text.show(answer.edit ? answer.edit.text : this.#before(of), { off });
  }

  #titleFor(of) {
    if (!this.open) return this.required ? t("Improve the best") : t("Improve the best, if you can");
    if (of === null) return this.required ? t("All are bad: write a better one") : t("All are bad: write a better one, if you can");
    return this.required ? t("Improve {label}", { label: of }) : t("Improve {label}, if you can", { label: of });
  }

  #choice(label, pressed, off) {
    return button(label === null ? t("from nothing") : t("from {label}", { label }), { class: "lb-who", "aria-pressed": String(pressed), disabled: off, onclick: () => this.#choose(label) });
  }
}
