// The parts of the screen that stay: the bar on top, the text in the middle, the ranking board below.

import { button, el, flag, takesText } from "./dom.js";
import { writes } from "./editing.js";
import { t } from "./language.js";
import { texts } from "./texts.js";

export class Frame {
  /** @param {object} board the commands; @param {boolean} bare there is no navigation above the board */
  constructor(board, bare) {
    this.board = board;
    this.#top(board);
    this.#board(board);
    this.main = el("main", { class: "lb-main", tabindex: "-1", "aria-label": texts.main.name }, el("p", { class: "lb-wait" }, texts.loading));
    this.live = el("div", { class: "lb-live", role: "status", "aria-live": "polite" });
    const hint = el("div", { id: "lb-chip-keys", hidden: true }, texts.foot.chipKeys);
    this.find = el("div", { class: "lb-find-place" });
    // The mark keeps dialogs of the page around the board from holding the focus.
    this.root = el("div", { class: bare ? "lb lb-bare" : "lb", "data-react-aria-top-layer": "true" }, this.top, this.find, this.main, this.foot, this.live, hint);
    this.root.addEventListener("focusout", (event) => this.#keepTyping(event));
    // After a click the keyboard is back with the board, so that the next Enter does not press the same button again.
    this.root.addEventListener("click", (event) => {
      if (!event.target.closest?.(".lb-top")) this.closeMenu();
      const pressed = event.target.closest?.("button, input[type=checkbox]");
      if (event.detail > 0 && pressed && !pressed.closest("dialog") && document.activeElement === pressed && !pressed.matches(".lb-chip")) board.focusBoard();
    });
  }

  /** While the server is away, the page around the board opens a dialog that takes the focus: who types goes on typing. */
  #keepTyping({ target, relatedTarget }) {
    const dialog = relatedTarget?.closest?.("[role=dialog]");
    if (dialog && !this.root.contains(dialog) && takesText(target)) setTimeout(() => target.focus({ preventScroll: true }));
  }

