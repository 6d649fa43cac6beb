// The socket: greets with the visitor's secret, comes back by itself, tells how things stand.

import { secret } from "./memory.js";

const WAIT_MS = [300, 800, 2000, 4000, 8000, 15000];
const WELCOME_MS = 12000;

export class Connection {
  #socket = null;
  #tries = 0;
  #timer = null;
  #ready = false;

  /** `on` has: frame(value), up(), down(). `hello` are the fields of the greeting. */
  constructor(hello, on) {
    this.hello = hello;
    this.on = on;
    window.addEventListener("online", () => this.hurry());
    window.addEventListener("offline", () => this.#lost());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.hurry();
    });
    this.#soon(0);
  }

  get ready() { return this.#ready; }

  /** True when the frame was handed to the socket. */
  send(frame) {
    if (!this.#ready || this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  /** Somebody wants to say something: do not wait for the next try. */
  hurry() {
    if (!this.#ready) this.#soon(0);
  }

  #soon(delay) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#open(), delay);
  }

  // Tabs without a secret greet one after another, so that they find themselves in one thread. Where a browser
  // keeps nothing for a frame on another site it has no locks for it either.
  #open() {
    if (this.#ready || (this.#socket && this.#socket.readyState <= WebSocket.OPEN)) return;
    const alone = () => this.#connect(() => {});
    if (secret.get() || !navigator.locks) alone();
    else navigator.locks.request("kapsula.chat.hello", () => new Promise((done) => this.#connect(done))).catch(alone);
  }

  #connect(done) {
    const address = new URL("ws", location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    address.search = "";
    const socket = new WebSocket(address);
    this.#socket = socket;
    const late = setTimeout(() => socket.close(), WELCOME_MS);
    socket.onopen = () => socket.send(JSON.stringify({ kind: "hello", secret: secret.get(), ...this.hello }));
    socket.onmessage = (event) => {
      const frame = JSON.parse(event.data);
      if (frame.kind === "welcome") {
        clearTimeout(late);
        this.#tries = 0;
        this.#ready = true;
        this.on.frame(frame);
        done();
        this.on.up();
      } else {
        this.on.frame(frame);
      }
    };
    socket.onclose = () => {
      clearTimeout(late);
      done();
      if (this.#socket === socket) this.#lost();
    };
  }

  #lost() {
    const socket = this.#socket;
    this.#socket = null;
    this.#ready = false;
    socket?.close();
    this.on.down();
    const wait = WAIT_MS[Math.min(this.#tries++, WAIT_MS.length - 1)];
    this.#soon(wait * (0.75 + Math.random() / 2));
  }
}
