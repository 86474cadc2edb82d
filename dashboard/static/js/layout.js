// Zones of one camera over its live picture: drawn by mouse, touch and keyboard, with what each would hold now.
import { Preview } from "./preview.js";
import { send } from "./send.js";
import { openStream } from "./stream.js";
import { t } from "./text.js";

const SVG = "http://www.w3.org/2000/svg";
const STEP = 0.01;
const work = JSON.parse(document.getElementById("work").textContent);
const byId = (id) => document.getElementById(id);
const svg = byId("zones");
const form = byId("zone");

let zones = Object.entries(work.zones).map(([name, zone]) => ({ name, zone: structuredClone(zone) }));
let chosen = -1;
let past = [];
let sketch = null; // corners of a zone that is being drawn
let drag = null;
let saving = false;
let seen = { frame: [16, 9], objects: [], known: false };
let [width, height] = [1600, 900];

const clamp = (value) => Math.min(1, Math.max(0, value));
const copy = () => structuredClone(zones);
const say = (text) => { byId("said").textContent = text; };
const current = () => zones[chosen];

function remember(before = copy()) {
  past.push(before);
  if (past.length > 200) past.shift();
}

function undo() {
  if (!past.length) return;
  zones = past.pop();
  chosen = Math.min(chosen, zones.length - 1);
  draw();
  fill();
}

function make(tag, attributes, parent) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent.append(element);
  return element;
}

// The rules' own geometry: even-odd; people by the middle of their feet, items by their middle.
function contains(polygon, [x, y]) {
  let inside = false;
  let [x1, y1] = polygon.at(-1);
  for (const [x2, y2] of polygon) {
    if ((y1 > y) !== (y2 > y) && x < x1 + (y - y1) * (x2 - x1) / (y2 - y1)) inside = !inside;
    [x1, y1] = [x2, y2];
  }
  return inside;
}
const place = ({ label, box: [x1, y1, x2, y2] }) => [(x1 + x2) / 2, label === "person" ? Math.min(y2, 1 - 1e-9) : (y1 + y2) / 2];

// What a zone would hold at this moment: {people, items: label -> count}.
function holdsNow(zone) {
  const items = {};
  let people = 0;
  for (const one of seen.objects) {
    if (!contains(zone.polygon, place(one))) continue;
    if (one.label === "person") people += 1;
    else items[one.label] = (items[one.label] ?? 0) + 1;
  }
  return { people, items };
}

function told(zone) {
  if (!seen.known) return ["", false];
  const { people, items } = holdsNow(zone);
  const listed = Object.entries(items).map(([label, count]) => t("%(count)s %(name)s", { count, name: work.names[label] ?? label })).join(", ");
  if (zone.kind === "station") return people ? [t("somebody is on it"), true] : [t("nobody is on it"), false];
  if (zone.kind === "waiting") return [t("people waiting: %(count)s", { count: people }), people > 0];
  if (zone.kind === "rack") {
    const gone = Object.entries(zone.holds ?? {}).filter(([label, count]) => (items[label] ?? 0) < count)
      .map(([label, count]) => t("%(name)s: %(seen)s of %(count)s", { name: work.names[label] ?? label, seen: items[label] ?? 0, count }));
    return [gone.length ? gone.join(", ") : listed || t("empty"), Boolean(gone.length)];
  }
  if (zone.kind === "walkway") return listed ? [t("in the way: %(what)s", { what: listed }), true] : [t("free"), false];
  return [listed || t("empty"), Boolean(listed)];
}

