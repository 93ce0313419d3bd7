// Talk about a task: the threads that the server lets this person see, and a line to write in.

import { button, el } from "./dom.js";
import { open, shortTime } from "./dialogs.js";
import { request } from "./http.js";
import { exactNodes } from "./text.js";
import { texts } from "./texts.js";

/**
 * Open the talk about a task in a panel at the side.
 * @param {HTMLElement} root of the page
 * @param {number} task
 * @param {{labelers?: string[], named?: (name: string) => string, onRead?: () => void}} options for a reviewer: whose threads
 *   can be written in, and what each is called
 */
export async function openComments(root, task, { labelers = [null], named = (name) => name, onRead = () => {} } = {}) {
  const threads = el("div", {});
  const dialog = open(root, texts.comments.title, threads, { side: true, testid: "comments-panel" });
  const draw = ({ comments }) => {
    const owners = labelers[0] === null ? [null] : [...new Set([...labelers, ...comments.map(({ labeler }) => labeler)])];
    threads.replaceChildren(...owners.map((owner) => thread(owner, comments, { send, named })));
    onRead();
  };
  const send = async (text, labeler) => draw(await request("POST", "/api/comment", { task, text, labeler }));
  draw(await request("POST", "/api/comments", { task }));
  return dialog;
}

function thread(owner, comments, { send, named }) {
  const ours = owner === null ? comments : comments.filter(({ labeler }) => labeler === owner);
  const list = el("ol", { class: "lb-talk" }, ...ours.map(message(owner, named)));
  const hint = owner === null ? texts.comments.hint : texts.comments.hintTo(named(owner));
  const field = el("textarea", { class: "lb-note", rows: "2", maxlength: "10000", "data-testid": "comment-text", "aria-label": hint, placeholder: hint });
  const problem = el("span", { class: "lb-message", role: "status" });
  const post = button(texts.comments.send, { class: "lb-quiet", "data-testid": "comment-send" }, "Ctrl Enter");
  const go = async () => {
    if (!field.value.trim() || post.disabled) return;
    post.disabled = true;
    try {
      await send(field.value, owner);
    } catch (error) {
      problem.textContent = error.message;
      post.disabled = false;
    }
  };
  post.addEventListener("click", go);
  field.addEventListener("keydown", (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && go());
  const empty = ours.length || owner !== null ? null : el("p", {}, texts.comments.none);
  const about = owner === null ? el("p", { class: "lb-muted" }, texts.comments.whoReads) : el("h3", {}, named(owner));
  return el("section", { "data-thread": owner ?? "" }, about, empty, list, field, el("div", { class: "lb-tools" }, problem, post));
}

const message = (owner, named) => ({ author, mine, labeler, text, at }) => {
  const who = mine ? texts.comments.you : author === labeler ? named(author) : author;
  return el("li", { "data-testid": "comment", "data-mine": String(mine) }, el("div", { class: "lb-muted" }, texts.comments.by(who, shortTime(at))), el("div", { class: "lb-text", dir: "auto" }, ...exactNodes(text)));
};
