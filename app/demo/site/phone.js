// The demo's telephone: shows messages as they come.
import { element, follow } from "./feed.js";

const list = document.getElementById("messages");
const empty = document.getElementById("empty");
const EVERY_MS = 1000;

function copyButton(code) {
  const button = element("button", "copy", list.dataset.copy);
  button.type = "button";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(code);
    button.textContent = list.dataset.copied;
  });
  return button;
}

function item(sms, isNew) {
  const row = element("li", isNew ? "new" : "");
  const to = element("p", "to");
  to.append(element("span", "", sms.phone));
  const time = element("time", "", sms.time);
  time.dateTime = sms.at;
  to.append(time);
  const text = element("p", "text");
  const code = sms.text.match(/(?<=(?:код|code)\D{0,24})\d{4,8}(?!\d)/i);
  if (code) {
    text.append(sms.text.slice(0, code.index), element("strong", "", code[0]),
      sms.text.slice(code.index + code[0].length));
    row.append(to, text, copyButton(code[0]));
  } else {
    text.textContent = sms.text;
    row.append(to, text);
  }
  row.append(element("p", "note", list.dataset.segments.replace("#", sms.segments)));
  return row;
}

function show(messages, before) {
  const known = before && new Set(before.map((sms) => sms.id));
  list.replaceChildren(...messages.map((sms) => item(sms, known !== null && !known.has(sms.id))));
  empty.hidden = messages.length > 0;
}

follow("/demo/phone.json", EVERY_MS, show);