function draw() {
  const focused = document.activeElement?.dataset?.focus;
  const unit = width / (svg.clientWidth || width);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.classList.toggle("is-drawing", sketch !== null);
  svg.replaceChildren();
  for (const one of seen.objects) {
    const [x1, y1, x2, y2] = one.box;
    make("rect", { x: x1 * width, y: y1 * height, width: (x2 - x1) * width, height: (y2 - y1) * height, class: "box" }, svg);
    const [x, y] = place(one);
    make("circle", { cx: x * width, cy: y * height, r: 4 * unit, class: "foot" }, svg);
  }
  const points = (polygon) => polygon.map(([x, y]) => `${x * width},${y * height}`).join(" ");
  // Only the chosen zone is in the Tab order, so that its corners come next; the list leads to the others.
  zones.forEach(({ name, zone }, number) => {
    const [now, full] = told(zone);
    const group = make("g", { tabindex: current() && number !== chosen ? -1 : 0, role: "button", "aria-pressed": number === chosen, "aria-label": t("Zone %(name)s. %(now)s", { name, now }), "data-zone": number, "data-focus": `zone${number}`, class: `${number === chosen ? "chosen" : ""} ${full ? "full" : ""}` }, svg);
    make("polygon", { points: points(zone.polygon), class: `kind-${zone.kind}` }, group);
    const [x, y] = zone.polygon.reduce((best, one) => (one[1] < best[1] ? one : best));
    const text = make("text", { x: Math.min(x * width, width - 80 * unit), y: Math.max(y * height - 5 * unit, 14 * unit), "font-size": 13 * unit, "stroke-width": 3 * unit }, group);
    text.textContent = name;
  });
  const zone = current()?.zone;
  if (zone && !sketch) {
    zone.polygon.forEach(([x, y], i) => {
      const [nx, ny] = zone.polygon[(i + 1) % zone.polygon.length];
      make("circle", { cx: (x + nx) / 2 * width, cy: (y + ny) / 2 * height, r: 5 * unit, class: "between", "data-between": i }, svg);
    });
    zone.polygon.forEach(([x, y], i) => make("circle", { cx: x * width, cy: y * height, r: 8 * unit, class: "corner", tabindex: 0, role: "button", "aria-label": t("Corner %(number)s of %(count)s", { number: i + 1, count: zone.polygon.length }), "data-corner": i, "data-focus": `corner${i}` }, svg));
  }
  if (sketch?.length) {
    make("polyline", { points: points(sketch), class: "sketch" }, svg);
    for (const [x, y] of sketch) make("circle", { cx: x * width, cy: y * height, r: 6 * unit, class: "corner" }, svg);
  }
  if (focused) svg.querySelector(`[data-focus="${focused}"]`)?.focus({ preventScroll: true });
  list();
}

function row(number) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.append(document.createElement("span"), document.createElement("span"));
  button.addEventListener("click", () => choose(number));
  item.append(button);
  return item;
}

// Rows stay and only their words change: one that is taken away between press and release is not clicked.
function list() {
  const rows = byId("list");
  const held = rows.contains(document.activeElement);
  while (rows.children.length > zones.length) rows.lastElementChild.remove();
  while (rows.children.length < zones.length) rows.append(row(rows.children.length));
  zones.forEach(({ name, zone }, number) => {
    const button = rows.children[number].firstElementChild;
    const [called, said] = button.children;
    const [now, full] = told(zone);
    button.setAttribute("aria-pressed", number === chosen);
    called.textContent = name;
    said.className = `now${full ? " full" : ""}`;
    said.textContent = now;
  });
  if (held && !rows.contains(document.activeElement)) rows.lastElementChild?.firstElementChild.focus();
  byId("none").hidden = zones.length > 0;
  byId("undo").disabled = !past.length;
  byId("draw").textContent = sketch ? t("Done") : t("Draw a zone");
  if (byId("save")) byId("save").disabled = saving || !changed();
}

const packed = () => Object.fromEntries(zones.map(({ name, zone }) => [name, zone]));
const changed = () => JSON.stringify(packed()) !== JSON.stringify(work.zones);

function choose(number) {
  chosen = number;
  draw();
  fill();
}

// The form of the chosen zone.
function fill() {
  form.hidden = !current();
  if (!current()) return;
  const { name, zone } = current();
  byId("zone-name").value = name;
  byId("zone-kind").value = zone.kind;
  byId("zone-equipment").value = zone.equipment ?? "";
  byId("zone-unit").value = zone.unit ?? "";
  byId("zone-for").value = (zone.for ?? []).join(", ");
  for (const input of byId("holds").querySelectorAll("input")) input.value = zone.holds?.[input.dataset.label] ?? "";
  byId("zone-corners").value = zone.polygon.map(([x, y]) => `${(x * 100).toFixed(1)} ${(y * 100).toFixed(1)}`).join("\n");
  const own = Object.entries(zone.rules ?? {});
  byId("zone-rules").textContent = own.length ? t("Thresholds of its own: %(rules)s", { rules: own.map((pair) => pair.join(" ")).join(", ") }) : "";
  for (const part of form.querySelectorAll("[data-kind]")) part.hidden = part.dataset.kind !== zone.kind;
}

