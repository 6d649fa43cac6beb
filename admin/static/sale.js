// One sale: the customer in front of the till, the sum, what to do with points, the confirmation.
// Every figure shown was said by the server; the page computes none of them.
import { ask, newKey, SilenceError } from "./api.js";
import { addByBarcode, clearGoods, goodsLines, prepareGoods } from "./goods.js";
import { clearPromo, drawPromo, giftsOf, offerPromo, preparePromo, promoCodes, usesPromo } from "./promo.js";
import { put } from "./queue.js";
import { byId, changed, changes, element, fieldError, now, state } from "./state.js";
import { tierWords, whyRows } from "./why.js";
import { money, number, parseMoney, plainMoney, points, pointsWord, t } from "./words.js";

const QUOTE_AFTER_MS = 250;
const numberField = byId("number");
const sumField = byId("sum");
const range = byId("spend-range");
const exact = byId("spend-exact");
const confirmButton = byId("confirm");
let showScreen = () => {};
let sale = null; // {card, customer | null, quote | null, keys}
let timer = 0;
let asked = 0;

export function prepareSale(show) {
  showScreen = show;
  prepareGoods(() => {
    const lines = goodsLines();
    sumField.readOnly = lines !== null;
    sumField.value = lines ? plainMoney(lines.reduce((sum, line) => sum + line.amount_minor, 0)) : "";
    priceSoon();
  });
  preparePromo(() => priceSoon(0));
  for (const field of [numberField, sumField]) field.addEventListener("input", priceSoon);
  for (const radio of document.querySelectorAll("[name=mode]")) radio.addEventListener("change", modeChosen);
  range.addEventListener("input", () => spendChosen(Number(range.value)));
  exact.addEventListener("input", () => spendChosen(Number(exact.value.replace(/\D/g, ""))));
  byId("spend-max").addEventListener("click", () => spendChosen(Number(range.max)));
  byId("sale-form").addEventListener("submit", confirm);
  changes.addEventListener("network", networkChanged);
}

export function saleIsOpen() {
  return sale !== null;
}

// Put a customer before the till. Answers the words of the refusal, or "" when the sale is open.
export async function identify(card) {
  try {
    const answer = await ask("POST", "/lookup", { body: { card } });
    if (!answer.ok) return answer.title;
    open(card, answer.data);
  } catch (error) {
    if (!(error instanceof SilenceError)) throw error;
    if (/^\d{3}\s?\d{3}$/.test(card)) {
      return t("A short code cannot be checked without the network. Scan the QR code, or type the card number or phone.");
    }
    open(card, null);
  }
  return "";
}

// A customer that nobody could look up is looked up once the network is back; the sale goes on meanwhile.
async function networkChanged() {
  if (!sale) return;
  drawCustomer();
  const unknown = sale;
  if (!state.online || unknown.customer) return priceSoon();
  try {
    const answer = await ask("POST", "/lookup", { body: { card: unknown.card } });
    if (sale !== unknown || !answer.ok) return;
    sale.customer = answer.data;
    offerPromo(answer.data.promos);
    drawCustomer();
    priceSoon(0);
  } catch (error) {
    if (!(error instanceof SilenceError)) throw error;
  }
}

function open(card, customer) {
  const again = sale !== null; // another card in the same sale: the number and the sum stay
  if (again) release();
  sale = { card, customer, quote: null, keys: new Map() };
  if (!again) clearFields();
  offerPromo(customer?.promos ?? []);
  document.querySelector("[name=mode][value=earn]").checked = true;
  drawCustomer();
  drawQuote();
  showScreen("sale");
  (numberField.value ? sumField : numberField).focus();
  priceSoon();
}

function clearFields() {
  for (const field of [numberField, sumField]) {
    field.value = "";
    fieldError(field, "");
  }
  sumField.readOnly = false;
  clearGoods();
  clearPromo();
}

// Leave the sale; points and promo codes that were set aside for it are free again.
export function abandon() {
  release();
  sale = null;
  clearTimeout(timer);
}

function release() {
  const quote = sale?.quote;
  if (quote && promises(quote)) {
    ask("POST", `/quotes/${quote.quote_id}/release`, { key: newKey(), body: {} }).catch(() => {});
  }
}

export function scanInSale(text) {
  addByBarcode(text);
}

function drawCustomer() {
  const { customer } = sale;
  byId("customer-name").textContent = customer ? customer.name || t("Without a name") : t("Customer unknown until online");
  byId("customer-card").textContent = customer ? t("Card {number}", { number: customer.card_number }) : masked(sale.card);
  byId("customer-tier").textContent = tierWords(customer?.tier);
  byId("customer-balance").textContent = customer ? number(customer.balance.available) : "";
  byId("customer-unit").textContent = customer ? pointsWord(customer.balance.available) : "";
  remark();
}

