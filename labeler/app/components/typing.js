// A box for a text that is kept exactly as it was typed, with its words counted below.

import { el } from "./dom.js";
import { tn } from "./language.js";

/** What the browser makes of a text in a box: it knows one kind of line end. */
export const asTyped = (text) => text.replace(/\r\n?/g, "\n");

export class TextBox {
  /**
   * @param {object} attributes of the box
   * @param {(text: string) => void} onText after every change
   */
  constructor(attributes, onText) {
    this.box = el("textarea", { class: "lb-box", dir: "auto", spellcheck: "true", "data-submits": "", ...attributes });
    this.box.addEventListener("input", () => {
      this.#count();
      onText(this.box.value);
    });
    this.words = el("span", { class: "lb-words", "data-testid": "words" });
    this.#count();
  }

  /** Show a text; the caret stays where it is if it is there already. */
  show(text, { off }) {
    if (asTyped(text) !== this.box.value) {
      this.box.value = text;
      this.#count();
    }
    this.box.readOnly = off;
  }

  focus() {
    this.box.focus();
  }

  #count() {
    const words = this.box.value.trim() ? this.box.value.trim().split(/\s+/).length : 0;
    this.words.textContent = tn("{count} word, {characters} characters", "{count} words, {characters} characters", words, { characters: [...this.box.value].length });
  }
}
