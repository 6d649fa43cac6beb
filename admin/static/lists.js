// The side of the page: what waits on this device, and the till's latest receipts and returns; a receipt may be
// cancelled here, and its return begins here.
import { ask, newKey, SilenceError } from "./api.js";
import { all, forget, put, replay } from "./queue.js";
import { openReturn } from "./returns.js";
import { byId, changed, changes, element, fieldError, now, state } from "./state.js";
import { money, number, t, time } from "./words.js";

const SURE_FOR_MS = 5000;
const RECENT = "kapsula-recent";
let sure = { number: null, until: 0 }; // the receipt whose cancelling was asked for; it survives a redrawn list

export function prepareLists() {
  changes.addEventListener("receipts", showRecent);
  changes.addEventListener("queue", showWaiting);
  byId("cancel-form").addEventListener("submit", cancelByNumber);
  showWaiting();
  drawRecent(remembered());
}

// Send what waits; a wait that the server asks for is obeyed by the next tick.
export async function sendWaiting() {
  if (!state.till) return;
  const { sent, halted } = await replay(state.till.id, () => changed("queue"));
  if (sent) changed("receipts");
  if (halted && halted !== "silence" && halted.status === 401) {
    state.signedIn = false;
    changed("session");
  }
}

async function showRecent() {
  if (!state.till) return;
  try {
    const answer = await ask("GET", "/recent");
    if (!answer.ok) return;
    const { receipts, returns } = answer.data;
    localStorage.setItem(RECENT, JSON.stringify({ till: state.till?.id, receipts, returns }));
    drawRecent({ receipts, returns });
  } catch (error) {
    if (!(error instanceof SilenceError)) throw error;
  }
}

function remembered() {
  const kept = JSON.parse(localStorage.getItem(RECENT) ?? "null");
  const { receipts = [], returns = [] } = kept && kept.till === state.till?.id ? kept : {};
  return { receipts, returns };
}

function drawRecent({ receipts, returns }) {
  byId("recent-empty").hidden = receipts.length + returns.length > 0;
  const rows = [
    ...receipts.map((receipt) => ({ at: receipt.at, row: recentRow(receipt) })),
    ...returns.map((each) => ({ at: each.at, row: returnRow(each) })),
  ];
  rows.sort((one, other) => Date.parse(other.at) - Date.parse(one.at));
  byId("recent-rows").replaceChildren(...rows.map(({ row }) => row));
}

function returnRow(each) {
  const said = t("Return No. {number}, {time}", { number: each.return_number, time: time(each.at) });
  const of = t("of receipt {number}", { number: each.receipt_number });
  const moved = [each.given_back ? `+${number(each.given_back)}` : "", each.taken_back ? `−${number(each.taken_back)}` : ""];
  return element(
    "li",
    { "data-return": each.return_number },
    element("div", { class: "what" }, element("b", {}, `↩ ${each.name || t("Without a name")}`), element("span", {}, `${said} · ${of}`)),
    element("div", { class: "figures" }, element("b", {}, `−${money(each.refund_minor)}`), moved.filter(Boolean).join("  ") || "0"),
  );
}

const STATES = { cancelled: () => t("cancelled"), returned: () => t("returned") };

function stateOf(receipt) {
  return STATES[receipt.state]?.() ?? (receipt.returns ? t("returned in part") : null);
}

function recentRow(receipt) {
  const became = stateOf(receipt);
  const place = t("No. {number}, {time}", { number: receipt.receipt_number, time: time(receipt.at) });
  const what = element(
    "div",
    { class: "what" },
    element("b", {}, receipt.name || t("Without a name")),
    element("span", became ? { class: "state" } : {}, became ? `${place} · ${became}` : place),
  );
  const moved = [receipt.earned ? `+${number(receipt.earned)}` : "", receipt.spent ? `−${number(receipt.spent)}` : ""];
  const figures = element(
    "div",
    { class: "figures" },
    element("b", {}, money(receipt.total_minor)),
    moved.filter(Boolean).join("  ") || "0",
  );
  const row = element("li", { "data-state": receipt.state, "data-number": receipt.receipt_number }, what, figures);
  if (receipt.state !== "committed") return row;
  const acts = element("div", { class: "acts" }, returnButton(receipt));
  if (!receipt.returns) acts.append(cancelButton(receipt));
  row.append(acts);
  return row;
}

