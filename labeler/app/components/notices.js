// What waits for a labeler: judgments that somebody asks them to look at again, and talk that they have not read.

import { button, el } from "./dom.js";
import { openComments } from "./comments.js";
import { ApiError, request } from "./http.js";
import { texts } from "./texts.js";

const EVERY = 60000; // milliseconds

export class Notices {
  /** @param {object} board the screen; its frame holds the buttons */
  constructor(board) {
    this.board = board;
    this.again = 0;
    this.unread = [];
    this.timer = setInterval(() => document.visibilityState === "visible" && this.refresh(), EVERY);
  }

  stop() {
    clearInterval(this.timer);
  }

  /** Ask the server anew; that it cannot be reached is said where it matters. */
  async refresh() {
    const { project } = this.board;
    if (!project) return;
    try {
      const { again, unread } = await request("GET", `/api/notices?project=${project.id}`);
      this.again = again;
      this.unread = unread;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
    this.draw();
  }

  draw() {
    const here = this.unread.find(({ task_id: id }) => id === this.board.task?.id);
    mark(this.board.frame.comments, here?.count ?? 0, texts.counted.unread);
    const waiting = this.again + this.unread.filter(({ task_id: id }) => id !== this.board.task?.id).length;
    for (const way of [this.board.frame.history, this.board.frame.menuButton]) mark(way, waiting, texts.counted.waiting);
  }

  /** The talk about the task on the screen, or about another of one's own. */
  async open(task) {
    await openComments(this.board.frame.root, task, { onRead: () => this.refresh() });
  }

  /** Lines above the history: threads with something new. */
  lines(close) {
    return unreadLines(this.unread, (id) => (close(), this.open(id)));
  }
}

/** Threads with something new, each with a button that opens it. */
export function unreadLines(unread, onRead) {
  return unread.map(({ task_id: id, preview, count }) =>
    el("li", { "data-testid": "unread-thread" },
      el("div", { class: "lb-history-what" }, el("div", { class: "lb-clip" }, preview), el("div", { class: "lb-alert" }, texts.history.unread(count))),
      button(texts.history.read, { class: "lb-quiet", onclick: () => onRead(id) })),
  );
}

/** A count on a button, in sight and in its name, which `what` says. */
export function mark(control, count, what) {
  if (count) control.dataset.count = count;
  else delete control.dataset.count;
  control.setAttribute("aria-label", count ? what(control.dataset.name, count) : control.dataset.name);
}
