// What a text says in the language of this page. English is the source: its texts stand where they are used.

import { language, messages, plural } from "./catalog.js";

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (place, name) => values[name] ?? place);

/** A text in the language of the page, with its {named} values in place. */
export function t(text, values = {}) {
  return fill(messages[text] ?? text, values);
}

/** A text that depends on a number, which is its {count}. */
export function tn(one, many, count, values = {}) {
  return fill((messages[one] ?? [one, many])[plural(count)], { count, ...values });
}

const joined = new Intl.ListFormat(language === "en" ? "en-GB" : language, { type: "conjunction" }); // no comma before "and"

/** "A, B and C". */
export const listed = (parts) => joined.format(parts);

/** Say to the browser, and to those who hear the page, which language it is in. */
export function speak() {
  document.documentElement.lang = language;
}

export { language };
