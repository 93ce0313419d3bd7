// The labeling screen: holds one task at a time, all of it keyed by the task's own id.

import * as answers from "./answer.js";
import { Care, endOfDay } from "./care.js";
import { Chat } from "./chat.js";
import { AttentionClock } from "./clock.js";
import { Compare } from "./compare.js";
import { Draft } from "./draft.js";
import { drawCards, drawPrompt, markCards } from "./cards.js";
import * as dialogs from "./dialogs.js";
import { uuid } from "./dom.js";
import { editObstacle, writes } from "./editing.js";
import { EditStep } from "./editstep.js";
import { Frame } from "./frame.js";
import * as gold from "./gold.js";
import { ApiError, drawFor, pause, request } from "./http.js";
import { listen } from "./keys.js";
import { speak } from "./language.js";
import { Notices } from "./notices.js";
import { send } from "./outbox.js";
import * as ranking from "./ranking.js";
import { RankStep } from "./rankstep.js";
import { RateStep } from "./ratestep.js";
import { toggleAllFolds } from "./text.js";
import { texts } from "./texts.js";
import { TextView } from "./textview.js";
import { WriteStep } from "./writestep.js";

// Without a touch on the new task, a submit sooner than this belongs to the task before: a double click or press.
const SETTLE = 500;

/** Draw the screen into `parent`; returns a function that takes it away again. */
export function mount(parent, options = {}) {
  speak();
  const board = new Board(parent, options);
  board.start();
  return () => board.stop();
}

