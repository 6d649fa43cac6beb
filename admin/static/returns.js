// A return: which goods of a receipt come back, what moves with them, the confirmation. As in a sale, every figure
// shown was said by the server. It needs the network: only the server knows what is left of a receipt.
import { ask, newKey, SilenceError } from "./api.js";
import { showDone } from "./sale.js";
import { byId, changed, changes, element, fieldError, state } from "./state.js";
import { money, number, points, t, time } from "./words.js";

const QUOTE_AFTER_MS = 250;
const UNIT = 1000; // quantities are thousandths of a unit
const numberField = byId("return-number");
const confirmButton = byId("return-confirm");
const findField = byId("find-return-number");
const placeField = byId("find-return-place");
let showScreen = () => {};
let back = null; // {receipt, place, quote, wanted: line -> thousandths, moves | null, keys}
let timer = 0;
let asked = 0;

export function prepareReturns(show) {
  showScreen = show;
  byId("return-form").addEventListener("submit", confirm);
  byId("return-all").addEventListener("click", chooseAll);
  numberField.addEventListener("input", () => {
    fieldError(numberField, "");
    drawConfirm();
  });
  byId("find-return-form").addEventListener("submit", find);
  byId("find-return").addEventListener("toggle", listPlaces);
  changes.addEventListener("network", () => {
    if (!back) return;
    drawConfirm();
    if (state.online && !back.moves) priceSoon();
  });
}

export function returnIsOpen() {
  return back !== null;
}

export function leaveReturn() {
  back = null;
  asked += 1;
  clearTimeout(timer);
}

// Show a receipt whose goods come back; `place` is {till} or {shop} when it was sold elsewhere. Answers the words of
// the refusal, or "" when it is on the screen.
export async function openReturn(receipt, place) {
  const mine = ++asked;
  let answer;
  try {
    answer = await ask("POST", path(receipt, "/quote"), { body: place });
  } catch (error) {
    if (!(error instanceof SilenceError)) throw error;
    return t("A return needs the network: the server knows what is left of the receipt.");
  }
  if (!answer.ok) return answer.title;
  if (mine !== asked) return ""; // the cashier has gone on to something else
  const quote = answer.data;
  back = { receipt, place, quote, wanted: new Map(), moves: null, keys: new Map() };
  byId("return-title").textContent = t("Return of receipt {number}", { number: receipt });
  byId("return-about").textContent = about(quote);
  numberField.value = t("{number}-R{nth}", { number: receipt, nth: quote.returns + 1 }).slice(0, 64);
  fieldError(numberField, "");
  showScreen("return");
  const units = quote.sold.reduce((sum, line) => sum + line.left_milli, 0);
  if (units <= UNIT) chooseAll();
  else draw();
  byId("return-title").focus({ preventScroll: true });
  return "";
}

function path(receipt, rest = "") {
  return `/receipts/${encodeURIComponent(receipt)}/returns${rest}`;
}

function about(quote) {
  const name = quote.name || t("Without a name");
  return [name, time(quote.sold_at), `${quote.shop}, ${quote.till}`].join(" · ");
}

// ---- which goods ----

function chooseAll() {
  for (const line of back.quote.sold) back.wanted.set(line.line, line.left_milli);
  draw();
  priceSoon(0);
}

function choose(line, milli) {
  back.wanted.set(line.line, Math.max(0, Math.min(milli, line.left_milli)));
  draw();
  priceSoon();
}

// One more of a scanned product, of the first line that has some left.
export async function scanInReturn(barcode) {
  const mine = back;
  byId("return-error").textContent = "";
  try {
    const answer = await ask("GET", `/products?q=${encodeURIComponent(barcode)}`);
    if (back !== mine) return;
    if (!answer.ok) return complain(answer.title);
    const skus = answer.data.products.map((product) => product.sku);
    const lines = back.quote.sold.filter((line) => skus.includes(line.sku));
    const line = lines.find((one) => wantedOf(one) < one.left_milli);
    if (line) return choose(line, wantedOf(line) + UNIT);
    complain(lines.length ? t("All of it is chosen already.") : t("It is not on this receipt."));
  } catch (error) {
    if (!(error instanceof SilenceError)) throw error;
    complain(t("This needs the network."));
  }
}

function wantedOf(line) {
  return back.wanted.get(line.line) ?? 0;
}

function chosen() {
  return [...back.wanted]
    .filter(([, milli]) => milli > 0)
    .map(([line, milli]) => ({ line, quantity_milli: milli }));
}

function complain(text) {
  byId("return-error").textContent = text;
}

// ---- what moves ----

function priceSoon(afterMs = QUOTE_AFTER_MS) {
  asked += 1; // an answer under way is about other goods
  back.moves = null;
  complain("");
  drawConfirm();
  clearTimeout(timer);
  timer = setTimeout(price, afterMs);
}

async function price() {
  const lines = back ? chosen() : [];
  if (!lines.length) return drawMoves();
  const mine = ++asked;
  try {
    const answer = await ask("POST", path(back.receipt, "/quote"), { body: { ...back.place, lines } });
    if (mine !== asked || !back) return;
    if (!answer.ok) return complain(answer.title);
    back.moves = answer.data;
  } catch (error) {
    if (!(error instanceof SilenceError)) throw error;
  }
  if (mine === asked && back) drawMoves();
}

function draw() {
  const focused = document.activeElement?.dataset?.step;
  byId("return-lines").replaceChildren(...back.quote.sold.map(lineRow));
  if (focused) byId("return-lines").querySelector(`[data-step="${focused}"]`)?.focus();
  drawMoves();
}

