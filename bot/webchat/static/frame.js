// The chat in its frame: puts the parts together and decides what a frame from the server changes.

import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { read, secret, unsent } from "./memory.js";
import { Push, takeOver, whilePresent } from "./push.js";
import { Seen } from "./seen.js";
import { Thread } from "./thread.js";

const byId = (id) => document.getElementById(id);
const words = JSON.parse(byId("words").textContent);
const query = new URLSearchParams(location.search);
const language = document.documentElement.lang;
const embedded = window.parent !== window;

const scroll = byId("scroll");
const log = byId("log");
const busy = new Map(); // click id → button
const NEAR_PX = 60;
const GAP_PX = 8;
const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
let shown = !embedded;
let visits = null; // by which id the site around us knows this browser
let following = true; // the newest message stays in sight until she scrolls away from it
let lastTop = 0;
let lastHeight = 0;
let typingTimer = null;
let toastTimer = null;
let bannerTimer = null;

paint(query.get("colour"));
byId("close").hidden = !embedded;

const seen = new Seen(scroll, {
  watched: () => shown && !document.hidden,
  tell: (upto) => connection.send({ kind: "seen", upto }),
});
const thread = new Thread(log, words, language, {
  click, enlarge, unfocused: () => composer.focus(), stands: (element, number) => seen.watch(element, number),
});
const composer = new Composer(
  { form: byId("composer"), field: byId("text"), send: byId("send"), answers: byId("answers") },
  words,
  { text: say },
);
const push = new Push(
  { bell: byId("bell"), offer: byId("offer"), yes: byId("offer-yes"), no: byId("offer-no") },
  words,
  { send: (frame) => connection.send(frame), toast },
);
whilePresent((text) => toast(text, 8000));
await takeOver();
const connection = new Connection(
  { language, start: (query.get("start") ?? "").replace(/[^\w-]/g, "").slice(0, 64) },
  { frame: take, up, down },
);

// what the visitor does

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function say(text) {
  push.acted();
  const item = { id: newId(), text, at: Date.now() };
  unsent.add(item);
  thread.putPending(item);
  follow();
  if (!connection.send({ kind: "text", id: item.id, text })) connection.hurry();
}

function click(message, data, button) {
  if (button.getAttribute("aria-busy") === "true") return;
  const id = newId();
  if (!connection.send({ kind: "click", id, message, data })) {
    toast(words.no_connection);
    connection.hurry();
    return;
  }
  push.acted();
  button.setAttribute("aria-busy", "true");
  busy.set(id, button);
  setTimeout(() => release(id), 10000);
}

function release(id) {
  busy.get(id)?.removeAttribute("aria-busy");
  busy.delete(id);
}

function enlarge(url) {
  const dialog = byId("picture");
  const image = dialog.querySelector("img");
  image.src = url;
  image.alt = words.picture;
  dialog.showModal();
}
byId("picture").querySelector("button").addEventListener("click", () => byId("picture").close());

byId("earlier").addEventListener("click", () => {
  connection.send({ kind: "earlier", before: thread.oldest });
});

// what the server says

function take(frame) {
  switch (frame.kind) {
    case "welcome": return welcome(frame);
    case "message": return message(frame);
    case "deleted": return thread.remove(frame.id);
    case "earlier": return earlier(frame);
    case "typing": return typing(true);
    case "clicked": return clicked(frame);
    case "refused": return refused(frame);
    case "push": return push.take(frame);
  }
}

function welcome({ secret: fresh, messages, more, keyboard }) {
  log.setAttribute("aria-live", "off");
  if (fresh) {
    secret.set(fresh);
    read.reset();
    thread.clear();
  }
  if (messages.length) thread.keepOnly(new Set(messages.map((m) => m.id)), messages[0].id);
  for (const each of messages) {
    thread.put(each);
    if (each.client_id) unsent.remove(each.client_id);
  }
  for (const item of unsent.all()) thread.putPending(item);
  byId("earlier").hidden = !more;
  composer.show(keyboard);
  keepUp("instant");
  count();
  requestAnimationFrame(() => log.setAttribute("aria-live", "polite"));
}

function message({ message: each, keyboard }) {
  if (each.from === "shop") typing(false);
  if (each.client_id) unsent.remove(each.client_id);
  const isNew = thread.put(each, { fresh: true });
  if (keyboard) composer.show(keyboard);
  if (each.from === "me" && isNew) follow();
  if (isNew) byId("newest").hidden = following;
  if (each.from === "shop" && isNew) push.answered();
  count();
}

function earlier({ messages, more }) {
  const height = scroll.scrollHeight;
  log.setAttribute("aria-live", "off");
  for (const each of messages) thread.put(each);
  byId("earlier").hidden = !more;
  scroll.scrollTop += scroll.scrollHeight - height;
  requestAnimationFrame(() => log.setAttribute("aria-live", "polite"));
}

