// Words, points, money and times in the cashier's language. The page carries the sentences as JSON.
const source = JSON.parse(document.getElementById("words").textContent);
const language = document.documentElement.lang;
const currency = document.body.dataset.currency;
const plural = new Intl.PluralRules(language);
const count = new Intl.NumberFormat(language);
const moneyFormat = new Intl.NumberFormat(language, { style: "currency", currency });
const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" });
const calendar = new Intl.DateTimeFormat(language, { day: "numeric", month: "short" });
const minorDigits = moneyFormat.resolvedOptions().maximumFractionDigits;
const minorUnits = 10 ** minorDigits;

export function t(sentence, values = {}) {
  const text = source.sentences[sentence] ?? sentence;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

export function number(n) {
  return count.format(n);
}

// Tenths, hundredths … as a number: 75 with one place is "7,5".
export function decimal(value, places) {
  return count.format(value / 10 ** places);
}

// "1 234 points", in the right plural form.
export function points(n) {
  return form("points", n).replace("{count}", number(n));
}

// "and 2 more rules".
export function moreRules(n) {
  return form("more rules", n).replace("{count}", number(n));
}

// The word alone, for a figure that stands apart.
export function pointsWord(n) {
  return form("points", n).replace("{count}", "").trim();
}

function form(what, n) {
  return source.counted[what][plural.select(Math.abs(n))] ?? source.counted[what].other;
}

export function money(minor) {
  return moneyFormat.format(minor / minorUnits);
}

// The time of day, with the day unless it is today's.
export function time(instant) {
  const at = new Date(instant);
  const isToday = at.toDateString() === new Date().toDateString();
  const day = isToday ? "" : `${calendar.format(at)} `;
  return (day + clock.format(at)).replaceAll(" ", "\u00a0");
}

// "1 234,50" as minor units; null when it is no sum of money. No floats: digits are shifted as text.
export function parseMoney(text) {
  const plain = text.replace(/[\s\u00a0\u202f]/g, "").replace(",", ".");
  const match = /^(\d{1,9})(?:\.(\d*))?$/.exec(plain);
  if (!match || (match[2] ?? "").length > minorDigits) return null;
  return Number(match[1] + (match[2] ?? "").padEnd(minorDigits, "0"));
}

export function plainMoney(minor) {
  const text = String(minor).padStart(minorDigits + 1, "0");
  const whole = text.slice(0, text.length - minorDigits);
  const rest = minorDigits ? text.slice(-minorDigits) : "";
  const point = language === "ru" ? "," : ".";
  return /^0*$/.test(rest) ? whole : whole + point + rest;
}