function lineRow(line) {
  const milli = wantedOf(line);
  const name = line.name || line.sku || t("Sum of the receipt");
  const step = (to, sign, label) => {
    const button = element("button", { type: "button", "aria-label": label, "data-step": `${line.line}${sign}` }, sign);
    button.disabled = to < 0 || milli === Math.min(to, line.left_milli);
    button.addEventListener("click", () => choose(line, to));
    return button;
  };
  const left = t("{left} of {count} left, {sum}", {
    left: number(line.left_milli / UNIT), count: number(line.quantity_milli / UNIT), sum: money(line.amount_minor),
  });
  return element(
    "li",
    { "data-line": String(line.line), "data-back": String(milli) },
    element("span", { class: "what" }, element("b", {}, name), element("small", {}, left)),
    element(
      "span",
      { class: "count" },
      step(Math.max(milli - UNIT, milli ? 0 : -1), "−", t("One less: {name}", { name })),
      element("output", {}, number(milli / UNIT)),
      step(milli + UNIT, "+", t("One more: {name}", { name })),
    ),
  );
}

function drawMoves() {
  const moves = back?.moves;
  byId("return-sums").hidden = !moves;
  if (moves) {
    byId("return-sums").replaceChildren(
      ...rowsOf(moves).map(([name, value, kind]) => element("div", {}, element("dt", {}, name), element("dd", kind ? { class: kind } : {}, value))),
    );
  }
  if (back) drawConfirm();
}

function rowsOf(moves, balance = t("Balance then")) {
  return [
    [t("Pay back in money"), money(moves.refund_minor), "pay"],
    moves.given_back ? [t("Points given back"), `+${points(moves.given_back)}`, "good"] : null,
    moves.taken_back ? [t("Points taken back"), `−${points(moves.taken_back)}`, ""] : null,
    moves.forgiven ? [t("Used up already, let go"), points(moves.forgiven), ""] : null,
    [balance, points(moves.balance), ""],
  ].filter(Boolean);
}

function drawConfirm() {
  byId("return-offline").hidden = state.online;
  if (!chosen().length) return drawButton(t("Choose what comes back"), false);
  if (!state.online) return drawButton(t("This needs the network."), false);
  if (!back.moves) return drawButton(t("One moment…"), false);
  if (!numberField.value.trim()) return drawButton(t("Enter the number of the return"), false);
  drawButton(t("Pay back {sum}", { sum: money(back.moves.refund_minor) }), true);
}

function drawButton(text, enabled) {
  confirmButton.textContent = text;
  confirmButton.disabled = !enabled;
}

// ---- the confirmation ----

async function confirm(event) {
  event.preventDefault();
  if (confirmButton.disabled || !back) return;
  const mine = back;
  const body = { ...mine.place, return_number: numberField.value.trim(), lines: chosen() };
  // The same return is the same command, however often it is asked for after an answer was lost.
  const name = JSON.stringify(body);
  if (!mine.keys.has(name)) mine.keys.set(name, newKey());
  drawButton(t("One moment…"), false);
  try {
    const answer = await ask("POST", path(mine.receipt), { key: mine.keys.get(name), body });
    if (answer.ok) changed("receipts");
    if (back !== mine) return;
    if (answer.ok) finish(answer.data);
    else refuse(answer);
  } catch (error) {
    if (!(error instanceof SilenceError)) throw error;
    if (back !== mine) return;
    drawConfirm();
    complain(t("No answer: it is not known whether the return was done. Press again, it will be done only once."));
  }
}

function refuse(answer) {
  const wrong = answer.errors.some((error) => error.pointer === "/return_number");
  if (answer.code === "return_exists" || wrong) {
    fieldError(numberField, wrong ? t("Letters, digits, dots and dashes only.") : answer.title);
    return drawButton(t("Correct the field above"), false);
  }
  if (answer.code === "session_ended" || answer.code === "credentials_required") {
    state.signedIn = false;
    changed("session");
  }
  complain(answer.title);
  drawButton(t("Cannot be done"), false);
}

function finish(done) {
  byId("done").dataset.kind = "done";
  byId("done-title").textContent = t("Paid back {sum}", { sum: money(done.refund_minor) });
  byId("done-note").textContent = [done.name, t("return {number}", { number: done.return_number })].filter(Boolean).join(", ");
  leaveReturn();
  showDone(rowsOf(done, t("Balance now")));
}

// ---- a receipt that is not in the list ----

async function find(event) {
  event.preventDefault();
  const receipt = findField.value.trim();
  if (!receipt) return fieldError(findField, t("Enter the receipt number."));
  const [kind, code] = placeField.value.split(/:(.*)/s);
  byId("find-return-submit").disabled = true;
  const refused = await openReturn(receipt, kind ? { [kind]: code } : {});
  byId("find-return-submit").disabled = false;
  fieldError(findField, refused);
  if (!refused) findField.value = "";
}

let placesAreListed = false;

async function listPlaces() {
  if (placesAreListed || !byId("find-return").open) return;
  try {
    const answer = await ask("GET", "/places");
    if (!answer.ok || placesAreListed) return;
    placesAreListed = true;
    const option = (kind) => (place) => element("option", { value: `${kind}:${place.code}` }, place.name);
    const groups = [
      [t("This shop"), answer.data.tills.map(option("till"))],
      [t("Other shops"), answer.data.shops.map(option("shop"))],
    ];
    placeField.append(
      ...groups.filter(([, places]) => places.length).map(([label, places]) => element("optgroup", { label }, ...places)),
    );
  } catch (error) {
    if (!(error instanceof SilenceError)) throw error;
  }
}
