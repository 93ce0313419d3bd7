// The reading view: Markdown, code and formulas drawn by the server (see labeler/reading.py), as an aid to reading.

import { el } from "./dom.js";
import { request } from "./http.js";
import { exactNodes } from "./text.js";
import { texts } from "./texts.js";

const LONGEST = 60000; // characters; LONGEST_TEXT of labeler/reading.py

// A second fence behind the server's sanitiser: only these are copied into the page.
const TAGS = new Set(
  "p h3 h4 h5 h6 ul ol li blockquote pre hr table thead tbody tr th td em strong s code br span".split(" ").concat(
    "math mrow mi mo mn mtext mspace ms mfrac msqrt mroot msub msup msubsup munder mover munderover mmultiscripts mprescripts mtable mtr mtd".split(" "),
  ),
);
const ATTRIBUTES = new Set(
  "dir start align display mathvariant stretchy fence form largeop movablelimits accent accentunder width linethickness columnalign".split(" "),
);
const CLASSES = /^lb-(link|address|image|formula)$/;

/** Shows texts drawn or exact. Each item is {body, text}: where it stands, and what it says. */
export class Reading {
  constructor() {
    this.drawn = new Map(); // HTML by text, null where the text is too long
  }

  /** Have these texts drawn, and forget others. @throws {ApiError} */
  async prepare(all) {
    const wanted = [...new Set(all)];
    const drawn = await Promise.all(wanted.map((text) => this.drawn.get(text) ?? ask(text)));
    this.drawn = new Map(wanted.map((text, index) => [text, drawn[index]]));
  }

  /** Show what was prepared; what cannot be drawn stays exact. */
  draw(items) {
    this.undo(items);
    for (const { body, text } of items) {
      const html = this.drawn.get(text);
      if (html === null) body.after(el("p", { class: "lb-muted lb-undrawn" }, texts.reading.tooLong));
      if (!html) continue;
      body.replaceChildren(...harmless(html));
      body.classList.add("lb-drawn");
      for (const box of body.querySelectorAll("pre, table, math[display=block]")) if (box.scrollWidth > box.clientWidth) box.tabIndex = 0; // to be scrolled by keyboard
    }
  }

  /** Back to the exact texts. */
  undo(items) {
    for (const { body, text } of items) {
      if (body.nextElementSibling?.matches(".lb-undrawn")) body.nextElementSibling.remove();
      if (body.classList.contains("lb-drawn")) body.replaceChildren(...exactNodes(text));
      body.classList.remove("lb-drawn");
    }
  }
}

async function ask(text) {
  if (text.length > LONGEST) return null;
  try {
    const { html } = await request("POST", "/api/reading", { texts: [text] });
    return html[0];
  } catch (error) {
    if (error.status === 413) return null;
    throw error;
  }
}

/** The nodes of a document that has no life of its own, copied one by one. */
function harmless(html) {
  const inert = new DOMParser().parseFromString(html, "text/html");
  return [...inert.body.childNodes].flatMap(copy);
}

function copy(node) {
  if (node.nodeType === Node.TEXT_NODE) return exactNodes(node.data);
  if (node.nodeType !== Node.ELEMENT_NODE) return [];
  const inside = [...node.childNodes].flatMap(copy);
  if (!TAGS.has(node.localName)) return inside;
  const made = document.createElementNS(node.namespaceURI, node.localName);
  for (const { name, value } of node.attributes) if (ATTRIBUTES.has(name) || (name === "class" && CLASSES.test(value))) made.setAttribute(name, value);
  made.append(...inside);
  return [made];
}
