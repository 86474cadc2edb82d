// One picture with its boxes: draw, move, resize, name, delete; by mouse, touch and keyboard.
import { send } from "./send.js";
import { t } from "./text.js";

const SVG = "http://www.w3.org/2000/svg";
const LEAST = 4; // pixels on the screen: less is a slip, no box
const work = JSON.parse(document.getElementById("work").textContent);
const [width, height] = work.size;
const names = new Map(work.labels);
const byId = (id) => document.getElementById(id);
const svg = byId("boxes");

let boxes = work.boxes.map(({ label, box }) => ({ label, box: [...box] }));
let version = work.version;
let chosen = -1;
let next = work.labels.find(([label]) => label !== "person")?.[0] ?? work.labels[0][0];
let past = [];
let changed = false;
let drag = null;

svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
svg.setAttribute("preserveAspectRatio", "none");

const clamp = (value) => Math.min(1, Math.max(0, value));
const copy = () => boxes.map(({ label, box }) => ({ label, box: [...box] }));
const say = (text) => { byId("said").textContent = text; };

function remember() {
  past.push(copy());
  if (past.length > 200) past.shift();
  changed = true;
}

function undo() {
  if (!past.length) return;
  boxes = past.pop();
  chosen = Math.min(chosen, boxes.length - 1);
  draw();
}

function make(tag, attributes, parent) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent.append(element);
  return element;
}

function button(text, kind, action, parent) {
  const element = document.createElement("button");
  element.type = "button";
  element.className = kind;
  element.textContent = text;
  element.addEventListener("click", action);
  parent.append(element);
  return element;
}

const told = (box, number) => t("%(name)s, box %(number)s of %(count)s", { name: names.get(box.label), number: number + 1, count: boxes.length });

function draw(focus = false) {
  const held = focus || svg.contains(document.activeElement);
  const unit = width / (svg.clientWidth || width); // picture pixels to one on the screen
  svg.replaceChildren();
  boxes.forEach((one, number) => {
    const [x1, y1, x2, y2] = one.box;
    const group = make("g", { tabindex: 0, role: "button", "aria-pressed": number === chosen, "aria-label": told(one, number), "data-number": number, "data-label": one.label, class: number === chosen ? "chosen" : "" }, svg);
    const sides = { x: x1 * width, y: y1 * height, width: (x2 - x1) * width, height: (y2 - y1) * height };
    for (const kind of ["area", "halo", "edge"]) make("rect", { ...sides, class: kind }, group);
    const text = make("text", { x: sides.x, y: sides.y > 16 * unit ? sides.y - 4 * unit : sides.y + sides.height + 14 * unit, "font-size": 13 * unit, "stroke-width": 3 * unit }, group);
    text.textContent = names.get(one.label);
    if (number !== chosen) return;
    for (const [i, j] of [[0, 1], [2, 1], [0, 3], [2, 3]])
      make("circle", { cx: one.box[i] * width, cy: one.box[j] * height, r: 7 * unit, class: `handle${i === 0 !== (j === 1) ? " other" : ""}`, "data-corner": `${i}${j}` }, group);
  });
  if (held && boxes[chosen]) svg.children[chosen].focus({ preventScroll: true });
  byId("list").replaceChildren(...boxes.map((one, number) => {
    const row = document.createElement("li");
    button(names.get(one.label), "choose", () => choose(number), row).setAttribute("aria-pressed", number === chosen);
    button("×", "drop", () => { remember(); boxes.splice(number, 1); chosen = -1; draw(); }, row).setAttribute("aria-label", t("Delete %(name)s", { name: told(one, number) }));
    return row;
  }));
  byId("count").textContent = boxes.length || "";
  byId("none").hidden = boxes.length > 0;
  byId("undo").disabled = !past.length;
  for (const one of byId("classes").children) one.setAttribute("aria-pressed", one.dataset.label === (boxes[chosen]?.label ?? next));
}

function choose(number, focus = false) {
  chosen = number;
  if (boxes[number]) next = boxes[number].label;
  draw(focus);
}

function name(label) {
  next = label;
  if (boxes[chosen] && boxes[chosen].label !== label) { remember(); boxes[chosen].label = label; }
  draw();
}

function drop() {
  if (!boxes[chosen]) return;
  remember();
  boxes.splice(chosen, 1);
  chosen = Math.min(chosen, boxes.length - 1);
  draw(true);
}

function add(box) {
  remember();
  boxes.push({ label: next, box });
  choose(boxes.length - 1, true);
}

function move(dx, dy) {
  const box = boxes[chosen].box;
  const across = Math.min(1 - box[2], Math.max(-box[0], dx));
  const down = Math.min(1 - box[3], Math.max(-box[1], dy));
  boxes[chosen].box = [box[0] + across, box[1] + down, box[2] + across, box[3] + down];
}

const point = (event) => {
  const frame = svg.getBoundingClientRect();
  return [clamp((event.clientX - frame.left) / frame.width), clamp((event.clientY - frame.top) / frame.height)];
};

