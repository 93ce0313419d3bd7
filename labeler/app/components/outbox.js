// Sending an answer until it is known what became of it.

import { backoff, pause, request } from "./http.js";
import { texts } from "./texts.js";

/**
 * Submit, with the same id and content each time.
 * @param {object} body of the request
 * @param {(sentence: string) => void} onTrouble before every new try
 * @returns the next task; with `refusal` where the answer was refused because the task is not ours any more
 * @throws {ApiError} it was refused and the task is still ours
 */
export async function send(body, onTrouble) {
  try {
    return await persist(body, onTrouble);
  } catch (error) {
    if (error.status !== 409 && error.status !== 403) throw error;
    const next = await request("GET", `/api/task?project=${body.project}`);
    if (next.task?.id === body.task) throw error;
    return { ...next, refusal: error.message };
  }
}

async function persist(body, onTrouble) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await request("POST", "/api/submit", body);
    } catch (error) {
      if (!error.transient) throw error;
      onTrouble(texts.board.notSent(error.message));
      await pause(backoff(attempt));
    }
  }
}
