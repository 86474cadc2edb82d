// One camera large: picture, zones, tracks with the way they came, and what the rules think of each, with the reason.
import { Preview } from "./preview.js";
import { openStream } from "./stream.js";
import { CHIPS, objectGroup } from "./tiles.js";
import { language, said, t } from "./text.js";

const SVG = "http://www.w3.org/2000/svg";
const ASK_MS = 500;
const TRAIL_MS = 10000;

const places = JSON.parse(document.getElementById("places").textContent);
const byId = (id) => document.getElementById(id);
const svg = byId("drawn");
const list = byId("thoughts");
const preview = new Preview(byId("picture"), places.preview, byId("view"));

let tile = null;
let told = null; // what the rules think, as last read
let lit = null; // the track that is pointed at
let trusted = false;
const trails = new Map(); // track -> {label, points: [[x, y, at], …]}

const RULES = {
  station: t("Stations"), kit: t("Portable kit"), rack: t("Racks"), queue: t("Queues"),
  lying: t("Lying about"), kiosk: t("Kiosk"), camera: t("The camera itself"),
};
const WHY = {
  nobody: () => t("Free: nobody is in its zone."),
  entering: (v) => t("Somebody is in its zone for %(seconds)s of %(needed)s s; then it is in use.", v),
  inside: (v) => t("In use for %(time)s: somebody is in its zone.", v),
  leaving: (v) => t("Nobody has been in its zone for %(seconds)s of %(needed)s s; then its use ends.", v),
  unseen: () => t("No camera sees it at the moment; it stays as it was."),
  at_home: () => t("In its rack."),
  alone: () => t("At rest, nobody in reach."),
  moving: (v) => (v.session ? t("In use for %(time)s: it moves.", v) : t("Moves for %(seconds)s of %(needed)s s; then it is in use.", v)),
  held: (v) => (v.session ? t("In use for %(time)s: somebody is in reach.", v) : t("Somebody is in reach for %(seconds)s of %(needed)s s; then it is in use.", v)),
  doubtful: (v) => t("Used, but not counted: its mean score is only %(score)s.", v),
  same_hands: () => t("Taken for the thing that the same person uses already."),
  resting: (v) => t("At rest, out of reach, for %(seconds)s of %(needed)s s; then its use ends.", v),
  covered: (v) => t("Not seen for %(seconds)s of %(needed)s s: covered, or gone.", v),
  complete: (v) => t("%(seen)s of %(expected)s are there.", v),
  short: (v) => t("%(seen)s of %(expected)s are there.", v),
  missing: (v) => t("%(seen)s of %(expected)s are there; seen nowhere: %(missing)s.", v),
  hidden: (v) => t("%(seen)s of %(expected)s were there; somebody stands before it.", v),
  no_queue: () => t("Nobody waits."),
  unit_free: (v) => t("In the zone: %(people)s. A unit is free, so it is no queue.", v),
  waiting: (v) => (v.over ? t("Waiting: %(people)s, for %(time)s.", v) : t("Waiting: %(people)s, for %(seconds)s of %(needed)s s; then there is an alert.", v)),
  lying: (v) => t("Lies alone for %(seconds)s of %(needed)s s; then it is left out.", v),
  left_out: (v) => t("Left out for %(time)s.", v),
  in_walkway: (v) => t("Lies in the way for %(seconds)s of %(needed)s s; then there is an alert.", v),
  hazard: (v) => t("Lies in the way for %(time)s.", v),
  nothing_shown: () => t("Nothing is held up."),
  looking: () => t("Something is held up; looking at it."),
  recognised: () => t("Recognised."),
  unsure: () => t("Not sure what it is."),
  dark: (v) => t("No picture for %(time)s; what is in use is held for a while.", v),
};

const nameOf = (label) => places.names[label]?.[0] ?? label;

function lengthOf(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function make(tag, attributes, parent) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent?.append(element);
  return element;
}

function zoneGroups(width, height) {
  if (!byId("show-zones").checked) return [];
  return Object.entries(told?.zones ?? {}).map(([name, zone]) => {
    const group = make("g", { class: `zone zone-${zone.kind}` });
    const points = zone.polygon.map(([x, y]) => [x * width, y * height]);
    make("polygon", { points: points.map((point) => point.join(",")).join(" ") }, group);
    const middle = [0, 1].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length);
    make("text", { x: middle[0], y: middle[1], "font-size": Math.max(width, height) * 0.018, "text-anchor": "middle" }, group).textContent = name;
    return group;
  });
}

function follow(state) {
  const now = performance.now();
  for (const { id, label, box: [x1, y1, x2, y2] } of state.objects) {
    const trail = trails.get(id) ?? { label, points: [] };
    trail.points.push([(x1 + x2) / 2, label === "person" ? y2 : (y1 + y2) / 2, now]);
    trails.set(id, trail);
  }
  for (const [id, trail] of trails) {
    trail.points = trail.points.filter((point) => now - point[2] < TRAIL_MS);
    if (!trail.points.length) trails.delete(id);
  }
}

function trailLines(width, height) {
  if (!byId("show-tracks").checked) return [];
  return [...trails.values()].filter((trail) => trail.points.length > 1).map((trail) => make("polyline", {
    class: `trail${trail.label === "person" ? " person" : ""}`,
    points: trail.points.map(([x, y]) => `${x * width},${y * height}`).join(" "),
  }));
}

