// The review page: tasks with most disagreement first, the judgments of one side by side, and what a reviewer decides.

import * as answers from "./answer.js";
import { drawCards, drawPrompt, markCards } from "./cards.js";
import { openComments } from "./comments.js";
import { button, el, flag, takesText, uuid } from "./dom.js";
import { open, shortTime } from "./dialogs.js";
import { written } from "./gold.js";
import { ApiError, drawFor, request } from "./http.js";
import { speak } from "./language.js";
import { mark, unreadLines } from "./notices.js";
import * as ranking from "./ranking.js";
import { RankStep } from "./rankstep.js";
import { RateStep } from "./ratestep.js";
import { exactNodes, foldLong } from "./text.js";
import { texts } from "./texts.js";

/** Draw the page into `parent`; returns a function that takes it away again. */
export function mount(parent) {
  const review = new Review(parent);
  speak();
  review.start();
  return () => review.stop();
}

class Review {
  constructor(parent) {
    this.named = localStorage.getItem("labeler-review-names") === "yes";
    this.show = "disagreement";
    this.tasks = [];
    this.task = this.answer = null;
    this.asked = 0;
    this.steps = { read: () => this.answer, change: (answer) => this.#change(answer), redraw: () => this.#draw(), say: (text) => this.say(text), done: () => {} };
    this.#frame();
    parent.replaceChildren(this.root);
  }

  #frame() {
    this.choice = el("select", { "aria-label": texts.review.project, "data-testid": "review-project", onchange: () => this.#pick({ project: Number(this.choice.value) }) });
    this.filter = el("select", { "aria-label": texts.review.show, "data-testid": "review-show", onchange: () => this.#pick({ show: this.filter.value }) }, ...Object.entries(texts.review.shows).map(([value, name]) => el("option", { value }, name)));
    this.names = button(texts.review.names, { class: "lb-quiet", "data-testid": "review-names", onclick: () => this.#toggleNames() }, "n");
    this.inbox = button(texts.review.messages, { class: "lb-quiet lb-counted", "data-testid": "review-inbox", "data-name": texts.review.messages, onclick: () => this.openInbox() });
    this.count = el("span", { class: "lb-progress", "data-testid": "review-count" });
    this.list = el("ol", { class: "rv-list", "data-testid": "review-list", "aria-label": texts.review.tasks });
    this.main = el("main", { class: "lb-main rv-main", tabindex: "-1", "aria-label": texts.review.main });
    this.message = el("span", { class: "lb-message", role: "status", "data-testid": "message" });
    const step = (text, direction, key) => button(text, { class: "lb-quiet", onclick: () => this.#step(direction) }, key);
    const top = el("header", { class: "lb-top" }, this.choice, this.filter, this.count, el("nav", { "aria-label": texts.review.tasks }, this.inbox, this.names, step(texts.review.previous, -1, "↑"), step(texts.review.next, 1, "↓")));
    this.place = el("div", { class: "lb-place" });
    this.submit = button(texts.review.decide, { class: "lb-primary lb-submit", "data-testid": "review-decide", disabled: true, onclick: () => this.decide() }, "Enter");
    this.allBad = el("input", { type: "checkbox", onchange: () => this.answer && this.#change({ ...this.answer, allBad: this.allBad.checked }) });
    this.badLabel = el("label", { class: "lb-all-bad" }, this.allBad, texts.review.allBad);
    const small = el(
      "div",
      { class: "lb-small" },
      this.badLabel,
      button(texts.review.oneMore, { class: "lb-quiet", "data-testid": "review-one-more", onclick: () => this.oneMore() }, "o"),
      button(texts.foot.comments, { class: "lb-quiet", "data-testid": "comments", onclick: () => this.openComments() }, ";"),
    );
    const tools = el("div", { class: "lb-tools" }, small, this.message, this.submit);
    this.hint = el("p", { class: "rv-keys" });
    this.foot = el("footer", { class: "lb-board" }, this.hint, this.place, tools);
    const side = el("aside", { class: "rv-side" }, this.list);
    this.root = el("div", { class: "lb rv" }, top, side, this.main, this.foot);
  }

  async start() {
    this.keys = (event) => this.#key(event);
    window.addEventListener("keydown", this.keys, { capture: true });
    await this.#ask(async () => {
      const { user, projects } = await request("GET", "/api/review/projects");
      drawFor(user.id);
      this.projects = projects;
      this.choice.replaceChildren(...projects.map(({ id, name }) => el("option", { value: id }, name)));
      if (projects.length) await this.#pick({ project: projects[0].id });
      else this.#empty(texts.review.noProject);
    });
  }

  stop() {
    window.removeEventListener("keydown", this.keys, { capture: true });
  }

  async #ask(action) {
    try {
      await action();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.say(error.message, { alarm: true });
    }
  }

  say(text, { alarm = false } = {}) {
    this.message.textContent = text;
    flag(this.message, "data-alarm", alarm);
  }

  // The list

  async #pick({ project = this.project, show = this.show }) {
    this.project = project;
    // What people write is not compared: there is no disagreement to look at, and nothing to decide.
    this.judges = this.projects.find(({ id }) => id === project).judges;
    this.show = this.judges || show !== "disagreement" ? show : "judged";
    this.choice.value = project;
    this.filter.value = this.show;
    this.hint.textContent = this.judges ? texts.review.keys : texts.review.keysWritten;
    this.place.hidden = this.submit.hidden = !this.judges;
    await this.#ask(async () => {
      const found = await request("POST", "/api/review/list", { project, show: this.show });
      this.tasks = found.tasks;
      await this.#news();
      this.found = found;
      this.#drawList();
      if (this.tasks.length) await this.open(this.tasks[0].task_id);
      else this.#empty(texts.review.nothing);
    });
  }

  #empty(text) {
    this.task = this.answer = null;
    this.count.textContent = "";
    this.list.replaceChildren();
    this.place.replaceChildren();
    this.submit.disabled = true;
    flag(this.root, "data-empty", true);
    this.main.replaceChildren(el("p", { class: "lb-none-left", "data-testid": "review-empty" }, text));
  }

  #drawList() {
    this.list.replaceChildren(...this.tasks.map((task) => this.#line(task)));
  }

  #line(task) {
    const differ = task.disagreement === null ? "–" : `${Math.round(100 * task.disagreement)} %`;
    const tags = Object.entries(texts.review.tags).filter(([name]) => task[name]).map(([, text]) => el("span", { class: "lb-tag" }, text));
    const about = el("span", { class: "rv-differ", title: texts.review.differ }, differ);
    const text = el("span", { class: "lb-clip", dir: "auto" }, task.preview);
    const line = button("", { class: "rv-line", "data-testid": "review-line", "data-task": task.task_id, onclick: () => this.open(task.task_id) });
    line.replaceChildren(about, el("span", { class: "rv-what" }, text, el("span", { class: "lb-tags" }, ...tags)));
    return el("li", {}, line);
  }

  async #step(direction) {
    const at = this.tasks.findIndex(({ task_id: id }) => id === this.task?.task);
    const next = this.tasks[at + direction];
    if (next) await this.open(next.task_id);
    else this.say(direction > 0 ? texts.review.lastOne : texts.review.firstOne);
  }

  // One task

  async open(id) {
    if (this.sending) return;
    const asked = ++this.asked;
    await this.#ask(async () => {
      const task = await request("POST", "/api/review/task", { task: id });
      if (asked === this.asked) this.#show(task);
    });
  }

