// Promo codes of one sale: those that the customer has are offered, others are typed or scanned into the field.
// Which of them fit, and what they give, is what the server has said of the last quote.
import { byId, element, fieldError } from "./state.js";
import { money, number, points, t } from "./words.js";

const CODES_MAX = 10;
const field = byId("promo-code");
let chosen = []; // as typed or offered, in order
let offered = []; // the customer's own: {code, title, kind, …}
let outcomes = new Map(); // what the last quote said of each, by code
let changed = () => {};

export function preparePromo(onChange) {
  changed = onChange;
  byId("promo-add").addEventListener("click", add);
  field.addEventListener("input", () => fieldError(field, ""));
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // it ends the code, not the sale
    add();
  });
}

export function promoCodes() {
  return chosen;
}

export function usesPromo(quote) {
  return quote.promos.some((promo) => promo.applied);
}

export function giftsOf(receipt) {
  return receipt.promos.filter((promo) => promo.applied && promo.gift).map((promo) => promo.gift);
}

export function clearPromo() {
  chosen = [];
  field.value = "";
  fieldError(field, "");
}

// Another customer has other codes; what was typed may be anybody's and stays.
export function offerPromo(promos) {
  chosen = chosen.filter((code) => !offered.some((promo) => promo.code === code));
  offered = promos;
  outcomes = new Map();
  draw();
}

export function drawPromo(quote, offline) {
  outcomes = new Map(quote?.promos.map((promo) => [promo.asked, promo]) ?? []);
  if (quote) chosen = chosen.filter((code) => outcomes.has(code)); // another spelling of the same is one code
  for (const button of [field, byId("promo-add")]) button.disabled = offline;
  draw(offline);
}

function add() {
  const code = field.value.trim();
  if (!code) return fieldError(field, t("Type or scan a promo code."));
  if (chosen.length === CODES_MAX) return fieldError(field, t("No more promo codes on one receipt."));
  field.value = "";
  if (!chosen.includes(code)) choose([...chosen, code]);
}

function choose(codes) {
  chosen = codes;
  draw();
  changed();
}

function draw(offline = false) {
  const own = offered.filter((promo) => !chosen.includes(promo.code));
  byId("promos").replaceChildren(
    ...chosen.map((code) => element("li", {}, row(code, outcomes.get(code)))),
    ...own.map((promo) => element("li", {}, offer(promo, offline))),
  );
}

// A code that was chosen: what it does or why not, and the way to take it out again.
function row(code, outcome) {
  const known = offered.find((promo) => promo.code === code);
  const state = outcome ? (outcome.applied ? "good" : "bad") : "asked";
  const off = element("button", { type: "button", class: "quiet", "aria-label": t("Take {code} out", { code }) }, "×");
  off.addEventListener("click", () => choose(chosen.filter((each) => each !== code)));
  const title = outcome?.title || known?.title || outcome?.code || code;
  const note = outcome ? (outcome.applied ? did(outcome) : reason(outcome)) : "";
  return element("div", { class: "promo-row", "data-state": state }, element("b", {}, title), element("span", {}, note), off);
}

function offer(promo, offline) {
  const button = element("button", { type: "button", class: "promo-offer" }, element("b", {}, gives(promo)), element("span", {}, promo.title));
  button.disabled = offline;
  button.addEventListener("click", () => choose([...chosen, promo.code]));
  return button;
}

function gives(promo) {
  switch (promo.kind) {
    case "percent":
      return `−${number(promo.permille / 10)} %`;
    case "sum":
      return `−${money(promo.amount_minor)}`;
    case "points":
      return `+${points(promo.points)}`;
    case "multiplier":
      return t("points × {times}", { times: number(promo.permille / 1000) });
    default:
      return t("gift: {gift}", { gift: promo.gift });
  }
}

function did(outcome) {
  if (outcome.gift) return t("gift: {gift}", { gift: outcome.gift });
  if (outcome.discount_minor) return `−${money(outcome.discount_minor)}`;
  return `+${points(outcome.points)}`;
}

function reason(outcome) {
  const { data } = outcome;
  switch (outcome.refusal) {
    case "promo_unknown":
      return t("There is no such promo code.");
    case "promo_revoked":
      return t("The promo code has been withdrawn.");
    case "promo_not_yet":
      return t("The promo code is not valid yet.");
    case "promo_expired":
      return t("The promo code has expired.");
    case "promo_used":
      return t("The promo code has been used.");
    case "promo_used_up":
      return t("The promo code has been used as often as it may be.");
    case "promo_used_by_customer":
      return t("This customer has used the promo code already.");
    case "promo_not_holder":
      return t("The promo code belongs to another customer.");
    case "promo_not_in_segment":
      return t("The promo code is not meant for this customer.");
    case "promo_not_first_purchase":
      return t("The promo code is for the first purchase only.");
    case "promo_other_shop":
      return t("The promo code is not valid in this shop.");
    case "promo_other_goods":
      return t("The receipt has no goods that the promo code is for.");
    case "promo_below_minimum":
      return t("From {sum} on.", { sum: money(data.min_total_minor) });
    case "promo_not_stackable":
      return t("Not together with {code}.", { code: data.other });
    default:
      return t("Too many attempts. Wait a little.");
  }
}
