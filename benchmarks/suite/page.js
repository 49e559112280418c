// Work-precision diagrams: error against seconds, both logarithmic. Hover for a point, click a name to hide it.
"use strict";
(function () {
  const SVG = "http://www.w3.org/2000/svg";
  const WIDTH = 640, HEIGHT = 420, LEFT = 66, RIGHT = 14, TOP = 12, BOTTOM = 48;
  const cases = JSON.parse(document.getElementById("data").textContent).cases;
  const tip = document.body.appendChild(document.createElement("div"));
  tip.className = "tip";

  function make(name, attributes, parent, text) {
    const node = parent.appendChild(document.createElementNS(SVG, name));
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    if (text !== undefined) node.textContent = text;
    return node;
  }

  // Whole decades around all values, and a function from values to places.
  function axis(values, from, to) {
    const logs = values.map(Math.log10);
    const least = Math.floor(Math.min(...logs)), most = Math.max(Math.ceil(Math.max(...logs)), least + 1);
    const decades = [];
    for (let k = least; k <= most; k++) decades.push(k);
    return { decades, place: value => from + (Math.log10(value) - least) / (most - least) * (to - from) };
  }

  function decade(k) { return k >= -2 && k <= 4 ? String(10 ** k).slice(0, 5) : "1e" + k; }

  function grid(svg, x, y) {
    x.decades.forEach(k => {
      const at = x.place(10 ** k);
      make("line", { x1: at, x2: at, y1: TOP, y2: HEIGHT - BOTTOM, stroke: "#e4e9ee" }, svg);
      make("text", { x: at, y: HEIGHT - BOTTOM + 18, "text-anchor": "middle" }, svg, decade(k));
    });
    const every = Math.ceil(y.decades.length / 9);
    y.decades.filter((_, i) => i % every === 0).forEach(k => {
      const at = y.place(10 ** k);
      make("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: at, y2: at, stroke: "#e4e9ee" }, svg);
      make("text", { x: LEFT - 7, y: at + 4, "text-anchor": "end" }, svg, decade(k));
    });
    make("text", { x: (LEFT + WIDTH) / 2, y: HEIGHT - 8, "text-anchor": "middle" }, svg, "seconds (set-up, data and training)");
    make("text", { transform: `translate(14 ${HEIGHT / 2 - 10}) rotate(-90)`, "text-anchor": "middle" }, svg, "relative L2 error");
  }

  function show(event, words) {
    tip.textContent = words;
    tip.style.left = Math.min(event.clientX + 12, innerWidth - 260) + "px";
    tip.style.top = event.clientY + 12 + "px";
    tip.style.opacity = 1;
  }

  function trace(group, series, seed, points, x, y) {
    const path = points.map((p, i) => (i ? "L" : "M") + x.place(p[0]).toFixed(1) + " " + y.place(p[1]).toFixed(1)).join("");
    make("path", { d: path, fill: "none", stroke: series.colour, "stroke-width": 1.8, "stroke-opacity": 0.85,
      "stroke-dasharray": series.kind === "peer" ? "6 4" : "none" }, group);
    points.forEach(p => {
      const mark = make("circle", { cx: x.place(p[0]), cy: y.place(p[1]), r: points.length < 8 ? 4 : 2.5, fill: series.colour }, group);
      const words = `${series.name}\nseed ${seed}\n${p[0].toPrecision(3)} s, error ${p[1].toExponential(1)}`;
      mark.addEventListener("mousemove", event => show(event, words));
      mark.addEventListener("mouseleave", () => { tip.style.opacity = 0; });
    });
  }

  function diagram(place, shown) {
    const all = shown.series.flatMap(s => s.traces.flatMap(t => t.points));
    if (!all.length) { place.textContent = "Nothing was measured."; return; }
    const svg = make("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "font-size": 12, fill: "#66727f" }, place);
    svg.setAttribute("aria-label", "error against seconds on " + shown.name);
    const errors = all.map(p => p[1]).concat(shown.floor > 0 ? [shown.floor] : []);
    const x = axis(all.map(p => p[0]), LEFT, WIDTH - RIGHT), y = axis(errors, HEIGHT - BOTTOM, TOP);
    grid(svg, x, y);
    if (shown.floor > 0) {
      const at = y.place(shown.floor);
      make("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: at, y2: at, stroke: "#66727f", "stroke-dasharray": "2 3" }, svg);
      make("text", { x: WIDTH - RIGHT, y: at - 4, "text-anchor": "end" }, svg, "the reference's own error");
    }
    const legend = place.appendChild(document.createElement("div"));
    legend.className = "legend";
    shown.series.forEach(series => {
      const group = make("g", { "data-series": series.name }, svg);
      series.traces.forEach(t => trace(group, series, t.seed, t.points, x, y));
      const button = legend.appendChild(document.createElement("button"));
      button.setAttribute("aria-pressed", "true");
      const swatch = button.appendChild(document.createElement("span"));
      swatch.className = "swatch";
      swatch.style.borderColor = series.colour;
      if (series.kind === "peer") swatch.style.borderTopStyle = "dashed";
      button.append(series.name + (series.traces.length ? "" : " (" + series.outcome + ")"));
      button.addEventListener("click", () => {
        const visible = group.style.display === "none";
        group.style.display = visible ? "" : "none";
        button.setAttribute("aria-pressed", String(visible));
      });
    });
  }

  cases.forEach((shown, i) => diagram(document.getElementById("diagram-" + i), shown));
  document.documentElement.dataset.drawn = String(cases.length);
})();
