// The page's language for scripts: t("%(count)s cameras", {count: 3}) in the words that the page brought along.
const brought = (id) => JSON.parse(document.getElementById(id)?.textContent ?? "null");
const texts = brought("texts") ?? {};
const sentences = (brought("sentences") ?? []).map(([shape, words]) => [new RegExp(`^${shape}$`), words]);

export const language = document.documentElement.lang;

export const t = (text, values = {}) => filled(texts[text] ?? text, values);

// What another part of Spotter says in English, as `said` of said.py gives it.
export function said(text) {
  if (text in texts) return t(text);
  for (const [shape, words] of sentences) {
    const match = shape.exec(text);
    if (match) return filled(words, match.groups);
  }
  for (const separator of [": ", ", "]) {
    const at = text.indexOf(separator);
    if (at >= 0) return said(text.slice(0, at)) + separator + said(text.slice(at + separator.length));
  }
  return text;
}

function filled(words, values = {}) {
  return words.replace(/%\((\w+)\)s/g, (whole, name) => values[name] ?? whole).replaceAll("%%", "%");
}
