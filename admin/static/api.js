// Asks the server. Three outcomes, never mixed up: an answer, a named refusal, or silence (no network, no
// answer in time), after which nobody knows whether it was done: repeat with the same key.
import { setOnline } from "./state.js";

const ANSWER_WAIT_MS = 8000;
let csrfToken = "";

export class SilenceError extends Error {}

export function useCsrfToken(token) {
  csrfToken = token;
}

export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Answers {ok: true, data} or {ok: false, status, code, title, data, errors}. Throws SilenceError.
export async function ask(method, path, { body, key, jpeg } = {}) {
  const headers = {};
  if (method !== "GET") headers["X-CSRF-Token"] = csrfToken;
  if (key) headers["Idempotency-Key"] = key;
  if (body) headers["Content-Type"] = "application/json";
  if (jpeg) headers["Content-Type"] = "image/jpeg";
  let response, answer;
  try {
    response = await fetch("/till/api" + path, {
      method,
      headers,
      body: jpeg ?? (body ? JSON.stringify(body) : undefined),
      signal: AbortSignal.timeout(ANSWER_WAIT_MS),
      credentials: "same-origin",
      cache: "no-store",
    });
    answer = await response.json();
  } catch (error) {
    setOnline(false);
    throw new SilenceError(String(error));
  }
  // 5xx says nothing about the outcome either.
  if (response.status >= 500) {
    setOnline(false);
    throw new SilenceError(answer.title ?? String(response.status));
  }
  setOnline(true);
  if (response.ok) return { ok: true, data: answer };
  return { ok: false, ...answer, data: answer.data ?? {}, errors: answer.errors ?? [] };
}
