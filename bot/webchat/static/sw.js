// Shows what is pushed while the chat is closed, and tells the shop that it was shown or read.
//
// A subscription that the browser replaces by itself is told by the chat, which knows the visitor, when it opens.

const SCOPE = self.registration.scope;
const FILES = new URL(`static/${"@version@"}/`, SCOPE);
const CHAT = new URL("frame", SCOPE);
// Safari takes the subscription away from who receives and does not show.
const mustShow = /Safari\//.test(navigator.userAgent) && !/Chrom(e|ium)\//.test(navigator.userAgent);

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("push", (event) => event.waitUntil(take(read(event.data))));
self.addEventListener("notificationclick", (event) => {
  const { link, token } = event.notification.data ?? {};
  event.notification.close();
  event.waitUntil(Promise.all([open(link), tell(token, "read")]));
});

function read(data) {
  let message = {};
  try {
    message = data?.json() ?? {};
  } catch {
    // Not from our shop: something has to be shown all the same.
  }
  const { title = CHAT.host, text = "", link = "", tag = "", token = "", in_chat: inChat = "" } = message;
  return { title, text, link, tag, token, inChat };
}

async function take({ title, text, link, tag, token, inChat }) {
  const looking = mustShow ? undefined : (await chats()).find((chat) => chat.focused);
  if (looking) {
    if (!inChat) looking.postMessage({ kapsula: "push", title, text });
    return tell(token, "read");
  }
  await self.registration.showNotification(title, {
    body: text,
    tag,
    icon: new URL("push.png", FILES).href,
    badge: new URL("badge.png", FILES).href,
    data: { link, token },
  });
  return tell(token, "shown");
}

function chats() {
  const all = self.clients.matchAll({ type: "window", includeUncontrolled: true });
  return all.then((found) => found.filter(({ url }) => new URL(url).pathname === CHAT.pathname));
}

async function open(link) {
  if (/^https?:\/\//.test(link)) return self.clients.openWindow(link);
  const page = (await chats()).find(({ frameType }) => frameType !== "nested");
  if (page) return page.focus();
  const address = new URL(CHAT);
  address.searchParams.set("language", navigator.language);
  return self.clients.openWindow(address.href);
}

async function tell(token, what) {
  if (!/^[a-z2-7]+$/.test(token)) return;
  try {
    await fetch(new URL(`push/${token}/${what}`, SCOPE), { method: "POST", credentials: "omit", keepalive: true });
  } catch {
    // Nobody hears: the shop goes by what it knows.
  }
}