svg.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || drag) return;
  event.preventDefault();
  const [x, y] = point(event);
  const group = event.target.closest("g");
  if (group) {
    const corner = event.target.dataset.corner;
    const number = Number(group.dataset.number);
    drag = { pointer: event.pointerId, kind: corner ? "corner" : "move", corner, from: [x, y], before: copy(), start: [...boxes[number].box] };
    choose(number, true);
  } else {
    drag = { pointer: event.pointerId, kind: "new", from: [x, y], before: copy() };
  }
  svg.setPointerCapture(event.pointerId);
});

svg.addEventListener("pointermove", (event) => {
  if (drag?.pointer !== event.pointerId) return;
  const [x, y] = point(event);
  const [fx, fy] = drag.from;
  const frame = svg.getBoundingClientRect();
  drag.far ||= Math.hypot((x - fx) * frame.width, (y - fy) * frame.height) >= LEAST;
  if (!drag.far) return;
  if (drag.kind === "new") {
    if (!drag.made) { boxes.push({ label: next, box: [fx, fy, fx, fy] }); chosen = boxes.length - 1; drag.made = true; }
    boxes[chosen].box = [Math.min(x, fx), Math.min(y, fy), Math.max(x, fx), Math.max(y, fy)];
  } else if (drag.kind === "move") {
    boxes[chosen].box = [...drag.start];
    move(x - fx, y - fy);
  } else {
    const [i, j] = [...drag.corner].map(Number);
    const [ox, oy] = [drag.start[i === 0 ? 2 : 0], drag.start[j === 1 ? 3 : 1]];
    boxes[chosen].box = [Math.min(x, ox), Math.min(y, oy), Math.max(x, ox), Math.max(y, oy)];
  }
  draw();
});

function release(event) {
  if (drag?.pointer !== event.pointerId) return;
  const { far, before, kind } = drag;
  drag = null;
  const box = boxes[chosen]?.box;
  const flat = box && (box[2] - box[0] < 0.002 || box[3] - box[1] < 0.002);
  if (event.type === "pointercancel" || (far && flat)) { boxes = before; chosen = -1; }
  else if (far) { past.push(before); changed = true; }
  else if (kind === "new") chosen = -1;
  draw(far && kind === "new");
}
svg.addEventListener("pointerup", release);
svg.addEventListener("pointercancel", release);
svg.addEventListener("focusin", (event) => {
  const number = Number(event.target.closest("g")?.dataset.number ?? -1);
  if (number >= 0 && number !== chosen && !drag) choose(number, true);
});

async function ask(place, method, body) {
  const answer = await send(work, method, place, body);
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(content.detail ?? t("That did not work; try again."));
  return content;
}

async function accept() {
  byId("accept").disabled = true;
  try {
    ({ version } = await ask(work.save, "PUT", JSON.stringify({ boxes, version })));
    changed = false;
    location.href = work.next ?? work.set;
  } catch (error) {
    byId("accept").disabled = false;
    say(error.name === "Error" ? error.message : t("The dashboard does not answer; nothing is lost, try again."));
  }
}

async function suggest() {
  byId("suggest").disabled = true;
  say(t("Looking…"));
  try {
    const found = (await ask(work.suggest, "POST")).boxes.filter((one) => boxes.every((old) => overlap(old.box, one.box) < 0.5));
    if (found.length) { remember(); boxes.push(...found); }
    say(found.length ? t("%(count)s suggested", { count: found.length }) : t("Nothing more is found"));
    draw();
  } catch (error) {
    say(error.message);
  }
  byId("suggest").disabled = false;
}

function overlap(a, b) {
  const both = Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0])) * Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
  const area = ([x1, y1, x2, y2]) => (x2 - x1) * (y2 - y1);
  return both / (area(a) + area(b) - both);
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.target.matches("input, select, textarea")) {
    if (event.key === "z" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); undo(); }
    return;
  }
  const arrow = ARROWS[event.key];
  if (arrow && boxes[chosen] && svg.contains(document.activeElement)) {
    event.preventDefault();
    if (!event.repeat) remember();
    const [dx, dy] = arrow.map((step, axis) => (step * (event.shiftKey ? 10 : 1)) / [width, height][axis]);
    const box = boxes[chosen].box;
    if (event.altKey) boxes[chosen].box = [box[0], box[1], clamp(Math.max(box[0] + 0.002, box[2] + dx)), clamp(Math.max(box[1] + 0.002, box[3] + dy))];
    else move(dx, dy);
    draw();
    return;
  }
  if (event.altKey || event.repeat) return; // a held key means one picture, not all that follow
  const actions = {
    n: () => add([0.4, 0.4, 0.6, 0.6]),
    a: accept,
    s: suggest,
    z: undo,
    Delete: drop,
    Backspace: drop,
    Escape: () => choose(-1),
    ",": () => { if (work.before) location.href = work.before; },
    ".": () => { if (work.after) location.href = work.after; },
  };
  const label = work.labels[Number(event.key) - 1]?.[0];
  const action = label ? () => name(label) : actions[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

window.addEventListener("beforeunload", (event) => { if (changed) event.preventDefault(); });
new ResizeObserver(() => draw()).observe(svg);
work.labels.forEach(([label, shown], number) => {
  const one = button(number < 9 ? `${number + 1} ${shown}` : shown, "", () => name(label), byId("classes"));
  one.dataset.label = label;
});
byId("accept").addEventListener("click", accept);
byId("suggest").addEventListener("click", suggest);
byId("undo").addEventListener("click", undo);
draw();
