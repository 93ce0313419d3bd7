// The parts of the screen that stay: the bar on top, the text in the middle, the ranking board below.

import { button, el, flag } from "./dom.js";

export class Frame {
  /** @param {object} board the commands; @param {boolean} bare there is no navigation above the board */
  constructor(board, bare) {
    this.board = board;
    this.#top(board);
    this.#board(board);
    this.main = el("main", { class: "lb-main", tabindex: "-1", "aria-label": "Prompt and completions" }, el("p", { class: "lb-wait" }, "Loading …"));
    this.live = el("div", { class: "lb-live", role: "status", "aria-live": "polite" });
    const hint = el("div", { id: "lb-chip-keys", hidden: true }, "Digits put it at that rank, left and right move it, up ranks it next, down takes it off.");
    this.root = el("div", { class: bare ? "lb lb-bare" : "lb" }, this.top, this.main, this.foot, this.live, hint);
    // After a click the keyboard is back with the board, so that the next Enter does not press the same button again.
    this.root.addEventListener("click", (event) => {
      const pressed = event.target.closest?.("button, input[type=checkbox]");
      if (event.detail > 0 && pressed && !pressed.closest("dialog") && document.activeElement === pressed && !pressed.matches(".lb-chip")) board.focusBoard();
    });
  }

