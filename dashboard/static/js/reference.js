// Asks the API what a form of its page describes, and shows the answer.

const LONGEST_SHOWN = 20000;
const STREAM_SECONDS = 5;

function addressOf(form) {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  for (const field of form.querySelectorAll("input")) {
    if (field.dataset.where === "path") path = path.replace(`{${field.name}}`, encodeURIComponent(field.value));
    else if (field.value) query.set(field.name, field.value);
  }
  return query.size ? `${path}?${query}` : path;
}

function requestOf(form) {
  if (form.dataset.method === "GET") return {};
  const body = form.querySelector("textarea")?.value;
  const headers = { "X-CSRFToken": document.querySelector("input[name=csrf_token]").value };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  return { method: form.dataset.method, headers, body };
}

async function textOf(response, streams) {
  if (!streams) return response.text();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const end = setTimeout(() => reader.cancel(), STREAM_SECONDS * 1000);
  let text = "";
  for (let part = await reader.read(); !part.done && text.length < LONGEST_SHOWN; part = await reader.read()) text += part.value;
  clearTimeout(end);
  reader.cancel();
  return text;
}

for (const form of document.querySelectorAll("form[data-path]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const place = form.parentElement.querySelector(".answer");
    const address = addressOf(form);
    const response = await fetch(address, requestOf(form)).catch((error) => error);
    let text = String(response);
    if (response instanceof Response) {
      text = await textOf(response, "streams" in form.dataset);
      try { text = JSON.stringify(JSON.parse(text), null, 2); } catch { /* shown as it is */ }
      const tag = response.headers.get("ETag");
      text = `${form.dataset.method} ${address}\n${response.status} ${response.statusText}${tag ? `\nETag: ${tag}` : ""}\n\n${text.slice(0, LONGEST_SHOWN)}`;
    }
    place.hidden = false;
    place.firstElementChild.textContent = text;
  });
}
