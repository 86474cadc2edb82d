// Turns notifications in this browser on, and changes what it is told of.
import { send } from "./send.js";
import { t } from "./text.js";

const work = JSON.parse(document.getElementById("work").textContent);
const form = document.getElementById("choice");
const said = document.getElementById("said");

function say(text, kind) {
  said.textContent = text;
  said.className = `note note-${kind}`;
  said.hidden = false;
}

function obstacle() {
  if (!window.isSecureContext) return t("Browsers show notifications of pages that were opened over HTTPS, or on the machine itself. Put a proxy with HTTPS before Spotter.");
  if (!("serviceWorker" in navigator && "PushManager" in window && "Notification" in window)) return t("This browser has no notifications. On an iPhone or iPad, add Spotter to the home screen first.");
  if (Notification.permission === "denied") return t("Notifications of this page are switched off in the browser's settings.");
  return null;
}

const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

async function subscription() {
  const registration = await navigator.serviceWorker.getRegistration(work.worker);
  return registration?.pushManager.getSubscription() ?? null;
}

async function turnOn() {
  if (await Notification.requestPermission() !== "granted") throw new Error(t("The browser was not allowed to show notifications."));
  const registration = await navigator.serviceWorker.register(work.worker);
  let found = await registration.pushManager.getSubscription();
  if (found && !work.browsers.some((one) => one.endpoint === found.endpoint)) {
    await found.unsubscribe(); // of another time or person, and perhaps by another key
    found = null;
  }
  found ??= await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: work.key });
  const kinds = [...form.querySelectorAll("input:checked")].map((box) => box.value);
  const told = { endpoint: found.endpoint, p256dh: text(found.getKey("p256dh")), auth: text(found.getKey("auth")), kinds };
  const answer = await send(work, "POST", work.subscribe, JSON.stringify(told));
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).problem ?? t("That did not work; load the page again."));
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!form.querySelector("input:checked")) { say(t("Choose at least one."), "danger"); return; }
  try {
    await turnOn();
    location.reload();
  } catch (error) {
    say(error.message, "danger");
  }
});

const why = obstacle();
if (why) say(why, "info");
else {
  form.hidden = false;
  const found = await subscription();
  const mine = work.browsers.find((one) => one.endpoint === found?.endpoint);
  if (mine) {
    for (const box of form.querySelectorAll("input")) box.checked = mine.kinds.includes(box.value);
    document.getElementById("turn-on").textContent = t("Change");
    say(t("Notifications are on in this browser."), "info");
    // Stopped here, the browser forgets it, too.
    document.querySelector(`[data-browser="${mine.number}"] form[action$="/stop"]`).addEventListener("submit", () => found.unsubscribe());
  }
}
