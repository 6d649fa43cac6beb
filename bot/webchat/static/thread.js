// The conversation on the screen: messages in order, days between them, buttons, pictures.

import { fragmentOf, linkTo } from "./runs.js";

const svgNs = "http://www.w3.org/2000/svg";
const CLOCK = "M12 7v5l3 2M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18";
const TICK = "M5 13l4 4L19 7";

export class Thread {
  #items = new Map(); // message number → {message, element}
  #pending = new Map(); // client id → element

  /** `on` has: click(message, data, button), enlarge(url), unfocused(), stands(element, number). */
  constructor(list, words, language, on) {
    this.list = list;
    this.words = words;
    this.on = on;
    this.time = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" });
    this.date = new Intl.DateTimeFormat(language, { day: "numeric", month: "long" });
  }

  get oldest() { return Math.min(...this.#items.keys()); }
  get newest() { return Math.max(0, ...this.#items.keys()); }
  get topOfNewest() { return this.list.lastElementChild?.offsetTop ?? 0; }

  countAfter(id) {
    return [...this.#items.values()].filter(({ message }) => message.id > id && message.from === "shop").length;
  }

  clear() {
    this.#items.clear();
    this.#pending.clear();
    this.list.replaceChildren();
  }

  /** Forget what the server no longer shows among the messages that it replayed. */
  keepOnly(ids, from) {
    for (const id of [...this.#items.keys()]) if (id >= from && !ids.has(id)) this.remove(id);
  }

  /** Show a message, or its newer version. True when it is a new one. */
  put(message, { fresh = false } = {}) {
    const known = this.#items.get(message.id);
    if (known && known.message.version >= message.version) return false;
    const element = this.#element(message);
    if (known) this.#replace(known.element, element);
    else {
      this.#pending.get(message.client_id)?.remove();
      this.#pending.delete(message.client_id);
      if (fresh) element.classList.add("fresh");
      this.#insert(element, message.id);
    }
    this.#items.set(message.id, { message, element });
    if (message.from === "shop") this.on.stands(element, message.id);
    this.#days();
    return !known;
  }

  remove(id) {
    const element = this.#items.get(id)?.element;
    const held = element?.contains(document.activeElement);
    element?.remove();
    this.#items.delete(id);
    this.#days();
    if (held) this.on.unfocused();
  }

  /** A text that has not come back from the server yet. */
  putPending({ id, text, at }) {
    if (this.#pending.has(id)) return;
    const element = this.#element({ from: "me", at, runs: [{ text }], pending: true });
    this.#pending.set(id, element);
    this.list.append(element);
  }

  /** The focus stays on a button that the newer version still has: on no other, which nobody chose. */
  #replace(old, element) {
    const held = old.contains(document.activeElement) ? document.activeElement : null;
    old.replaceWith(element);
    if (!held) return;
    const same = [...element.querySelectorAll("button")].find((button) => button.textContent === held.textContent);
    if (same) same.focus({ preventScroll: true });
    else this.on.unfocused();
  }

  #insert(element, id) {
    const after = [...this.#items.entries()].filter(([other]) => other > id);
    const first = after.length ? after.reduce((a, b) => (a[0] < b[0] ? a : b))[1].element : null;
    this.list.insertBefore(element, first ?? this.#pending.values().next().value ?? null);
  }

  #element(message) {
    const mine = message.from === "me";
    const item = document.createElement("li");
    item.className = `message ${mine ? "me" : "shop"}`;
    const bubble = document.createElement("div");
    bubble.className = "bubble";
    const speaker = document.createElement("span");
    speaker.className = "unseen";
    speaker.textContent = `${mine ? this.words.you : this.words.shop}: `;
    bubble.append(speaker);
    if (message.photo) {
      bubble.classList.add("pictured");
      bubble.append(this.#photo(message.photo));
    }
    if (message.runs.length) {
      const words = document.createElement("span");
      words.className = "words";
      words.append(fragmentOf(message.runs));
      bubble.append(words);
    }
    bubble.append(this.#meta(message, mine));
    item.append(bubble);
    if (message.buttons) item.append(this.#buttons(message));
    return item;
  }

  #meta(message, mine) {
    const meta = document.createElement("div");
    meta.className = "meta";
    const time = document.createElement("time");
    const at = new Date(message.at);
    time.dateTime = at.toISOString();
    time.textContent = this.time.format(at);
    meta.append(time);
    if (mine) {
      const state = document.createElementNS(svgNs, "svg");
      state.setAttribute("viewBox", "0 0 24 24");
      state.setAttribute("role", "img");
      state.setAttribute("aria-label", message.pending ? this.words.waiting : this.words.sent);
      const path = document.createElementNS(svgNs, "path");
      path.setAttribute("d", message.pending ? CLOCK : TICK);
      state.append(path);
      meta.append(state);
    }
    return meta;
  }

  #photo({ path, width, height }) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "photo";
    button.setAttribute("aria-label", this.words.enlarge);
    const image = document.createElement("img");
    image.src = new URL(path, location.href).href;
    image.width = width;
    image.height = height;
    image.alt = this.words.picture;
    image.decoding = "async";
    image.onerror = () => {
      button.classList.add("gone");
      button.disabled = true;
      button.textContent = this.words.picture_gone;
    };
    button.append(image);
    button.addEventListener("click", () => this.on.enlarge(image.src));
    return button;
  }

  #buttons(message) {
    const grid = document.createElement("div");
    grid.className = "buttons";
    for (const row of message.buttons) {
      const line = document.createElement("div");
      for (const { text, data, url } of row) {
        if (url) {
          line.append(linkTo(url, document.createTextNode(text)));
          continue;
        }
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = text;
        button.addEventListener("click", () => this.on.click(message.id, data, button));
        line.append(button);
      }
      grid.append(line);
    }
    return grid;
  }

  #days() {
    for (const mark of this.list.querySelectorAll(".day")) mark.remove();
    let day = "";
    for (const [, { message, element }] of [...this.#items.entries()].sort((a, b) => a[0] - b[0])) {
      const name = this.#dayName(new Date(message.at));
      if (name !== day) {
        const mark = document.createElement("li");
        mark.className = "day";
        mark.textContent = name;
        element.before(mark);
      }
      day = name;
    }
  }

  #dayName(at) {
    const midnight = new Date().setHours(0, 0, 0, 0);
    if (at >= midnight) return this.words.today;
    if (at >= midnight - 86400000) return this.words.yesterday;
    return this.date.format(at);
  }
}
