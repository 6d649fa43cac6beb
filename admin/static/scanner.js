// Hears a barcode scanner that types like a keyboard, wherever the focus is and whatever the layout: our codes
// are digits only, and a digit is known by its key (event.code) even if the layout prints something else.
const GAP_MAX_MS = 100;
const MEAN_GAP_MAX_MS = 45; // people type digits at 100 ms and more
const LENGTH_MIN = 6;

export function watchScanner(onScan) {
  let heard = nothing();
  document.addEventListener("keydown", hear, { capture: true });

  function hear(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (event.key === "Shift" || event.key === "NumLock") return;
    const fresh = event.timeStamp - heard.last > GAP_MAX_MS;
    if (event.key === "Enter" || event.key === "Tab") {
      const scanned = !fresh && isScan(heard, event.timeStamp);
      if (scanned) swallow(event);
      heard = nothing();
      return;
    }
    const digit = digitOf(event);
    if (digit === null) {
      heard = nothing();
      return;
    }
    if (fresh) heard = { ...nothing(), first: event.timeStamp, field: fieldInFocus() };
    if (fresh && heard.field) heard.before = heard.field.value;
    heard.text += digit;
    heard.last = event.timeStamp;
  }

  function swallow(event) {
    event.preventDefault();
    event.stopImmediatePropagation();
    const { text, field, before } = heard;
    if (field) {
      // The digits went into whatever field had the focus: take them out again.
      field.value = before;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
    onScan(text);
  }
}

function nothing() {
  return { text: "", first: 0, last: -Infinity, field: null, before: "" };
}

function isScan(heard, now) {
  return heard.text.length >= LENGTH_MIN && (now - heard.first) / heard.text.length <= MEAN_GAP_MAX_MS;
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
