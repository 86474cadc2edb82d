// The page of today: how many of each type are in use, by the events that live.js takes; what is counted by the server
// is asked for again when an alert changes, and each minute.
const types = [...document.querySelectorAll("#types [data-label]")];
const parts = ["today-things", "today-alerts", "today-figures"];
const EVERY_MS = 60000;

let asking = false;
let again = false;
let alerts = null; // as last told

function count(use) {
  const counts = new Map();
  for (const { equipment } of use.sessions) counts.set(equipment, (counts.get(equipment) ?? 0) + 1);
  for (const item of types) {
    const now = counts.get(item.dataset.label) ?? 0;
    item.querySelector(".busy-count").textContent = String(now);
    item.querySelector("meter").value = now;
    item.classList.toggle("all-taken", now >= Number(item.dataset.pieces));
  }
}

async function refresh() {
  if (asking) { again = true; return; }
  [asking, again] = [true, false];
  try {
    const answer = await fetch(location.href.split("#")[0], { cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of parts) {
      const [old, now] = [document.getElementById(id), fresh.getElementById(id)];
      // What somebody reads by keyboard is not taken from under them.
      if (now && !old.contains(document.activeElement) && old.innerHTML !== now.innerHTML) old.replaceChildren(...now.childNodes);
    }
  } catch {
    // What is there stays, with its time; the next minute mends it.
  } finally {
    asking = false;
    if (again) refresh();
  }
}

document.addEventListener("spotter:use", (event) => count(event.detail));
document.addEventListener("spotter:alerts", (event) => {
  const told = JSON.stringify(event.detail);
  if (alerts !== null && alerts !== told) refresh();
  alerts = told;
});
setInterval(() => { if (!document.hidden) refresh(); }, EVERY_MS);
