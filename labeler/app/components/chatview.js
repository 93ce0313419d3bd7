// Drawing a dialogue: its turns, the suggestions, and the place where the next turn is written.

import { drawCards, markCards } from "./cards.js";
import * as dialogue from "./dialogue.js";
import { button, el } from "./dom.js";
import { t, tn } from "./language.js";
import * as ranking from "./ranking.js";
import { exactNodes, foldLong } from "./text.js";
import { texts } from "./texts.js";

const NAMES = { ...texts.prompt.roles, scenario: t("for you") };
const PLACEHOLDERS = { user: t("Write what the user says"), assistant: t("Write what the assistant answers") };
const LONGEST = 50000; // characters, as labeler/chat.py has it

export class ChatView {
  /**
   * @param {object} task
   * @param {boolean} ranks whether replies are ranked
   * @param {HTMLElement} strip the board on which they are
   * @param {object} chat the commands
   */
  constructor(task, ranks, strip, chat) {
    this.ranks = ranks;
    this.strip = strip;
    this.start = task.prompt;
    const told = [...(task.scenario ? [["scenario", task.scenario]] : []), ...task.prompt.filter(({ role }) => role === "system").map(({ content }) => ["system", content])];
    this.prompt = el("section", { class: "lb-prompt lb-brief", "data-testid": "prompt", "aria-label": t("What is given"), hidden: !told.length }, el("div", { role: "list" }, ...told.map(([role, text]) => given(role, text))));
    this.turns = el("div", { class: "lb-turns", role: "list", "aria-label": t("Dialogue") });
    this.putBack = button(t("Put back"), { class: "lb-quiet", "data-testid": "put-back", onclick: () => chat.putBack() }, "p");
    this.taken = el("p", { class: "lb-taken", hidden: true }, (this.takenText = el("span", {})), this.putBack);
    this.state = el("p", { class: "lb-suggest-state", "data-testid": "suggest-state", role: "status" });
    this.suggestions = el("section", { class: "lb-suggestions", "aria-label": t("Suggestions") });
    this.node = el("section", { class: "lb-chat", "data-testid": "chat", "data-task-id": task.id }, this.turns, this.taken, this.state, this.suggestions);
    this.#foot(chat);
  }

