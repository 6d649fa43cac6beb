// The till page: who works here, which screen is up, what comes from the scanner, and when the network returns.
import { ask, newKey, SilenceError, useCsrfToken } from "./api.js";
import { closeCamera, prepareCamera } from "./camera.js";
import { prepareLists, sendWaiting } from "./lists.js";
import { all } from "./queue.js";
import { leaveReturn, prepareReturns, returnIsOpen, scanInReturn } from "./returns.js";
import { abandon, identify, prepareSale, saleIsOpen, scanInSale } from "./sale.js";
import { watchScanner } from "./scanner.js";
import { byId, changed, changes, element, fieldError, setOnline, state } from "./state.js";
import { t } from "./words.js";

const SESSION = "kapsula-session";
const RETRY_MS = 4000;
const IDLE_MS = 30000;
const CARD = /^(?:9\d{32}|8\d{18}|29\d{11})$/;
const PRODUCT = /^(?:\d{8}|\d{12,14})$/;

function showScreen(name) {
  document.body.dataset.screen = name;
  for (const section of ["scan", "sale", "return", "done"]) byId(section).hidden = section !== name;
  if (name !== "return") leaveReturn();
  else abandon();
  if (name === "scan") {
    byId("card").value = "";
    fieldError(byId("card"), "");
    byId("card").focus({ preventScroll: true });
  }
  scrollTo({ top: 0 });
}

function nextCustomer() {
  abandon();
  showScreen("scan");
}

async function scanned(text) {
  if (byId("menu").open) return;
  const isProduct = PRODUCT.test(text) && !CARD.test(text);
  if (returnIsOpen() && isProduct) return scanInReturn(text);
  if (saleIsOpen() && isProduct) return scanInSale(text);
  await find(text);
}

async function find(text) {
  closeCamera();
  await seated; // a scan may be faster than the page's first answer
  const wasOpen = saleIsOpen();
  const field = byId("card");
  byId("card-find").disabled = true;
  const refused = await identify(text.trim());
  byId("card-find").disabled = false;
  if (!refused) return;
  if (wasOpen) {
    byId("sale-error").textContent = refused;
    return;
  }
  if (byId("scan").hidden) showScreen("scan"); // else what was typed stays, to be corrected
  fieldError(field, refused);
}

function cardTyped(event) {
  event.preventDefault();
  const field = byId("card");
  if (!field.value.trim()) return fieldError(field, t("Scan or type a card number, a code or a phone."));
  find(field.value).then(() => {
    if (!byId("scan").hidden) field.select();
  });
}

// ---- the session ----

let seated = null;

async function openSession() {
  const kept = JSON.parse(localStorage.getItem(SESSION) ?? "null");
  try {
    const answer = await ask("GET", "/session");
    state.signedIn = answer.ok;
    if (answer.ok) {
      localStorage.setItem(SESSION, JSON.stringify({ ...answer.data, now: undefined }));
      state.clockOffsetMs = Date.parse(answer.data.now) - Date.now();
      sitDown(answer.data);
    } else if (kept && !state.till) {
      sitDown(kept);
    }
  } catch (error) {
    if (!(error instanceof SilenceError)) throw error;
    if (kept && !state.till) sitDown(kept);
  }
  changed("session");
}

function sitDown(session) {
  useCsrfToken(session.csrf_token);
  state.till = session.till;
  state.tills = session.tills;
  state.name = session.name;
}

function drawSession() {
  byId("till-name").textContent = state.till?.name ?? t("No till chosen");
  byId("shop-name").textContent = state.till?.shop ?? "";
  byId("staff-name").textContent = state.name || t("Menu");
  drawNotice();
  if (!state.till && state.name && !byId("menu").open) openMenu();
}

function drawNetwork() {
  byId("net").dataset.state = state.online ? "online" : "offline";
  byId("net").textContent = state.online ? t("Online") : t("Offline");
  drawNotice();
}

function drawNotice() {
  const ended = state.online && !state.signedIn;
  byId("notice").hidden = !ended && state.online;
  byId("notice-action").hidden = !ended;
  byId("notice-text").textContent = ended
    ? t("The session has ended. What waits on this device is kept: sign in to send it.")
    : t("No network: receipts that earn points, and cancels, are kept and sent later. Spending is not possible.");
}

