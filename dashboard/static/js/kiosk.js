// The kiosk: shows the card of what the camera is held up to, in one language or both by turns; sleeps when alone.
import { openStream } from "./stream.js";
import { t } from "./text.js";

const ASLEEP_MS = Number(new URLSearchParams(location.search).get("sleep") ?? 60) * 1000;
const GONE_MS = 3000; // an item that the camera does not see for so long is gone, whatever was said of it last
const UNSURE_MS = 700; // a doubt that is cleared up at once is not worth a screen
const SMALLEST = 60; // per cent; below it a card is left to scroll
const TURN_MS = 12000; // how long a language stays when both are shown by turns

const places = JSON.parse(document.getElementById("places").textContent);
const body = document.body;
const notice = document.getElementById("notice");
const groups = [...document.querySelectorAll(".screens")];
const buttons = [...document.querySelectorAll("[data-language]")];
const languages = groups.map((group) => group.lang);

let held = { state: "none", nearest: [] };
let wanted = "idle"; // idle, unsure or a label
let shown = "";
let online = false;
let live = false;
let present = false; // somebody or something is in view
let presentAt = performance.now(); // or was last, or touched the screen
let goneAt = 0; // since when no item is in view; null while one is
let doubt = null;

function remembered() { try { return localStorage.getItem("kiosk-language"); } catch { return null; } }

function speak(choice, keep) {
  if (keep) try { localStorage.setItem("kiosk-language", choice); } catch { /* private mode */ }
  for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.language === choice));
  body.dataset.language = choice;
  if (choice !== "both") turn(choice);
}

function turn(language) {
  document.documentElement.lang = language;
  for (const group of groups) group.hidden = group.lang !== language;
  fit();
}

function cardOf(group, label) { return group.querySelector(`[data-screen=card][data-label="${CSS.escape(label)}"]`); }

function pictureOf(card) {
  const figure = document.createElement("figure");
  const image = card.querySelector(".kiosk-picture").cloneNode();
  const caption = document.createElement("figcaption");
  caption.textContent = card.dataset.name;
  figure.append(image, caption);
  return figure;
}

function ask(group, labels) {
  const screen = group.querySelector("[data-screen=unsure]");
  const cards = labels.map((label) => cardOf(group, label)).filter(Boolean);
  const [one, other] = cards.map((card) => card.dataset.name);
  const text = other ? screen.dataset.two : screen.dataset.one;
  screen.querySelector("h1").textContent = text.replace("{one}", one ?? "").replace("{other}", other ?? "");
  screen.querySelector(".unsure-pictures").replaceChildren(...cards.map(pictureOf));
  return cards.length > 0;
}

// Nobody scrolls without touching: a text that does not fit is made smaller until it does.
function fit() {
  const screen = document.querySelector(".screens:not([hidden]) .screen:not([hidden])");
  if (!screen) return;
  for (let size = 100; size >= SMALLEST; size -= 4) {
    screen.style.fontSize = `${size}%`;
    if (screen.scrollHeight <= screen.clientHeight) return;
  }
}

function draw() {
  const key = wanted === "unsure" ? `unsure ${held.nearest.join(" ")}` : wanted;
  if (key === shown) return;
  shown = key;
  for (const group of groups) {
    const card = wanted !== "idle" && wanted !== "unsure" ? cardOf(group, wanted) : null;
    const screen = card ?? group.querySelector(`[data-screen=${wanted === "unsure" && ask(group, held.nearest) ? "unsure" : "idle"}]`);
    for (const one of group.querySelectorAll(".screen")) one.hidden = one !== screen;
  }
  body.dataset.state = wanted === "idle" || wanted === "unsure" ? wanted : "card";
  fit();
  body.dataset.shownAt = String(Date.now());
}

function decide() {
  const now = performance.now();
  const there = live && online && (goneAt === null || now - goneAt < GONE_MS);
  if (doubt !== null && !(held.state === "unsure" && there)) { clearTimeout(doubt); doubt = null; }
  if (held.state === "recognised" && there) wanted = held.label;
  else if (held.state === "unsure" && there) {
    // A moment of doubt does not take a card away.
    if (wanted !== "unsure") doubt ??= setTimeout(() => { doubt = null; wanted = "unsure"; draw(); }, UNSURE_MS);
  } else wanted = "idle";
  draw();
  watch();
}

function watch() {
  const asleep = !(present && online) && performance.now() - presentAt > ASLEEP_MS && wanted === "idle";
  body.classList.toggle("asleep", asleep);
  const text = !live ? t("Not live") : !online ? t("The camera is not ready.") : "";
  if (notice.textContent !== text) notice.textContent = text;
}

function awake() { presentAt = performance.now(); watch(); }

openStream(places, {
  camera: (tile) => {
    online = !tile.gone && (tile.state === "online" || tile.state === "degraded");
    const objects = tile.objects ?? [];
    const now = performance.now();
    // Scenes come seldom while nothing moves: what was in the newest one is there until another says so.
    if (present || objects.length > 0) presentAt = now;
    present = objects.length > 0;
    goneAt = objects.some((one) => one.label !== "person") ? null : (goneAt ?? now);
    decide();
  },
  held: (told) => {
    held = told;
    // What is on the board when the page opens may be old; what is told from then on is seen at this moment.
    if (live && told.state !== "none") { presentAt = performance.now(); if (goneAt !== null) goneAt = presentAt; }
    decide();
  },
  now: () => {},
  connected: () => { live = true; decide(); },
  lost: () => { live = false; decide(); },
});

setInterval(decide, 500);
setInterval(() => {
  if (body.dataset.language !== "both") return;
  turn(languages[(languages.indexOf(document.documentElement.lang) + 1) % languages.length]);
}, TURN_MS);

for (const button of buttons) button.addEventListener("click", () => speak(button.dataset.language, true));
addEventListener("resize", fit);
for (const kind of ["pointerdown", "keydown"]) document.addEventListener(kind, awake);
speak([...languages, "both"].includes(remembered()) ? remembered() : document.documentElement.lang, false);

// A tablet's own sleep would need a touch to end; refused without HTTPS, where the tablet's settings have to do it.
async function stayOn() { try { await navigator.wakeLock?.request("screen"); } catch { /* not allowed here */ } }
document.addEventListener("visibilitychange", () => { if (!document.hidden) stayOn(); });
stayOn();
