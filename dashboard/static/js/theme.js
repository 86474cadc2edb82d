// Light or dark: the person's choice, else the device's. Runs before anything is drawn, so nothing flashes.
(() => {
  "use strict";
  const device = matchMedia("(prefers-color-scheme: dark)");
  const stored = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  const apply = () => {
    const theme = stored() || (device.matches ? "dark" : "light");
    document.documentElement.dataset.bsTheme = theme;
    document.dispatchEvent(new CustomEvent("theme", { detail: theme }));
  };
  apply();
  device.addEventListener("change", apply);
  document.addEventListener("DOMContentLoaded", () => {
    document.getElementById("theme")?.addEventListener("click", () => {
      const other = document.documentElement.dataset.bsTheme === "dark" ? "light" : "dark";
      const own = device.matches ? "dark" : "light";
      try { other === own ? localStorage.removeItem("theme") : localStorage.setItem("theme", other); } catch { /* private mode */ }
      document.documentElement.dataset.bsTheme = other;
      document.dispatchEvent(new CustomEvent("theme", { detail: other }));
    });
  });
})();