  #show(task) {
    this.task = task;
    this.draftId = uuid();
    flag(this.root, "data-empty", false);
    this.say("");
    const labels = task.completions.map(({ label }) => label);
    this.answer = answers.fromDraft(labels, task.schema, task.finals.at(-1)?.answer ?? null);
    const prompt = drawPrompt(turnsOf(task));
    this.view = drawCards(task.completions, (label) => this.rank.tap(label));
    this.rank = new RankStep(this.steps);
    this.rate = answers.asksMarks(task.schema) ? new RateStep(task.schema, labels, this.view.cards, prompt.tags, this.steps) : null;
    if (this.rate) this.view.node.addEventListener("focusin", (event) => this.rate.notice(event.target.closest("[data-card]")?.dataset.card));
    this.rank.open(task.schema, labels);
    this.rank.node.hidden = !task.schema.ranking;
    this.place.replaceChildren(...(this.rate ? [this.rate.panel.node] : []), this.rank.node);
    this.badLabel.hidden = !this.judges || !task.schema.all_bad;
    this.main.replaceChildren(prompt.node, this.#judgments(), this.view.node);
    this.main.scrollTop = 0;
    foldLong([...prompt.folds, ...this.view.folds]);
    this.#mark(task.task);
    this.#draw();
    this.main.focus({ preventScroll: true });
  }

  #mark(id) {
    const at = this.tasks.findIndex(({ task_id: one }) => one === id);
    this.count.textContent = at < 0 ? "" : texts.review.count(at + 1, this.tasks.length, this.found.more, this.found.behind);
    for (const line of this.list.querySelectorAll(".rv-line")) {
      const here = Number(line.dataset.task) === id;
      line.setAttribute("aria-current", String(here));
      if (here) line.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }

