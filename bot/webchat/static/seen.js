// Which of the shop's messages have stood before her eyes: told to the server once they have stood there a second.

const LOOK_MS = 1000;

export class Seen {
  #standing = new Map(); // element → message number, of those in sight
  #numbers = new WeakMap();
  #told = 0;
  #timer = null;

  /** `on` has: watched(), whether the chat is open in a visible tab; tell(upto), true when it was sent. */
  constructor(root, on) {
    this.on = on;
    this.observer = new IntersectionObserver((entries) => this.#moved(entries), { root, threshold: [0, 0.25, 0.5] });
  }

  watch(element, number) {
    this.#numbers.set(element, number);
    this.observer.observe(element);
  }

  /** Something has changed: the tab is in front again, the connection is back. */
  look({ anew = false } = {}) {
    if (anew) this.#told = 0;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tell(), LOOK_MS);
  }

  #moved(entries) {
    for (const { target, isIntersecting, intersectionRatio, intersectionRect, rootBounds } of entries) {
      const tall = rootBounds && intersectionRect.height >= rootBounds.height / 2;
      if (isIntersecting && (intersectionRatio >= 0.5 || tall)) this.#standing.set(target, this.#numbers.get(target));
      else this.#standing.delete(target);
    }
    this.look();
  }

  #tell() {
    const upto = Math.max(0, ...this.#standing.values());
    if (upto > this.#told && this.on.watched() && this.on.tell(upto)) this.#told = upto;
  }
}
