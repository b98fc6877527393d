"use strict";
// Draws every interactive figure, takes its menu out of the drawing, and follows light and dark.
const dark = matchMedia("(prefers-color-scheme: dark)");

function themed(data, layout) {
  const style = getComputedStyle(document.documentElement);
  const [ink, grid, paper] = ["--ink", "--line", "--paper"].map((n) => style.getPropertyValue(n).trim());
  const clear = "rgba(0,0,0,0)";
  const axes = (holder) =>
    Object.keys(holder).filter((k) => /^[xyz]axis\d*$/.test(k)).forEach((k) => {
      Object.assign(holder[k], { gridcolor: grid, linecolor: ink, tickcolor: ink, color: ink });
    });
  axes(layout);
  if (layout.scene) axes(layout.scene);
  for (const trace of data) {
    if (trace.type === "bar") trace.error_x.color = ink;
    if (trace.type === "surface") trace.colorscale = [[0, grid], [1, grid]];
  }
  const font = { family: "system-ui, sans-serif", size: 13, color: ink };
  const hoverlabel = { bgcolor: paper, bordercolor: ink, font };
  return Object.assign(layout, { font, hoverlabel, paper_bgcolor: clear, plot_bgcolor: clear });
}

function addMenu(place, buttons, plot, title) {
  const select = document.createElement("select");
  select.setAttribute("aria-label", "Show in: " + title);
  const decoder = document.createElement("textarea");
  for (const button of buttons) {
    decoder.innerHTML = button.label;
    select.add(new Option(decoder.value));
  }
  select.addEventListener("change", () => Plotly.update(plot, ...buttons[select.selectedIndex].args));
  place.append("Show ", select);
}

async function draw(figure) {
  const box = figure.querySelector(".interactive");
  const { data, layout } = JSON.parse(box.querySelector("script").textContent);
  const plot = box.querySelector(".plot");
  const menus = layout.updatemenus || [];
  delete layout.updatemenus;
  figure.classList.add("live");
  const square = layout.scene || (layout.yaxis && layout.yaxis.scaleanchor);
  if (layout.legend) layout.legend.maxheight = layout.height; // else a phone's legend scrolls
  if (square) layout.height = Math.min(layout.height, plot.clientWidth + 40);
  try {
    const options = { responsive: true, displayModeBar: false };
    await Plotly.newPlot(plot, data, themed(data, layout), options);
    if (plot.querySelector(".no-webgl")) throw new Error("no WebGL");
    for (const menu of menus) addMenu(box.querySelector(".menu"), menu.buttons, plot, figure.querySelector("h3").textContent);
    dark.addEventListener("change", () => Plotly.react(plot, plot.data, themed(plot.data, plot.layout)));
  } catch (error) {
    figure.classList.remove("live"); // the static figure stays
    console.warn(figure.id + " stays static: " + error.message);
  }
}

document.querySelectorAll("figure:has(.interactive)").forEach(draw);
