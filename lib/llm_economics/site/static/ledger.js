// Rows of the ledger open where an address or a find leads to them, and for paper.
(function () {
  "use strict";
  function reveal() {
    const row = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!row || !row.classList.contains("verdict")) { return; }
    for (let part = row.querySelector("details"); part; part = part.parentElement.closest("details")) { part.open = true; }
    row.scrollIntoView();
  }
  addEventListener("hashchange", reveal);
  addEventListener("beforeprint", () => document.querySelectorAll(".ledger details").forEach((row) => { row.open = true; }));
  reveal();
})();