function masked(card) {
  return card.length > 8 ? `${card.slice(0, 2)}…${card.slice(-4)}` : card;
}

function remark() {
  const place = byId("customer-remark");
  const { customer } = sale;
  place.hidden = false;
  place.dataset.kind = "warning";
  if (!customer || !state.online) {
    place.textContent = t("No network. Points can be earned: the receipt waits on this device and is sent later. Points cannot be spent now.");
  } else if (!customer.may_spend) {
    place.textContent = t("This card earns only. To spend, ask the customer to show the code from the chat and scan it.");
    place.dataset.kind = "hint";
  } else {
    place.hidden = true;
  }
}

// What only a quote can do: take points, or promo codes.
function promises(quote) {
  return quote.spend > 0 || usesPromo(quote);
}

function mode() {
  return document.querySelector("[name=mode]:checked").value;
}

function modeChosen() {
  if (mode() === "spend" && sale.quote) setSpend(sale.quote.spendable_max);
  byId("spend-box").hidden = mode() !== "spend";
  priceSoon(0);
}

function spendChosen(wanted) {
  setSpend(Math.max(1, Math.min(wanted || 1, Number(range.max))));
  priceSoon();
}

function setSpend(spend) {
  range.value = String(spend);
  if (document.activeElement !== exact || Number(exact.value) !== spend) exact.value = String(spend);
}

function priceSoon(afterMs = QUOTE_AFTER_MS) {
  if (!sale) return;
  asked += 1; // an answer under way is about other figures
  fieldError(numberField, "");
  fieldError(sumField, "");
  byId("sale-error").textContent = "";
  confirmButton.disabled = true;
  clearTimeout(timer);
  timer = setTimeout(price, typeof afterMs === "number" ? afterMs : QUOTE_AFTER_MS);
}

function sumMinor() {
  return parseMoney(sumField.value);
}

// The fields as they stand, or null while they are not complete.
function entered() {
  const total = sumMinor();
  const receiptNumber = numberField.value.trim();
  if (sumField.value.trim() && total === null) fieldError(sumField, t("Enter a sum such as 1250.50."));
  if (!receiptNumber || !total) return null;
  const whole = { quantity_milli: 1000, price_minor: total, amount_minor: total };
  return { receiptNumber, total, lines: goodsLines() ?? [whole] };
}

async function price() {
  const fields = entered();
  if (!sale || !fields) return drawQuote();
  if (!sale.customer) return drawQuote(fields);
  const mine = ++asked;
  const spend = mode() === "spend" ? Number(range.value) : 0;
  const before = sale.quote;
  try {
    const body = { card: sale.card, receipt_number: fields.receiptNumber, lines: fields.lines, spend, promo_codes: promoCodes() };
    const answer = await ask("POST", "/quotes", { key: newKey(), body });
    if (mine !== asked || !sale) return;
    if (!answer.ok) return refuse(answer);
    if (before && promises(before) && before.receipt_number !== fields.receiptNumber) release();
    sale.quote = { ...answer.data, receipt_number: fields.receiptNumber };
  } catch (error) {
    if (!(error instanceof SilenceError)) throw error;
    if (mine !== asked || !sale) return;
    sale.quote = null;
  }
  drawQuote(fields);
}

function refuse(answer) {
  if (answer.code === "receipt_exists") return refuseField(numberField, answer.title);
  const wrong = answer.errors.find((error) => error.pointer === "/receipt_number");
  if (wrong) return refuseField(numberField, t("Letters, digits, dots and dashes only."));
  byId("sale-error").textContent = answer.title;
  drawButton(t("Cannot be done"), false);
  if (answer.code === "session_ended" || answer.code === "credentials_required") {
    state.signedIn = false;
    changed("session");
  }
}

function refuseField(field, text) {
  fieldError(field, text);
  drawButton(t("Correct the field above"), false);
}

function drawQuote(fields = null) {
  const quote = fields ? sale.quote : null;
  const offline = !sale.customer || !state.online;
  const spendable = quote && sale.customer?.may_spend && !offline ? quote.spendable_max : 0;
  const spendRadio = document.querySelector("[name=mode][value=spend]");
  spendRadio.disabled = spendable < 1;
  if (spendRadio.disabled && spendRadio.checked) document.querySelector("[name=mode][value=earn]").checked = true;
  range.max = String(Math.max(1, spendable));
  byId("spend-box").hidden = mode() !== "spend";
  byId("spend-note").textContent = spendable ? t("at most {points}", { points: points(spendable) }) : "";
  byId("earn-note").textContent = quote && quote.spend === 0 ? `+${points(quote.earn)}` : "";
  byId("sums").hidden = byId("why").hidden = !quote;
  drawPromo(quote, offline);
  if (quote) {
    byId("discount-row").hidden = !quote.discount_minor;
    byId("discount").textContent = `−${money(quote.discount_minor)}`;
    byId("to-pay").textContent = money(quote.to_pay_minor);
    byId("will-spend").textContent = quote.spend ? `−${points(quote.spend)}` : "0";
    byId("will-earn").textContent = `+${points(quote.earn)}`;
    byId("why-rows").replaceChildren(...whyRows(quote.lines));
  }
  drawConfirm(fields, quote);
}