  #top(board) {
    this.name = el("span", { class: "lb-project" });
    this.done = el("span", { "data-testid": "progress" });
    this.minutes = el("span", { class: "lb-minutes" });
    this.saving = el("span", { class: "lb-saving", "data-testid": "saving" });
    this.account = el("span", { class: "lb-account" });
    this.top = el(
      "header",
      { class: "lb-top" },
      this.name,
      el("span", { class: "lb-progress" }, this.done, this.minutes),
      this.saving,
      el(
        "nav",
        { "aria-label": "Panels" },
        (this.compareButton = button("compare", { class: "lb-quiet lb-needs-task", "data-testid": "compare-toggle", "aria-pressed": "false", onclick: () => board.toggleCompare() }, "v")),
        button("guidelines", { class: "lb-quiet", "data-testid": "guidelines-open", onclick: () => board.openGuidelines() }, "g"),
        (this.history = button("history", { class: "lb-quiet lb-counted", "data-testid": "history-open", "data-name": "history", onclick: () => board.openHistory() }, "h")),
        button("keys", { class: "lb-quiet", "data-testid": "help-open", "aria-label": "Keys", onclick: () => board.openHelp() }, "?"),
      ),
      this.account,
    );
  }

  #board(board) {
    this.place = el("div", { class: "lb-place" });
    this.rateTab = button("", { class: "lb-quiet", "data-testid": "step-rate", onclick: () => board.toRating() });
    this.rankTab = button("", { class: "lb-quiet", "data-testid": "step-rank", onclick: () => board.toRanking() });
    this.stepTabs = el("div", { class: "lb-steps", role: "group", "aria-label": "Steps", hidden: true }, this.rateTab, this.rankTab, el("kbd", { "aria-hidden": "true" }, "r"));
    this.note = el("textarea", { class: "lb-note", rows: "2", maxlength: "10000", hidden: true, placeholder: "Note for the managers (Esc goes back to the board)", "aria-label": "Note", "data-testid": "note-text", oninput: () => board.setNote(this.note.value) });
    this.message = el("span", { class: "lb-message", role: "status", "data-testid": "message" });
    this.allBad = el("input", { type: "checkbox", "data-testid": "all-bad", "aria-keyshortcuts": "x", onchange: () => board.toggleAllBad() });
    this.submit = button("Submit", { class: "lb-primary lb-submit", "data-testid": "submit", disabled: true, onclick: () => board.submit() }, "Enter");
    this.keep = button("keep as it was", { class: "lb-quiet", "data-testid": "keep", hidden: true, onclick: () => board.keepAsItWas() });
    const tools = el(
      "div",
      { class: "lb-tools" },
      button("undo", { class: "lb-quiet", "data-testid": "undo", onclick: () => board.undo() }, "u"),
      button("skip", { class: "lb-quiet lb-needs-task", "data-testid": "skip", onclick: () => board.openSkip() }, "s"),
      button("note", { class: "lb-quiet lb-needs-task", "data-testid": "note", onclick: () => board.openNote() }, "n"),
      (this.comments = button("comments", { class: "lb-quiet lb-needs-task lb-counted", "data-testid": "comments", "data-name": "comments", onclick: () => board.openComments() }, ";")),
      (this.tie = button("tie", { class: "lb-quiet lb-needs-task", "data-testid": "tie", title: "The next one ties with the one before", "aria-pressed": "false", onclick: () => board.ranking.toggleTie() }, "=")),
      (this.allBadLabel = el("label", { class: "lb-all-bad lb-needs-task" }, this.allBad, (this.allBadText = el("span", {})), el("kbd", { "aria-hidden": "true" }, "x"))),
      this.keep,
      this.message,
      this.submit,
    );
    this.foot = el("footer", { class: "lb-board" }, this.stepTabs, this.place, this.note, tools);
  }

  setUser(user, projects, current) {
    const form = el("form", { method: "post", action: "/logout" }, el("button", { type: "submit", class: "lb-quiet", "data-testid": "sign-out" }, "sign out"));
    this.account.replaceChildren(el("a", { class: "lb-muted", href: "/account", "data-testid": "account" }, user.name), form);
    if (projects.length < 2) return this.name.replaceChildren(current?.name ?? "");
    const options = projects.map(({ id, name }) => el("option", { value: id, selected: id === current.id }, name));
    const choice = el("select", { "aria-label": "Project", "data-testid": "project" }, ...options);
    choice.addEventListener("change", () => (choice.blur(), this.board.switchProject(Number(choice.value))));
    this.name.replaceChildren(choice);
  }

  setProgress({ done, total }) {
    this.done.textContent = `${done} of ${total}`;
  }

  setMinutes(seconds) {
    const text = ` · ${Math.floor(seconds / 60)} min today`;
    if (this.minutes.textContent !== text) this.minutes.textContent = text;
  }

  setSaving(state, error) {
    const text = { saved: "saved", saving: "saving …", failed: `Not saved: ${error?.message ?? ""} Trying again …` }[state] ?? "";
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
    this.rateTab.textContent = `1 · ${done.rated ? "rate" : "flag"} ${done.rated}`;
    this.rankTab.textContent = `2 · rank ${done.ranked}`;
    this.rateTab.setAttribute("aria-pressed", String(rating));
    this.rankTab.setAttribute("aria-pressed", String(!rating));
  }

  setCompare(node, cards) {
    this.compareButton.setAttribute("aria-pressed", String(Boolean(node)));
    cards.hidden = Boolean(node);
    this.main.querySelector(".lb-compare")?.remove();
    if (node) cards.after(node);
  }

  showTask(task, schema, prompt, cards, note) {
    this.foot.dataset.testid = "ranking-board";
    this.foot.dataset.taskId = task.id;
    this.foot.dataset.k = task.completions.length;
    this.compareButton.setAttribute("aria-pressed", "false");
    this.main.replaceChildren(prompt, this.#dots(task.completions, cards), cards);
    this.main.scrollTop = 0;
    this.tie.hidden = !schema.ranking;
    this.allBadLabel.hidden = !schema.all_bad;
    this.allBadText.textContent = task.completions.length === 2 ? "both bad" : "all bad";
    this.note.value = note;
    this.note.hidden = !note;
    this.keep.hidden = !task.correction;
    this.setSaving("");
    flag(this.root, "data-empty", false);
    if (!document.querySelector("dialog[open]")) this.main.focus({ preventScroll: true });
  }

  /** Letters that jump to a card, where cards are swiped. */
  #dots(completions, cards) {
    const jumps = completions.map(({ label }, index) =>
      button(label, { class: "lb-jump", "aria-label": `Show completion ${label}`, onclick: () => cards.children[index].scrollIntoView({ inline: "start", block: "nearest" }) }),
    );
    let before = 0;
    const mark = () => {
      const at = Math.round(cards.scrollLeft / Math.max(1, cards.clientWidth));
      if (at !== before) this.board.onCardShown(completions[at]?.label);
      before = at;
      jumps.forEach((jump, index) => jump.setAttribute("aria-current", String(index === at)));
    };
    cards.addEventListener("scroll", mark, { passive: true });
    mark();
    return el("nav", { class: "lb-jumps", "aria-label": "Completions" }, ...jumps);
  }

  /** @param {{href: string, text: string}} [link] where to go on */
  showEmpty(text = "No tasks are left for you here. Thank you!", link = null) {
    delete this.foot.dataset.testid;
    delete this.foot.dataset.taskId;
    flag(this.root, "data-empty", true);
    this.main.replaceChildren(el("p", { class: "lb-none-left", "data-testid": "no-tasks" }, text, link && el("a", { class: "lb-go-on", href: link.href, "data-testid": "go-on" }, link.text)));
    this.place.replaceChildren();
    this.stepTabs.hidden = true;
    this.note.hidden = this.keep.hidden = this.submit.disabled = true;
    this.setSaving("");
  }

  showSignedOut() {
    this.message.replaceChildren("You are signed out; your draft is kept. ", el("a", { href: "/login" }, "Sign in again"));
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
