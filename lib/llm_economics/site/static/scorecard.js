// Above the table of all claims: filters by article and verdict, a search, a count, and the table as CSV.
(function () {
  "use strict";
  const table = document.querySelector("table.scorecard");
  if (!table) { return; }
  const rows = [...table.tBodies[0].rows];

  function element(tag, properties, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  function picker(name, key, all) {
    const values = [...new Set(rows.map((row) => row.dataset[key]))];
    const select = element("select", { id: `scorecard-${key}` }, element("option", { value: "", textContent: all }),
      ...values.map((value) => element("option", { value, textContent: value })));
    select.addEventListener("change", filter);
    return [element("label", { htmlFor: select.id, textContent: name }), select];
  }

  const search = element("input", { type: "search", id: "scorecard-search", placeholder: "words, a number, an id" });
  const count = element("output", { className: "scorecard-count" });
  count.setAttribute("aria-live", "polite");
  const download = element("button", { type: "button", textContent: "Download as CSV" });
  const bar = element("form", { className: "scorecard-filters" },
    ...picker("Article", "article", "all five"), ...picker("Verdict", "verdict", "any"),
    element("label", { htmlFor: search.id, textContent: "Search" }), search, count, download);
  const [article, verdict] = bar.querySelectorAll("select");
  const order = element("select", { id: "scorecard-order" },
    element("option", { value: "", textContent: "as in the articles" }),
    element("option", { value: "apart", textContent: "furthest apart first" }));
  order.addEventListener("change", function () {
    const sorted = order.value ? [...rows].sort((a, b) => b.dataset.apart - a.dataset.apart) : rows;
    table.tBodies[0].append(...sorted);
  });
  count.before(element("label", { htmlFor: order.id, textContent: "Order" }), order);

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      const fits = (!article.value || row.dataset.article === article.value)
        && (!verdict.value || row.dataset.verdict === verdict.value) && words.every((word) => text.includes(word));
      row.hidden = !fits;
      shown += fits;
    }
    count.textContent = `${shown} of ${rows.length}`;
  }

  download.addEventListener("click", function () {
    const quote = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const line = (row, first) => [...first, ...[...row.cells].map((cell) => cell.textContent)].map(quote).join(",");
    const shown = rows.filter((row) => !row.hidden).map((row) => line(row, [row.dataset.article, row.dataset.chapter]));
    const lines = [line(table.tHead.rows[0], ["article", "chapter"]), ...shown];
    const link = element("a", { download: "scorecard.csv" });
    link.href = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
    link.click();
    URL.revokeObjectURL(link.href);
  });
  search.addEventListener("input", filter);
  bar.addEventListener("submit", (event) => event.preventDefault());
  const wrap = table.parentElement;
  wrap.before(bar);
  filter();
})();
