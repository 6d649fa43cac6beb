// The demo's mailbox: asks for new mails and lists them as text, never as HTML.
const list = document.getElementById("mails");
const empty = document.getElementById("empty");
const EVERY_MS = 1500;
let shown = "";

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function item(mail) {
  const link = element("a");
  link.href = `/demo/mailbox/${mail.id}`;
  if (mail.id === list.dataset.opened) link.setAttribute("aria-current", "true");
  const to = element("span", "to");
  const time = element("time", "", mail.time);
  time.dateTime = mail.at;
  to.append(element("span", "", mail.to), time);
  link.append(to, element("strong", "", mail.subject), element("span", "preview", mail.preview));
  const row = element("li");
  row.append(link);
  return row;
}

async function refresh() {
  const answer = await fetch("/demo/mailbox.json", { cache: "no-store" });
  const raw = await answer.text();
  if (raw === shown) return;
  const first = shown === "";
  shown = raw;
  const mails = JSON.parse(raw);
  if (first && mails.length === list.children.length) return;
  list.replaceChildren(...mails.map(item));
  empty.hidden = mails.length > 0;
}

async function live() {
  try {
    await refresh();
  } catch {
    // The demo is stopped or busy: the next round will tell.
  }
  setTimeout(live, EVERY_MS);
}
live();
