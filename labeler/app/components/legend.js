// What stands between the prompt and the completions where the texts need explaining: characters that cannot be seen, the
// reading view, sensitive tasks that are left out.

import { button, el, flag } from "./dom.js";
import { texts } from "./texts.js";

/** A place for notices about the texts; empty as long as there is nothing to say. */
export class Legend {
  /** @param {{showCodes: (on: boolean) => void, include: () => void}} on */
  constructor(on) {
    this.on = on;
    this.node = el("aside", { class: "lb-legend", "aria-label": texts.legend.name, "data-testid": "legend" });
  }

  /**
   * @param {HTMLElement} main where the texts are
   * @param {{codes: boolean, reading: boolean, optedOut: boolean}} now whether codes are shown, whether texts are drawn
   */
  draw(main, { codes, reading, optedOut }) {
    const unseen = countUnseen(main);
    const lines = [
      unseen.size ? this.#unseen(unseen, codes) : null,
      reading ? el("p", {}, texts.legend.reading) : null,
      optedOut ? el("p", {}, texts.legend.optedOut, " ", button(texts.legend.include, { class: "lb-quiet", "data-testid": "care-include", onclick: this.on.include })) : null,
    ];
    this.node.replaceChildren(...lines.filter(Boolean));
    flag(main, "data-no-codes", !codes);
  }

  #unseen(found, codes) {
    const entries = [...found].map(([code, count]) => el("span", { class: "lb-legend-entry" }, el("span", { class: "lb-code" }, code), ` ${texts.legend.characters[code] ?? texts.legend.other}${count > 1 ? ` × ${count}` : ""}`));
    const toggle = button(codes ? texts.legend.hide : texts.legend.show, { class: "lb-quiet", "data-testid": "codes-toggle", "aria-pressed": String(codes), onclick: () => this.on.showCodes(!codes) });
    return el("p", {}, texts.legend.unseen, " ", ...entries, toggle);
  }
}

/** How often each of them occurs, by code. */
function countUnseen(main) {
  const found = new Map();
  for (const { dataset } of main.querySelectorAll(".lb-unseen")) found.set(dataset.code, (found.get(dataset.code) ?? 0) + 1);
  return found;
}
