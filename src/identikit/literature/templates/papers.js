"use strict";
(() => {
  const find = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const filled = (element, ...children) => { element.append(...children); return element; };
  const make = (tag, properties, ...children) => filled(Object.assign(document.createElement(tag), properties), ...children);
  const rows = all("#papers tbody tr"), drawn = rows.filter((row) => "label" in row.dataset);
  const title = (row) => find(".title", row).textContent, noteOf = (row) => find(".note", row);
  const details = find("#details"), frame = find("#network"), tip = find("#tip"), form = find("#filters"), status = find("#status");
  find("#content").classList.add("live");
  // The network, from the rows of the table. Arrows lead from the paper that cites.
  const self = drawn.find((row) => row.dataset.relation === "this");
  const around = (k) => ({ x: Math.cos((2 * Math.PI * k) / drawn.length), y: Math.sin((2 * Math.PI * k) / drawn.length) });
  const nodes = drawn.map((row, k) => ({
    data: { id: row.id, label: row.dataset.label, relation: row.dataset.relation }, position: row === self ? { x: 0, y: 0 } : around(k),
  }));
  const edges = drawn.filter((row) => row !== self).map((row) => {
    const { relation } = row.dataset, [source, target] = relation === "citing" ? [row.id, self.id] : [self.id, row.id];
    return { data: { id: `edge-${row.id}`, source, target, relation } };
  });
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const style = () => [
    { selector: "node", style: {
      label: "data(label)", color: colour("--ink"), "font-size": 13, "min-zoomed-font-size": 8, "text-valign": "bottom", "text-margin-y": 3,
      width: 20, height: 20, "border-width": 1, "border-color": colour("--soft"), "background-color": colour("--paper"),
      "text-background-color": colour("--paper"), "text-background-opacity": 0.75 } },
    { selector: "[relation = 'this']", style: { width: 38, height: 38, "background-color": colour("--this"), "font-weight": "bold" } },
    { selector: "node[relation = 'citing']", style: { "background-color": colour("--citing") } },
    { selector: "node[relation = 'cited']", style: { "background-color": colour("--cited"), shape: "round-rectangle" } },
    { selector: "edge", style: { width: 1, "line-color": colour("--soft"), "line-opacity": 0.35, "curve-style": "straight", "arrow-scale": 0.7 } },
    { selector: "edge[relation != 'related']", style: { "target-arrow-color": colour("--soft"), "target-arrow-shape": "triangle" } },
    { selector: "edge[relation = 'related']", style: { "line-style": "dotted" } },
    { selector: ".chosen", style: { "border-width": 5, "border-color": colour("--warning") } },
    { selector: ".away", style: { display: "none" } },
  ];
  const cy = cytoscape({
    container: frame, elements: { nodes, edges }, style: style(), userZoomingEnabled: false, minZoom: 0.1, maxZoom: 5,
    layout: { name: "cose", animate: false, randomize: false, nodeDimensionsIncludeLabels: true, nodeRepulsion: () => 60000, idealEdgeLength: () => 160, numIter: 600 },
  });
  const wide = frame.clientWidth / frame.clientHeight; // the layout is round, the frame is not
  cy.nodes().positions((node) => ({ x: node.position("x") * Math.max(1, wide), y: node.position("y") / Math.min(1, wide) }));
  cy.fit(undefined, 20);
  window.network = cy;
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => cy.style(style()));
  for (const event of ["focusin", "focusout"]) frame.addEventListener(event, () => cy.userZoomingEnabled(event === "focusin"));
  // Hover, click, keys, zoom.
  const point = (node) => {
    const { x, y } = node.renderedPosition(), within = (at, most) => `${Math.max(4, Math.min(at + 12, most - 4))}px`;
    Object.assign(tip, { textContent: title(find(`#${node.id()}`)), hidden: false });
    Object.assign(tip.style, { left: within(x, cy.width() - tip.offsetWidth), top: within(y, cy.height() - tip.offsetHeight) });
  };
  cy.on("mouseover", "node", (event) => point(event.target)).on("mouseout drag pan zoom", () => { tip.hidden = true; });
  cy.on("tap", "node", (event) => { choose(find(`#${event.target.id()}`)); frame.focus({ preventScroll: true }); });
  const zoom = (factor) => {
    if (!factor) cy.fit(cy.nodes(":visible"), 20);
    else cy.zoom({ level: cy.zoom() * factor, renderedPosition: { x: cy.width() / 2, y: cy.height() / 2 } });
  };
  all("[data-zoom]").forEach((button) => button.addEventListener("click", () => zoom(Number(button.dataset.zoom))));
  let chosen = null, unsaved = false;
  const step = (by) => {
    const shown = rows.filter((row) => drawn.includes(row) && !row.hidden), at = shown.indexOf(chosen);
    if (!shown.length) return;
    choose(shown[at < 0 ? 0 : (at + by + shown.length) % shown.length]);
    const node = cy.getElementById(chosen.id), { x, y } = node.renderedPosition();
    if (x < 0 || y < 0 || x > cy.width() || y > cy.height()) cy.center(node);
    point(node);
    find("#said").textContent = `${title(chosen)}, ${chosen.cells[3].textContent.trim()}`;
  };
  const keys = {
    ArrowRight: () => step(1), ArrowDown: () => step(1), ArrowLeft: () => step(-1), ArrowUp: () => step(-1),
    Enter: () => chosen && details.focus(), "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), 0: () => zoom(0),
  };
  frame.addEventListener("keydown", (event) => {
    const act = event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key) ? null : keys[event.key];
    if (act) { event.preventDefault(); act(); }
  });
  details.addEventListener("keydown", (event) => { if (event.key === "Escape") frame.focus(); });
  // Details, and notes: a page cannot write a file, so notes are saved by downloading it.
  const setNote = (row, words) => Object.assign(noteOf(row), { textContent: words, hidden: !words });
  const choose = (row) => {
    chosen = row;
    cy.nodes().forEach((node) => node.toggleClass("chosen", node.id() === row.id));
    const note = make("textarea", { value: noteOf(row).textContent });
    note.addEventListener("input", () => { setNote(row, note.value); unsaved = true; });
    const [, authors, year, relation, action] = [...row.cells].map((cell) => cell.cloneNode(true));
    for (const button of all("button", action)) button.remove();
    details.replaceChildren(
      make("h3", {}, title(row)), make("p", {}, ...authors.childNodes), make("p", {}, `${year.textContent}, ${relation.textContent.trim()}`),
      make("div", {}, ...action.childNodes), ...all("details", row).map((abstract) => abstract.cloneNode(true)), make("label", {}, "Note", note),
    );
  };
  let notes = JSON.parse(find("#notes-file").textContent); // those on papers that are not here stay in the file
  find("#save").addEventListener("click", () => {
    for (const row of rows) notes[row.dataset.name] = noteOf(row).textContent;
    const kept = Object.fromEntries(Object.entries(notes).filter(([, words]) => words));
    const href = URL.createObjectURL(new Blob([JSON.stringify(kept, null, 1)], { type: "application/json" }));
    make("a", { href, download: "notes.json" }).click();
    unsaved = false;
  });
  find("#open").addEventListener("change", async (event) => {
    const read = await event.target.files[0].text().then(JSON.parse).catch(() => null);
    event.target.value = ""; // so that the same file can be opened again
    const good = read && !Array.isArray(read) && Object.values(read).every((words) => typeof words === "string");
    if (!good) { status.textContent = "That file holds no notes: one JSON object of papers' names and texts."; return; }
    notes = read;
    for (const row of rows) setNote(row, notes[row.dataset.name] ?? "");
    if (chosen) choose(chosen);
    unsaved = false;
  });
  addEventListener("beforeunload", (event) => { if (unsaved) event.preventDefault(); });
  // Filters, for table and network.
  const filter = () => {
    const asked = new FormData(form), words = asked.get("words").toLowerCase().split(/\s+/), term = asked.get("term");
    const from = Number(asked.get("from")) || 0, to = Number(asked.get("to")) || Infinity, anyYear = !from && to === Infinity;
    for (const row of rows) {
      const { year, terms, relation } = row.dataset, text = `${title(row)} ${row.cells[1].textContent}`.toLowerCase();
      const dated = anyYear || (year && from <= year && year <= to), said = !term || terms.split(" ").includes(term);
      row.hidden = !(dated && said && asked.getAll("relation").includes(relation) && words.every((word) => text.includes(word)));
    }
    cy.batch(() => { for (const row of drawn) cy.getElementById(row.id).toggleClass("away", row.hidden); });
    status.textContent = `${rows.filter((row) => !row.hidden).length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} papers shown.`;
  };
  for (const event of ["input", "change"]) form.addEventListener(event, filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  filter();
  // Sorting, and the way from the table to the details.
  sortable(find("#papers"), rows, [0, 1, 2, 3], (cell, row) => (cell.cellIndex ? cell.textContent.trim() : title(row)));
  for (const row of rows) {
    const onclick = () => { choose(row); details.scrollIntoView({ block: "nearest" }); details.focus({ preventScroll: true }); };
    row.cells[4].prepend(make("button", { type: "button", ariaLabel: `Details of ${title(row)}`, onclick }, "Details"), " ");
  }
})();
