// Care for the person: a pause that covers the texts, a warning before sensitive content, a reminder to take a break.

import { button, el } from "./dom.js";
import { keep, recall } from "./storage.js";
import { exactNodes } from "./text.js";
import { texts } from "./texts.js";

const SITTING = 4 * 3600 * 1000; // milliseconds away after which one sits down anew
const REST = 5 * 60 * 1000; // milliseconds without attention that count as a break
const SETTLE = 500; // milliseconds in which a key press belongs to what was there before

export class Care {
  /** @param {HTMLElement} root where dialogs go; @param {import("./clock.js").AttentionClock} clock it stands still under them */
  constructor(root, clock) {
    this.root = root;
    this.clock = clock;
  }

  setUser(id) {
    this.user = id;
    this.stint = new Stint(id);
  }

  /** One more second of attention. */
  tick() {
    this.stint.tick();
  }

  /** Cover everything until one goes on. */
  async pause() {
    const { care } = texts;
    await this.#choose({ kind: "lb-cover", testid: "paused", title: care.paused, body: [el("p", {}, care.pausedHow)], closeKey: "." }, [["resume", care.goOn, true, "."]]);
  }

  /** Whether the warning of this project has to come before its texts: once in a sitting. */
  isDue(project) {
    if (!project.schema.content_warning || project.opted_out) return false;
    const answered = recall(this.#sitting(project), "sessionStorage");
    return answered === null || Date.now() - answered > SITTING;
  }

  #sitting({ id, schema_version: version }) {
    return `labeler-sitting:${this.user}:${id}:${version}`;
  }

  /** Show the warning. Returns whether sensitive tasks may come; Escape is no answer. */
  async warn(project) {
    const { care } = texts;
    const body = [el("div", { class: "lb-text", dir: "auto" }, ...exactNodes(project.schema.content_warning)), el("p", { class: "lb-muted" }, care.notTodayHow)];
    const choices = [["care-go-on", care.goOn, true], ["care-not-today", care.notToday, false]];
    const include = await this.#choose({ kind: "lb-cover", testid: "content-warning", title: care.warning, body, mustAnswer: true }, choices);
    keep(this.#sitting(project), Date.now(), "sessionStorage");
    return Boolean(include);
  }

  /** After so many minutes of attention (null: never) suggest a break, and count anew. */
  async remind(minutes) {
    if (!this.stint.isOver(minutes)) return;
    const { care } = texts;
    const choices = [["break-take", care.takeBreak, true], ["break-go-on", care.goOn, false]];
    const rest = await this.#choose({ kind: "lb-dialog", testid: "break", title: care.breakTitle, body: [el("p", {}, care.breakText(minutes))] }, choices);
    this.stint.end();
    if (rest) await this.pause();
  }

  /** A dialog with buttons [testid, text, value, key]; the first has the focus. Resolves to the value, null where it was closed. */
  async #choose({ kind, testid, title, body, closeKey = null, mustAnswer = false }, choices) {
    this.clock.hold();
    const openedAt = performance.now();
    let chosen = null;
    const choose = (value) => {
      if (performance.now() - openedAt < SETTLE) return; // a press that was meant for what was there before
      chosen = value;
      dialog.close();
    };
    const buttons = choices.map(([id, text, value, key], index) => button(text, { class: index ? "lb-second" : "lb-primary", "data-testid": id, autofocus: !index, onclick: () => choose(value) }, key));
    const dialog = el("dialog", { class: kind, "aria-label": title, "data-testid": testid }, el("h2", {}, title), ...body, el("div", { class: "lb-choices" }, ...buttons));
    dialog.addEventListener("keydown", (event) => {
      if (event.repeat || (mustAnswer && event.key === "Escape")) event.preventDefault(); // a held key answers nothing
      else if (event.key === closeKey) choose(null);
    });
    this.root.append(dialog);
    dialog.showModal();
    await new Promise((closed) => dialog.addEventListener("close", closed));
    dialog.remove();
    this.clock.release();
    return chosen;
  }
}

/** The end of this person's day, in seconds since 1970. */
export function endOfDay(now = new Date()) {
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1).getTime() / 1000;
}

/** Attention since the last break, over tasks, windows and reloads. */
class Stint {
  constructor(userId) {
    this.key = `labeler-stint:${userId}`;
  }

  /** One more second. */
  tick() {
    const { seconds, at } = recall(this.key) ?? { seconds: 0, at: 0 };
    keep(this.key, { seconds: Date.now() - at > REST ? 1 : seconds + 1, at: Date.now() });
  }

  isOver(minutes) {
    return Boolean(minutes) && (recall(this.key)?.seconds ?? 0) >= 60 * minutes;
  }

  end() {
    keep(this.key, null);
  }
}
