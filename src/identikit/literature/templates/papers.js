"use strict";
(() => {
  const find = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const rows = all("#papers tbody tr");
  const drawn = rows.filter((row) => "label" in row.dataset);
  const title = (row) => find(".title", row).textContent;
  const details = find("#details"), frame = find("#network"), tip = find("#tip"), form = find("#filters");
  find("#content").classList.add("live");

  // The network, from the rows of the table. Arrows lead from the paper that cites.
  const self = drawn.find((row) => row.dataset.relation === "this");
  const place = (k) => ({ x: 300 * Math.cos((2 * Math.PI * k) / drawn.length), y: 300 * Math.sin((2 * Math.PI * k) / drawn.length) });
  const nodes = drawn.map((row, k) => ({
    data: { id: row.id, label: row.dataset.label, relation: row.dataset.relation },
    position: row === self ? { x: 0, y: 0 } : place(k),
  }));
  const edges = drawn.flatMap((row) => {
    const { relation } = row.dataset, ends = relation === "citing" ? [row.id, self.id] : [self.id, row.id];
    return row === self ? [] : [{ data: { id: `edge-${row.id}`, source: ends[0], target: ends[1], relation } }];
  });
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const style = () => [
    { selector: "node", style: {
      label: "data(label)", color: colour("--ink"), "font-size": 13, "min-zoomed-font-size": 8, "text-valign": "bottom", "text-margin-y": 3,
      width: 20, height: 20, "border-width": 1, "border-color": colour("--soft"), "background-color": colour("--paper"),
      "text-background-color": colour("--paper"), "text-background-opacity": 0.75 } },
    { selector: "node[relation = 'this']", style: { width: 38, height: 38, "background-color": colour("--this"), "font-weight": "bold" } },
    { selector: "node[relation = 'citing']", style: { "background-color": colour("--citing") } },
    { selector: "node[relation = 'cited']", style: { "background-color": colour("--cited"), shape: "round-rectangle" } },
    { selector: "edge", style: { width: 1, "line-color": colour("--soft"), "line-opacity": 0.35, "target-arrow-color": colour("--soft"), "target-arrow-shape": "triangle", "arrow-scale": 0.7, "curve-style": "straight" } },
    { selector: "edge[relation = 'related']", style: { "line-style": "dotted", "target-arrow-shape": "none" } },
    { selector: ".chosen", style: { "border-width": 4, "border-color": colour("--warning") } },
    { selector: ".away", style: { display: "none" } },
  ];
  const cy = cytoscape({
    container: frame, elements: { nodes, edges }, style: style(), userZoomingEnabled: false, minZoom: 0.1, maxZoom: 5,
    layout: { name: "cose", animate: false, randomize: false, nodeDimensionsIncludeLabels: true, nodeRepulsion: () => 60000, idealEdgeLength: () => 160, numIter: 600 },
  });
  const wide = frame.clientWidth / frame.clientHeight;  // the layout is round, the frame is not
  cy.nodes().positions((node) => ({ x: node.position("x") * Math.max(1, wide), y: node.position("y") / Math.min(1, wide) }));
  cy.fit(undefined, 20);
  window.network = cy;
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => cy.style(style()));
  frame.addEventListener("focusin", () => cy.userZoomingEnabled(true));
  frame.addEventListener("focusout", () => cy.userZoomingEnabled(false));

  // Hover, click, keys, zoom.
  const point = (node) => {
    const { x, y } = node.renderedPosition();
    tip.textContent = title(find(`#${node.id()}`));
    tip.hidden = false;
    tip.style.left = `${Math.max(4, Math.min(x + 12, frame.clientWidth - tip.offsetWidth - 4))}px`;
    tip.style.top = `${Math.max(4, Math.min(y + 12, frame.clientHeight - tip.offsetHeight - 4))}px`;
  };
  cy.on("mouseover", "node", (event) => point(event.target));
  cy.on("mouseout drag pan zoom", () => { tip.hidden = true; });
  cy.on("tap", "node", (event) => { choose(find(`#${event.target.id()}`)); frame.focus({ preventScroll: true }); });
  const zoom = (factor) => {
    if (!factor) cy.fit(cy.nodes(":visible"), 24);
    else cy.zoom({ level: cy.zoom() * factor, renderedPosition: { x: cy.width() / 2, y: cy.height() / 2 } });
  };
  for (const button of all("[data-zoom]")) button.addEventListener("click", () => zoom(Number(button.dataset.zoom)));
  let chosen = null;
  const step = (by) => {
    const shown = rows.filter((row) => "label" in row.dataset && !row.hidden);
    if (!shown.length) return;
    const at = shown.indexOf(chosen);
    choose(shown[at < 0 ? 0 : (at + by + shown.length) % shown.length]);
    const node = cy.getElementById(chosen.id);
    const { x, y } = node.renderedPosition();
    if (x < 0 || y < 0 || x > cy.width() || y > cy.height()) cy.center(node);
    point(node);
    find("#said").textContent = `${title(chosen)}, ${chosen.cells[3].textContent.trim()}`;
  };
  const keys = {
    ArrowRight: () => step(1), ArrowDown: () => step(1), ArrowLeft: () => step(-1), ArrowUp: () => step(-1),
    Enter: () => chosen && details.focus(), "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), 0: () => zoom(0),
  };
  frame.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
    event.preventDefault();
    keys[event.key]();
  });
  details.addEventListener("keydown", (event) => { if (event.key === "Escape") frame.focus(); });

  // Details and notes.
  const choose = (row) => {
    chosen = row;
    cy.nodes().removeClass("chosen");
    cy.getElementById(row.id).addClass("chosen");
    const note = make("textarea", { value: find(".note", row).textContent });
    note.addEventListener("input", () => { setNote(row, note.value); unsaved = true; });
    const abstract = find("details p", row);
    details.replaceChildren(
      make("h3", {}, title(row)),
      make("p", {}, row.cells[1].textContent),
      make("p", {}, `${row.cells[2].textContent.trim()}, ${row.cells[3].textContent.trim()}`),
      make("div", {}, ...[...row.cells[4].childNodes].filter((node) => node.tagName !== "BUTTON").map((node) => node.cloneNode(true))),
      ...(abstract ? [make("details", {}, make("summary", {}, "Abstract"), make("p", {}, abstract.textContent))] : []),
      make("label", {}, "Note", note),
    );
  };
  let unsaved = false;
  const setNote = (row, words) => Object.assign(find(".note", row), { textContent: words, hidden: !words });
  // Notes on papers that are not on this page stay in the file.
  let others = JSON.parse(find("#notes-file").textContent);
  find("#save").addEventListener("click", () => {
    const notes = { ...others };
    for (const row of rows) if (find(".note", row).textContent) notes[row.dataset.key] = find(".note", row).textContent;
    const href = URL.createObjectURL(new Blob([`${JSON.stringify(notes, null, 1)}\n`], { type: "application/json" }));
    make("a", { href, download: "notes.json" }).click();
    URL.revokeObjectURL(href);
    unsaved = false;
  });
  find("#open").addEventListener("change", async (event) => {
    let notes;
    try {
      notes = JSON.parse(await event.target.files[0].text());
      if (!notes || Array.isArray(notes) || Object.values(notes).some((note) => typeof note !== "string")) throw new Error();
    } catch {
      find("#status").textContent = "That file holds no notes: one JSON object of a paper's key and a text each.";
      return;
    }
    others = { ...notes };
    for (const row of rows) {
      setNote(row, notes[row.dataset.key] ?? "");
      delete others[row.dataset.key];
    }
    if (chosen) choose(chosen);
    unsaved = false;
  });
  addEventListener("beforeunload", (event) => { if (unsaved) event.preventDefault(); });

  // Filters, for table and network.
  const filter = () => {
    const asked = new FormData(form), words = asked.get("words").toLowerCase().split(/\s+/);
    const from = Number(asked.get("from")) || -Infinity, to = Number(asked.get("to")) || Infinity;
    const relations = asked.getAll("relation"), term = asked.get("term");
    for (const row of rows) {
      const { year, terms, relation } = row.dataset;
      const text = `${title(row)} ${row.cells[1].textContent}`.toLowerCase();
      const within = from === -Infinity && to === Infinity ? true : year && from <= year && year <= to;
      row.hidden = !(within && relations.includes(relation) && words.every((word) => text.includes(word)) && (!term || terms.split(" ").includes(term)));
    }
    cy.batch(() => { for (const row of drawn) cy.getElementById(row.id).toggleClass("away", row.hidden); });
    find("#status").textContent = `${rows.filter((row) => !row.hidden).length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} papers shown.`;
  };
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  filter();

  // Sorting, and the way from the table to the network.
  all("#papers thead th").slice(0, 4).forEach((head, column) => {
    const button = make("button", { type: "button" }, ...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of all("#papers thead th")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = (row) => (column === 0 ? title(row) : row.cells[column].textContent.trim());
      const compare = new Intl.Collator("en", { numeric: true }).compare;
      const key = new Map(rows.map((row) => [row, value(row)]));
      const missing = (row) => key.get(row) === "—";
      rows.sort((a, b) => missing(a) - missing(b) || (up ? 1 : -1) * compare(key.get(a), key.get(b)));
      find("#papers tbody").append(...rows);
    });
  });
  for (const row of drawn) {
    const button = make("button", { type: "button", ariaLabel: `Details of ${title(row)}` }, "Details");
    button.addEventListener("click", () => { choose(row); find(".lens").scrollIntoView(); details.focus({ preventScroll: true }); });
    row.cells[4].prepend(button, " ");
  }
})();