function clicked({ id, text, alert }) {
  if (!busy.has(id)) return;
  release(id);
  if (text) toast(text, alert ? 8000 : 3500);
}

function refused({ code, id, wait_s: wait }) {
  if (id) release(id);
  if (push.refused(code)) return;
  toast(words[code] ?? words.failed);
  const item = unsent.all().find((each) => each.id === id);
  if (!item) return;
  if (code === "slow_down") setTimeout(() => connection.send({ kind: "text", id, text: item.text }), wait * 1000);
  else unsent.remove(id);
}

function up() {
  clearTimeout(bannerTimer);
  bannerTimer = null;
  byId("banner").hidden = true;
  byId("status").textContent = words.online;
  for (const { id, text } of unsent.all()) connection.send({ kind: "text", id, text });
  if (visits) connection.send(visits);
  seen.look({ anew: true });
}

function down() {
  for (const id of [...busy.keys()]) release(id);
  typing(false);
  byId("status").textContent = words.connecting;
  bannerTimer ??= setTimeout(() => {
    byId("banner").textContent = words.offline;
    byId("banner").hidden = false;
  }, navigator.onLine ? 1500 : 0);
}

// the surface

function typing(on) {
  clearTimeout(typingTimer);
  byId("typing").hidden = !on;
  if (!on) return;
  keepUp();
  typingTimer = setTimeout(() => typing(false), 8000);
}

function toast(text, ms = 3500) {
  clearTimeout(toastTimer);
  byId("toast").textContent = text;
  byId("toast").hidden = false;
  toastTimer = setTimeout(() => { byId("toast").hidden = true; }, ms);
}

// Scrolling. Whatever makes the conversation longer or its window smaller (a message, a picture, a font, the
// quick answers), and however often it does so while the last scroll still glides: the end stays in sight.

function follow(behavior) {
  following = true;
  byId("newest").hidden = true;
  keepUp(behavior);
}

// To the end, but not past the beginning of a message that is higher than the window. Never up: only she does that.
function keepUp(behavior = "smooth") {
  if (!following) return;
  const top = Math.min(scroll.scrollHeight - scroll.clientHeight, thread.topOfNewest - GAP_PX);
  if (top > scroll.scrollTop) scroll.scrollTo({ top, behavior: calm.matches ? "instant" : behavior });
}

function scrolled() {
  if (isNearEnd(scroll.clientHeight)) {
    following = true;
    byId("newest").hidden = true;
  } else if (scroll.scrollTop < lastTop) {
    following = false;
  }
  lastTop = scroll.scrollTop;
}

function isNearEnd(height) {
  return scroll.scrollHeight - scroll.scrollTop - height < NEAR_PX;
}

// A keyboard or the quick answers take from the window: who was at the end stays there.
function resized() {
  const wasNearEnd = isNearEnd(lastHeight);
  lastHeight = scroll.clientHeight;
  if (wasNearEnd) scroll.scrollTo({ top: scroll.scrollHeight, behavior: "instant" });
  else keepUp("instant");
}

function count() {
  if (shown && !document.hidden) read.set(thread.newest);
  tell("unread", { count: thread.countAfter(read.get()) });
}

function tell(kind, fields = {}) {
  if (embedded) window.parent.postMessage({ kapsula: kind, ...fields }, "*");
}

function leave() {
  if (!embedded) return;
  shown = false; // what comes from now on is unread, even before the site has closed us
  tell("close");
}

/** The site's accent, and black or white on it, whichever can be read. */
function paint(colour) {
  if (!/^#[0-9a-f]{6}$/i.test(colour ?? "")) return;
  const [r, g, b] = [1, 3, 5].map((i) => (parseInt(colour.slice(i, i + 2), 16) / 255) ** 2.2);
  const luminance = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  const { style } = document.documentElement;
  style.setProperty("--accent", colour);
  style.setProperty("--on-accent", luminance > 0.36 ? "#10202a" : "#fff");
  if (luminance > 0.16) style.setProperty("--accent-share", luminance > 0.36 ? "45%" : "70%");
  if (luminance < 0.05) style.setProperty("--accent-share-dark", "25%");
}

scroll.addEventListener("scroll", scrolled);
byId("newest").addEventListener("click", () => follow());
byId("close").addEventListener("click", leave);
document.addEventListener("visibilitychange", () => {
  count();
  seen.look();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !byId("picture").open) leave();
});
new ResizeObserver(resized).observe(scroll);
new ResizeObserver(() => keepUp()).observe(log);
window.addEventListener("message", (event) => {
  if (event.source !== window.parent || !event.data) return;
  if (event.data.kapsula === "shown") {
    shown = true;
    composer.focus();
    follow("instant");
    count();
    seen.look();
  }
  if (event.data.kapsula === "hidden") shown = false;
  if (event.data.kapsula === "visitor") {
    const { site, visitor } = event.data;
    visits = { kind: "visitor", site: String(site), visitor: String(visitor), origin: event.origin };
    connection.send(visits);
  }
});
tell("ready");
