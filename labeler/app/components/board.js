// The labeling screen: holds one task at a time, all of it keyed by the task's own id.

import { AttentionClock } from "./clock.js";
import { Compare } from "./compare.js";
import { Draft } from "./draft.js";
import { drawCards, drawPrompt, markCards } from "./cards.js";
import * as dialogs from "./dialogs.js";
import { uuid } from "./dom.js";
import { Frame } from "./frame.js";
import { ApiError, backoff, drawFor, pause, request } from "./http.js";
import { listen } from "./keys.js";
import * as ranking from "./ranking.js";
import { Strip } from "./strip.js";
import { foldLong, toggleAllFolds } from "./text.js";

// Without a touch on the new task, a submit sooner than this belongs to the task before: a double click or press.
const SETTLE = 500;

/** Draw the screen into `parent`; returns a function that takes it away again. */
export function mount(parent, options = {}) {
  const board = new Board(parent, options);
  board.start();
  return () => board.stop();
}

class Board {
  constructor(parent, { bare = true }) {
    this.frame = new Frame(this, bare);
    parent.replaceChildren(this.frame.root);
    this.strip = new Strip({
      onTap: (label) => this.#change(ranking.toggle(this.state, label)),
      onTier: (label, index) => this.#change(ranking.moveToTier(this.state, label, index)),
      onGap: (label, index) => this.#change(ranking.moveToGap(this.state, label, index)),
      onPool: (label) => this.#change(ranking.unrank(this.state, label)),
      onRedraw: () => this.#draw(),
    });
    this.clock = new AttentionClock(() => this.#drawTime());
    this.task = this.draft = this.sending = null;
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
      const { user, projects } = await request("GET", "/api/projects");
      this.user = user;
      drawFor(user.id);
      this.projects = projects;
      const last = Number(localStorage.getItem("labeler-project"));
      this.project = projects.find(({ id }) => id === last) ?? projects[0];
      this.frame.setUser(user, projects, this.project);
      if (this.project) await this.#load();
      else this.frame.showEmpty("You belong to no project yet. Ask a manager to add you to one.");
    });
  }

  stop() {
    this.#leave();
    this.unlisten?.();
    this.clock.stop();
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

  async #load() {
    this.#show(await request("GET", `/api/task?project=${this.project.id}`));
  }

  async switchProject(id) {
    this.project = this.projects.find((project) => project.id === id);
    localStorage.setItem("labeler-project", id);
    await this.draft?.flush();
    await this.#ask(() => this.#load());
  }

  #show({ task, progress }) {
    this.draft = this.compare = null;
    this.failing = null;
    this.task = task;
    this.progress = progress;
    this.touched = false;
    this.enterStale = this.enterHeld;
    this.frame.say("");
    if (task) this.#showTask(task);
    else this.frame.showEmpty();
    this.frame.setProgress(progress);
    this.#drawTime();
    this.shownAt = performance.now();
  }

  #showTask(task) {
    const labels = task.completions.map(({ label }) => label);
    this.draft = new Draft(this.user.name, task, () => this.#content(), (state, error) => this.#onDraft(state, error));
    const unsent = this.draft.unsent();
    const saved = unsent ?? task.draft;
    this.state = ranking.fromDraft(labels, saved);
    this.allBad = Boolean(saved?.all_bad);
    this.note = saved?.note ?? "";
    this.reason = saved?.reason ?? null;
    this.clock.reset(saved?.seconds ?? 0);
    const prompt = drawPrompt(task.prompt);
    this.view = drawCards(task.completions, (label) => this.#change(ranking.toggle(this.state, label)));
    this.frame.showTask(task, prompt.node, this.view.node, this.strip.node, this.note);
    foldLong([...prompt.folds, ...this.view.folds]);
    if (task.correction) this.frame.say(this.reason ? `You skipped this one: ${this.reason}` : "Correcting an earlier judgment: it stands until you submit.");
    this.#draw();
    if (unsent) this.draft.changed();
  }

  // The present state, and changes of it

  ready() {
    return Boolean(this.task) && !this.sending;
  }

  hasLabel(letter) {
    return this.state.labels.includes(letter);
  }

  #content() {
    const { trail, tie } = this.state;
    return { ranks: ranking.ranksOf(this.state), trail, tie, all_bad: this.allBad, note: this.note, reason: this.reason, seconds: this.seconds ?? 0 };
  }

  #markTime() {
    this.seconds = this.clock.read();
  }

  #change(state) {
    if (!this.ready()) return;
    const same = state === this.state;
    this.state = state;
    if (!same) this.#touched();
    this.#draw();
  }

  #touched() {
    this.touched = true;
    this.#markTime();
    if (!this.failing) this.frame.say("");
    this.draft.changed();
  }

  typeLetter(letter, repeated) {
    const state = ranking.place(this.state, letter);
    if (state === this.state && !repeated) this.say(`${letter} is ranked ${ranking.rankOf(this.state, letter)} already; Backspace takes the last one back.`);
    else this.#change(state);
  }

  typeRank(label, rank) {
    if (rank <= this.state.labels.length) this.#change(ranking.setRank(this.state, label, rank));
    else this.say(`There are ${this.state.labels.length} completions: ranks go from 1 to ${this.state.labels.length}.`);
  }

  step(label, direction) {
    this.#change(ranking.step(this.state, label, direction));
  }

  unrank(label) {
    this.#change(ranking.unrank(this.state, label));
  }

  toggleTie() {
    this.#change(ranking.toggleTie(this.state));
  }

  takeBack() {
    this.#change(ranking.takeBack(this.state));
  }

  toggleAllBad() {
    if (!this.ready()) return;
    this.allBad = !this.allBad;
    this.#touched();
    this.#draw();
  }

  setNote(text) {
    this.note = text;
    this.#touched();
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
    if (this.sending) return "Sending …";
    if (this.failing) return "Submitting is off until the draft can be saved.";
    const open = ranking.unranked(this.state);
    if (open.length && !this.allBad) return `Rank ${open.join(", ")} first, or mark all bad.`;
    return null;
  }

  enter(repeated) {
    if (!repeated && !this.enterStale) this.submit();
  }

  submit() {
    if (!this.ready() || (!this.touched && performance.now() - this.shownAt < SETTLE)) return;
    const obstacle = this.#obstacle();
    if (obstacle) this.say(obstacle);
    else this.#send({ kind: "rank", ranks: ranking.ranksOf(this.state), all_bad: this.allBad });
  }

  /** Send an answer until it is known what became of it: the same id and content each time. */
  async #send(answer) {
    this.#markTime();
    const body = { submission_id: uuid(), project: this.project.id, task: this.task.id, note: this.note || null, seconds: this.seconds, ...answer };
    this.sending = body;
    this.#draw();
    await pause(Math.max(0, this.lastAnswer + 1000 * this.project.dwell_seconds - performance.now()));
    await this.#ask(async () => {
      const next = await this.#persist(body).catch((error) => this.#refused(error));
      this.lastAnswer = performance.now();
      this.draft.close();
      this.sending = null;
      this.#show(next);
      if (next.refusal) this.frame.say(next.refusal, { alarm: true });
    });
    this.sending = null;
    this.#draw();
  }

  /** The answer was refused: if the task is not ours any more, go on with the next one and say why. */
  async #refused(error) {
    if (error.status !== 409 && error.status !== 403) throw error;
    const next = await request("GET", `/api/task?project=${this.project.id}`);
    if (next.task?.id === this.task.id) throw error;
    return { ...next, refusal: error.message };
  }

  async #persist(body) {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await request("POST", "/api/submit", body);
      } catch (error) {
        if (!error.transient) throw error;
        this.say(`Not sent yet: ${error.message} Trying again …`, { alarm: true });
        await pause(backoff(attempt));
      }
    }
  }

  async undo(judgment = null) {
    if (this.sending || !this.project) return;
    await this.draft?.flush();
    await this.#ask(async () => {
      const answer = await request("POST", "/api/undo", { project: this.project.id, judgment });
      if (answer.task) this.#show(answer);
      else this.say("There is nothing to take back yet.");
    });
  }

  async keepAsItWas() {
    if (!this.ready()) return;
    const body = { project: this.project.id, task: this.task.id };
    await this.#ask(async () => {
      const next = await request("POST", "/api/cancel-correction", body);
      this.draft.close();
      this.#show(next);
    });
  }

  // Panels

  openSkip() {
    if (this.ready()) dialogs.openSkip(this.frame.root, this.reason, (reason) => this.#send({ kind: "skip", reason }));
  }

  openHelp() {
    dialogs.openHelp(this.frame.root);
  }

  openGuidelines() {
    if (this.project) dialogs.openGuidelines(this.frame.root, this.project);
  }

  async openHistory() {
    if (!this.project) return;
    await this.#ask(async () => {
      const { items } = await request("GET", `/api/history?project=${this.project.id}`);
      dialogs.openHistory(this.frame.root, items, (judgment) => this.undo(judgment));
    });
  }

  openNote() {
    this.frame.openNote();
  }

  toggleFolds() {
    toggleAllFolds(this.frame.root);
  }

  toggleCompare() {
    if (!this.task) return;
    this.compare = this.compare ? null : new Compare(this.task.completions);
    this.frame.setCompare(this.compare?.node ?? null, this.view.node);
  }

  escape() {
    if (this.compare) this.toggleCompare();
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
    this.strip.draw(this.state, { off: Boolean(this.sending) });
    markCards(this.view.cards, ranking.ranksOf(this.state));
    this.frame.setAllBad(this.allBad);
    this.frame.tie.setAttribute("aria-pressed", String(this.state.tie));
    this.frame.announce(this.allBad ? `All bad. ${ranking.describe(this.state)}` : ranking.describe(this.state));
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