function drawConfirm(fields, quote) {
  if (!fields) return drawButton(t("Enter the number and the sum"), false);
  if (!quote) return drawButton(t("Save for later: {sum}", { sum: money(fields.total) }), true);
  if (!quote.spend && quote.discount_minor) {
    return drawButton(t("To pay {sum}, give {points}", { points: points(quote.earn), sum: money(quote.to_pay_minor) }), true);
  }
  if (!quote.spend) return drawButton(t("Give {points}", { points: points(quote.earn) }), true);
  drawButton(t("Take {points}, to pay {sum}", { points: points(quote.spend), sum: money(quote.to_pay_minor) }), true);
}

function drawButton(text, enabled) {
  confirmButton.textContent = text;
  confirmButton.disabled = !enabled;
}

async function confirm(event) {
  event.preventDefault();
  const fields = entered();
  if (confirmButton.disabled || !sale || !fields) return;
  const item = command(fields);
  drawButton(t("One moment…"), false);
  try {
    if (!sale.customer) throw new SilenceError("offline");
    const answer = await ask("POST", "/receipts", { key: item.key, body: item.body });
    if (!answer.ok) return refuse(answer);
    finish(answer.data);
  } catch (error) {
    if (!(error instanceof SilenceError)) throw error;
    await put(item);
    changed("queue");
    finishLater(item);
  }
}

// Spending and promo codes go by their quote. Earning goes by card and lines with the time of the event, so that the very same
// command can wait on the device for days. The same figures always make the same command with the same key.
function command(fields) {
  const quote = sale.quote;
  const byQuote = quote !== null && promises(quote);
  const name = byQuote ? `quote ${quote.quote_id}` : JSON.stringify([fields.receiptNumber, fields.lines]);
  if (!sale.keys.has(name)) sale.keys.set(name, { key: newKey(), at: now() });
  const { key, at } = sale.keys.get(name);
  const body = byQuote
    ? { quote_id: quote.quote_id, receipt_number: fields.receiptNumber }
    : { card: sale.card, receipt_number: fields.receiptNumber, lines: fields.lines, at };
  return {
    key,
    kind: "commit",
    tillId: state.till.id,
    tillName: state.till.name,
    number: fields.receiptNumber,
    sumMinor: fields.total,
    body,
    at,
    state: "waiting",
  };
}

function finish(receipt) {
  sale = null;
  byId("done").dataset.kind = "done";
  byId("done-title").textContent = receipt.spent
    ? t("Paid with {points}", { points: points(receipt.spent) })
    : `+${points(receipt.earned)}`;
  byId("done-note").textContent = [receipt.name, t("receipt {number}", { number: receipt.receipt_number })].filter(Boolean).join(", ");
  const rows = [
    ...giftsOf(receipt).map((gift) => [t("Hand out a gift"), gift, "good"]),
    receipt.discount_minor ? [t("Discount"), `−${money(receipt.discount_minor)}`, ""] : null,
    [t("Paid in money"), money(receipt.paid_minor), "pay"],
    receipt.spent ? [t("Points spent"), `−${number(receipt.spent)}`, ""] : null,
    [t("Points earned"), `+${number(receipt.earned)}`, ""],
    [t("Balance now"), points(receipt.balance), "good"],
  ];
  showDone(rows.filter(Boolean));
  changed("receipts");
}

function finishLater(item) {
  const spending = Boolean(item.body.quote_id);
  sale = null;
  byId("done").dataset.kind = "queued";
  byId("done-title").textContent = spending ? t("No answer yet") : t("Saved on this device");
  byId("done-note").textContent = spending
    ? t("Whether the points were taken is not known yet. The device keeps asking: see the list of what waits.")
    : t("The receipt will be sent once the network is back. Do not enter it again.");
  showDone([
    [t("Receipt"), item.number, ""],
    [t("Sum"), money(item.sumMinor), "pay"],
  ]);
}

// Say what was done: rows of name, value and kind of figure.
export function showDone(rows) {
  byId("done-sums").replaceChildren(
    ...rows.map(([name, value, kind]) => element("div", {}, element("dt", {}, name), element("dd", kind ? { class: kind } : {}, value))),
  );
  showScreen("done");
  byId("done-title").focus();
}