  #top(board) {
    this.name = el("span", { class: "lb-project" });
    this.done = el("span", { "data-testid": "progress" });
    this.minutes = el("span", { class: "lb-minutes" });
    this.saving = el("span", { class: "lb-saving", "data-testid": "saving" });
    this.account = el("span", { class: "lb-account" });
    const panel = (text, testid, key, act, attributes = {}) => button(text, { class: "lb-quiet", "data-testid": testid, onclick: () => (this.#menu(false), act()), ...attributes }, key);
    const pressed = { class: "lb-quiet lb-needs-task", "aria-pressed": "false" };
    this.compareButton = panel(texts.top.compare, "compare-toggle", "v", () => board.toggleCompare(), pressed);
    this.readingButton = panel(texts.top.reading, "reading-toggle", "*", () => board.toggleReading(), pressed);
    this.history = panel(texts.top.history, "history-open", "h", () => board.openHistory(), { class: "lb-quiet lb-counted", "data-name": texts.top.history });
    this.warning = panel(texts.top.warning, "warning-open", "!", () => board.openWarning(), { hidden: true });
    const nav = el(
      "nav",
      { "aria-label": texts.top.panels },
      this.compareButton,
      this.readingButton,
      panel(texts.top.find, "find-open", "/", () => board.openFind(), { class: "lb-quiet lb-needs-task" }),
      panel(texts.top.guidelines, "guidelines-open", "g", () => board.openGuidelines()),
      this.history,
      this.warning,
      panel(texts.top.pause, "pause", ".", () => board.pause()),
      panel(texts.top.keys, "help-open", "?", () => board.openHelp(), { "aria-label": texts.top.keysName }),
    );
    this.menuButton = button(texts.top.menu, { class: "lb-quiet lb-menu-button lb-counted", "data-testid": "menu", "data-name": texts.top.menu, "aria-expanded": "false", "aria-controls": "lb-menu", onclick: () => this.#menu(!this.top.hasAttribute("data-menu")) });
    this.menu = el("div", { class: "lb-menu", id: "lb-menu" }, nav, this.account);
    this.top = el("header", { class: "lb-top" }, this.name, el("span", { class: "lb-progress" }, this.done, this.minutes), this.saving, this.menuButton, this.menu);
  }

  /** Open or close what a narrow screen keeps behind one button. */
  #menu(open) {
    flag(this.top, "data-menu", open);
    this.menuButton.setAttribute("aria-expanded", String(open));
    for (const part of [this.main, this.foot]) part.inert = open; // a press beside the menu closes it and does nothing else
  }

  closeMenu() {
    const open = this.top.hasAttribute("data-menu");
    this.#menu(false);
    return open;
  }

  #board(board) {
    this.place = el("div", { class: "lb-place" });
    this.rateTab = button("", { class: "lb-quiet", "data-testid": "step-rate", onclick: () => board.toRating() });
    this.rankTab = button("", { class: "lb-quiet", "data-testid": "step-rank", onclick: () => board.toRanking() });
    this.stepTabs = el("div", { class: "lb-steps", role: "group", "aria-label": texts.foot.steps, hidden: true }, this.rateTab, this.rankTab, el("kbd", { "aria-hidden": "true" }, "r"));
    this.note = el("textarea", { class: "lb-note", rows: "2", maxlength: "10000", hidden: true, placeholder: texts.foot.noteHint, "aria-label": texts.foot.noteName, "data-testid": "note-text", oninput: () => board.setNote(this.note.value) });
    this.message = el("span", { class: "lb-message", role: "status", "data-testid": "message" });
    this.allBad = el("input", { type: "checkbox", "data-testid": "all-bad", "aria-keyshortcuts": "x", onchange: () => board.toggleAllBad() });
    this.submit = button(texts.foot.submit, { class: "lb-primary lb-submit", "data-testid": "submit", disabled: true, onclick: () => board.submit() }, "Enter");
    this.submitKey = this.submit.querySelector("kbd");
    this.keep = button(texts.foot.keep, { class: "lb-quiet", "data-testid": "keep", hidden: true, onclick: () => board.keepAsItWas() });
    const small = el(
      "div",
      { class: "lb-small" },
      button(texts.foot.undo, { class: "lb-quiet", "data-testid": "undo", onclick: () => board.undo() }, "u"),
      button(texts.foot.skip, { class: "lb-quiet lb-needs-task", "data-testid": "skip", onclick: () => board.openSkip() }, "s"),
      button(texts.foot.note, { class: "lb-quiet lb-needs-task", "data-testid": "note", onclick: () => board.openNote() }, "n"),
      (this.comments = button(texts.foot.comments, { class: "lb-quiet lb-needs-task lb-counted", "data-testid": "comments", "data-name": texts.foot.comments, onclick: () => board.openComments() }, ";")),
      (this.improve = button(t("improve"), { class: "lb-quiet lb-needs-task", "data-testid": "improve", title: t("Improve the best"), onclick: () => board.editing.focus() }, "e")),
      (this.tie = button(texts.foot.tie, { class: "lb-quiet lb-needs-task", "data-testid": "tie", title: texts.foot.tieHint, "aria-pressed": "false", onclick: () => board.ranking.toggleTie() }, "=")),
      (this.allBadLabel = el("label", { class: "lb-all-bad lb-needs-task" }, this.allBad, (this.allBadText = el("span", {})), el("kbd", { "aria-hidden": "true" }, "x"))),
      this.keep,
    );
    const tools = el("div", { class: "lb-tools" }, small, this.message, this.submit);
    this.foot = el("footer", { class: "lb-board" }, this.stepTabs, this.place, this.note, tools);
  }

  setUser(user, projects, current) {
    const form = el("form", { method: "post", action: "/logout" }, el("button", { type: "submit", class: "lb-quiet", "data-testid": "sign-out" }, texts.top.signOut));
    this.account.replaceChildren(el("a", { class: "lb-name", href: "/account", title: texts.top.account, "data-testid": "account" }, user.name), form);
    if (projects.length < 2) return this.name.replaceChildren(current?.name ?? "");
    const options = projects.map(({ id, name }) => el("option", { value: id, selected: id === current.id }, name));
    const choice = el("select", { "aria-label": texts.top.project, "data-testid": "project" }, ...options);
    choice.addEventListener("change", () => (choice.blur(), this.board.switchProject(Number(choice.value))));
    this.name.replaceChildren(choice);
  }

  setProgress({ done, total }) {
    this.done.textContent = texts.top.progress(done, total);
  }

  setMinutes(seconds) {
    const text = ` · ${texts.top.minutes(Math.floor(seconds / 60))}`;
    if (this.minutes.textContent !== text) this.minutes.textContent = text;
  }

  setSaving(state, error) {
    const text = state === "failed" ? texts.saving.failed(error?.message ?? "") : ({ saved: texts.saving.saved, saving: texts.saving.saving }[state] ?? "");
    this.saving.textContent = text;
    flag(this.saving, "data-alarm", state === "failed");
    if (state === "failed") this.say(text, { alarm: true });
    else if (this.message.hasAttribute("data-alarm")) this.say("");
  }

  setAllBad(on) {
    this.allBad.checked = on;
  }

  /** @param {boolean} rating which step it is; @param {{rated: string, ranked: string}|null} done where there are two */
  setStep(rating, done) {
    this.stepTabs.hidden = !done;
    flag(this.root, "data-rating", rating);
    if (!done) return;
    this.rateTab.textContent = texts.foot.rateStep(done.rated);
    this.rankTab.textContent = texts.foot.rankStep(done.ranked);
    this.rateTab.setAttribute("aria-pressed", String(rating));
    this.rankTab.setAttribute("aria-pressed", String(!rating));
  }

  setCompare(node, cards) {
    this.compareButton.setAttribute("aria-pressed", String(Boolean(node)));
    cards.hidden = Boolean(node);
    this.main.querySelector(".lb-compare")?.remove();
    if (node) cards.after(node);
  }

  setWarning(text) {
    this.warning.hidden = !text;
  }

  setReading(on) {
    this.readingButton.setAttribute("aria-pressed", String(on));
  }

  showTask(task, schema, prompt, legend, cards, note) {
    this.foot.dataset.testid = "ranking-board";
    this.foot.dataset.taskId = task.id;
    this.foot.dataset.k = task.completions.length;
    this.compareButton.setAttribute("aria-pressed", "false");
    this.main.replaceChildren(prompt, legend, this.#dots(task.completions, cards), cards);
    this.main.scrollTop = 0;
    this.compareButton.hidden = task.completions.length < 2;
    this.submitKey.textContent = writes(schema) ? "Ctrl Enter" : "Enter";
    this.improve.hidden = !schema.edit;
    this.tie.hidden = !schema.ranking;
    this.allBadLabel.hidden = !schema.all_bad;
    this.allBadText.textContent = texts.foot.allBad(task.completions.length);
    this.note.value = note;
    this.note.hidden = !note;
    this.keep.hidden = !task.correction;
    this.setSaving("");
    flag(this.root, "data-empty", false);
    if (!document.querySelector("dialog[open]")) this.main.focus({ preventScroll: true });
  }

  /** Letters that jump to a card, where cards are swiped. */
  #dots(completions, cards) {
    const to = (text, name, index) => button(text, { class: "lb-jump", "aria-label": name, onclick: () => cards.children[index].scrollIntoView({ inline: "start", block: "nearest" }) });
    const jumps = completions.map(({ label }, index) => to(label, texts.card.jump(label), index));
    if (cards.querySelector(".lb-edit")) jumps.push(to("✎", t("Improve the best"), jumps.length));
    let before = 0;
    const mark = () => {
      const at = Math.round(cards.scrollLeft / Math.max(1, cards.clientWidth));
      if (at !== before) this.board.onCardShown(completions[at]?.label);
      before = at;
      jumps.forEach((jump, index) => jump.setAttribute("aria-current", String(index === at)));
    };
    cards.addEventListener("scroll", mark, { passive: true });
    mark();
    return el("nav", { class: "lb-jumps", "aria-label": texts.card.jumps }, ...jumps);
  }

  /** @param {{href: string, text: string}} [link] where to go on */
  showEmpty(text, legend, link = null) {
    delete this.foot.dataset.testid;
    delete this.foot.dataset.taskId;
    flag(this.root, "data-empty", true);
    const onward = link && el("a", { class: "lb-go-on", href: link.href, "data-testid": "go-on" }, link.text);
    this.main.replaceChildren(legend, el("p", { class: "lb-none-left", "data-testid": "no-tasks" }, text, onward));
    this.place.replaceChildren();
    this.stepTabs.hidden = true;
    this.note.hidden = this.keep.hidden = this.submit.disabled = true;
    this.setSaving("");
  }

  showSignedOut() {
    this.message.replaceChildren(texts.saving.signedOut, " ", el("a", { href: "/login" }, texts.saving.signIn));
    flag(this.message, "data-alarm", true);
  }

  openNote() {
    this.note.hidden = false;
    this.note.focus();
  }

  say(text, { alarm = false } = {}) {
    this.message.textContent = text;
    flag(this.message, "data-alarm", alarm);
  }

  announce(text) {
    if (this.live.textContent !== text) this.live.textContent = text;
  }
}
