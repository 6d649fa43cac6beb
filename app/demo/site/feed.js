// What the demo's telephone and mailbox have in common: they ask for what is new and show it as text, never as HTML.
export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// Ask again and again; `show` gets what is there and what was there before (null at first) whenever it has changed.
export async function follow(url, everyMs, show) {
  let raw = null;
  let before = null;
  for (;;) {
    try {
      const answer = await (await fetch(url, { cache: "no-store" })).text();
      if (answer !== raw) {
        const now = JSON.parse(answer);
        show(now, before);
        [raw, before] = [answer, now];
      }
    } catch {
      // The demo is stopped or busy: the next round will tell.
    }
    await new Promise((done) => setTimeout(done, everyMs));
  }
}
