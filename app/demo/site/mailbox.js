// The demo's mailbox: lists new mails as they come.
import { element, follow } from "./feed.js";

const list = document.getElementById("mails");
const empty = document.getElementById("empty");
const EVERY_MS = 1500;

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

// Of those on the page. How many there are tells nothing: a full list lets the oldest go.
function newest() {
  return list.querySelector("a")?.pathname.split("/").pop();
}

function show(mails, before) {
  if (before === null && newest() === mails[0]?.id) return; // the page came with them
  list.replaceChildren(...mails.map(item));
  empty.hidden = mails.length > 0;
}

follow("/demo/mailbox.json", EVERY_MS, show);
