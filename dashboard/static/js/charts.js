// Draws the page's charts from its own data, in the page's own colours, again when those change.
const COLOURS = {
  light: ["#0b7a5e", "#3b6fc4", "#c9781a", "#9a52b0", "#b5404f", "#3f8f9c", "#7c7a2c", "#6b62c9"],
  dark: ["#55c9a4", "#7ea8f0", "#f0b25e", "#cf93e0", "#ee8a94", "#7fd0db", "#c3c071", "#aaa3f5"],
};
const charts = JSON.parse(document.getElementById("charts").textContent);

function token(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

function layout(extra) {
  const axis = { gridcolor: token("--line"), zeroline: false, linecolor: token("--line"), fixedrange: true, automargin: true };
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true,
    font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: token("--muted") },
    hoverlabel: { bgcolor: token("--surface"), bordercolor: token("--line"), font: { color: token("--ink") } },
    margin: { l: 8, r: 8, t: 8, b: 8 }, bargap: 0.25, dragmode: false,
    xaxis: { ...axis, ...extra.x, showgrid: extra.x.showgrid ?? false }, yaxis: { ...axis, ...extra.y },
    showlegend: extra.legend, legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", traceorder: "normal" },
  };
}

function hours(chart, colours, width) {
  const every = width < 500 ? 6 : 3;
  const bars = chart.series.map((one, number) => ({
    type: "bar", name: escape(one.name), x: one.x, y: one.y, marker: { color: colours[number % colours.length] },
    hovertemplate: `%{x} · %{y:.1f} ${chart.unit}<extra>${escape(one.name)}</extra>`,
  }));
  const style = layout({ x: { type: "category", tickangle: 0, tickmode: "array", tickvals: chart.series[0].x.filter((_, hour) => hour % every === 0) }, y: { title: { text: chart.y, standoff: 8 }, rangemode: "tozero" }, legend: true });
  return [bars, { ...style, barmode: "stack" }];
}

function totals(chart, colours) {
  const bars = [{
    type: "bar", orientation: "h", y: chart.names, x: chart.values,
    marker: { color: chart.names.map((_, number) => colours[number % colours.length]) },
    hovertemplate: `%{x:.1f} ${chart.unit}<extra>%{y}</extra>`,
  }];
  return [bars, layout({ x: { title: { text: chart.axis, standoff: 4 }, rangemode: "tozero", showgrid: true }, y: { autorange: "reversed", type: "category" }, legend: false })];
}

// Plotly reads a few HTML tags in its texts; a name is never meant as one.
function escape(text) { return text.replace(/[&<>]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[sign]); }

function draw() {
  const colours = COLOURS[document.documentElement.dataset.bsTheme] ?? COLOURS.light;
  for (const place of document.querySelectorAll("[data-chart]")) {
    const chart = charts[place.dataset.chart];
    if (chart.kind === "totals") place.style.height = `${80 + 34 * chart.names.length}px`;
    const [bars, style] = (chart.kind === "hours" ? hours : totals)(chart, colours, place.clientWidth);
    window.Plotly.react(place, bars, style, { displayModeBar: false, responsive: true });
    place.dataset.drawn = document.documentElement.dataset.bsTheme;
  }
}

draw();
document.addEventListener("theme", draw);