// ---- the menu ----

function openMenu() {
  byId("menu-title").textContent = state.name;
  byId("menu-hint").hidden = state.till !== null;
  byId("menu-close").hidden = state.till === null;
  byId("menu-error").textContent = "";
  byId("tills").replaceChildren(...state.tills.map(tillRow));
  if (!state.tills.length) byId("menu-error").textContent = t("Your shop has no till. Ask the owner to add one.");
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === document.documentElement.lang));
  }
  byId("menu").showModal();
}

function tillRow(till) {
  const here = state.till?.id === till.id;
  const button = element("button", { type: "button", "aria-pressed": String(here) }, till.name, element("small", {}, till.shop));
  button.addEventListener("click", () => command("/till", { till_id: till.id }, () => remember(till)));
  return element("li", {}, button);
}

// The network may fail before the page has started anew: it must know its till by then.
function remember(till) {
  const kept = JSON.parse(localStorage.getItem(SESSION) ?? "null");
  if (kept) localStorage.setItem(SESSION, JSON.stringify({ ...kept, till }));
}

// A change of the session, after which the page starts anew.
async function command(path, body, done = () => {}) {
  try {
    const answer = await ask("POST", path, { key: newKey(), body });
    if (answer.ok) {
      done();
      return location.reload();
    }
    byId("menu-error").textContent = answer.title;
  } catch (error) {
    if (!(error instanceof SilenceError)) throw error;
    byId("menu-error").textContent = t("This needs the network.");
  }
}

async function signOut() {
  const waiting = (await all()).filter((item) => item.state === "waiting").length;
  const button = byId("sign-out");
  if (waiting && !button.classList.contains("danger")) {
    button.classList.add("danger");
    button.textContent = t("Not all is sent yet. Sign out anyway?");
    return;
  }
  await command("/sign-out", {});
}

// ---- the network ----

let timer = 0;

function tickSoon() {
  clearTimeout(timer);
  timer = setTimeout(tick, RETRY_MS);
}

async function tick() {
  if (!state.online || !state.signedIn) await openSession();
  if (state.online && state.signedIn) await sendWaiting();
  const waiting = (await all()).some((item) => item.state === "waiting");
  clearTimeout(timer);
  timer = setTimeout(tick, state.online && !waiting ? IDLE_MS : RETRY_MS);
}

async function networkReturned() {
  await openSession();
  if (!state.online || !state.signedIn) return;
  await sendWaiting();
  changed("receipts");
}

function keys(event) {
  if (event.key !== "Escape" || byId("menu").open || byId("camera").open) return;
  if (!byId("scan").hidden) return;
  nextCustomer();
}

async function begin() {
  changes.addEventListener("session", drawSession);
  changes.addEventListener("network", drawNetwork);
  changes.addEventListener("network", () => state.online && networkReturned());
  changes.addEventListener("network", tickSoon);
  changes.addEventListener("queue", tickSoon);
  addEventListener("online", networkReturned);
  addEventListener("offline", () => setOnline(false));
  byId("card-form").addEventListener("submit", cardTyped);
  byId("sale-close").addEventListener("click", nextCustomer);
  byId("return-close").addEventListener("click", nextCustomer);
  byId("next").addEventListener("click", nextCustomer);
  byId("menu-open").addEventListener("click", openMenu);
  byId("menu-close").addEventListener("click", () => byId("menu").close());
  byId("menu").addEventListener("cancel", (event) => state.till || event.preventDefault());
  byId("sign-out").addEventListener("click", signOut);
  for (const button of document.querySelectorAll("[data-language]")) {
    button.addEventListener("click", () => command("/language", { language: button.dataset.language }));
  }
  document.addEventListener("keydown", keys);
  seated = openSession();
  prepareSale(showScreen);
  prepareReturns(showScreen);
  prepareCamera(scanned);
  watchScanner(scanned, (text) => CARD.test(text));
  showScreen("scan");
  drawNetwork();
  navigator.serviceWorker?.register("/till/sw.js", { scope: "/till" });
  navigator.storage?.persist?.();
  await seated;
  prepareLists();
  changed("receipts");
  tick();
}

begin();