  #judgments() {
    const { judgments, finals, overlap } = this.task;
    const cards = judgments.map((judgment, index) => this.#judgment(judgment, index));
    const decided = finals.map((final, index) => this.#final(final, index === finals.length - 1));
    const wanted = el("p", { class: "lb-muted rv-wanted" }, texts.review.wanted(judgments.length, overlap));
    return el("section", { class: "rv-judgments", "aria-label": texts.review.judgments, "data-testid": "judgments" }, ...decided, ...cards, wanted);
  }

  name(judgment, index) {
    return this.named ? judgment.annotator : texts.review.judgment(index + 1);
  }

  #judgment(judgment, index) {
    const ranked = this.judges && judgment.kind !== "skip";
    const actions = [
      ranked && button(texts.review.accept, { class: "lb-quiet", "data-testid": "accept", onclick: () => this.accept(judgment) }, String(index + 1)),
      ranked && button(texts.review.startFrom, { class: "lb-quiet", onclick: () => this.#startFrom(judgment) }),
      judgment.here && button(texts.review.sendBack, { class: "lb-quiet", "data-testid": "send-back", onclick: () => this.#askAgain(card, judgment) }),
    ].filter(Boolean);
    const about = [judgment.at && shortTime(judgment.at), judgment.seconds && texts.review.seconds(Math.round(judgment.seconds))].filter(Boolean).join(" · ");
    const card = el(
      "article",
      { class: "rv-judgment", "data-testid": "judgment", "data-judgment": judgment.id },
      el("h3", {}, this.name(judgment, index)),
      ...said(judgment, this.task.schema),
      judgment.note ? el("div", { class: "lb-text rv-note", dir: "auto" }, ...exactNodes(judgment.note)) : null,
      judgment.returned ? el("div", { class: "lb-alert" }, texts.review.returned(judgment.returned)) : null,
      el("div", { class: "lb-muted" }, about),
      el("div", { class: "rv-actions" }, ...actions),
    );
    return card;
  }

  #final(final, stands) {
    return el(
      "article",
      { class: stands ? "rv-judgment rv-final" : "rv-judgment rv-past", "data-testid": "final" },
      el("h3", {}, stands ? texts.review.final : texts.review.before),
      ...said({ kind: "rank", ...final }, this.task.schema),
      el("div", { class: "lb-muted" }, texts.review.decidedBy(final.by, final.accepted, shortTime(final.at), final.instead.length)),
    );
  }

  #startFrom(judgment) {
    const labels = this.task.completions.map(({ label }) => label);
    this.#change(answers.fromDraft(labels, this.task.schema, judgment.answer));
    this.say(texts.review.changeIt);
  }

  #askAgain(card, judgment) {
    if (card.querySelector("textarea")) return;
    const text = el("textarea", { class: "lb-note", rows: "2", maxlength: "10000", placeholder: texts.review.sendBackHint, "aria-label": texts.review.sendBackName, "data-testid": "send-back-text" });
    const send = button(texts.review.sendBackNow, { class: "lb-quiet", "data-testid": "send-back-send", onclick: () => this.#act("/api/review/send-back", { judgment: judgment.id, comment: text.value }, texts.review.sentBack) });
    card.append(text, send);
    text.focus();
  }

  // Deciding

  #change(answer) {
    if (!this.task) return;
    this.answer = answer;
    this.say("");
    this.#draw();
  }

  #obstacle() {
    return this.sending ? texts.board.sending : answers.obstacle(this.answer, { ...this.task.schema, edit: null });
  }

  async #act(path, body, done) {
    if (this.sending) return;
    this.sending = true;
    await this.#ask(async () => {
      this.#show(await request("POST", path, { task: this.task.task, ...body }));
      this.say(done);
    });
    this.sending = false;
    if (this.task) this.#draw();
  }

  async #settle(body) {
    const seen = this.task.finals.at(-1)?.id ?? null;
    const before = this.task.finals.length;
    await this.#act("/api/review/decide", { submission_id: this.draftId, seen, ...body }, texts.review.decided);
    if (this.task.finals.length === before) return;
    const line = this.tasks.find(({ task_id: id }) => id === this.task.task);
    if (line) line.final = true;
    this.#drawList();
    this.#mark(this.task.task);
  }

  accept(judgment) {
    return this.#settle({ accepted: judgment.id });
  }

  decide() {
    if (!this.task || !this.judges) return;
    const obstacle = this.#obstacle();
    if (obstacle) this.say(obstacle);
    else this.#settle({ ...answers.toSubmission(this.answer), edit: null }); // what is final is one of the texts that were judged
  }

  oneMore() {
    if (this.task) this.#act("/api/review/one-more", {}, texts.review.oneMoreAsked);
  }

  async #news() {
    this.unread = (await request("GET", `/api/notices?project=${this.project}`)).unread;
    mark(this.inbox, this.unread.length, texts.counted.unread);
  }

  openInbox() {
    const lines = unreadLines(this.unread ?? [], async (id) => (panel.close(), await this.open(id), await this.openComments()));
    const list = lines.length ? el("ul", { class: "lb-history" }, ...lines) : el("p", {}, texts.review.noMessages);
    const panel = open(this.root, texts.review.inbox, list, { side: true, testid: "inbox" });
  }

  async openComments() {
    if (!this.task) return;
    const { judgments } = this.task;
    const labelers = judgments.filter(({ here }) => here).map(({ annotator }) => annotator);
    const place = (name) => judgments.findIndex(({ annotator }) => annotator === name);
    const named = (name) => (place(name) < 0 && !this.named ? texts.review.stranger : this.name({ annotator: name }, place(name)));
    await this.#ask(() => openComments(this.root, this.task.task, { labelers, named, onRead: () => this.#news() }));
  }

  #toggleNames() {
    this.named = !this.named;
    localStorage.setItem("labeler-review-names", this.named ? "yes" : "no");
    if (!this.task) return;
    this.main.querySelector(".rv-judgments").replaceWith(this.#judgments());
    this.#draw();
  }

  // Keys and drawing

  #key(event) {
    if (takesText(event.target) || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const act = this.#command(event);
    if (!act) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (!event.repeat || event.key.startsWith("Arrow")) act();
  }

  #command(event) {
    const letter = event.key.toUpperCase();
    if (event.key === "ArrowDown") return () => this.#step(1);
    if (event.key === "ArrowUp") return () => this.#step(-1);
    if (!this.task) return null;
    if (!this.judges) return this.#always(letter);
    if (event.key === "Enter") return event.target.closest?.("button, a") ? null : () => this.decide();
    const judgment = /^[1-9]$/.test(event.key) && this.task.judgments[Number(event.key) - 1];
    if (judgment && judgment.kind !== "skip") return () => this.accept(judgment);
    if (letter.length === 1 && this.answer.ranking.labels.includes(letter)) return () => this.rank.typeLetter(letter, event.repeat);
    return { "=": () => this.rank.toggleTie(), BACKSPACE: () => this.rank.takeBack() }[letter] ?? this.#always(letter);
  }

  #always(letter) {
    return { ";": () => this.openComments(), N: () => this.#toggleNames(), O: () => this.oneMore() }[letter] ?? null;
  }

  #draw() {
    const off = { off: Boolean(this.sending) };
    this.rank.draw(this.answer, off);
    if (this.rate) this.rate.active = true;
    this.rate?.draw(this.answer, off);
    markCards(this.view.cards, ranking.ranksOf(this.answer.ranking), this.task.schema.ranking);
    this.allBad.checked = this.answer.allBad;
    this.names.setAttribute("aria-pressed", String(this.named));
    const obstacle = this.#obstacle();
    this.submit.disabled = Boolean(obstacle);
    this.submit.title = obstacle ?? "";
  }
}

