// What scripts change on the dashboard: sent with the page's CSRF token, and anew with a fresh one after a new sign-in.
import { t } from "./text.js";

const SLOW_MS = 30000;

export async function send(work, method, place, body) {
  const signal = () => AbortSignal.timeout(SLOW_MS);
  const ask = () => fetch(place, { method, headers: { "X-CSRFToken": work.csrf, "Content-Type": "application/json" }, body, signal: signal() });
  let answer = await ask();
  let signedOut = answer.status === 401;
  if (answer.status === 400) {
    const page = await fetch(location.href, { cache: "no-store", signal: signal() });
    signedOut = page.redirected;
    const fresh = new DOMParser().parseFromString(await page.text(), "text/html").getElementById("work");
    if (fresh) {
      work.csrf = JSON.parse(fresh.textContent).csrf;
      answer = await ask();
    }
  }
  if (signedOut) throw new Error(t("Your sign-in has ended. Sign in again in another tab, then try once more here; nothing is lost."));
  return answer;
}
