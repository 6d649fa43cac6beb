// What the page knows of itself, and who wants to hear when it changes.
export const state = {
  till: null, // {id, name, shop}
  tills: [],
  name: "",
  online: navigator.onLine,
  signedIn: true,
  clockOffsetMs: 0, // the server's clock minus the device's
};
export const changes = new EventTarget(); // "network" | "session" | "receipts" | "queue"

export function changed(what) {
  changes.dispatchEvent(new Event(what));
}

export function setOnline(online) {
  if (state.online === online) return;
  state.online = online;
  changed("network");
}

// The time of an event by the server's clock, never ahead of it.
export function now() {
  return new Date(Date.now() + state.clockOffsetMs).toISOString();
}

export function byId(id) {
  return document.getElementById(id);
}

// An element with text and children; never HTML.
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// Say what is wrong beside the field; an empty text takes it back.
export function fieldError(field, text) {
  const place = byId(field.getAttribute("aria-describedby") ?? `${field.id}-error`);
  place.textContent = text;
  if (text) field.setAttribute("aria-invalid", "true");
  else field.removeAttribute("aria-invalid");
}