/** What to show as the prompt: of a dialogue what it is to be about, before the turns that it begins with. */
function turnsOf({ prompt, scenario }) {
  return scenario || !prompt.length ? [{ role: "scenario", content: scenario ?? "" }, ...prompt] : prompt;
}

/** A text that somebody wrote; a long one scrolls. */
const long = (text) => el("div", { class: "lb-text rv-written", dir: "auto", tabindex: "0", "data-testid": "written" }, ...exactNodes(text));

/** What a judgment says, in lines: the ranking, ratings and flags by letter, or what was written. */
function said({ kind, reason, answer }, schema) {
  if (kind === "skip") return [el("div", { class: "rv-rank" }, texts.review.skipped(reason))];
  const flagTexts = new Map([...schema.flags, ...schema.prompt_flags].map(({ name, text }) => [name, text]));
  const flags = (names) => names.map((name) => flagTexts.get(name) ?? name).join(", ");
  const ratings = Object.entries(answer.ratings).sort().map(([label, rating]) => `${label} ${rating}`);
  const marked = Object.entries(answer.flags).sort().map(([label, names]) => `${label}: ${flags(names)}`);
  const ranks = written(answer.ranks);
  return [
    answer.all_bad && el("div", { class: "rv-rank" }, texts.review.allBad),
    Object.keys(answer.ranks).length > 0 && el("div", { class: "rv-rank", "data-testid": "said" }, answer.strength ? texts.review.better(ranks, answer.strength) : ranks),
    ratings.length > 0 && el("div", {}, ratings.join(" · ")),
    marked.length > 0 && el("div", {}, texts.review.flags(marked.join("; "))),
    ...(answer.edit ? [el("div", { class: "lb-muted" }, texts.review.edited(answer.edit.of)), long(answer.edit.text)] : []),
    answer.written && long(answer.written),
    ...(answer.dialogue?.turns ?? []).flatMap(({ role, text }) => [el("div", { class: "lb-role" }, texts.prompt.roles[role]), long(text)]),
    answer.prompt_flags.length > 0 && el("div", {}, texts.review.promptFlags(flags(answer.prompt_flags))),
  ].filter(Boolean);
}
