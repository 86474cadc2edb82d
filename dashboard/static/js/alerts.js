// The alerts page: whenever an alert changes, the list is asked for again and put in the place of the old one.
import { openStream } from "./stream.js";
import { t } from "./text.js";

const places = JSON.parse(document.getElementById("places").textContent);
const connection = document.getElementById("connection");
const list = document.getElementById("alerts");
const spoken = document.getElementById("spoken");

let known = null; // ids of the open alerts, as last told
let asking = false;
let again = false;

function show(kind, text) {
  connection.className = `chip chip-${kind}${kind === "ok" ? " beat" : ""}`;
  if (connection.textContent !== text) connection.textContent = text;
}

// What somebody types is not taken from under their hands.
const isTyping = () => list.contains(document.activeElement) && document.activeElement.matches("input");

async function refresh() {
  if (asking || isTyping()) { again = true; return; }
  [asking, again] = [true, false];
  try {
    const answer = await fetch(location.href.split("#")[0], { cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (!answer.ok) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("alerts");
    const focused = document.activeElement?.closest("[data-alert]")?.dataset.alert;
    if (fresh && !isTyping()) {
      list.replaceChildren(...fresh.childNodes);
      if (focused) list.querySelector(`[data-alert="${focused}"] :is(a, button)`)?.focus();
    }
  } catch {
    setTimeout(refresh, 5000);
  } finally {
    asking = false;
    if (again && !isTyping()) refresh();
  }
}

list.addEventListener("focusout", () => setTimeout(() => { if (again) refresh(); }));

setInterval(refresh, 60000); // how long each has lasted

openStream(places, {
  alerts: (told) => {
    const now = new Set(told.alerts.map((one) => one.alert));
    const fresh = known ? [...now].filter((id) => !known.has(id)).length : 0;
    if (fresh) spoken.textContent = fresh === 1 ? t("A new alert") : t("%(count)s new alerts", { count: fresh });
    if (known !== null) refresh();
    known = now;
  },
  now: () => {},
  connected: () => { show("ok", t("Live")); },
  lost: (reason, time) => { show("bad", t("Not live since %(time)s", { time })); },
});
