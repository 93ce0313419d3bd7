// Writing the ideal answer to a prompt.

import { el } from "./dom.js";
import { t } from "./language.js";
import { TextBox } from "./typing.js";

export const WRITE_KEYS = [
  ["Ctrl Enter", t("submit, also from within the text")],
  ["Esc", t("out of the text: the keys below are commands there")],
  ["Enter", t("back into the text")],
];
export const PROMPT_FLAG_KEYS = [[t("letters"), t("out of the text: set or take back the flag of the prompt that shows the letter")]];
export class WriteStep {
  /** @param {{read: () => object, change: (answer: object) => void}} board */
  constructor(board) {
    const change = (written) => board.change({ ...board.read(), written });
    this.text = new TextBox({ "data-testid": "demonstration", "aria-label": t("Your answer"), placeholder: t("Write the ideal answer …") }, change);
    this.node = el("section", { class: "lb-write", "aria-label": t("Answer") }, el("div", { class: "lb-role" }, t("your answer")), el("div", {}, this.text.box, this.text.words));
  }

  /** Begin to type, where that does not bring up a keyboard over half of the screen. */
  start() {
    if (matchMedia("(pointer: fine)").matches && !document.querySelector("dialog[open]")) this.focus();
  }

  focus() {
    this.text.focus();
  }

  draw(answer, { off }) {
    this.text.show(answer.written, { off });
  }
}
