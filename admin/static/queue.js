// What was done without a network: kept on the device (IndexedDB), sent once when the network is back. Every
// item is its own idempotency key, so sending it again after a lost answer changes nothing.
import { ask, SilenceError } from "./api.js";

const KEEP_MS = 24 * 3600 * 1000;
const STORE = "queue";
// Answers that say "not now" or "not you", not "no".
const PASSING = new Set([401, 403, 408, 429]);
let opening = null;

function open() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("kapsula-till", 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "key" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opening;
}

async function run(mode, use) {
  const database = await open();
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(STORE, mode, { durability: "strict" });
    const request = use(transaction.objectStore(STORE));
    transaction.oncomplete = () => resolve(request.result);
    transaction.onerror = () => reject(transaction.error);
    transaction.onabort = () => reject(transaction.error);
  });
}

// {key, kind: "commit" | "cancel", tillId, tillName, number, sumMinor, body, at, state, reason, answer}
export function put(item) {
  return run("readwrite", (store) => store.put(item));
}

export function forget(key) {
  return run("readwrite", (store) => store.delete(key));
}

// Oldest first; what was sent a day ago is forgotten.
export async function all() {
  const items = await run("readonly", (store) => store.getAll());
  const old = items.filter((item) => item.state === "done" && Date.now() - Date.parse(item.at) > KEEP_MS);
  await Promise.all(old.map((item) => forget(item.key)));
  return items
    .filter((item) => !old.includes(item))
    .sort((one, other) => one.at.localeCompare(other.at) || one.key.localeCompare(other.key));
}

// Send what waits, in order, for this till. One tab at a time. Answers {sent, halted}: `halted` is the answer
// that stopped the sending for now, or "silence".
export async function replay(tillId, onChange) {
  if (!navigator.locks) return sendAll(tillId, onChange);
  return navigator.locks.request("kapsula-queue", { ifAvailable: true }, (lock) =>
    lock ? sendAll(tillId, onChange) : { sent: 0, halted: null },
  );
}

async function sendAll(tillId, onChange) {
  let sent = 0;
  for (const item of await all()) {
    if (item.state !== "waiting" || item.tillId !== tillId) continue;
    let answer;
    try {
      answer = await send(item);
    } catch (error) {
      if (error instanceof SilenceError) return { sent, halted: "silence" };
      throw error;
    }
    if (!answer.ok && PASSING.has(answer.status) && answer.code !== "card_cannot_spend") {
      return { sent, halted: answer };
    }
    await put(settled(item, answer));
    sent += 1;
    onChange();
  }
  return { sent, halted: null };
}

function send(item) {
  const path = item.kind === "cancel" ? `/receipts/${encodeURIComponent(item.number)}/cancel` : "/receipts";
  return ask("POST", path, { body: item.body, key: item.key });
}

function settled(item, answer) {
  if (answer.ok) return { ...item, state: "done", answer: answer.data };
  return { ...item, state: "refused", reason: answer.title };
}