  #foot(chat) {
    this.input = el("textarea", { class: "lb-input", rows: "3", maxlength: String(LONGEST), "data-testid": "turn-input", dir: "auto" });
    this.input.addEventListener("input", () => chat.type(this.input.value));
    this.input.value = chat.state.writing.text;
    this.add = button(t("Add turn"), { class: "lb-primary", "data-testid": "add-turn", "aria-keyshortcuts": "Control+Enter", onclick: () => chat.add() }, "Ctrl Enter");
    this.suggest = button(t("suggest"), { class: "lb-quiet", "data-testid": "suggest", onclick: () => chat.suggest() }, "q");
    this.done = el("input", { type: "checkbox", "data-testid": "done", "aria-keyshortcuts": "x", onchange: () => chat.toggleDone() });
    const done = el("label", { class: "lb-all-bad" }, this.done, el("span", {}, t("dialogue is done")), el("kbd", { "aria-hidden": "true" }, "x"));
    this.who = el("span", { class: "lb-role", "data-testid": "turn-role" });
    const tools = el("div", { class: "lb-next-tools" }, this.who, this.suggest, done, this.add);
    this.write = el("div", { class: "lb-next" }, this.input, tools);
    this.foot = el("div", { class: "lb-chat-foot" }, this.strip, this.write);
  }

  // Turns

  drawTurns(chat) {
    const before = this.start.filter(({ role }) => role !== "system").map(({ role, content }) => given(role, content));
    const written = chat.state.turns.map((turn, index) => this.#turn(chat, turn, index));
    this.turns.replaceChildren(...before, ...written);
    const { removed } = chat.state;
    this.taken.hidden = !removed.length;
    this.takenText.textContent = tn("{count} turn was deleted.", "{count} turns were deleted.", removed.length);
    atEnd(this.turns.querySelector("textarea"));
  }

  #turn(chat, turn, index) {
    const editing = chat.editing === index;
    const body = editing ? this.#editor(chat, turn, index) : el("div", { class: "lb-text", dir: "auto", "data-testid": "turn-text" }, ...exactNodes(turn.text));
    const origin = dialogue.origin(turn, chat.offers);
    const number = { number: index + 1 };
    const head = el(
      "div",
      { class: "lb-turn-head" },
      el("span", { class: "lb-role" }, NAMES[turn.role]),
      origin ? el("span", { class: "lb-tag", "data-testid": "origin" }, origin) : null,
      button(editing ? t("done") : t("edit"), { class: "lb-quiet", "data-testid": "turn-edit", "aria-label": editing ? t("Done with turn {number}", number) : t("Edit turn {number}", number), onclick: () => chat.edit(index) }),
      button(t("delete"), { class: "lb-quiet", "data-testid": "turn-delete", "aria-label": t("Delete turn {number} and what follows", number), onclick: () => chat.remove(index) }),
    );
    return el("div", { class: "lb-turn lb-own-turn", role: "listitem", "data-testid": "turn", "data-role": turn.role, "data-index": index }, head, body);
  }

  #editor(chat, turn, index) {
    const editor = el("textarea", { class: "lb-input", rows: "4", maxlength: String(LONGEST), dir: "auto", "data-testid": "turn-editor", "aria-label": t("Text of turn {number}", { number: index + 1 }) });
    editor.value = turn.text;
    editor.addEventListener("input", () => chat.changeTurn(index, editor.value));
    return editor;
  }

  // Suggestions

  drawSuggestions(chat) {
    this.cards = null;
    this.suggestions.replaceChildren();
    if (!chat.offer) return;
    const drawn = drawCards(chat.suggestions, (label) => chat.tap(label));
    this.cards = drawn.cards;
    for (const { label, node, head, letter, rank } of drawn.cards.values()) {
      node.dataset.testid = "suggestion";
      node.setAttribute("aria-label", t("Suggestion {label}", { label }));
      if (!this.ranks) {
        rank.hidden = true;
        letter.setAttribute("aria-label", t("Insert suggestion {label}", { label }));
      }
      head.append(button(this.ranks ? t("go on with this") : t("insert"), { class: "lb-quiet", "data-testid": "suggestion-use", "data-label": label, onclick: () => chat.take(label) }));
    }
    this.suggestions.append(drawn.node);
    foldLong(drawn.folds);
  }

  /** Everything that follows from the state, but for turns and suggestions, which are drawn when they change. */
  draw(chat, { off }) {
    const { role, state } = chat;
    this.strip.hidden = !this.ranks || !chat.offer;
    if (this.ranks && this.cards) markCards(this.cards, ranking.ranksOf(chat.order), true);
    this.write.dataset.role = role;
    this.who.textContent = NAMES[role];
    this.input.placeholder = PLACEHOLDERS[role];
    this.input.setAttribute("aria-label", PLACEHOLDERS[role]);
    this.input.disabled = this.add.disabled = this.done.disabled = off;
    this.done.checked = state.done;
    this.suggest.hidden = !chat.schema.suggests || role !== "assistant";
    this.suggest.disabled = off || !chat.mayAsk;
    this.suggest.title = state.writing.reply === null ? "" : t("Clear the text first to ask for others");
    this.taken.hidden = !state.removed.length;
    this.state.textContent = chat.asking ? t("Suggestions are being written … You can write meanwhile.") : chat.trouble;
    this.state.toggleAttribute("data-alarm", Boolean(chat.trouble));
  }

  /** The next turn begins: an empty text, in view. */
  reset(chat) {
    this.input.value = chat.state.writing.text;
    this.node.scrollTop = this.node.scrollHeight;
    this.node.closest(".lb-main")?.scrollTo({ top: this.node.scrollHeight });
  }

  fill(text) {
    this.input.value = text;
    this.focus();
  }

  focus() {
    atEnd(this.input);
  }
}

/** Put the cursor behind what stands in a text. */
function atEnd(text) {
  text?.focus();
  text?.setSelectionRange(text.value.length, text.value.length);
}

function given(role, text) {
  const body = el("div", { class: "lb-text", dir: "auto" }, ...exactNodes(text));
  return el("div", { class: "lb-turn", role: "listitem", "data-testid": role === "scenario" ? "scenario" : "turn", "data-role": role, "data-given": "" }, el("div", { class: "lb-role" }, NAMES[role]), body);
}
