// How much better one of two completions is.

import { preferred } from "./answer.js";
import { button, el } from "./dom.js";
import { unranked } from "./ranking.js";
import { texts } from "./texts.js";

export class Strength {
  /** @param {(strength: number) => void} onStrength */
  constructor(onStrength) {
    this.question = el("span", { class: "lb-end", id: "lb-strength-of" });
    this.buttons = texts.strength.words.map((word, index) =>
      button(word, { class: "lb-flag", "data-testid": "strength", "data-strength": index + 1, onclick: () => onStrength(index + 1) }, String(index + 1)),
    );
    this.node = el("div", { class: "lb-strength", role: "group", "aria-labelledby": "lb-strength-of" }, this.question, ...this.buttons);
  }

  draw(answer, { off }) {
    const { labels, tiers } = answer.ranking;
    const first = preferred(answer.ranking) ?? (unranked(answer.ranking).length === 1 ? tiers.flat()[0] : null);
    const other = labels.find((label) => label !== first);
    this.question.textContent = first ? texts.strength.of(first, other) : texts.strength.ask;
    this.buttons.forEach((one, index) => {
      one.disabled = off || !first;
      one.setAttribute("aria-pressed", String(answer.strength === index + 1));
    });
  }
}
