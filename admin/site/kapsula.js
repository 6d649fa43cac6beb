// What happens on a shop's pages, told to Kapsula: one script tag.
//
//   <script async src="https://kapsula.example/site/kapsula.js" data-site="kps_…"></script>
//   <script>window.kapsula = window.kapsula || []; kapsula.push(["view", "SKU-1"]);</script>
//
// A browser has an id made by chance, kept in the site's own storage: no cookie, nothing about the
// person. Whoever has asked not to be followed (Global Privacy Control) is not.
(() => {
  "use strict";
  const tag = document.currentScript;
  const site = tag?.dataset.site;
  if (!site || (window.kapsula && !Array.isArray(window.kapsula))) return;
  const address = new URL("../api/v1/events", tag.src);
  const QUEUE = "kapsula.events", VISITOR = "kapsula.visitor";
  const KEPT_MAX = 200, SENT_MAX = 50, SOON_MS = 1500, AGAIN_MS = 20000;
  const silent = navigator.globalPrivacyControl === true;
  const memory = new Map(); // of a site without storage
  let token = "", timer = null, sending = false;

  function get(name) {
    try { return localStorage.getItem(name) ?? memory.get(name) ?? null; } catch { return memory.get(name) ?? null; }
  }

  function set(name, value) {
    memory.set(name, value);
    try { localStorage.setItem(name, value); } catch { /* full, or none */ }
  }

  function newId() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  function visitor() {
    const known = get(VISITOR);
    if (known && /^[\w-]{16,64}$/.test(known)) return known;
    const made = newId();
    set(VISITOR, made);
    return made;
  }

  function queued() {
    try {
      const events = JSON.parse(get(QUEUE) ?? "[]");
      return Array.isArray(events) ? events : [];
    } catch { return []; }
  }

  function add(event) {
    if (silent) return;
    set(QUEUE, JSON.stringify([...queued(), { id: newId(), at: new Date().toISOString(), ...event }].slice(-KEPT_MAX)));
    soon(SOON_MS);
  }

  function soon(delay) {
    if (timer === null) timer = setTimeout(() => { timer = null; flush(); }, delay);
  }

  // Several tabs may send the same events: by their ids they count once.
  async function flush() {
    const events = queued().slice(0, SENT_MAX);
    if (silent || sending || (!events.length && !token)) return;
    sending = true;
    const said = token;
    try {
      const answer = await fetch(address, {
        method: "POST",
        keepalive: true,
        credentials: "omit",
        headers: { "Content-Type": "application/json", Authorization: `Bearer ${site}` },
        body: JSON.stringify({ visitor: visitor(), token: said, sent_at: new Date().toISOString(), events }),
      });
      if (answer.ok || (answer.status < 500 && answer.status !== 429 && answer.status !== 408)) {
        const gone = new Set(events.map((event) => event.id));
        // A token that is refused is not the events' fault: they go once more, without it.
        if (answer.ok || !said) set(QUEUE, JSON.stringify(queued().filter((event) => !gone.has(event.id))));
        if (token === said) token = "";
        if (queued().length || token) soon(SOON_MS);
      } else {
        soon(AGAIN_MS);
      }
    } catch {
      soon(AGAIN_MS);
    } finally {
      sending = false;
    }
  }

  const lines = (given) => (given ?? []).map(({ sku, quantity = 1, price = 0 }) => ({
    sku: String(sku), quantity_milli: Math.round(quantity * 1000), price_minor: Math.round(price * 100),
  }));
  const minor = (sum) => Math.round((sum ?? 0) * 100);

  const api = {
    view: (sku) => add({ kind: "view", sku: String(sku) }),
    search: (query, found = null) => {
      const asked = String(query).trim().slice(0, 200);
      if (asked) add({ kind: "search", query: asked, found });
    },
    favourite: (sku, on = true) => add({ kind: "favourite", sku: String(sku), on: Boolean(on) }),
    cart: (goods, total) => add({ kind: "cart", lines: lines(goods), total_minor: minor(total) }),
    order: (number, goods, total) => add({ kind: "order", number: String(number), lines: lines(goods), total_minor: minor(total) }),
    identify: (made) => { token = String(made); flush(); },
    forget: () => { token = ""; set(QUEUE, "[]"); set(VISITOR, newId()); },
    get site() { return site; },
    get visitor() { return silent ? "" : visitor(); },
    push: (...calls) => calls.forEach(([name, ...values]) => typeof api[name] === "function" && name !== "push" && api[name](...values)),
  };

  const waiting = window.kapsula ?? [];
  window.kapsula = Object.freeze(api);
  api.push(...waiting);
  document.addEventListener("visibilitychange", () => { if (document.hidden) flush(); });
  window.dispatchEvent(new Event("kapsula:visitor")); // for the chat on the same page
  soon(SOON_MS);
})();