class Board {
  constructor(parent, { bare = true }) {
    this.frame = new Frame(this, bare);
    parent.replaceChildren(this.frame.root);
    this.steps = { read: () => this.answer, change: (answer) => this.#change(answer), redraw: () => this.#draw(), say: (text) => this.say(text) };
    this.ownRanking = new RankStep(this.steps);
    this.shown = new TextView(this.frame, { ask: (action) => this.#ask(action), include: () => this.#leaveOut(null), focus: () => this.focusBoard() });
    this.clock = new AttentionClock(() => this.#tick());
    this.care = new Care(this.frame.root, this.clock);
    this.notices = new Notices(this);
    this.task = this.draft = this.sending = this.rating = this.writing = this.editing = this.chat = null;
    this.failing = null;
    this.lastAnswer = -Infinity;
    this.enterHeld = this.enterStale = false;
  }

  async start() {
    this.unlisten = listen(this);
    this.leave = () => this.#leave();
    this.awake = () => document.visibilityState === "visible" && this.draft?.flush();
    window.addEventListener("pagehide", this.leave);
    window.addEventListener("online", this.awake);
    document.addEventListener("visibilitychange", this.awake);
    drawFor(null);
    await this.#ask(async () => {
      await this.#loadProjects(Number(localStorage.getItem("labeler-project")));
      if (this.project) await this.#sitDown();
      else this.frame.showEmpty(texts.noProject, this.shown.legend.node);
    });
  }

  stop() {
    this.#leave();
    this.unlisten?.();
    this.clock.stop();
    this.notices.stop();
    window.removeEventListener("pagehide", this.leave);
    window.removeEventListener("online", this.awake);
    document.removeEventListener("visibilitychange", this.awake);
  }

  #leave() {
    this.#markTime();
    this.draft?.leave();
  }

  // Getting and showing tasks

  /** Do something with the server; what goes wrong is said in the bar. Returns whether it went well. */
  async #ask(action) {
    try {
      await action();
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.signedOut) this.frame.showSignedOut();
      else this.frame.say(error.message, { alarm: true });
      return false;
    }
  }

  async #loadProjects(current) {
    const { user, projects } = await request("GET", "/api/projects");
    this.user = user;
    this.care.setUser(user.id);
    this.shown.setUser(user.id);
    drawFor(user.id);
    this.projects = projects;
    this.project = projects.find(({ id }) => id === current) ?? projects[0];
    this.notices.refresh();
    this.frame.setUser(user, projects, this.project);
  }

  async #load() {
    await this.#show(await request("GET", `/api/task?project=${this.project.id}`));
  }

  async switchProject(id) {
    this.project = this.projects.find((project) => project.id === id);
    localStorage.setItem("labeler-project", id);
    this.notices.refresh();
    await this.draft?.flush();
    await this.#ask(() => this.#sitDown());
  }

  /** A project's warning comes before its texts. */
  async #sitDown() {
    if (!this.care.isDue(this.project) || (await this.care.warn(this.project))) await this.#load();
    else await this.#spare(endOfDay());
  }

  async #show({ task, progress, why }) {
    const { schema_version: schema, guidelines_version: guidelines } = this.project;
    if (task && (task.schema_version !== schema || task.guidelines_version !== guidelines)) {
      await this.#loadProjects(this.project.id);
      if (this.care.isDue(this.project) && !(await this.care.warn(this.project))) return this.#spare(endOfDay());
    }
    this.frame.setWarning(this.project.schema.content_warning);
    await this.shown.prepare(this.project.schema.task === "chat" ? null : task);
    const another = task?.id !== this.task?.id;
    this.sending = null;
    this.draft = this.compare = this.rating = this.writing = this.editing = this.chat = null;
    this.failing = null;
    this.task = task;
    this.progress = progress;
    this.touched = false;
    this.enterStale = this.enterHeld;
    this.frame.say("");
    if (task) this.#showTask(task);
    else this.frame.showEmpty(texts.gold.reasons[why] ?? texts.main.none, this.shown.legend.node, gold.onward(why));
    this.shown.show(task ? this.items : [], { optedOut: this.project.opted_out });
    this.frame.setProgress(progress);
    this.notices.draw();
    this.#drawTime();
    this.shownAt = performance.now();
    if (task && another) this.care.remind(this.project.schema.break_minutes);
  }

  /** The ranking of the task's completions or, in a dialogue, of the replies that are offered. */
  get ranking() {
    return this.chat?.ranks ?? this.ownRanking;
  }

  #showTask(task) {
    const { schema } = this.project;
    const labels = task.completions.map(({ label }) => label);
    this.draft = new Draft(this.user.name, task, () => this.#content(), (state, error) => this.#onDraft(state, error));
    const unsent = this.draft.unsent();
    const saved = unsent ?? task.draft;
    this.answer = answers.fromDraft(labels, schema, saved);
    this.clock.reset(saved?.seconds ?? 0);
    if (schema.task === "chat") this.#showChat(task, schema, saved);
    else this.#showCompletions(task, schema, labels);
    const { reason } = this.answer;
    if (task.correction) this.frame.say(reason ? texts.main.skipped(reason) : texts.main.correcting);
    this.#draw();
    this.writing?.start();
    if (unsent) this.draft.changed();
  }

  #showChat(task, schema, saved) {
    const board = { changed: () => (this.#touched(), this.#draw()), redraw: () => this.#draw(), say: (text, options) => this.say(text, options), ready: () => this.ready(), signedOut: () => this.frame.showSignedOut(), focus: () => this.focusBoard() };
    this.items = [];
    this.chat = new Chat(task, schema, saved?.dialogue ?? null, board);
    const { view } = this.chat;
    this.frame.showTask(task, { ...schema, ranking: Boolean(schema.replies) }, view.prompt, this.shown.legend.node, view.node, this.answer.note);
    this.frame.foot.dataset.testid = "chat-board";
    this.frame.place.replaceChildren(view.foot);
    this.chat.open();
  }

  #showCompletions(task, schema, labels) {
    const prompt = drawPrompt(task.prompt);
    this.view = drawCards(task.completions, (label) => this.ranking.tap(label));
    if (answers.asksMarks(schema)) this.#openRating(schema, labels, prompt.tags);
    this.ranking.open(schema, labels);
    if (schema.edit) this.#openEditing(schema, task.completions);
    this.writing = writes(schema) ? new WriteStep(this.steps) : null;
    this.items = [...prompt.folds, ...this.view.folds];
    this.frame.showTask(task, schema, prompt.node, this.shown.legend.node, this.writing?.node ?? this.view.node, this.answer.note);
    this.frame.place.replaceChildren(...(this.rating ? [this.rating.panel.node] : []), this.ranking.node);
  }

  #openEditing(schema, completions) {
    this.editing = new EditStep(schema, completions, { ...this.steps, isRanked: () => answers.isRanked(this.answer, schema) });
    this.view.node.append(this.editing.node);
  }

  #openRating(schema, labels, promptTags) {
    this.rating = new RateStep(schema, labels, this.view.cards, promptTags, { ...this.steps, done: () => this.toRanking() });
    this.view.node.addEventListener("focusin", (event) => this.rating?.notice(event.target.closest("[data-card]")?.dataset.card));
  }

  /** A card was swiped into view. */
  onCardShown(label) {
    this.rating?.notice(label);
  }

  // Care

  async pause() {
    this.#markTime();
    this.draft?.flush();
    await this.care.pause();
  }

  async openWarning() {
    if (!this.project?.schema.content_warning || this.sending) return;
    const include = await this.care.warn(this.project);
    if (include === this.project.opted_out) await this.#leaveOut(include ? null : endOfDay());
  }

  /** Leave out sensitive tasks until a moment, or (null) take them again. */
  async #leaveOut(until) {
    await this.draft?.flush();
    await this.#ask(() => this.#spare(until));
  }

  async #spare(until) {
    const answer = await request("POST", "/api/care", { project: this.project.id, until });
    this.project.opted_out = until !== null;
    return this.#show(answer);
  }

  #tick() {
    this.#drawTime();
    if (this.task) this.care.tick();
  }

  // The present answer, and changes of it

  ready() {
    return Boolean(this.task) && !this.sending;
  }

  hasLabel(letter) {
    return this.answer.ranking.labels.includes(letter);
  }

  #content() {
    return { ...answers.toDraft(this.answer), ...this.chat?.content(), seconds: this.seconds ?? 0 };
  }

  #markTime() {
    this.seconds = this.clock.read();
  }

  #change(answer) {
    if (!this.ready()) return;
    const same = answer === this.answer;
    this.answer = answer;
    if (!same) this.#touched();
    this.#draw();
  }

  #touched() {
    this.touched = true;
    this.#markTime();
    if (!this.failing) this.frame.say("");
    this.draft.changed();
  }

  takeBack() {
    if (this.rating?.active) this.rating.takeBack();
    else this.ranking.takeBack();
  }

  toggleAllBad() {
    if (!this.ready() || !this.project.schema.all_bad) return;
    this.#change({ ...this.answer, allBad: !this.answer.allBad });
  }

  setNote(note) {
    this.answer = { ...this.answer, note };
    this.#touched();
  }

  // From rating to ranking and back

  toggleStep() {
    if (!this.rating || !this.project.schema.ranking) return;
    if (this.rating.active) this.toRanking();
    else this.toRating();
  }

  toRating(target = this.rating?.current) {
    if (this.rating) this.rating.go(target);
  }

  toRanking() {
    this.rating.active = false;
    this.focusBoard();
    this.#draw();
  }

  // Saving and submitting

  #onDraft(state, error) {
    if (state === "lost") return this.#overtaken(error);
    if (state === "saved") this.failing = null;
    else if (error) this.failing = error;
    this.frame.setSaving(this.failing ? "failed" : state, this.failing);
    if (state === "signed-out") this.frame.showSignedOut();
    this.#drawSubmit();
  }

  /** What is on the screen was answered in another window (or by the answer on its way from here): go on from there. */
  async #overtaken({ message }) {
    if (this.sending) return;
    await this.#ask(async () => {
      await this.#load();
      this.frame.say(message, { alarm: true });
    });
  }

  /** Why submitting is not possible now, as a short sentence; null if it is. */
  #obstacle() {
    if (this.sending) return texts.board.sending;
    if (this.failing) return texts.board.unsaved;
    return this.chat ? this.chat.obstacle() : answers.obstacle(this.answer, this.project.schema);
  }

  /** Enter goes on to what is missing, or submits; with `sends` (Ctrl) it submits, also from within a text. */
  enter(repeated, { sends = false } = {}) {
    if (repeated || this.enterStale || this.chat?.enter()) return;
    const { schema } = this.project;
    const ranked = answers.isRanked(this.answer, schema);
    if (sends) this.submit();
    else if (this.writing) this.writing.focus();
    else if (this.rating?.active && !answers.unrated(this.answer, schema).length && !ranked) this.toRanking();
    else if (this.editing && ranked && editObstacle(this.answer, schema)) this.editing.focus();
    else this.submit();
  }

  submit() {
    if (!this.ready() || (!this.touched && performance.now() - this.shownAt < SETTLE)) return;
    const obstacle = this.#obstacle();
    if (obstacle) this.say(obstacle);
    else this.#send({ ...answers.toSubmission(this.answer), ...this.chat?.submission() });
  }

  async #send(answer) {
    this.#markTime();
    const { id: task, schema_version, guidelines_version } = this.task;
    const made = { schema_version, guidelines_version, note: this.answer.note || null, seconds: this.seconds };
    const body = { submission_id: uuid(), project: this.project.id, task, ...made, ...answer };
    this.sending = body;
    this.#draw();
    await pause(Math.max(0, this.lastAnswer + 1000 * this.project.dwell_seconds - performance.now()));
    await this.#ask(async () => {
      const next = await send(body, (sentence) => this.say(sentence, { alarm: true }));
      this.lastAnswer = performance.now();
      this.draft.close();
      if (body.kind !== "skip" && this.task.correction) this.notices.refresh();
      await gold.tell(this.frame.root, next.feedback);
      await this.#show(next);
      if (next.refusal) this.frame.say(next.refusal, { alarm: true });
    });
    this.sending = null;
    this.#draw();
  }

  async undo(judgment = null) {
    if (this.sending || !this.project) return;
    await this.draft?.flush();
    await this.#ask(async () => {
      const answer = await request("POST", "/api/undo", { project: this.project.id, judgment });
      if (answer.task) await this.#show(answer);
      else this.say(texts.board.nothingToUndo);
    });
  }

  async keepAsItWas() {
    if (!this.ready()) return;
    const body = { project: this.project.id, task: this.task.id };
    await this.#ask(async () => {
      const next = await request("POST", "/api/cancel-correction", body);
      this.draft.close();
      await this.#show(next);
    });
  }

  // Panels

  openSkip() {
    if (this.ready()) dialogs.openSkip(this.frame.root, this.answer.reason, (reason) => this.#send({ kind: "skip", reason }));
  }

  openHelp() {
    dialogs.openHelp(this.frame.root, this.project?.schema);
  }

  openGuidelines() {
    if (this.project) dialogs.openGuidelines(this.frame.root, this.project);
  }

  async openHistory() {
    if (!this.project) return;
    await this.#ask(async () => {
      const { items } = await request("GET", `/api/history?project=${this.project.id}`);
      dialogs.openHistory(this.frame.root, items, (judgment) => this.undo(judgment), (close) => this.notices.lines(close));
    });
  }

  async openComments() {
    if (this.ready()) await this.#ask(() => this.notices.open(this.task.id));
  }

  openNote() {
    this.frame.openNote();
  }

  openFind() {
    if (this.task) this.shown.find.open();
  }

  toggleReading() {
    return this.shown.toggleReading(this.task);
  }

  toggleFolds() {
    toggleAllFolds(this.frame.root);
  }

  toggleCompare() {
    if (!this.task) return;
    const completions = this.chat?.suggestions ?? this.task.completions;
    if (completions.length < 2) return;
    this.compare = this.compare ? null : new Compare(completions);
    this.frame.setCompare(this.compare?.node ?? null, this.chat?.view.node ?? this.view.node);
    this.shown.refresh();
  }

  escape() {
    if (this.frame.closeMenu()) return;
    if (this.shown.find.isOpen) this.shown.find.close();
    else if (this.compare) this.toggleCompare();
    else this.focusBoard();
  }

  focusBoard() {
    this.frame.main.focus({ preventScroll: true });
  }

  say(text, options) {
    this.frame.say(text, options);
  }

  // Drawing

  #draw() {
    if (!this.task) return;
    const { schema } = this.project;
    const off = { off: Boolean(this.sending) };
    if (this.chat) return this.#drawChat(off);
    const rating = Boolean(this.rating?.active);
    this.ranking.draw(this.answer, off);
    this.ranking.node.hidden = rating || !schema.ranking;
    markCards(this.view.cards, ranking.ranksOf(this.answer.ranking), schema.ranking);
    this.rating?.draw(this.answer, off);
    this.writing?.draw(this.answer, off);
    this.editing?.draw(this.answer, off);
    this.frame.setStep(rating, answers.done(this.answer, schema));
    this.frame.setAllBad(this.answer.allBad);
    this.frame.tie.setAttribute("aria-pressed", String(this.answer.ranking.tie));
    this.frame.announce([answers.describe(this.answer, schema), this.rating?.describe(this.answer)].filter(Boolean).join(" "));
    this.#drawSubmit();
  }

  #drawChat(off) {
    this.chat.draw(off);
    this.frame.setStep(false, null);
    this.frame.tie.hidden = !this.project.schema.replies || !this.chat.offer;
    this.frame.tie.setAttribute("aria-pressed", String(this.chat.order.tie));
    this.frame.announce(this.chat.describe());
    this.#drawSubmit();
  }

  #drawSubmit() {
    const obstacle = this.#obstacle();
    this.frame.submit.disabled = Boolean(obstacle);
    this.frame.submit.title = obstacle ?? "";
  }

  #drawTime() {
    if (this.progress) this.frame.setMinutes(this.progress.seconds_today + (this.task ? this.clock.seconds : 0));
  }
}
