// Saving the draft of one task as it grows. A copy stays in the browser until the server has it.

import { backoff, request } from "./http.js";
import { keep, recall } from "./storage.js";
import { texts } from "./texts.js";

const QUIET = 250; // milliseconds without a change before a save
const LATEST = 2000; // milliseconds from a change to its save, however fast somebody goes on typing

export class Draft {
  /**
   * @param {string} owner whose draft it is: two people may share a browser
   * @param {{id: number, correction: number|null, opening: string|null, draft_version: number, draft: object|null}} task
   * @param {() => object} read the present draft
   * @param {(state: "saved"|"saving"|"failed"|"signed-out"|"lost", error?: Error) => void} onState
   */
  constructor(owner, task, read, onState) {
    this.key = `labeler-draft:${owner}:${task.id}`;
    this.taskId = task.id;
    this.opened = { correction: task.correction, opening: task.opening };
    this.version = task.draft_version;
    this.read = read;
    this.onState = onState;
    this.dirty = this.sending = this.closed = this.stopped = false;
    this.attempt = 0;
    this.timer = 0;
    this.since = null; // when the first change came that is not on its way yet
  }

  /** The copy in this browser, if it is of the same answer and newer than what the server gave us. */
  unsent() {
    const kept = recall(this.key);
    const { correction, opening } = this.opened;
    return kept && kept.correction === correction && kept.opening === opening && kept.version > this.version ? kept.draft : null;
  }

  /** Something changed: save soon. */
  changed() {
    if (this.closed) return;
    this.dirty = true;
    this.attempt = 0;
    this.#keep();
    this.onState("saving");
    this.since ??= performance.now();
    this.#later(Math.max(0, Math.min(QUIET, this.since + LATEST - performance.now())));
  }

  /** Save now what is not saved yet; resolves when it is, or has failed. */
  async flush() {
    clearTimeout(this.timer);
    if (this.dirty && !this.sending && !this.closed) await this.#send();
  }

  /** The page goes away: a last save that outlives it. */
  leave() {
    if (!this.dirty || this.closed) return;
    this.#nextVersion();
    request("PUT", "/api/draft", this.#body(), { keepalive: true }).catch(() => {});
  }

  /** The task is answered: stop saving and drop the copy. */
  close() {
    this.closed = true;
    clearTimeout(this.timer);
    keep(this.key, null);
  }

  /** Higher than any before, and in seconds, so that the latest of two windows with the same task wins. */
  #nextVersion() {
    this.version = Math.max(this.version + 1, Math.floor(Date.now() / 1000));
  }

  #later(delay) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), delay);
  }

  #keep() {
    keep(this.key, { version: this.version + 1, ...this.opened, draft: this.read() });
  }

  #body() {
    return { task: this.taskId, ...this.opened, version: this.version, draft: this.read() };
  }

  async #send() {
    this.sending = true;
    this.dirty = false;
    this.since = null;
    this.#nextVersion();
    try {
      const { version } = await request("PUT", "/api/draft", this.#body(), { timeout: 10000 });
      this.attempt = 0;
      this.#answered(version);
    } catch (error) {
      this.dirty = true;
      if (!this.closed) this.#failed(error);
    }
    this.sending = false;
    if (this.dirty && !this.closed && !this.stopped) this.#later(this.attempt ? backoff(this.attempt - 1) : QUIET);
  }

  /** `version` is the one that the server keeps now: null if the task was answered elsewhere, higher if another window was faster. */
  #answered(version) {
    if (this.closed) return;
    if (version === null) this.#lost();
    else if (version > this.version) [this.version, this.dirty] = [version, true];
    else if (!this.dirty) this.#saved();
  }

  #saved() {
    keep(this.key, null);
    this.onState("saved");
  }

  #lost() {
    this.close();
    this.onState("lost", new Error(texts.saving.lost));
  }

  #failed(error) {
    this.attempt += 1;
    this.stopped = error.signedOut;
    this.onState(error.signedOut ? "signed-out" : "failed", error);
  }
}
