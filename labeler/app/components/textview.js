// How the texts of the present task are shown: as they are or drawn, with the codes of what cannot be seen, with what is
// searched for. What a person chose is remembered in this browser.

import { Find } from "./find.js";
import { Legend } from "./legend.js";
import { Reading } from "./reading.js";
import { keep, recall } from "./storage.js";
import { foldLong } from "./text.js";

export class TextView {
  /**
   * @param {import("./frame.js").Frame} frame
   * @param {{ask: (action: () => Promise) => Promise<boolean>, include: () => void, focus: () => void}} board
   */
  constructor(frame, board) {
    this.frame = frame;
    this.board = board;
    this.reading = new Reading();
    this.find = new Find(frame.main, board.focus);
    frame.find.replaceChildren(this.find.node);
    this.legend = new Legend({ showCodes: (on) => this.#showCodes(on), include: board.include });
    this.prefers = { reading: false, codes: true };
    this.items = [];
    this.optedOut = false;
  }

  setUser(id) {
    this.key = `labeler-prefers:${id}`;
    this.prefers = { ...this.prefers, ...recall(this.key) };
  }

  /** Get ready what this task (null: none) needs to be shown at once. */
  async prepare(task) {
    if (task && this.prefers.reading) await this.#fetch(task);
  }

  #fetch({ prompt, completions }) {
    const all = [...prompt.map(({ content }) => content), ...completions.map(({ text }) => text)];
    return this.board.ask(() => this.reading.prepare(all));
  }

  /**
   * The texts that are on the screen now.
   * @param {{body: HTMLElement, foot: HTMLElement, text: string}[]} items
   */
  show(items, { optedOut }) {
    this.items = items;
    this.optedOut = optedOut;
    this.#draw();
  }

  async toggleReading(task) {
    const on = !this.prefers.reading;
    if (on && task && !(await this.#fetch(task))) return;
    this.#prefer({ reading: on });
    this.#draw();
  }

  #showCodes(on) {
    this.#prefer({ codes: on });
    this.refresh();
  }

  #prefer(changed) {
    this.prefers = { ...this.prefers, ...changed };
    keep(this.key, this.prefers);
  }

  #draw() {
    this.frame.setReading(this.prefers.reading);
    if (this.prefers.reading) this.reading.draw(this.items);
    else this.reading.undo(this.items);
    foldLong(this.items);
    this.refresh();
  }

  /** Other texts are in view: count again what cannot be seen and what is searched for. */
  refresh() {
    const drawn = this.items.some(({ body }) => body.matches(".lb-drawn"));
    this.legend.draw(this.frame.main, { codes: this.prefers.codes, reading: drawn, optedOut: this.optedOut });
    this.find.refresh();
  }
}
