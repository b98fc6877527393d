
// Filters over the table of runs; what is asked for stands in the address, and so outlives a
// reload. A page that is being watched loads itself again while nobody is typing.
(() => {
  const form = document.getElementById("filters"), table = document.getElementById("runs");
  const rows = [...table.tBodies[0].rows], heads = [...table.tHead.rows[0].cells];
  sortable(table, rows, heads.map((_, column) => column).filter((column) => column !== 1));
  const asked = new URLSearchParams(location.hash.slice(1));
  for (const [name, value] of asked) if (form.elements[name]) form.elements[name].value = value;
  const filter = () => {
    const { words = "", ...wanted } = Object.fromEntries(new FormData(form));
    const parts = words.toLowerCase().split(/\s+/);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !parts.every((part) => text.includes(part)) || Object.entries(wanted).some(([name, value]) => value && row.dataset[name] !== value);
    }
    const count = rows.filter((row) => !row.hidden).length;
    document.getElementById("status").textContent = `${count.toLocaleString("en")} of ${rows.length.toLocaleString("en")} runs shown.`;
    const address = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
    if (String(address) !== location.hash.slice(1)) location.replace(`#${address}`);
  };
  for (const event of ["input", "change"]) form.addEventListener(event, filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  filter();
  const { refresh } = document.body.dataset;
  if (refresh) setInterval(() => form.contains(document.activeElement) || location.reload(), 1000 * refresh);
})();
