// The report's button: the browser's own print, which saves a PDF as well.
document.getElementById("print").addEventListener("click", () => window.print());
