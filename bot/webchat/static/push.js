// Notifications while the chat is closed: whether they can be had here, the quiet offer, on and off.
//
// A frame on somebody else's site may not ask for them. There the chat opens as a page of its own, which takes over
// the visitor's secret from the frame, so that it is the same conversation.

import { notified, read, secret } from "./memory.js";

const REFUSALS = new Set(["bad_subscription", "push_service_unknown", "not_a_member", "push_off"]);
const ANSWERS = new Set(["on", "off", "no"]);
const PASSED_OVER_MAX = 3; // who goes on so often without an answer has given one
const TAKE_OVER_MS = 3000;
const possible =
  window.isSecureContext && "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;
const foreign = isForeign();
const asked = new URLSearchParams(location.search).get("push") === "ask";

export class Push {
  #key = null;
  #on = false;
  #due = asked; // the offer comes after the shop has been of use, or when she came for it
  #acted = false;
  #passedOver = false;
  #wished = false; // she is to hear how it went
  #page = null;

  /** `parts`: bell, offer, yes, no. `on` has: send(frame), toast(text). */
  constructor(parts, words, on) {
    this.parts = parts;
    this.words = words;
    this.on = on;
    parts.bell.addEventListener("click", () => (this.#on && !foreign ? this.#turnOff() : this.#turnOn()));
    parts.yes.addEventListener("click", () => this.#turnOn());
    parts.no.addEventListener("click", () => this.#decline());
    if (foreign) window.addEventListener("message", (event) => this.#hear(event));
  }

  /** She has said or clicked something: an offer that stands is in her way. */
  acted() {
    this.#acted = true;
    if (this.parts.offer.hidden) return;
    const times = (Number(notified.get()) || 0) + 1;
    notified.set(times < PASSED_OVER_MAX ? String(times) : "no");
    this.#passedOver = true;
    this.#withdraw();
  }

  /** The shop has said something. */
  answered() {
    this.#due ||= this.#acted;
    this.#offer();
  }

  /** From the server: the key to subscribe for, or how it stands now. */
  async take({ key, on }) {
    if (on !== undefined) return this.#stands(on);
    if (!possible) return;
    this.#key = key;
    this.parts.bell.hidden = false;
    if (foreign) this.#show(notified.get() === "on");
    else if (Notification.permission === "granted") await this.#renew();
    this.#offer();
  }

  /** True when the refusal was about notifications. */
  refused(code) {
    if (!REFUSALS.has(code)) return false;
    this.#show(false);
    if (this.#wished) this.on.toast(this.words.push_failed);
    this.#wished = false;
    return true;
  }

  #stands(on) {
    this.#show(on);
    notified.set(on ? "on" : "off");
    if (this.#wished) this.on.toast(on ? this.words.push_is_on : this.words.push_is_off);
    this.#wished = false;
    window.opener?.postMessage({ kapsula: "push", on }, location.origin);
  }

  #show(on) {
    this.#on = on;
    this.parts.bell.setAttribute("aria-pressed", String(on));
    if (on) this.#withdraw();
  }

  #offer() {
    const answered = this.#passedOver || (!asked && ANSWERS.has(notified.get()));
    const denied = !foreign && Notification.permission === "denied";
    if (this.#key && this.#due && !this.#on && !answered && !denied) this.parts.offer.hidden = false;
  }

  #decline() {
    notified.set("no");
    this.#due = false;
    this.#withdraw();
  }

  #withdraw() {
    if (this.parts.offer.contains(document.activeElement)) this.parts.bell.focus({ preventScroll: true });
    this.parts.offer.hidden = true;
  }

  async #turnOn() {
    this.#withdraw();
    if (foreign) return this.#openPage();
    try {
      const permission = await Notification.requestPermission();
      if (permission === "denied") this.on.toast(this.words.push_blocked);
      if (permission !== "granted") return;
      const registration = await navigator.serviceWorker.register("sw.js");
      await navigator.serviceWorker.ready;
      const subscribed = await this.#subscribed(registration);
      this.#wished = true;
      this.#tell(subscribed);
    } catch {
      this.on.toast(this.words.push_failed);
    }
  }

  async #turnOff() {
    this.#wished = this.on.send({ kind: "push_off" });
    if (this.#wished) await (await subscription())?.unsubscribe();
    else this.on.toast(this.words.no_connection);
  }

  // The browser may have got another subscription since, or the shop another key.
  async #renew() {
    try {
      if (await subscription()) this.#tell(await this.#subscribed(await registered()));
    } catch {
      // Its push service is out of reach: she can turn it on again by the bell.
    }
  }

  async #subscribed(registration) {
    const key = bytesOf(this.#key);
    const known = await registration.pushManager.getSubscription();
    if (known && sameBytes(known.options.applicationServerKey, key)) return known;
    await known?.unsubscribe();
    return registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  }

  #tell(subscribed) {
    const { endpoint, keys } = subscribed.toJSON();
    if (this.on.send({ kind: "push_on", endpoint, p256dh: keys.p256dh, auth: keys.auth })) return;
    if (this.#wished) this.on.toast(this.words.no_connection);
    this.#wished = false; // it is told when the connection is back
  }

  #openPage() {
    const address = new URL(location.href);
    address.searchParams.set("push", "ask");
    this.#page = window.open(address, "kapsula-chat");
  }

  // What the page that was opened asks for and tells.
  #hear({ source, origin, data }) {
    if (!this.#page || source !== this.#page || origin !== location.origin) return;
    if (data?.kapsula === "secret?") source.postMessage({ kapsula: "secret", secret: secret.get() }, origin);
    if (data?.kapsula === "push") this.#stands(data.on === true);
  }
}

/** The conversation of the frame that has opened this page, if one has. */
export async function takeOver() {
  if (!asked || !window.opener) return;
  await new Promise((done) => {
    const hear = ({ source, origin, data }) => {
      if (source !== window.opener || origin !== location.origin || data?.kapsula !== "secret") return;
      window.removeEventListener("message", hear);
      if (data.secret && data.secret !== secret.get()) {
        secret.set(data.secret);
        read.reset();
      }
      done();
    };
    window.addEventListener("message", hear);
    setTimeout(done, TAKE_OVER_MS);
    window.opener.postMessage({ kapsula: "secret?" }, location.origin);
  });
}

/** What is pushed while she looks at the chat comes here instead of on her screen. */
export function whilePresent(show) {
  navigator.serviceWorker?.addEventListener("message", ({ data }) => {
    if (data?.kapsula === "push") show(data.text);
  });
}

function isForeign() {
  try {
    return window.top.location.origin !== location.origin;
  } catch {
    return true;
  }
}

function registered() {
  return navigator.serviceWorker.getRegistration("./");
}

async function subscription() {
  return (await registered())?.pushManager.getSubscription();
}

function bytesOf(base64url) {
  const text = atob(base64url.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function sameBytes(buffer, bytes) {
  const other = new Uint8Array(buffer ?? []);
  return other.length === bytes.length && other.every((byte, i) => byte === bytes[i]);
}
