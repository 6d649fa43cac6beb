// What this browser remembers: the visitor's secret, and texts that have not reached the shop yet.
// Without storage (some private windows) the conversation lives as long as the page.

const SECRET = "kapsula.chat.secret";
const UNSENT = "kapsula.chat.unsent";
const READ = "kapsula.chat.read";
const NOTIFIED = "kapsula.chat.notified";
const fallback = new Map();

function get(key) {
  try { return localStorage.getItem(key); } catch { return fallback.get(key) ?? null; }
}

function set(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    fallback.set(key, value);
  }
}

export const secret = {
  get: () => get(SECRET),
  set: (value) => set(SECRET, value),
};

/** The number of the last message that was seen in any tab. */
export const read = {
  get: () => Number(get(READ)) || 0,
  set: (id) => { if (id > read.get()) set(READ, String(id)); },
  reset: () => set(READ, null),
};

/** What she said of notifications: "on", "off", "no"; before that how often she passed over the offer. */
export const notified = {
  get: () => get(NOTIFIED),
  set: (answer) => set(NOTIFIED, answer),
};

/** Texts on their way: [{id, text, at}], oldest first, shared by the tabs. */
export const unsent = {
  all() {
    try { return JSON.parse(get(UNSENT) ?? "[]"); } catch { return []; }
  },
  add(item) { set(UNSENT, JSON.stringify([...unsent.all(), item].slice(-50))); },
  remove(id) { set(UNSENT, JSON.stringify(unsent.all().filter((item) => item.id !== id))); },
  clear() { set(UNSENT, null); },
};
