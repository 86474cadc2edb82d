// One connection to the server: server-sent events, and questions every two seconds where those don't get through.
import { language, t } from "./text.js";

const SILENT_MS = 11000; // almost three pings that did not come
const RETRY_MS = 2000;

export function openStream(places, on) {
  const kinds = ["camera", "held", "use", "alerts", "health"];
  let source = null;
  let heardAt = performance.now();
  let live = false;
  let lostAt = null; // the time at which it was first lost
  let asking = false;
  let leaving = false;

  const heard = (now) => {
    heardAt = performance.now();
    if (now) on.now(Date.parse(now));
    lostAt = null;
    if (!live) { live = true; on.connected(); }
  };
  const take = (kind, told) => {
    on[kind]?.(told);
    if (kind === "alerts") document.dispatchEvent(new CustomEvent("spotter:alerts", { detail: told }));
  };
  const silent = (reason) => {
    live = false;
    lostAt ??= new Date().toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
    on.lost(reason, lostAt);
  };

  async function ask() {
    if (asking) return;
    asking = true;
    try {
      const answer = await fetch(places.state, { cache: "no-store", signal: AbortSignal.timeout(5000) });
      // Once: who has unsaved work and stays is not asked again.
      if (answer.status === 401 && !leaving) { leaving = true; location.assign(`${places.login}?next=${encodeURIComponent(location.pathname)}`); return; }
      if (!answer.ok) throw new Error(String(answer.status));
      leaving = false;
      const state = await answer.json();
      for (const [kind, told] of state.events) take(kind, told);
      heard(state.now);
    } catch {
      if (performance.now() - heardAt > SILENT_MS) silent(t("The dashboard does not answer."));
    } finally {
      asking = false;
    }
  }

  function connect() {
    source?.close();
    source = new EventSource(places.events);
    for (const kind of kinds) {
      source.addEventListener(kind, (event) => take(kind, JSON.parse(event.data)));
    }
    source.addEventListener("ping", (event) => heard(JSON.parse(event.data).now));
  }

  connect();
  setInterval(() => {
    const quiet = performance.now() - heardAt;
    if (source.readyState === EventSource.CLOSED) { ask().then(() => { if (live) connect(); }); return; }
    if (quiet > SILENT_MS) { silent(t("Nothing has come from the dashboard.")); connect(); heardAt = performance.now(); }
    else if (source.readyState === EventSource.CONNECTING && quiet > RETRY_MS) ask();
  }, RETRY_MS);
  document.addEventListener("visibilitychange", () => { if (!document.hidden && performance.now() - heardAt > RETRY_MS * 3) connect(); });
}