function draw() {
  if (!tile || !trusted) { svg.replaceChildren(); return; }
  const [width, height] = tile.frame;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const used = new Set((told?.thoughts ?? []).filter((one) => one.session).map((one) => one.track));
  const boxes = tile.objects.map((item) => {
    const group = objectGroup(item, width, height, places.names, Math.max(width, height) * 0.022);
    group.dataset.track = item.id;
    group.classList.toggle("used", used.has(item.id));
    group.classList.toggle("lit", lit !== null && item.id === lit);
    return group;
  });
  svg.replaceChildren(...zoneGroups(width, height), ...trailLines(width, height), ...boxes);
}

// What is in use comes first, then what is about to change, last what rests where it belongs.
const rank = (one) => (one.session ? 0 : one.needed ? 1 : one.why === "at_home" ? 3 : 2);

function row(one) {
  const item = document.createElement("li");
  item.dataset.why = one.why;
  if (one.track) item.dataset.track = one.track;
  const what = document.createElement("div");
  what.className = "what";
  const name = document.createElement("strong");
  const parts = one.rule === "rack" ? [one.zone, one.label && nameOf(one.label)] : [one.unit ?? (one.label ? nameOf(one.label) : one.zone ?? places.name)];
  name.textContent = parts.filter(Boolean).join(": ");
  what.append(name);
  if (one.zone && one.rule !== "rack" && one.zone !== name.textContent) {
    const where = document.createElement("span");
    where.className = "muted small";
    where.textContent = one.zone;
    what.append(where);
  }
  if (one.session) {
    const chip = document.createElement("span");
    chip.className = "chip chip-ok";
    chip.textContent = t("in use");
    what.append(chip);
  }
  const why = document.createElement("p");
  const values = { ...one, over: one.needed !== null && one.seconds >= one.needed, time: lengthOf(one.seconds ?? 0), score: one.confidence?.toFixed(2) };
  const called = Object.entries(one.also).sort((a, b) => b[1] - a[1]).slice(0, 3)
    .map(([label, share]) => t("%(name)s %(share)s %%", { name: nameOf(label), share: Math.round(share * 100) }));
  why.textContent = [(WHY[one.why] ?? (() => one.why))(values), called.length ? t("Seen as: %(names)s.", { names: called.join(", ") }) : ""].join(" ").trim();
  item.append(what, why);
  if (one.needed && one.seconds !== null && !values.over) {
    const bar = document.createElement("progress");
    bar.max = one.needed;
    bar.value = one.seconds;
    bar.setAttribute("aria-label", why.textContent);
    item.append(bar);
  }
  return item;
}

function showThoughts() {
  byId("no-thoughts").hidden = told !== null && told.thoughts.length > 0;
  if (told === null) return;
  byId("no-thoughts").textContent = t("Nothing that the rules look at is in view.");
  byId("thoughts-at").textContent = t("as of %(time)s", { time: new Date(told.time).toLocaleTimeString(language) });
  list.replaceChildren(...Object.entries(RULES).flatMap(([rule, title]) => {
    const found = told.thoughts.filter((one) => one.rule === rule).sort((a, b) => rank(a) - rank(b));
    if (!found.length) return [];
    const head = document.createElement("h3");
    head.textContent = title;
    const rows = document.createElement("ul");
    rows.className = "panel";
    rows.append(...found.map(row));
    return [head, rows];
  }));
}

function lose(text) {
  told = null;
  list.replaceChildren();
  byId("no-thoughts").textContent = text;
  byId("thoughts-at").textContent = "";
  showThoughts();
}

async function ask() {
  if (!document.hidden && trusted) {
    try {
      const answer = await fetch(places.thoughts, { cache: "no-store", signal: AbortSignal.timeout(5000) });
      if (answer.status === 200) { told = await answer.json(); showThoughts(); draw(); }
      else lose(t("The rules do not answer at the moment."));
    } catch { lose(t("The rules do not answer at the moment.")); }
  }
  setTimeout(ask, ASK_MS);
}

function show(state) {
  if (state.camera !== places.name) return;
  if (state.gone) { location.assign(places.live); return; }
  tile = state;
  const [kind, word] = CHIPS[state.state];
  byId("state").className = `chip chip-${kind}`;
  byId("state").textContent = word;
  byId("trouble").hidden = !state.reason;
  byId("trouble").textContent = state.reason ? said(state.reason) : "";
  byId("rate").textContent = state.fps > 0 ? `${state.fps} fps${state.latency_ms === null ? "" : ` · ${state.latency_ms} ms`}` : "";
  byId("view").querySelector(".stage").style.aspectRatio = state.frame.join(" / ");
  const works = state.state === "online" || state.state === "degraded";
  byId("view").classList.toggle("stale", !works);
  preview.allow(works);
  follow(state);
  draw();
}

preview.onpicture = () => {
  byId("no-picture").hidden = preview.showing;
  byId("no-picture").textContent = tile && !preview.allowed ? t("No live picture") : preview.waited ? t("No preview picture arrives") : t("Waiting for a picture…");
};

function trust(live, kind, text) {
  trusted = live;
  byId("connection").className = `chip chip-${kind}`;
  byId("connection").textContent = text;
  if (!live) { preview.allow(false); trails.clear(); lose(text); } else if (tile) show(tile);
  draw();
}

for (const box of ["show-zones", "show-tracks"]) byId(box).addEventListener("change", draw);
list.addEventListener("pointerover", (event) => { lit = event.target.closest("li")?.dataset.track ?? null; draw(); });
list.addEventListener("pointerleave", () => { lit = null; draw(); });

openStream(places, {
  camera: show,
  now: () => {},
  connected: () => trust(true, "ok", t("Live")),
  lost: () => trust(false, "bad", t("Not live")),
});
ask();
