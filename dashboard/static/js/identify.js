// Sends a photo as soon as it is taken, made small first: a phone's ten megabytes take long on a gym's network.
import { t } from "./text.js";

const LONGEST = 1280;
const form = document.querySelector(".photo-form");
const state = form.querySelector(".photo-state");

async function smaller(file) {
  const image = await createImageBitmap(file, { imageOrientation: "from-image" });
  const scale = Math.min(1, LONGEST / Math.max(image.width, image.height));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [Math.round(image.width * scale), Math.round(image.height * scale)];
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((done) => { canvas.toBlob(done, "image/jpeg", 0.9); });
  return new File([blob], "photo.jpg", { type: "image/jpeg" });
}

async function send(input) {
  const [file] = input.files;
  if (!file) return;
  state.textContent = t("Looking at it…");
  let photo = file;
  try { photo = await smaller(file); } catch { /* the server says what is wrong with it */ }
  if (photo.size > Number(form.dataset.largest)) { state.textContent = t("That photo is too large."); input.value = ""; return; }
  const files = new DataTransfer();
  files.items.add(photo);
  for (const one of form.querySelectorAll("input[type=file]")) one.disabled = one !== input;
  input.files = files.files;
  form.submit();
}

for (const input of form.querySelectorAll("input[type=file]")) input.addEventListener("change", () => send(input));
// Back from the answer: the form as it was, ready for another photo.
addEventListener("pageshow", () => {
  state.textContent = "";
  for (const input of form.querySelectorAll("input[type=file]")) { input.disabled = false; input.value = ""; }
});
