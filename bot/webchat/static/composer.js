// The line where one writes, and the quick answers above it.

export class Composer {
  /** `on.text(text)` is called with what was written or chosen. */
  constructor({ form, field, send, answers }, words, on) {
    Object.assign(this, { form, field, send, answers, words, on });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    field.addEventListener("input", () => this.#grow());
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.#submit();
      }
    });
    this.#grow();
  }

  focus() {
    if (!window.matchMedia("(pointer: coarse)").matches) this.field.focus({ preventScroll: true });
  }

  /** Quick answers row by row, and the hint of what is expected; a hint of digits asks for them. */
  show({ rows, hint = "", once = false }) {
    const lines = rows.map((row) => {
      const line = document.createElement("div");
      for (const text of row) {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = text;
        button.addEventListener("click", () => {
          if (once) this.answers.hidden = true;
          this.on.text(text);
          this.focus();
        });
        line.append(button);
      }
      return line;
    });
    this.answers.replaceChildren(...lines);
    this.answers.hidden = rows.length === 0;
    this.field.placeholder = hint || this.words.write;
    this.field.inputMode = /^[\d\s()+-]+$/.test(hint) ? "tel" : "text";
    if (hint) this.focus();
  }

  #submit() {
    const text = this.field.value.trim();
    if (!text) return;
    this.field.value = "";
    this.#grow();
    this.on.text(text);
  }

  #grow() {
    this.field.style.height = "auto";
    const needed = this.field.scrollHeight; // 0 while the chat is closed
    if (needed) this.field.style.height = `${Math.min(needed, 132)}px`;
    this.send.setAttribute("aria-disabled", String(!this.field.value.trim()));
  }
}
