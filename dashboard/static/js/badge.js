// The number of alerts that nobody has seen to, in the navigation of every page.
const badge = document.getElementById("alert-badge");
const ASK_MS = 10000;

function show(told) {
  badge.firstElementChild.textContent = String(told.unacknowledged);
  badge.hidden = told.unacknowledged === 0;
}

async function ask() {
  if (document.hidden) return;
  try {
    const answer = await fetch(badge.dataset.state, { cache: "no-store", signal: AbortSignal.timeout(5000) });
    if (!answer.ok) return;
    for (const [kind, told] of (await answer.json()).events) if (kind === "alerts") show(told);
  } catch {
    // The number of before stays; the next answer mends it.
  }
}

// A page that follows events is told by them. Others ask: a browser has few connections for all of its tabs.
document.addEventListener("spotter:alerts", (event) => show(event.detail));
if (!document.getElementById("places")) {
  setInterval(ask, ASK_MS);
  document.addEventListener("visibilitychange", ask);
}
