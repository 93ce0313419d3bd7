// Two completions side by side with the words that differ marked.

import { el } from "./dom.js";
import { wordDiff } from "./diff.js";
import { exactNodes } from "./text.js";
import { texts } from "./texts.js";

export class Compare {
  /** @param {{label: string, text: string}[]} completions */
  constructor(completions) {
    this.texts = new Map(completions.map(({ label, text }) => [label, text]));
    this.pair = completions.slice(0, 2).map(({ label }) => label);
    this.node = el("div", { class: "lb-compare", "data-testid": "compare" });
    this.draw();
  }

  draw() {
    const { sides, exact } = wordDiff(...this.pair.map((label) => this.texts.get(label)));
    const hint = exact ? null : el("p", { class: "lb-muted lb-compare-hint" }, texts.compare.long);
    this.node.replaceChildren(...sides.map((pieces, side) => this.#side(side, pieces)), hint ?? "");
  }

  #side(side, pieces) {
    const parts = pieces.map(({ text, same }) => (same ? exactNodes(text) : [el("mark", {}, ...exactNodes(text))])).flat();
    return el(
      "article",
      { class: "lb-card", "aria-label": texts.compare.side(this.pair[side]) },
      el("header", { class: "lb-card-head" }, this.#choice(side)),
      el("div", { class: "lb-text", dir: "auto" }, ...parts),
    );
  }

  #choice(side) {
    const options = [...this.texts.keys()].map((label) => el("option", { value: label, selected: label === this.pair[side] }, label));
    const choice = el("select", { "aria-label": texts.compare.sides[side] }, ...options);
    choice.addEventListener("change", () => this.#choose(side, choice.value));
    return choice;
  }

  #choose(side, label) {
    if (this.pair[1 - side] === label) this.pair[1 - side] = this.pair[side];
    this.pair[side] = label;
    this.draw();
    this.node.querySelectorAll("select")[side].focus();
  }
}
