// Results below the search field while one types: pages, sections, figures and claims; loaded on its first focus.
(function () {
  "use strict";
  const here = document.currentScript.src;
  const root = new URL("..", here);
  const dialog = document.querySelector("#pst-search-dialog");
  const field = dialog.querySelector("input[type=search]");
  const list = document.createElement("ol");
  list.className = "book-found";
  const count = document.createElement("p");
  count.className = "book-found-count";
  count.setAttribute("role", "status");
  dialog.append(count, list);
  const weight = { page: 6, section: 4, figure: 3, claim: 2 };

  function show() {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = !words.length ? [] : window.bookEntries.map(function (entry) {
      const title = entry.title.toLowerCase();
      const all = `${title} ${entry.page.toLowerCase()}`;
      if (!words.every((word) => all.includes(word))) { return null; }
      const starts = words.filter((word) => title.split(/[^\p{L}\p{N}$-]+/u).some((part) => part.startsWith(word))).length;
      return [weight[entry.kind] + 3 * starts + (title.startsWith(words.join(" ")) ? 8 : 0), entry];
    }).filter(Boolean).sort((a, b) => b[0] - a[0]);
    count.textContent = !words.length ? "" : found.length ? `${found.length} found; Enter looks through the whole text` : "Nothing has all these words; Enter looks through the whole text";
    list.replaceChildren(...found.slice(0, 12).map(function ([, entry]) {
      const link = document.createElement("a");
      link.href = new URL(entry.at, root);
      link.textContent = entry.title;
      const kind = document.createElement("small");
      kind.textContent = entry.kind === "page" ? "page" : `${entry.kind} in ${entry.page}`;
      const item = document.createElement("li");
      item.append(link, kind);
      return item;
    }));
  }

  const script = document.createElement("script");
  script.src = new URL("entries.js", here);
  script.onload = function () { field.addEventListener("input", show); show(); };
  document.head.append(script);
  dialog.addEventListener("click", (event) => { if (event.target.closest("a")) { dialog.close(); } });
})();
