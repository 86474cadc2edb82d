// Camera tiles: state, picture, boxes over it, what is seen.
import { Preview } from "./preview.js";
import { said, t } from "./text.js";

const SVG = "http://www.w3.org/2000/svg";
const CHIPS = { online: ["ok", t("online")], degraded: ["warn", t("degraded")], offline: ["bad", t("offline")], unknown: ["warn", t("not known")] };

export { CHIPS };

// An object's box, with its name where it is kit; `size` is that of the letters.
export function objectGroup(item, width, height, names, size) {
  const [x1, y1, x2, y2] = item.box;
  const group = document.createElementNS(SVG, "g");
  group.setAttribute("class", `${item.label === "person" ? "person" : "kit"}${item.moving ? " moving" : ""}`);
  group.dataset.label = item.label;
  for (const name of ["halo", "edge"]) {
    const rect = document.createElementNS(SVG, "rect");
    const sizes = { x: x1 * width, y: y1 * height, width: (x2 - x1) * width, height: (y2 - y1) * height, rx: size * 0.2, class: name };
    for (const [attribute, value] of Object.entries(sizes)) rect.setAttribute(attribute, value);
    group.append(rect);
  }
  if (item.label !== "person") {
    const text = document.createElementNS(SVG, "text");
    const name = names[item.label]?.[0] ?? item.name;
    text.textContent = name;
    text.setAttribute("font-size", size);
    text.setAttribute("x", Math.min(x1 * width, width - size * 0.6 * name.length));
    text.setAttribute("y", y1 * height > size * 1.3 ? y1 * height - size * 0.35 : y2 * height + size);
    group.append(text);
  }
  return group;
}

export class Tiles {
  constructor(list, template, places) {
    this.list = list;
    this.template = template;
    this.places = places;
    this.tiles = new Map();
    this.busy = new Set(); // units that are in use
    for (const camera of places.cameras) this.add(camera);
  }

  isEmpty() { return this.tiles.size === 0; }

  add(camera) {
    const element = this.template.content.firstElementChild.cloneNode(true);
    const find = (selector) => element.querySelector(selector);
    const link = find("h3 a");
    link.textContent = camera;
    link.href = this.places.camera.replace("CAMERA", encodeURIComponent(camera));
    element.dataset.camera = camera;
    const picture = find("img");
    picture.alt = t("Preview of camera %(camera)s", { camera });
    this.list.append(element);
    const tile = { element, find, preview: new Preview(picture, this.places.preview.replace("CAMERA", encodeURIComponent(camera)), element) };
    tile.preview.onpicture = () => this.place(tile);
    this.tiles.set(camera, tile);
    return tile;
  }

  show(state) {
    if (state.gone) {
      this.tiles.get(state.camera)?.preview.stop();
      this.tiles.get(state.camera)?.element.remove();
      this.tiles.delete(state.camera);
      return;
    }
    const tile = this.tiles.get(state.camera) ?? this.add(state.camera);
    tile.state = state;
    const [kind, word] = CHIPS[state.state];
    const chip = tile.find("header .chip");
    chip.className = `chip chip-${kind}`;
    chip.textContent = word;
    const reason = tile.find(".reason");
    reason.textContent = state.reason ? said(state.reason) : "";
    reason.hidden = !state.reason;
    const [width, height] = state.frame;
    tile.find(".stage").style.aspectRatio = `${width} / ${height}`;
    tile.element.classList.toggle("stale", state.state === "unknown" || state.state === "offline");
    tile.preview.allow(state.state === "online" || state.state === "degraded");
    this.draw(tile.find("svg"), state, width, height);
    this.seen(tile.find(".seen"), state);
    tile.find(".rate").textContent = state.fps > 0 ? `${state.fps} fps${state.latency_ms === null ? "" : ` · ${state.latency_ms} ms`}` : "";
    this.place(tile);
  }

  place(tile) {
    const state = tile.state;
    const placeholder = tile.find(".no-picture");
    placeholder.hidden = tile.preview.showing;
    if (state?.state === "offline" || state?.state === "unknown") placeholder.textContent = t("No live picture");
    else if (state && !state.picture) placeholder.textContent = t("The camera gives no picture");
    else placeholder.textContent = tile.preview.waited ? t("No preview picture arrives") : t("Waiting for a picture…");
  }

  use(sessions) {
    this.busy = new Set(sessions.map((session) => session.unit).filter(Boolean));
    for (const group of this.list.querySelectorAll(".unit")) group.classList.toggle("busy", this.busy.has(group.dataset.unit));
  }

  trust(live) {
    for (const tile of this.tiles.values()) {
      tile.element.classList.toggle("stale", !live || ["unknown", "offline"].includes(tile.state?.state));
      if (!live) { tile.preview.allow(false); tile.find("svg").replaceChildren(); this.place(tile); }
      else if (tile.state) this.show(tile.state);
    }
  }

  draw(svg, state, width, height) {
    const unit = Math.max(width, height) / 100;
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const units = (this.places.stations?.[state.camera] ?? []).map((station) => this.unit(station, width, height));
    svg.replaceChildren(...units, ...state.objects.map((item) => objectGroup(item, width, height, this.places.names, unit * 3)));
  }

  unit(station, width, height) {
    const group = document.createElementNS(SVG, "g");
    group.setAttribute("class", `unit${this.busy.has(station.unit) ? " busy" : ""}`);
    group.dataset.unit = station.unit;
    const points = station.polygon.map(([x, y]) => [x * width, y * height]);
    const area = document.createElementNS(SVG, "polygon");
    area.setAttribute("points", points.map((point) => point.join(",")).join(" "));
    const text = document.createElementNS(SVG, "text");
    text.textContent = station.unit;
    text.setAttribute("font-size", Math.max(width, height) * 0.024);
    text.setAttribute("text-anchor", "middle");
    text.setAttribute("x", points.reduce((sum, [x]) => sum + x, 0) / points.length);
    text.setAttribute("y", points.reduce((sum, [, y]) => sum + y, 0) / points.length);
    group.append(area, text);
    return group;
  }

  seen(list, state) {
    const known = state.state === "online" || state.state === "degraded";
    const items = state.counts.map((one) => {
      const item = document.createElement("li");
      item.className = "chip chip-plain";
      item.dataset.label = one.label;
      const names = this.places.names[one.label];
      item.textContent = t("%(count)s %(name)s", { count: one.count, name: names?.[one.count === 1 ? 0 : 1] ?? one.name });
      return item;
    });
    if (items.length === 0) {
      const nothing = document.createElement("li");
      nothing.className = "nothing";
      nothing.textContent = known && state.picture ? t("Nothing in view") : "";
      items.push(nothing);
    }
    list.replaceChildren(...items);
  }
}
