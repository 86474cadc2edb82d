// The live page: takes events as they come and shows them; says so when they stop coming.
import { openStream } from "./stream.js";
import { Tiles } from "./tiles.js";
import { InUse } from "./in-use.js";
import { said, t } from "./text.js";

const places = JSON.parse(document.getElementById("places").textContent);
const connection = document.getElementById("connection");
const trouble = document.getElementById("trouble");
const tiles = new Tiles(document.getElementById("tiles"), document.getElementById("tile"), places);
const inUse = new InUse(places);

let parts = [];
let lost = null; // what to say while nothing arrives

function showTrouble() {
  const bad = lost ? [{ name: t("This page"), reason: lost }] : parts.filter((part) => part.state !== "ok");
  const lines = bad.map((part) => {
    const line = document.createElement("p");
    const name = document.createElement("strong");
    name.textContent = `${t(part.name)}: `;
    line.append(name, part.reason ? said(part.reason) : t("not as it should be"));
    return line;
  });
  // Only changes are announced to a screen reader.
  const text = lines.map((line) => line.textContent).join("\n");
  if (trouble.dataset.text === text) return;
  trouble.dataset.text = text;
  trouble.replaceChildren(...lines);
  trouble.hidden = lines.length === 0;
}

function show(kind, text) {
  connection.className = `chip chip-${kind}${kind === "ok" ? " beat" : ""}`;
  if (connection.textContent !== text) connection.textContent = text;
}

openStream(places, {
  camera: (tile) => {
    tiles.show(tile);
    document.getElementById("no-cameras").hidden = !tiles.isEmpty();
  },
  use: (use) => {
    inUse.show(use);
    tiles.use(use.sessions);
    document.dispatchEvent(new CustomEvent("spotter:use", { detail: use }));
  },
  health: (health) => {
    parts = health.parts;
    const well = Object.fromEntries(parts.map((part) => [part.part, part.state === "ok"]));
    inUse.trust(well.database && well.usage);
    showTrouble();
  },
  now: (now) => inUse.clock(now),
  connected: () => {
    lost = null;
    show("ok", t("Live"));
    tiles.trust(true);
    showTrouble();
  },
  lost: (reason, time) => {
    lost ??= t("%(reason)s Not live since %(time)s; trying again.", { reason, time });
    show("bad", t("Not live"));
    tiles.trust(false);
    inUse.trust(false);
    showTrouble();
  },
});
