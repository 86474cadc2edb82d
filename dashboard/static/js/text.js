// The page's language for scripts: t("%(count)s cameras", {count: 3}) in the words that the page brought along.
const place = document.getElementById("texts");
const texts = place ? JSON.parse(place.textContent) : {};

export const language = document.documentElement.lang;

export function t(text, values = {}) {
  return (texts[text] ?? text).replace(/%\((\w+)\)s/g, (whole, name) => values[name] ?? whole).replaceAll("%%", "%");
}