function returnButton(receipt) {
  const button = element("button", { type: "button", class: "take-back" }, t("Return"));
  button.setAttribute("aria-label", t("Take goods of receipt {number} back", { number: receipt.receipt_number }));
  button.addEventListener("click", async () => {
    button.disabled = true;
    const refused = await openReturn(receipt.receipt_number, {});
    button.disabled = false;
    if (refused) button.closest("li").querySelector(".what span").textContent = refused;
  });
  return button;
}

// Two taps: the first asks, the second within a few seconds does it.
function cancelButton(receipt) {
  const button = element("button", { type: "button", class: "cancel" }, t("Cancel it"));
  button.setAttribute("aria-label", t("Cancel receipt {number}", { number: receipt.receipt_number }));
  const isAsked = () => sure.number === receipt.receipt_number && performance.now() < sure.until;
  const draw = () => {
    const asked = isAsked(); // looked up once: a clock read again could end the question that has just been drawn
    button.classList.toggle("danger", asked);
    button.textContent = asked ? t("Sure?") : t("Cancel it");
    if (asked) setTimeout(draw, sure.until - performance.now());
  };
  draw();
  button.addEventListener("click", async () => {
    if (!isAsked()) {
      sure = { number: receipt.receipt_number, until: performance.now() + SURE_FOR_MS };
      return draw();
    }
    sure = { number: null, until: 0 };
    button.disabled = true;
    const refused = await cancel(receipt.receipt_number, receipt.total_minor);
    if (!refused) return;
    button.disabled = false;
    draw();
    button.closest("li").querySelector(".what span").textContent = refused.title;
  });
  return button;
}

async function cancelByNumber(event) {
  event.preventDefault();
  const field = byId("cancel-number");
  const wanted = field.value.trim();
  if (!wanted) return fieldError(field, t("Enter the receipt number."));
  byId("cancel-submit").disabled = true;
  const refused = await cancel(wanted, null);
  byId("cancel-submit").disabled = false;
  fieldError(field, refused ? refused.title : "");
  if (!refused) field.value = "";
}

// Answers the refusal, or null when it is cancelled or queued.
async function cancel(receiptNumber, sumMinor) {
  const item = {
    key: newKey(),
    kind: "cancel",
    tillId: state.till.id,
    tillName: state.till.name,
    number: receiptNumber,
    sumMinor,
    body: { at: now() },
    at: now(),
    state: "waiting",
  };
  try {
    const path = `/receipts/${encodeURIComponent(receiptNumber)}/cancel`;
    const answer = await ask("POST", path, { key: item.key, body: item.body });
    if (!answer.ok) return answer;
    changed("receipts");
  } catch (error) {
    if (!(error instanceof SilenceError)) throw error;
    await put(item);
    changed("queue");
  }
  return null;
}

async function showWaiting() {
  const items = await all();
  const waiting = items.filter((item) => item.state === "waiting");
  byId("waiting").hidden = items.length === 0;
  byId("waiting-count").textContent = waiting.length || "";
  byId("waiting-hint").hidden = waiting.length === 0;
  byId("waiting-rows").replaceChildren(...items.map(waitingRow));
}

function waitingRow(item) {
  const title = item.kind === "cancel"
    ? t("Cancel No. {number}", { number: item.number })
    : t("Receipt No. {number}", { number: item.number });
  const row = element(
    "li",
    { "data-state": item.state, "data-key": item.key },
    element(
      "div",
      { class: "what" },
      element("b", {}, title),
      element("span", { class: "state" }, `${time(item.at)} · ${stateWords(item)}`),
    ),
  );
  if (item.sumMinor !== null) row.append(element("div", { class: "figures" }, element("b", {}, money(item.sumMinor))));
  if (item.state !== "waiting") row.append(dismissButton(item));
  return row;
}

function stateWords(item) {
  if (item.state === "done") return t("has been sent");
  if (item.state === "refused") return t("refused: {reason}", { reason: item.reason });
  if (state.till && item.tillId !== state.till.id) return t("waits for {till}", { till: item.tillName });
  return item.body.quote_id ? t("no answer yet, being asked again") : t("waits for the network");
}

function dismissButton(item) {
  const button = element("button", { type: "button", "aria-label": t("Remove from the list") }, "✕");
  button.addEventListener("click", async () => {
    await forget(item.key);
    changed("queue");
  });
  return button;
}
