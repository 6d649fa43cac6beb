// Keeps the till page and its files, so that it opens without a network. Answers of the server are never
// kept: what the page must not lose is in its own queue.
const CACHE = {{ ("till-" + version) | tojson }};
const PAGE = "/till";
const FILES = {{ files | tojson }};
const PAGE_WAIT_MS = 4000;

self.addEventListener("install", (event) => {
  event.waitUntil(fill().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(forgetOld().then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== self.location.origin) return;
  if (event.request.mode === "navigate" && url.pathname === PAGE) {
    event.respondWith(page(event.request));
  } else if (FILES.includes(url.pathname)) {
    event.respondWith(file(event.request));
  }
});

async function fill() {
  const cache = await caches.open(CACHE);
  await cache.addAll(FILES);
  await keepPage(await fetch(PAGE, { credentials: "same-origin" }));
}

async function forgetOld() {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith("till-") && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
}

async function keepPage(response) {
  if (!response.ok || response.redirected) return;
  const cache = await caches.open(CACHE);
  await cache.put(PAGE, response);
}

async function page(request) {
  try {
    const response = await fetch(request, { signal: AbortSignal.timeout(PAGE_WAIT_MS) });
    if (response.ok) await keepPage(response.clone());
    // A server that is broken or restarting is no better than none.
    if (response.status < 500) return response;
  } catch {
    // No network: the kept page below.
  }
  return (await caches.match(PAGE)) ?? Response.error();
}

async function file(request) {
  return (await caches.match(request)) ?? fetch(request);
}
