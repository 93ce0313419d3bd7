// Talking to the server: JSON in and out, and errors as sentences.

import { texts } from "./texts.js";

/** What went wrong. `status` is 0 where the server was not reached. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }

  /** The session is over: only signing in again helps. */
  get signedOut() {
    return this.status === 401;
  }

  /** Nobody knows whether it arrived, or the server is in trouble: trying again is right. */
  get transient() {
    return this.status === 0 || this.status >= 500 || this.status === 429;
  }
}

let drawnFor = null;

/** From now on requests say that they come from the page of this user (an id), so that they are not taken for another's. */
export function drawFor(userId) {
  drawnFor = userId;
}

/**
 * One request. `keepalive` lets it outlive the page.
 * @throws {ApiError}
 */
export async function request(method, path, body = undefined, { keepalive = false, timeout = 20000 } = {}) {
  const headers = drawnFor === null ? {} : { "X-Labeler-User": drawnFor };
  const options = { method, headers, keepalive, credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(timeout) };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    headers["Content-Type"] = "application/json";
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new ApiError(0, texts.http.unreachable);
  }
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(response.status, answer?.error ?? texts.http.status(response.status));
  if (answer === null) throw new ApiError(502, texts.http.unclear);
  return answer;
}

export const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** Waiting time before try number `attempt` (from 0): half a second, doubling up to ten seconds. */
export const backoff = (attempt) => Math.min(500 * 2 ** attempt, 10000);
