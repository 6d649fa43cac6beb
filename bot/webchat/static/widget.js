// Kapsula's chat on any site: one script tag, a launcher in the corner, the chat in a frame.
//
//   <script async src="https://kapsula.example/chat/widget.js" data-language="ru" data-colour="#0b7a5b"></script>
//
// The frame is our own page with its own storage: the site cannot read the conversation, and the
// chat cannot touch the site. Between them go a few short messages and no personal data.
(() => {
  "use strict";
  const tag = document.currentScript;
  if (!tag || window.KapsulaChat) return;
  const words = "@words@";
  const base = new URL(".", tag.src);
  const language = (tag.dataset.language || document.documentElement.lang || navigator.language)
    .toLowerCase().startsWith("en") ? "en" : "ru";
  const text = words[language];
  const colour = /^#[0-9a-f]{6}$/i.test(tag.dataset.colour || "") ? tag.dataset.colour : "#0b7a5b";
  const left = tag.dataset.side === "left";
  const OPENED_BEFORE = "kapsula.chat.opened";

  const style = new CSSStyleSheet();
  style.replaceSync(`
    :host { all: initial; }
    .launcher {
      position: fixed; bottom: calc(20px + env(safe-area-inset-bottom)); ${left ? "left" : "right"}: 20px;
      z-index: 2147483000; width: 60px; height: 60px; border: 0; border-radius: 50%; padding: 0;
      background: ${colour}; color: ${inkOn(colour)}; cursor: pointer;
      box-shadow: 0 6px 20px rgb(0 0 0 / 28%); display: grid; place-items: center;
      transition: transform .18s ease, box-shadow .18s ease;
    }
    .launcher:hover { transform: translateY(-2px); box-shadow: 0 10px 26px rgb(0 0 0 / 32%); }
    .launcher:active { transform: scale(.96); }
    .launcher:focus-visible { outline: 3px solid #fff; outline-offset: -6px; }
    .launcher svg { width: 28px; height: 28px; }
    .badge {
      position: absolute; top: -2px; right: -2px; min-width: 22px; height: 22px; padding: 0 6px;
      box-sizing: border-box; border-radius: 11px; background: #d6273b; color: #fff;
      font: 700 13px/22px system-ui, sans-serif; text-align: center;
    }
    .badge[hidden], .panel[hidden] { display: none; }
    .panel {
      position: fixed; bottom: calc(20px + env(safe-area-inset-bottom)); ${left ? "left" : "right"}: 20px;
      z-index: 2147483001; width: 400px; height: min(700px, calc(100vh - 40px));
      height: min(700px, calc(100dvh - 40px));
      border-radius: 22px; overflow: hidden; background: Canvas;
      box-shadow: 0 18px 60px rgb(0 0 0 / 32%), 0 0 0 1px rgb(0 0 0 / 6%);
      animation: rise .22s cubic-bezier(.2, .9, .3, 1.1);
    }
    iframe { border: 0; width: 100%; height: 100%; display: block; color-scheme: auto; }
    @media (prefers-color-scheme: dark) {
      .panel { box-shadow: 0 18px 60px rgb(0 0 0 / 50%), 0 0 0 1px rgb(255 255 255 / 14%); }
    }
    @keyframes rise { from { opacity: 0; transform: translateY(16px) scale(.98); } }
    @media (max-width: 520px) {
      .panel { inset: 0; width: 100%; height: 100%; height: 100dvh; border-radius: 0; }
    }
    @media (prefers-reduced-motion: reduce) {
      .launcher, .panel { transition: none; animation: none; }
    }
  `);

  const host = document.createElement("kapsula-chat");
  const root = host.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = [style];

  const launcher = document.createElement("button");
  launcher.className = "launcher";
  launcher.type = "button";
  launcher.setAttribute("aria-haspopup", "dialog");
  launcher.append(icon(
    "M12 3C6.5 3 2 6.9 2 11.6c0 2.6 1.4 5 3.6 6.6-.1 1-.5 2.2-1.3 3.3-.2.3 0 .7.4.6 2-.3 3.6-1 4.7-1.7.8.2 1.7.3 2.6.3 5.5 0 10-3.9 10-8.9S17.5 3 12 3Z",
  ));
  const badge = document.createElement("span");
  badge.className = "badge";
  badge.hidden = true;
  launcher.append(badge);

  const panel = document.createElement("div");
  panel.className = "panel";
  panel.hidden = true;
  panel.setAttribute("role", "dialog");
  panel.setAttribute("aria-label", tag.dataset.title || text.title);
  root.append(launcher, panel);

  let frame = null;
  let overflowBefore = "";
  label(0);

  function icon(path) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    const shape = document.createElementNS("http://www.w3.org/2000/svg", "path");
    shape.setAttribute("d", path);
    shape.setAttribute("fill", "currentColor");
    svg.append(shape);
    return svg;
  }

  function inkOn(hex) {
    const [r, g, b] = [1, 3, 5].map((i) => (parseInt(hex.slice(i, i + 2), 16) / 255) ** 2.2);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.36 ? "#10202a" : "#fff";
  }

  function label(unread) {
    badge.hidden = unread === 0;
    badge.textContent = unread > 9 ? "9+" : String(unread);
    launcher.setAttribute("aria-label", unread ? `${text.open} (${unread})` : text.open);
  }

  function load() {
    if (frame) return;
    const address = new URL("frame", base);
    address.searchParams.set("language", language);
    address.searchParams.set("colour", colour);
    if (tag.dataset.title) address.searchParams.set("title", tag.dataset.title);
    if (tag.dataset.start) address.searchParams.set("start", tag.dataset.start);
    frame = document.createElement("iframe");
    frame.title = tag.dataset.title || text.title;
    frame.allow = "clipboard-write; screen-wake-lock";
    frame.src = address.href;
    panel.append(frame);
  }

  function tell(kind, fields = {}) {
    frame?.contentWindow?.postMessage({ kapsula: kind, ...fields }, base.origin);
  }

  // The id by which the site's own events know this browser: once she is known in the chat, so are they.
  function tellVisitor() {
    const { site, visitor } = window.kapsula ?? {};
    if (site && visitor) tell("visitor", { site, visitor });
  }

  function isPhone() {
    return window.matchMedia("(max-width: 520px)").matches;
  }

  function open() {
    remember();
    load();
    if (!panel.hidden) return;
    panel.hidden = false;
    launcher.hidden = true;
    launcher.style.display = "none";
    if (isPhone()) {
      overflowBefore = document.documentElement.style.overflow;
      document.documentElement.style.overflow = "hidden";
    }
    fit();
    frame.focus();
    tell("shown");
  }

  function close() {
    if (panel.hidden) return;
    panel.hidden = true;
    launcher.hidden = false;
    launcher.style.display = "";
    document.documentElement.style.overflow = overflowBefore;
    tell("hidden");
    launcher.focus();
  }

  // The keyboard of a phone covers the page without resizing it: keep above it.
  function fit() {
    const view = window.visualViewport;
    const covered = view && isPhone() && view.height < window.innerHeight - 80;
    panel.style.height = covered ? `${view.height}px` : "";
    panel.style.top = covered ? `${view.offsetTop}px` : "";
    panel.style.bottom = covered ? "auto" : "";
  }

  function remember() {
    try { localStorage.setItem(OPENED_BEFORE, "1"); } catch { /* a site without storage */ }
  }

  function openedBefore() {
    try { return localStorage.getItem(OPENED_BEFORE) === "1"; } catch { return false; }
  }

  window.addEventListener("message", (event) => {
    if (!frame || event.source !== frame.contentWindow || event.origin !== base.origin) return;
    const { kapsula: kind, count } = event.data || {};
    if (kind === "close") close();
    if (kind === "unread" && Number.isInteger(count)) label(count);
    if (kind === "ready") {
      tell(panel.hidden ? "hidden" : "shown");
      tellVisitor();
    }
  });
  window.addEventListener("kapsula:visitor", tellVisitor);
  window.visualViewport?.addEventListener("resize", fit);
  launcher.addEventListener("click", open);
  panel.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
  document.addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.closest("[data-kapsula-open]")) {
      event.preventDefault();
      open();
    }
  });

  function place() {
    document.body.append(host);
    if (openedBefore()) load(); // so that what came meanwhile shows on the launcher
  }
  if (document.body) place();
  else document.addEventListener("DOMContentLoaded", place);
  window.KapsulaChat = Object.freeze({ open, close });
})();
