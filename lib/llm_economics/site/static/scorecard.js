// Above the table of all claims: filters by article and verdict, a search, a count, and the table as CSV; its heads sort.
// What is chosen stands in the address.
(function () {
  "use strict";
  const table = document.querySelector("table.scorecard");
  if (!table) { return; }
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const names = heads.map((head) => head.textContent.trim());
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const query = new URLSearchParams(location.search);
  let sort = "";

  function element(tag, properties, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  const named = (name, field) => element("span", { className: "scorecard-filter" },
    element("label", { htmlFor: field.id, textContent: name }), field);

  function picker(name, key, all) {
    const values = [...new Set(rows.map((row) => row.dataset[key]))];
    const select = element("select", { id: `scorecard-${key}` }, element("option", { value: "", textContent: all }),
      ...values.map((value) => element("option", { value, textContent: value })));
    select.addEventListener("change", change);
    return named(name, select);
  }

  const search = element("input", { type: "search", id: "scorecard-search", placeholder: "words, a number, an id" });
  const count = element("output", { className: "scorecard-count" });
  count.setAttribute("aria-live", "polite");
  const download = element("button", { type: "button", textContent: "Download as CSV" });
  const reset = element("button", { type: "button", textContent: "Reset", hidden: true });
  const bar = element("form", { className: "scorecard-filters" },
    picker("Article", "article", "all five"), picker("Verdict", "verdict", "any"), named("Search", search), count, reset, download);
  const [article, verdict] = bar.querySelectorAll("select");
  const picked = element("select", { id: "scorecard-order" },
    element("option", { value: "", textContent: "as in the articles" }),
    element("option", { value: "-apart", textContent: "furthest apart first" }));
  picked.addEventListener("change", function () {
    sort = picked.value;
    order();
    change();
  });
  count.before(named("Order", picked));

  // A cell as a sort sees it: its first number where it begins with one, else its text.
  function key(row, column) {
    const text = row.cells[column].textContent.trim();
    const number = text.replace(/,/g, "").match(/^[$€~≈<>≤≥±×\s]{0,2}(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)/i);
    return number ? Number(number[1]) : text === "—" || text === "" ? null : text.toLowerCase();
  }

  function order() {
    picked.value = sort === "-apart" ? sort : "";
    const column = names.indexOf(sort.replace(/^-/, ""));
    const down = sort.startsWith("-") ? -1 : 1;
    heads.forEach((head, place) => head.setAttribute("aria-sort", place !== column ? "none" : down < 0 ? "descending" : "ascending"));
    const compare = function (a, b) {
      const [x, y] = [key(a, column), key(b, column)];
      if (x === null || y === null) { return (x === null) - (y === null); }
      if (typeof x !== typeof y) { return typeof x === "number" ? -1 : 1; }
      return down * (typeof x === "number" ? x - y : x.localeCompare(y));
    };
    body.append(...(column < 0 ? rows : [...rows].sort(compare)));
  }

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const fits = (!article.value || row.dataset.article === article.value)
        && (!verdict.value || row.dataset.verdict === verdict.value) && words.every((word) => texts.get(row).includes(word));
      if (row.hidden === fits) { row.hidden = !fits; }
      shown += fits;
    }
    count.textContent = `${shown} of ${rows.length}`;
  }

  function change() {
    const now = new URLSearchParams(location.search);
    const chosen = { article: article.value, verdict: verdict.value, q: search.value.trim(), sort };
    for (const [name, value] of Object.entries(chosen)) { if (value) { now.set(name, value); } else { now.delete(name); } }
    history.replaceState(null, "", location.pathname + (now.toString() ? "?" + now : "") + location.hash);
    reset.hidden = !Object.values(chosen).some(Boolean);
    filter();
  }

  heads.forEach(function (head, place) {
    const button = element("button", { type: "button", textContent: names[place] });
    button.addEventListener("click", function () {
      sort = sort === names[place] ? "-" + names[place] : sort === "-" + names[place] ? "" : names[place];
      order();
      change();
    });
    head.replaceChildren(button);
  });

  // What the address asks for, if it can be had.
  for (const [select, name] of [[article, "article"], [verdict, "verdict"]]) {
    const asked = query.get(name);
    if (asked === null) { continue; }
    if ([...select.options].some((option) => option.value === asked)) { select.value = asked; } else {
      window.bookSay(`The address asks for ${name} = ${asked.slice(0, 40)}, which this table does not have: it shows all.`);
    }
  }
  search.value = (query.get("q") || "").slice(0, 200);
  if (query.has("sort")) {
    const asked = query.get("sort");
    if (names.includes(asked.replace(/^-/, ""))) { sort = asked; order(); } else {
      window.bookSay(`The address asks to sort by ${asked.slice(0, 40)}, which is no column of this table: it keeps its order.`);
    }
  }
  for (const name of document.querySelector(".book-chart") ? [] : new Set(query.keys())) {
    if (!["article", "verdict", "q", "sort"].includes(name) && !/^utm_|^(fbclid|gclid|ref)$/.test(name)) {
      window.bookSay(`The address names ${name.slice(0, 40)}, which this page does not know: it is left aside.`);
    }
  }

  reset.addEventListener("click", function () {
    [article.value, verdict.value, search.value, sort] = ["", "", "", ""];
    order();
    change();
  });
  download.addEventListener("click", function () {
    const quote = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const line = (first, cells) => [...first, ...cells].map(quote).join(",");
    const shown = [...body.rows].filter((row) => !row.hidden);
    const lines = [line(["article", "chapter"], names),
      ...shown.map((row) => line([row.dataset.article, row.dataset.chapter], [...row.cells].map((cell) => cell.textContent)))];
    const link = element("a", { download: "scorecard.csv" });
    link.href = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
    link.click();
    URL.revokeObjectURL(link.href);
  });
  search.addEventListener("input", change);
  bar.addEventListener("submit", (event) => event.preventDefault());
  (table.closest(".output") || table).before(bar);
  count.textContent = `${rows.length} of ${rows.length}`;
  reset.hidden = !(article.value || verdict.value || search.value || sort);
  if (!reset.hidden) { filter(); }
})();