// The chosen zone as the form says; fields of other kinds fall away.
function read() {
  const { zone } = current();
  const kind = byId("zone-kind").value;
  const fresh = { polygon: zone.polygon, ...(zone.rules ? { rules: zone.rules } : {}), kind };
  if (kind === "station") {
    fresh.equipment = byId("zone-equipment").value.trim() || "treadmill";
    if (byId("zone-unit").value.trim()) fresh.unit = byId("zone-unit").value.trim();
  } else if (kind === "rack") {
    fresh.holds = Object.fromEntries([...byId("holds").querySelectorAll("input")].filter((one) => Number(one.value) > 0).map((one) => [one.dataset.label, Number(one.value)]));
  } else if (kind === "waiting") {
    fresh.for = byId("zone-for").value.split(",").map((one) => one.trim()).filter(Boolean);
  }
  return fresh;
}

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("change", (event) => {
  if (!current()) return;
  const before = copy();
  if (event.target.id === "zone-name") {
    const name = event.target.value.trim();
    if (!name || zones.some((one, number) => one.name === name && number !== chosen)) { say(t("Every zone needs a name of its own.")); fill(); return; }
    current().name = name;
  } else if (event.target.id === "zone-corners") {
    const corners = event.target.value.trim().split("\n").map((line) => line.trim().split(/[\s,;]+/).map((part) => clamp(Number(part) / 100)));
    if (corners.length < 3 || corners.some((one) => one.length !== 2 || one.some(Number.isNaN))) { say(t("Give at least three corners, two numbers each.")); fill(); return; }
    current().zone.polygon = corners;
  } else {
    current().zone = read();
  }
  say("");
  remember(before);
  draw();
  fill();
});

for (const [label, shown] of work.kit) {
  const row = document.createElement("label");
  const input = document.createElement("input");
  Object.assign(input, { type: "number", min: 0, max: 1000, className: "form-control" });
  input.dataset.label = label;
  row.append(shown, input);
  byId("holds").append(row);
}

function add(polygon) {
  remember();
  let number = zones.length + 1;
  while (zones.some((one) => one.name === `zone-${number}`)) number += 1;
  zones.push({ name: `zone-${number}`, zone: { polygon, kind: "station", equipment: "treadmill" } });
  choose(zones.length - 1);
  byId("zone-name").focus();
  byId("zone-name").select();
}

function drawn() {
  const corners = sketch;
  sketch = null;
  if (corners?.length >= 3) add(corners);
  else { if (corners?.length) say(t("Give at least three corners, two numbers each.")); draw(); }
}

function drop() {
  if (!current()) return;
  remember();
  zones.splice(chosen, 1);
  choose(-1);
}

function shift(polygon, dx, dy) {
  const [xs, ys] = [polygon.map(([x]) => x), polygon.map(([, y]) => y)];
  const across = Math.min(1 - Math.max(...xs), Math.max(-Math.min(...xs), dx));
  const down = Math.min(1 - Math.max(...ys), Math.max(-Math.min(...ys), dy));
  return polygon.map(([x, y]) => [x + across, y + down]);
}

const point = (event) => {
  const frame = svg.getBoundingClientRect();
  return [clamp((event.clientX - frame.left) / frame.width), clamp((event.clientY - frame.top) / frame.height)];
};

