// What is in use now, with running times by the server's clock, and spoken changes for screen readers.
import { t } from "./text.js";

export class InUse {
  constructor(places) {
    this.places = places;
    this.list = document.getElementById("use");
    this.empty = document.getElementById("use-empty");
    this.count = document.getElementById("use-count");
    this.spoken = document.getElementById("spoken");
    this.sessions = null;
    this.trusted = true;
    this.ahead = 0; // the server's clock minus this device's
    setInterval(() => this.tick(), 1000);
  }

  clock(now) { this.ahead = now - Date.now(); this.tick(); }

  trust(trusted) {
    if (this.trusted === trusted) return;
    this.trusted = trusted;
    this.list.classList.toggle("unsure", !trusted);
    this.empty.textContent = trusted ? t("Nothing is in use.") : t("Not known at the moment.");
  }

  show(use) {
    const before = this.sessions;
    this.sessions = new Map(use.sessions.map((session) => [session.session, session]));
    this.list.replaceChildren(...use.sessions.map((session) => this.row(session)));
    this.list.removeAttribute("aria-busy");
    this.list.hidden = use.sessions.length === 0;
    this.empty.hidden = use.sessions.length > 0;
    this.count.textContent = use.count > 0 ? String(use.count) : "";
    if (before) this.speak(before);
    this.tick();
  }

  row(session) {
    const item = document.createElement("li");
    item.dataset.session = session.session;
    const name = document.createElement("strong");
    name.textContent = session.unit ? `${this.name(session)} (${session.unit})` : this.name(session);
    const where = document.createElement("span");
    where.className = "where";
    where.textContent = [...new Set([session.zone, ...session.cameras].filter((one) => one && one !== session.unit))].join(" · ");
    const time = document.createElement("span");
    time.className = "time";
    time.dataset.started = Date.parse(session.started);
    item.append(name, where, time);
    return item;
  }

  tick() {
    const now = Date.now() + this.ahead;
    for (const time of this.list.querySelectorAll(".time")) {
      const seconds = Math.max(0, Math.floor((now - Number(time.dataset.started)) / 1000));
      const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
      const two = (number) => String(number).padStart(2, "0");
      const text = h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
      if (this.trusted && time.textContent !== text) time.textContent = text;
    }
  }

  name(session) { return this.places.names[session.equipment]?.[0] ?? session.name; }

  speak(before) {
    const words = [];
    for (const [id, session] of this.sessions) if (!before.has(id)) words.push(t("%(name)s in use", { name: session.unit || this.name(session) }));
    for (const [id, session] of before) if (!this.sessions.has(id)) words.push(t("%(name)s no longer in use", { name: session.unit || this.name(session) }));
    if (words.length > 0) this.spoken.textContent = words.join(", ");
  }
}
