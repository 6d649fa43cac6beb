// Hears a barcode scanner that types like a keyboard, wherever the focus is and whatever the layout: our codes
// are digits only, and a digit is known by its key (event.code) even if the layout prints something else.
// Times are those of the keys (event.timeStamp), not of their arrival: a busy page is no slow scanner.
const GAP_MAX_MS = 100; // a longer one begins a new burst
const PAUSE_MIN_MS = 1000; // after such a silence nothing belongs together
const MEDIAN_GAP_MAX_MS = 45; // people type digits at 100 ms and more
const LENGTH_MIN = 8; // the shortest barcode of goods; a short code has 6 digits and is typed

// `isWhole` knows the codes that a hiccup of the scanner or the system tore into bursts and that belong together.
export function watchScanner(onScan, isWhole) {
  let bursts = []; // {digits, times, fields: what was in each field before the burst}
  let last = -Infinity;
  document.addEventListener("keydown", hear, { capture: true });

  function hear(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (event.key === "Shift" || event.key === "NumLock") return;
    const gap = event.timeStamp - last;
    last = event.timeStamp;
    if (gap > PAUSE_MIN_MS) bursts = [];
    const digit = digitOf(event);
    if (digit !== null && !event.repeat) return listen(digit, gap);
    const scan = event.key === "Enter" || event.key === "Tab" ? scanIn(bursts, isWhole) : null;
    bursts = [];
    if (scan) swallow(event, scan);
  }

  function listen(digit, gap) {
    if (!bursts.length || gap > GAP_MAX_MS) bursts.push({ digits: "", times: [], fields: new Map() });
    const burst = bursts.at(-1);
    const field = fieldInFocus();
    if (field && !burst.fields.has(field)) burst.fields.set(field, field.value);
    burst.digits += digit;
    burst.times.push(last);
  }

  function swallow(event, scan) {
    event.preventDefault();
    event.stopImmediatePropagation();
    // The digits went into whatever field had the focus: take them out again.
    for (const [field, before] of scan.flatMap((burst) => [...burst.fields]).reverse()) {
      field.value = before;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
    onScan(digitsOf(scan));
  }
}

// The bursts that make one scan, or null: as many as are whole together, else the last alone.
function scanIn(bursts, isWhole) {
  const tails = bursts.map((_, place) => bursts.slice(place));
  const scan = tails.find((tail) => isWhole(digitsOf(tail))) ?? bursts.slice(-1);
  return digitsOf(scan).length >= LENGTH_MIN && medianGap(scan) <= MEDIAN_GAP_MAX_MS ? scan : null;
}

function digitsOf(bursts) {
  return bursts.map((burst) => burst.digits).join("");
}

function medianGap(bursts) {
  const times = bursts.flatMap((burst) => burst.times);
  const gaps = times.slice(1).map((time, place) => time - times[place]);
  return gaps.sort((one, other) => one - other)[Math.floor(gaps.length / 2)];
}

function digitOf(event) {
  const key = /^(?:Digit|Numpad)([0-9])$/.exec(event.code);
  if (key && !event.shiftKey) return key[1];
  return /^[0-9]$/.test(event.key) ? event.key : null;
}

function fieldInFocus() {
  const field = document.activeElement;
  return field instanceof HTMLInputElement && !["radio", "range"].includes(field.type) ? field : null;
}