svg.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || drag) return;
  event.preventDefault();
  const at = point(event);
  if (sketch) {
    const [first] = sketch;
    const near = first && Math.hypot((first[0] - at[0]) * svg.clientWidth, (first[1] - at[1]) * svg.clientHeight) < 14;
    if (near && sketch.length >= 3) { drawn(); return; }
    sketch.push(at);
    draw();
    return;
  }
  const { corner, between } = event.target.dataset;
  const group = event.target.closest("g");
  const before = copy();
  if (corner !== undefined) drag = { kind: "corner", corner: Number(corner) };
  else if (between !== undefined) {
    current().zone.polygon.splice(Number(between) + 1, 0, at);
    drag = { kind: "corner", corner: Number(between) + 1, far: true };
  } else if (group) {
    choose(Number(group.dataset.zone));
    drag = { kind: "zone", start: structuredClone(current().zone.polygon) };
  } else { choose(-1); return; }
  Object.assign(drag, { pointer: event.pointerId, from: at, before });
  svg.setPointerCapture(event.pointerId);
});
svg.addEventListener("pointermove", (event) => {
  if (drag?.pointer !== event.pointerId) return;
  const [x, y] = point(event);
  drag.far ||= Math.hypot((x - drag.from[0]) * svg.clientWidth, (y - drag.from[1]) * svg.clientHeight) >= 3;
  if (!drag.far) return;
  if (drag.kind === "corner") current().zone.polygon[drag.corner] = [x, y];
  else current().zone.polygon = shift(drag.start, x - drag.from[0], y - drag.from[1]);
  draw();
});
function release(event) {
  if (drag?.pointer !== event.pointerId) return;
  const { before, far, kind, corner } = drag;
  drag = null;
  if (event.type === "pointercancel") zones = before;
  else if (far) remember(before);
  draw();
  fill();
  if (kind === "corner") svg.querySelector(`[data-corner="${corner}"]`)?.focus();
}
svg.addEventListener("pointerup", release);
svg.addEventListener("pointercancel", release);
svg.addEventListener("focusin", (event) => {
  const number = event.target.closest("g")?.dataset.zone;
  if (number !== undefined && Number(number) !== chosen && !drag && !sketch) choose(Number(number));
});

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
svg.addEventListener("keydown", (event) => {
  const zone = current()?.zone;
  if (!zone) return;
  const corner = event.target.dataset.corner === undefined ? null : Number(event.target.dataset.corner);
  const arrow = ARROWS[event.key]?.map((step) => step * STEP * (event.shiftKey ? 5 : 1));
  const before = copy();
  if (arrow && corner !== null) zone.polygon[corner] = zone.polygon[corner].map((value, axis) => clamp(value + arrow[axis]));
  else if (arrow) zone.polygon = shift(zone.polygon, ...arrow);
  else if (event.key === "Enter" && corner !== null) {
    const [[x, y], [nx, ny]] = [zone.polygon[corner], zone.polygon[(corner + 1) % zone.polygon.length]];
    zone.polygon.splice(corner + 1, 0, [(x + nx) / 2, (y + ny) / 2]);
  } else if (["Delete", "Backspace"].includes(event.key) && corner !== null) {
    if (zone.polygon.length <= 3) { say(t("A zone has at least three corners.")); return; }
    zone.polygon.splice(corner, 1);
  } else if (["Delete", "Backspace"].includes(event.key)) { drop(); return; }
  else return;
  event.preventDefault();
  if (!event.repeat) remember(before);
  draw();
  fill();
});
document.addEventListener("keydown", (event) => {
  if (event.target.matches("input, textarea, select")) return;
  if (sketch && event.key === "Escape") { sketch = null; draw(); }
  else if (sketch && event.key === "Enter" && event.target.id !== "draw") { event.preventDefault(); drawn(); }
  else if (event.key === "z" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); undo(); }
});

async function save() {
  byId("problems").hidden = true;
  saving = byId("save").disabled = true;
  const sent = structuredClone(packed()); // zones may change while the answer is on its way
  try {
    const answer = await send(work, "PUT", work.save, JSON.stringify({ version: work.version, zones: sent }));
    const content = await answer.json();
    if (!answer.ok) {
      byId("problems").replaceChildren(...(content.problems ?? [content.title]).map((text) => Object.assign(document.createElement("p"), { textContent: text })));
      byId("problems").hidden = false;
    } else {
      work.version = content.version;
      work.zones = sent;
      say(t("Saved as version %(version)s; it holds from now on.", { version: content.version }));
    }
  } catch (error) {
    say(error.name === "Error" ? error.message : t("The dashboard does not answer; nothing is lost, try again."));
  }
  saving = false;
  list();
}

byId("draw").addEventListener("click", () => { if (sketch) drawn(); else { sketch = []; choose(-1); say(t("Click or tap each corner, the first one again to end.")); } });
byId("square").addEventListener("click", () => { sketch = null; add([[0.4, 0.4], [0.6, 0.4], [0.6, 0.6], [0.4, 0.6]]); });
byId("undo").addEventListener("click", undo);
byId("zone-delete").addEventListener("click", drop);
byId("save")?.addEventListener("click", save);
window.addEventListener("beforeunload", (event) => { if (changed()) event.preventDefault(); });
new ResizeObserver(() => draw()).observe(svg);

const preview = new Preview(byId("picture"), work.preview, byId("sheet"));
preview.onpicture = () => { byId("no-picture").hidden = preview.showing; };
function connection(kind, text) {
  byId("connection").className = `chip chip-${kind}`;
  byId("connection").textContent = text;
}
openStream(work, {
  camera: (state) => {
    if (state.camera !== work.camera || state.gone) return;
    const online = state.state === "online" || state.state === "degraded";
    preview.allow(online);
    [width, height] = state.frame;
    byId("sheet").style.aspectRatio = `${width} / ${height}`;
    seen = { frame: state.frame, objects: state.objects, known: online && state.picture };
    if (!drag) draw();
  },
  now: () => {},
  connected: () => connection("ok", t("Live")),
  lost: (reason, time) => {
    seen = { ...seen, objects: [], known: false };
    connection("bad", t("Not live since %(time)s", { time }));
    draw();
  },
});
draw();
