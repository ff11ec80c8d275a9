// Keeps an open page current: when an event names a topic that a part of the page shows
// (`data-live`), fetches the page as it is now and puts the parts that differ in place.
"use strict";
(() => {
  const HOUSEKEEPING = 60_000; // "3 minutes ago" ages without an event
  let events, timer, refreshing = false, following = false, again = false;

  // What the user has opened, typed or is standing on survives the exchange.
  function carryOver(from, to) {
    for (const old of from.querySelectorAll("[id]")) {
      const next = to.querySelector("#" + CSS.escape(old.id));
      if (!next) continue;
      if (old.matches("details")) next.open = old.open;
      if (old.matches("input")) next.value = old.value;
      if (old.matches("select")) next.value = old.value || next.value;
    }
  }

  function exchange(part, page) {
    const next = page.getElementById(part.id);
    if (!next) return;
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    carryOver(part, next);
    if (next.isEqualNode(part)) return;
    part.replaceWith(next);
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }

  // Brings the page up to date with what is at an address; false when that cannot be had.
  async function take(address) {
    const answer = await fetch(address);
    if (new URL(answer.url).pathname === "/login") return location.assign("/login");
    if (answer.status === 404) return location.assign("/");
    if (!answer.ok) return false;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live]")) exchange(part, page);
    return true;
  }

  async function refresh() {
    if (refreshing) { again = true; return; }
    refreshing = true;
    clearTimeout(timer);
    try {
      do again = false; while (await take(location.pathname + location.search) && again);
    } catch { /* the server is away; the event stream tells when it is back */ }
    refreshing = false;
    const soon = document.querySelector("[data-again]");
    timer = setTimeout(refresh, soon ? soon.dataset.again * 1000 : HOUSEKEEPING);
    follow();
  }

  // A part may say where its next state is to be had (`data-follow`): the answer waits for it.
  async function follow() {
    if (following) return;
    following = true;
    try {
      for (let part; !document.hidden && (part = document.querySelector("[data-follow]"));) {
        if (!await take(part.dataset.follow)) break;
      }
    } catch { /* as above */ }
    following = false;
  }

  function listen() {
    events?.close();
    events = new EventSource("/events");
    events.onopen = refresh; // what happened before is not told again
    events.onmessage = (event) => {
      const shown = (topic) => document.querySelector(`[data-live~="${CSS.escape(topic)}"]`);
      if (event.data.split(" ").some(shown)) refresh();
    };
    events.onerror = () => {
      if (events.readyState === EventSource.CLOSED) { refresh(); setTimeout(listen, 5000); }
    };
  }

  // A hidden page holds no connection: browsers allow six to a server.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { events?.close(); clearTimeout(timer); } else listen();
  });
  if (!document.hidden) listen();
})();
