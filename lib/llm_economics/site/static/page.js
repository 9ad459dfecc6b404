// What every page does: colour mode, side bars, search, the switch for code, tables on a phone, copies of commands.
(function () {
  "use strict";
  const root = document.documentElement;
  const find = (selector, within) => (within || document).querySelector(selector);
  const all = (selector, within) => [...(within || document).querySelectorAll(selector)];
  const keep = (name, value) => { try { localStorage.setItem(name, value); } catch (error) { /* a page without storage forgets */ } };
  const here = document.currentScript.src;

  // The page's own script beside it (code, figures), asked for once.
  const name = (location.pathname.split("/").slice(-1 - (root.dataset.content_root.match(/\.\.\//g) || []).length).join("/") || "index")
    .replace(/\.html$/, "").replace(/(^|\/)$/, "$1index");
  let aside = null;
  window.bookAside = function () {
    aside = aside || new Promise(function (resolve, reject) {
      const script = document.createElement("script");
      script.src = new URL("pages/" + name + ".js", here);
      script.onload = () => resolve(window.bookPage);
      script.onerror = () => reject(new Error("the page's own data could not be loaded"));
      document.head.append(script);
    });
    return aside;
  };

  // One line above the text, for what an address asked and the page cannot do.
  window.bookSay = function (text) {
    const line = find(".book-notice") || document.createElement("p");
    line.className = "book-notice";
    line.setAttribute("role", "status");
    line.textContent = (line.textContent ? line.textContent + " " : "") + text;
    find(".bd-article").prepend(line);
  };

  // Light, dark, or as the system has it.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  function colour() {
    const mode = root.dataset.mode;
    root.dataset.theme = mode !== "auto" ? mode : dark.matches ? "dark" : "light";
  }
  dark.addEventListener("change", colour);
  for (const button of all(".theme-switch-button")) {
    button.addEventListener("click", function () {
      const modes = dark.matches ? ["auto", "light", "dark"] : ["auto", "dark", "light"];
      root.dataset.mode = modes[(modes.indexOf(root.dataset.mode) + 1) % 3];
      keep("mode", root.dataset.mode);
      colour();
    });
  }

  // Side bars: beside the text where there is room, else in a dialog.
  function sidebar(button, bar, dialog, wide) {
    if (!button || !bar || !dialog) { return; }
    button.addEventListener("click", function () {
      if (wide && matchMedia("(min-width: 992px)").matches) {
        const shown = getComputedStyle(bar).display !== "none";
        bar.classList.toggle("pst-sidebar-hidden", shown);
        bar.classList.toggle("is-asked-for", !shown);
        return;
      }
      dialog.append(...bar.childNodes);
      for (const kind of [...bar.classList]) { dialog.classList.add(kind); }
      dialog.showModal();
    });
    dialog.addEventListener("click", (event) => { if (event.target === dialog || event.target.closest("a")) { dialog.close(); } });
    dialog.addEventListener("close", () => bar.append(...dialog.childNodes));
  }
  sidebar(find(".primary-toggle"), find("#pst-primary-sidebar"), find("#pst-primary-sidebar-modal"), !document.body.classList.contains("landing"));
  sidebar(find(".secondary-toggle"), find("#pst-secondary-sidebar"), find("#pst-secondary-sidebar-modal"), false);

  // Search: a field in a dialog; what it searches is fetched when the field is first focused.
  const asked = find("#pst-search-dialog");
  if (asked) {
    const field = find("input[type=search]", asked);
    const open = function () { if (!asked.open) { asked.showModal(); } field.focus(); };
    all(".search-button__button").forEach((button) => button.addEventListener("click", open));
    document.addEventListener("keydown", function (event) {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") { event.preventDefault(); open(); }
    });
    asked.addEventListener("click", (event) => { if (event.target === asked) { asked.close(); } });
    field.addEventListener("focus", function () {
      const script = document.createElement("script");
      script.src = new URL("search.js", here);
      script.onerror = () => script.remove();
      document.head.append(script);
    }, { once: true });
  }

  // Code: off until it is asked for, on every page until it is switched off.
  async function code() {
    const on = root.dataset.code === "on";
    all(".code-switch").forEach((button) => button.setAttribute("aria-pressed", String(on)));
    const places = all(".book-code");
    if (!on) { places.forEach((place) => place.replaceChildren()); return; }
    if (!places.length) { return; }
    const page = await window.bookAside();
    if (root.dataset.code !== "on") { return; }
    places.forEach(function (place, number) { place.innerHTML = page.code[number] || ""; });
    all("pre", document).forEach((block) => { block.tabIndex = 0; });
  }
  for (const button of all(".code-switch")) {
    button.addEventListener("click", function () {
      if (root.dataset.code === "on") { delete root.dataset.code; } else { root.dataset.code = "on"; }
      keep("code", root.dataset.code || "off");
      code();
    });
  }
  code();

  // Formulas that are too wide shrink; what still scrolls sideways can be reached with the keyboard.
  function fit() {
    for (const box of all(".math-scroll, .bd-article .text_html")) {
      box.style.fontSize = "";
      const ratio = box.clientWidth / box.scrollWidth;
      if (ratio < 0.995 && box.matches(".math-scroll")) { box.style.fontSize = `${Math.max(60, Math.floor(96 * ratio))}%`; }
      if (box.scrollWidth > box.clientWidth) { box.tabIndex = 0; } else { box.removeAttribute("tabindex"); }
    }
  }
  let fitting = 0;
  const later = () => { cancelAnimationFrame(fitting); fitting = requestAnimationFrame(fit); };
  window.addEventListener("resize", later);
  later();

  // What stands behind a number: shown beside it while it is pointed at, focused or tapped.
  const note = document.createElement("div");
  note.className = "book-note";
  note.id = "book-note";
  note.setAttribute("role", "tooltip");
  note.hidden = true;
  document.body.append(note);
  let asks = null;
  async function explain(number) {
    asks = number;
    const about = (await window.bookAside()).notes[Number(number.dataset.note)];
    if (asks !== number || !about) { return; }
    const lines = [["strong", about.value], ["span", about.says], ["code", about.formula && about.formula.slice(0, 400)],
      ["span", about.inputs && about.inputs.length ? "hangs on " + about.inputs.map(assumed).join("; ") : ""],
      ...(about.sources || []).map((source) => ["small", source]), ["small", about.name]];
    say(number, lines);
  }
  function say(place, lines) {
    note.replaceChildren(...lines.filter(([, text]) => text).map(([tag, text]) => Object.assign(document.createElement(tag), { textContent: text })));
    note.hidden = false;
    place.setAttribute("aria-describedby", note.id);
    const at = place.getBoundingClientRect();
    const left = Math.max(8, Math.min(at.left, document.documentElement.clientWidth - note.offsetWidth - 8));
    const above = at.bottom + note.offsetHeight + 8 > innerHeight && at.top > note.offsetHeight + 8;
    note.style.left = `${left + scrollX}px`;
    note.style.top = `${(above ? at.top - note.offsetHeight - 6 : at.bottom + 6) + scrollY}px`;
  }
  function assumed(name) {
    const row = document.getElementById("assumption-" + name);
    return row ? `${row.cells[0].textContent} (${row.cells[1].textContent} ${row.cells[2].textContent})`.replace(" )", ")") : name;
  }
  const quiet = function () { asks = null; note.hidden = true; };
  const left = (event) => { if (event.pointerType !== "touch") { quiet(); } }; // a finger is lifted to read
  for (const number of all(".noted")) {
    for (const kind of ["mouseenter", "focus", "click"]) { number.addEventListener(kind, () => explain(number)); }
    for (const kind of ["pointerleave", "blur"]) { number.addEventListener(kind, left); }
  }
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") { quiet(); } });

  // What a term means and what is cited: shown beside the link, from a script that the first such link asks for.
  let told = null;
  window.bookTold = function () {
    told = told || new Promise(function (resolve) {
      const script = document.createElement("script");
      script.src = new URL("told.js", here);
      script.onload = () => resolve(window.bookWords);
      script.onerror = () => resolve({});
      document.head.append(script);
    });
    return told;
  };
  for (const link of all('.bd-article a:is([href*="references.html#"], [href*="glossary.html#term-"])')) {
    link.removeAttribute("title");
    const tell = async function () {
      asks = link;
      const text = (await window.bookTold())[link.getAttribute("href").split("/").pop()];
      if (asks === link && text) { say(link, [["span", text]]); }
    };
    for (const kind of ["mouseenter", "focus"]) { link.addEventListener(kind, tell); }
    let first = false; // a finger asks first, and follows the link with a second touch
    link.addEventListener("pointerdown", (event) => { first = event.pointerType === "touch" && asks !== link; });
    link.addEventListener("click", (event) => { if (first) { event.preventDefault(); tell(); } });
    for (const kind of ["pointerleave", "blur"]) { link.addEventListener(kind, left); }
  }

  // The command that runs a chapter again, with what a reader has set: handles of figures, and values typed here.
  const rerun = find(".book-rerun");
  if (rerun) {
    const command = find("pre", rerun);
    const plain = command.textContent;
    const rows = all("table.assumptions tbody tr").map((row) => ({ name: row.id.replace("assumption-", ""), cells: row.cells }));
    const write = function () {
      const query = new URLSearchParams(location.search);
      const set = new Map(rows.filter((row) => query.has(row.name)).map((row) => [row.name, query.get(row.name)]));
      for (const { state } of all(".book-chart")) {
        const [name, times] = state && state.place !== state.start && state.sets || [];
        if (name && !set.has(name)) { set.set(name, String(typeof times === "number" && times !== 1 ? Number((times * state.values[state.place]).toPrecision(6)) : state.values[state.place])); }
      }
      command.textContent = plain + [...set].map(([name, value]) => ` -p ${name}=${quoted(value)}`).join("");
    };
    const quoted = (text) => (/^[\w.+-]+$/.test(text) ? text : "'" + text.replaceAll("'", "'\\''") + "'");
    const box = document.createElement("details");
    const list = document.createElement("div");
    list.className = "book-values";
    box.append(Object.assign(document.createElement("summary"), { textContent: "Set values for the command" }), list);
    box.addEventListener("toggle", function () {
      if (list.childNodes.length) { return; }
      for (const { name, cells } of rows) {
        const field = Object.assign(document.createElement("input"), { type: "text", placeholder: cells[1].textContent, value: new URLSearchParams(location.search).get(name) || "" });
        field.addEventListener("input", function () {
          const now = new URLSearchParams(location.search);
          if (field.value.trim()) { now.set(name, field.value.trim()); } else { now.delete(name); }
          history.replaceState(null, "", location.pathname + (now.toString() ? "?" + now : "") + location.hash);
          write();
        });
        const label = document.createElement("label");
        label.append(cells[0].textContent + (cells[2].textContent ? `, ${cells[2].textContent}` : ""), field);
        list.append(label);
      }
    });
    rerun.append(box);
    document.addEventListener("book-moved", write);
    write();
  }

  // Commands can be copied.
  for (const block of all("div.highlight-bash, div.highlight-console, .book-rerun")) {
    if (!navigator.clipboard) { break; }
    const command = find("pre", block);
    const button = document.createElement("button");
    button.type = "button";
    button.className = "book-copy";
    button.textContent = "Copy";
    button.addEventListener("click", async function () {
      await navigator.clipboard.writeText(command.textContent.trim());
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
    const box = document.createElement("div");
    box.className = "book-copied";
    command.replaceWith(box);
    box.append(command, button);
  }
})();
