// The calculator's page: a form, an address that holds every input, and answers that a worker works out with the library.
(function () {
  "use strict";
  const box = document.getElementById("calculator");
  const find = (selector) => box.querySelector(selector);
  const all = (selector) => [...box.querySelectorAll(selector)];
  const here = new URL("calculator/", document.currentScript.src);
  const forms = Object.fromEntries(all("form").map((form) => [form.dataset.what, form]));
  let tab = "service", last = null, worker = null, asked = 0, round = 0, measured = null;
  const waiting = new Map();

  function make(name, text, attributes) {
    const made = document.createElement(name);
    if (text !== undefined) { made.textContent = text; }
    for (const key of Object.keys(attributes || {})) { made.setAttribute(key, attributes[key]); }
    return made;
  }

  const digits = (x) => x === null || x === undefined ? "–" : Math.abs(x) >= 99.95 ? Math.round(x).toLocaleString("en") : String(Number(x.toPrecision(3)));

  // Questions

  const file = location.protocol === "file:";

  function give_up(error) {
    worker.terminate();
    worker = null;
    for (const [resolve, timer] of waiting.values()) { clearTimeout(timer); resolve({ error }); }
    waiting.clear();
  }

  function wake() {
    if (worker || file) { return; }
    worker = new Worker(new URL("worker.mjs", here), { type: "module" });
    worker.onmessage = ({ data: [id, answer] }) => { const [resolve, timer] = waiting.get(id); waiting.delete(id); clearTimeout(timer); resolve(answer); };
    worker.onerror = () => give_up("The calculator could not be loaded.");
  }

  function ask(question) {
    wake();
    const mine = ++asked, patience = Number(box.dataset.patience);
    return new Promise((resolve) => {
      waiting.set(mine, [resolve, setTimeout(() => give_up(`The calculator could not answer within ${patience} seconds.`), patience * 1000)]);
      worker.postMessage([mine, question]);
    });
  }

  const OPTION = { prompt: "input" }, POWER = { k: "e3", m: "e6", b: "e9", t: "e12" };
  const named = (name) => OPTION[name] || name;

  function number(form, name) {
    const text = form.elements[name].value.trim().replace(/,/g, ""), parts = /^([-+]?(?:\d+\.?\d*|\.\d+))(e[-+]?\d+)?\s*([kmbt]?)$/i.exec(text);
    if (!text) { return null; }
    if (!parts || (parts[2] && parts[3])) { throw new Error(`${named(name)} = '${text.slice(0, 60)}' is not allowed: it must be a number`); }
    return Number(parts[1] + (parts[2] || POWER[parts[3].toLowerCase()] || ""));
  }

  function whole(form, name) {
    const value = number(form, name);
    if (value !== null && (!Number.isInteger(value) || value < 1 || value > 100000)) { throw new Error(`${name} = ${value} is not allowed: it must be a whole number from 1 to 100000`); }
    return value;
  }

  // A whole number goes as one, so that the library prints it as the command line does: 8 cards, but 16.0 users.
  const real = (value) => ({ real: Number.isFinite(value) ? value : String(value) });
  const WHOLE = ["accelerators", "tensor", "expert"], TEXT = ["model", "system", "weights", "arithmetic", "kv", "precision"];

  function options_of(form) {
    const options = {};
    for (const { name, value } of form.elements) {
      if (!name || value === "" || name in FILES) { continue; }
      if (TEXT.includes(name)) { options[name] = value; continue; }
      const given = form === forms.service && WHOLE.includes(name) ? whole(form, name) : number(form, name);
      if (given !== null) { options[name] = form === forms.service && WHOLE.includes(name) ? given : real(given); }
    }
    return options;
  }

  const FILES = { config: "config.json", quant: "hf_quant_config.json" };
  const is_pasted = () => tab === "service" && forms.service.elements.model.value === FILES.config;

  function pasted() {
    const given = Object.keys(FILES).map((name) => [name, forms.service.elements[name].value]);
    return is_pasted() ? Object.fromEntries(given.filter(([name, text]) => name === "config" || text.trim())) : {};
  }

  function question_of() {
    const options = options_of(forms[tab]);
    if (tab === "run") { return { what: "run", options }; }
    const { model, system, usd_per_hour, ...rest } = options;
    const files = Object.fromEntries(Object.entries(pasted()).map(([name, text]) => [FILES[name], text]));
    return { what: "service", model, systems: [system], options: { ...rest, prices: usd_per_hour ? [usd_per_hour] : [] }, files };
  }

  // Answers

  function fail(text) { find(".calc-error").textContent = text; }
  function note(text) { find(".calc-note").textContent = text; }
  function say(text) { find(".calc-said").textContent = text; }

  async function answer(told = []) {
    const mine = ++round;
    let question;
    try { question = question_of(); } catch (error) { fail(error.message); return; }
    if (file) { fail("Opened as a file, this page may not load the library. Serve the folder (python -m http.server), or use the command line below."); show_command(question); return; }
    find(".calc-said").textContent ||= "…";
    const started = performance.now();
    const found = await (is_ranking(question) ? rank(question, mine) : ask(question));
    if (mine !== round) { return; }
    if (found.error) { fail(found.error); if (!last || find(".calc-said").textContent.endsWith("…")) { say(last ? last.found.said : ""); } return; }
    fail("");
    last = { question, found };
    box.dataset.took = performance.now() - started;
    empty();
    if (question.what === "run") { show(found); } else if (is_ranking(question)) { show_ranking(found); } else { show_service(found); }
    show_command(question);
    show_asked();
    box.dataset.done = mine;
    keep(mine, told);
    if (question.what === "service" && !is_ranking(question)) { draw(question, found.answer, mine); }
  }

  const is_ranking = (question) => question.what === "service" && (question.systems[0] === "all" || question.options.tokens_per_s !== undefined);

  async function rank(question, mine) {
    const every = question.systems[0] === "all";
    const names = every ? [...forms.service.elements.system.options].map((o) => o.value).filter((v) => v !== "all") : question.systems;
    const rows = [];
    for (const system of names) {
      const found = await ask({ ...question, what: "candidate", system, every });
      if (found.error || mine !== round) { return found; }
      rows.push(found.answer);
      say(`${rows.length} of ${names.length} systems asked …`);
    }
    const found = await ask({ what: "ranked", rows });
    return found.error ? found : { ...found, said: in_words(found.answer) };
  }

  function in_words(rows) {
    const able = rows.filter((row) => !row.why_not), first = able[0];
    if (!first) { return rows.length === 1 ? `${rows[0].system}: ${rows[0].why_not}.` : "No system serves this."; }
    const name = first.system.split(",")[0], prices = first.usd_per_million_tokens;
    return (able.length > 1 ? `${name} is the cheapest of ${able.length}: ` : `${name}: `) +
      `${first.accelerators} cards for ${digits(first.concurrency)} users at ${digits(first.tokens_per_s_per_user)} tokens/s each` +
      (prices ? `, $${digits(prices.output)} a million tokens out, $${digits(prices.input)} in` : "") +
      (first.flips_at_usd_per_hour ? `; another is cheaper from $${digits(first.flips_at_usd_per_hour)} a card-hour` : "") + ".";
  }

  function table(heads, rows) {
    const made = make("table"), head = make("tr"), body = make("tbody");
    for (const name of heads) { head.append(make("th", name, { scope: "col" })); }
    made.append(make("thead"), body);
    made.firstChild.append(head);
    for (const cells of rows) {
      const row = make("tr");
      cells.forEach((cell, i) => row.append(make(i ? "td" : "th", cell, i ? { class: /^[\d–][\d.,–]*( ms|\/s)?$/.test(cell) ? "n" : "" } : { scope: "row" })));
      if (cells.length < heads.length) { row.lastChild.colSpan = heads.length - cells.length + 1; }
      body.append(row);
    }
    return made;
  }

  function empty() {
    find(".calc-numbers").replaceChildren();
    find(".calc-ranking").replaceChildren();
    find(".calc-picture").hidden = find("[data-do=png]").hidden = true;
    find(".calc-tools").hidden = false;
  }

  function show(found) {
    say(found.said);
    const rows = found.workings.map((w) => [w.name, w.shown || `${digits(w.value)}${w.unit && w.unit !== "USD" ? " " + w.unit : ""}`, w.formula, w.numbers]);
    find(".calc-numbers").append(table(["number", "value", "formula", "with its numbers"], rows));
  }

  function show_service(found) {
    show(found);
    const a = found.answer, times = (t) => `${digits(t.value)} ms (${digits(t.low)} to ${digits(t.high)}; never below ${digits(t.floor)})`;
    const seen = a.evidence;
    find(".calc-numbers").append(make("p", `Per token ${times(a.tpot_ms)}; first token ${times(a.ttft_ms)}. The interval is that of ${seen.interval}, of ${seen.services}.` +
      (seen.chip_measured ? "" : " No service on this chip is among them.") + (seen.model_measured ? "" : " No service of this model is among them.") +
      ` Reckoned with ${a.weights} weights, ${a.arithmetic} arithmetic and a cache in ${a.kv}` + (a.usd_per_hour === null ? "; no price of this system is known." : `, at $${digits(a.usd_per_hour)} a card-hour in use.`)));
  }

  function show_ranking(found) {
    say(found.said);
    find(".calc-ranking").append(table(["system", "cards", "users", "tokens/s each", "USD/hour", "in, USD/M", "out, USD/M", "order flips at USD/hour", "takes most"], found.answer.map((row) => row.why_not ? [row.system, row.why_not] : [
      row.system.split(",")[0], String(row.accelerators), digits(row.concurrency), digits(row.tokens_per_s_per_user), digits(row.usd_per_hour),
      row.usd_per_million_tokens ? digits(row.usd_per_million_tokens.input) : "–", row.usd_per_million_tokens ? digits(row.usd_per_million_tokens.output) : "–", digits(row.flips_at_usd_per_hour), row.binds])));
  }

  // What was asked, for paper, where the form is left out
  function show_asked() {
    const rows = [...forms[tab].elements].filter((field) => field.name && field.value && !(field.name in FILES))
      .map((field) => [field.labels[0].firstChild.textContent.trim(), field.tagName === "SELECT" ? field.selectedOptions[0].textContent : field.value]);
    find(".calc-asked").replaceChildren(...rows.flatMap(([name, value]) => [make("dt", name), make("dd", value)]));
  }

  // The picture: speed of a user against output of a card, with the reader's point and what was published near it

  async function draw(question, found, mine) {
    const line = await ask({ ...question, what: "curve" });
    measured = measured || await fetch(new URL("points.json", here)).then((got) => got.json()).catch(() => []);
    if (mine !== round || line.error) { return; }
    const near = measured.filter((p) => p[0] === found.accelerator && p[1] === found.model && p[4] / found.output_tokens < 4 && found.output_tokens / p[4] < 4);
    const mark = [found.tokens_per_s_per_user, found.output_tokens_per_s_per_accelerator];
    const words = `Speed of a user against output of a card. The line: from one user to as many as fit. The dot: ${digits(found.concurrency)} users, ${digits(mark[0])} tokens/s each and ${digits(mark[1])} tokens/s a card. ` +
      (near.length ? `Circles: ${near.length} published measurements of this model on this chip, whatever their formats, layout and prompt.` : "No measurement of this model on this chip is published in the book.");
    last.picture = (width) => picture(mark, line.answer, near, words, width, width < 480 ? 300 : 360);
    find(".calc-picture").replaceChildren(make("div"), make("figcaption", words));
    find(".calc-picture").hidden = find("[data-do=png]").hidden = false;
    fit();
  }

  function fit() {
    const at = find(".calc-picture > div");
    if (at && last && last.picture) { at.replaceChildren(last.picture(Math.max(280, Math.min(720, at.clientWidth || 640)))); }
  }

  function scale(values, from, to, room) {
    const low = Math.log10(Math.min(...values) / 1.3), high = Math.log10(Math.max(...values) * 1.3);
    const at = (v) => from + (to - from) * (Math.log10(v) - low) / (high - low);
    at.ticks = [];
    for (let d = Math.floor(low); d <= high; d++) {
      for (const m of [1, 2, 5]) {
        const v = m * 10 ** d, before = at.ticks[at.ticks.length - 1];
        if (Math.log10(v) >= low && Math.log10(v) <= high && (!before || Math.abs(at(v) - at(before)) >= room)) { at.ticks.push(v); }
      }
    }
    return at;
  }

  function picture(mark, line, near, words, W, H) {
    const x = scale([mark[0], ...line.map((p) => p[1]), ...near.map((p) => p[5])], 62, W - 16, 34);
    const y = scale([mark[1], ...line.map((p) => p[2]), ...near.map((p) => p[6])], H - 46, 14, 18);
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const put = (name, attributes, text) => { const made = document.createElementNS(svg.namespaceURI, name); for (const key of Object.keys(attributes)) { made.setAttribute(key, attributes[key]); } if (text) { made.textContent = text; } svg.append(made); return made; };
    svg.setAttribute("viewBox", `0 0 ${W} ${H}`);
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", words);
    for (const v of x.ticks) { put("line", { x1: x(v), x2: x(v), y1: 14, y2: H - 46, stroke: "var(--book-grid)" }); put("text", { x: x(v), y: H - 30, "text-anchor": "middle" }, digits(v)); }
    for (const v of y.ticks) { put("line", { x1: 62, x2: W - 16, y1: y(v), y2: y(v), stroke: "var(--book-grid)" }); put("text", { x: 56, y: y(v) + 4, "text-anchor": "end" }, digits(v)); }
    put("text", { x: (62 + W - 16) / 2, y: H - 8, "text-anchor": "middle" }, "tokens/s of a user");
    put("text", { x: -(H - 32) / 2, y: 12, transform: "rotate(-90)", "text-anchor": "middle" }, "output tokens/s of a card");
    for (const p of near) { put("circle", { cx: x(p[5]), cy: y(p[6]), r: 3.5, fill: "none", stroke: "var(--series-2)", "stroke-width": 1.5 }); }
    put("polyline", { points: line.map((p) => `${x(p[1])},${y(p[2])}`).join(" "), fill: "none", stroke: "var(--series-1)", "stroke-width": 2.5 });
    put("circle", { cx: x(mark[0]), cy: y(mark[1]), r: 6.5, fill: "var(--series-1)", stroke: "var(--book-card)", "stroke-width": 2 });
    const right = x(mark[0]) < W - 70;
    put("text", { x: x(mark[0]) + (right ? 11 : -11), y: y(mark[1]) - 8, "font-weight": 700, "text-anchor": right ? "start" : "end", stroke: "var(--book-card)", "stroke-width": 4, "paint-order": "stroke" }, "yours");
    return svg;
  }

  // The address and the command line

  // A pasted file travels packed, behind the #, which no server is told of.
  const MOST = { packed: 16000, text: 1000000 };

  async function through(stream, bytes, most) {
    const reader = new Blob([bytes]).stream().pipeThrough(stream).getReader(), parts = [];
    for (let size = 0; ;) {
      const { done, value } = await reader.read();
      if (done) { return new Blob(parts); }
      parts.push(value);
      size += value.length;
      if (size > most) { reader.cancel(); throw new Error("too large"); }
    }
  }

  async function packed(files) {
    const made = await through(new CompressionStream("deflate-raw"), new TextEncoder().encode(JSON.stringify(files)), Infinity);
    const bytes = new Uint8Array(await made.arrayBuffer());
    if (bytes.length > MOST.packed) { return [null, Math.ceil(bytes.length * 4 / 3)]; }
    const text = btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
    return [text.length > MOST.packed ? null : text, text.length];
  }

  async function unpacked(text) {
    if (text.length > MOST.packed || !/^[\w-]+$/.test(text)) { throw new Error("not ours"); }
    const bytes = Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
    const found = JSON.parse(await (await through(new DecompressionStream("deflate-raw"), bytes, MOST.text)).text());
    return Object.fromEntries(Object.keys(FILES).filter((name) => typeof found[name] === "string").map((name) => [name, found[name]]));
  }

  async function keep(mine, told) {
    const query = new URLSearchParams({ tab });
    for (const field of forms[tab].elements) {
      if (field.name && !(field.name in FILES) && (field.value !== "" || usual(field) !== "")) { query.set(field.name, field.value); }
    }
    let hash = "";
    if (is_pasted()) {
      const large = Object.values(pasted()).join("").length > MOST.text;
      const [text, size] = large ? [null, 0] : await packed(pasted()).catch(() => [null, 0]);
      if (mine !== round) { return; }
      if (text) { hash = "#pasted=" + text; } else { told = [...told, `A link cannot carry this pasted file${size ? `: packed it has ${size.toLocaleString("en")} characters, at most ${MOST.packed.toLocaleString("en")} travel` : ""}. Save it as config.json and copy the command line.`]; }
    }
    note(told.join(" "));
    history.replaceState(null, "", "?" + query + hash);
  }

  const usual = (field) => field.tagName === "SELECT" ? ([...field.options].find((option) => option.defaultSelected) || field.options[0]).value : field.defaultValue;

  function choose(field, value) {
    if (field.tagName !== "SELECT" || [...field.options].some((option) => option.value === value)) { field.value = value; return; }
    const plain = (text) => text.toLowerCase().replace(/[\W_]+/g, "");
    const near = [...field.options].find((option) => plain(option.value).split("main")[0] === plain(value));
    if (!near) { field.add(new Option(value.slice(0, 200), value)); }
    field.value = near ? near.value : value;
  }

  async function restore() {
    const query = new URLSearchParams(location.search), code = /^#pasted=(.*)$/.exec(location.hash);
    if (![...query].length) { return false; }
    select(query.get("tab") === "run" ? "run" : "service");
    const fields = [...forms[tab].elements].filter((field) => field.name), names = fields.map((field) => field.name), told = [];
    for (const field of fields) { if (query.has(field.name)) { choose(field, query.get(field.name).slice(0, 5000)); } }
    const strange = [...new Set(query.keys())].filter((name) => name !== "tab" && !names.includes(name)).map((name) => name.slice(0, 40));
    if (strange.length) { told.push(`Not known to this page and left aside: ${strange.slice(0, 5).join(", ")}${strange.length > 5 ? " …" : ""}.`); }
    if (!["service", "run", null].includes(query.get("tab"))) { told.push("The tab of this address is not known; this is the first."); }
    if (code && tab === "service") {
      try { for (const [name, text] of Object.entries(await unpacked(code[1]))) { forms.service.elements[name].value = text; } } catch (error) { told.push("The pasted file of this address cannot be read and was left aside."); }
    }
    unfold();
    note(told.join(" "));
    return told;
  }

  const quoted = (text) => /^[\w.,:-]+$/.test(text) ? text : `'${text.replace(/'/g, "'\\''")}'`;

  function command(question) {
    const text = (value) => quoted(String(value.real === undefined ? value : value.real));
    const { prices = [], ...options } = question.options, parts = question.what === "run" ? ["llm-economics training"] : ["llm-economics service", quoted(question.model), "--system", quoted(question.systems[0])];
    for (const [name, value] of [...Object.entries(options), ...prices.map((price) => ["usd_per_hour", price])]) { parts.push("--" + named(name).replace(/_/g, "-"), text(value)); }
    return parts.join(" ");
  }

  function show_command(question) {
    find(".calc-command pre").textContent = command(question);
    find("[data-do=save]").hidden = find(".calc-saved").hidden = !is_pasted();
    find(".calc-command").hidden = false;
  }

  // Tabs, tools

  function select(name) {
    tab = name;
    for (const button of all("[role=tab]")) {
      const on = button.id === "calc-tab-" + name;
      button.setAttribute("aria-selected", on);
      button.tabIndex = on ? 0 : -1;
      document.getElementById(button.getAttribute("aria-controls")).hidden = !on;
    }
  }

  function unfold() {
    find("[data-pasted]").hidden = forms.service.elements.model.value !== FILES.config;
    for (const more of all("details.more")) { more.open ||= [...more.querySelectorAll("[name]")].some((field) => field.value !== usual(field)); }
  }

  function csv() {
    const rows = last.found.workings ? [["number", "value", "unit", "formula", "numbers"], ...last.found.workings.map((w) => [w.name, w.value, w.unit, w.formula, w.numbers])]
      : Array.isArray(last.found.answer) ? [["system", "accelerators", "concurrency", "tokens_per_s_per_user", "usd_per_hour", "usd_per_request", "flips_at_usd_per_hour", "why_not"], ...last.found.answer.map((r) => [r.system, r.accelerators, r.concurrency, r.tokens_per_s_per_user, r.usd_per_hour, r.usd_per_request, r.flips_at_usd_per_hour, r.why_not])]
      : [["number", "value"], ...Object.entries(last.found.answer)];
    return rows.map((row) => row.map((cell) => { const text = typeof cell === "number" ? String(Number(cell.toPrecision(12))) : String(cell ?? ""); return /[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text; }).join(",")).join("\n") + "\n";
  }

  function save(blob, name) {
    const link = make("a", "", { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  async function png() {
    const svg = last.picture(640), style = getComputedStyle(document.documentElement), body = getComputedStyle(document.body);
    const text = new XMLSerializer().serializeToString(svg).replace(/var\((--[\w-]+)\)/g, (_, name) => style.getPropertyValue(name).trim());
    const image = new Image();
    image.src = "data:image/svg+xml," + encodeURIComponent(text.replace("<svg", `<svg width="1280" height="720" style="font:12px sans-serif;fill:${body.color}"`));
    await image.decode();
    const canvas = make("canvas", "", { width: 1280, height: 720 }), ink = canvas.getContext("2d");
    ink.fillStyle = body.backgroundColor;
    ink.fillRect(0, 0, 1280, 720);
    ink.drawImage(image, 0, 0);
    canvas.toBlob((blob) => save(blob, "service.png"));
  }

  const tools = {
    link: () => navigator.clipboard.writeText(location.href),
    command: () => navigator.clipboard.writeText(command(last.question)),
    png,
    save: () => { for (const [name, text] of Object.entries(pasted())) { save(new Blob([text], { type: "application/json" }), FILES[name]); } },
    csv: () => save(new Blob([csv()], { type: "text/csv" }), "calculator.csv"),
    cite: () => navigator.clipboard.writeText(`The Price of a Token, “The calculator”, ${location.href}, read on ${new Date().toISOString().slice(0, 10)}.`),
  };
  for (const button of all("[data-do]")) {
    button.addEventListener("click", async function () {
      if (!last || button.dataset.busy) { return; }
      const before = button.textContent;
      button.dataset.busy = "1";
      try { await tools[button.dataset.do](); button.textContent = "Done"; } catch (error) { button.textContent = "Not possible here"; }
      setTimeout(() => { button.textContent = before; delete button.dataset.busy; }, 1500);
    });
  }

  function turn(name) {
    select(name);
    if (last) { answer(); }
  }

  for (const button of all("[role=tab]")) {
    button.addEventListener("click", () => turn(button.id.replace("calc-tab-", "")));
    button.addEventListener("keydown", function (event) {
      if (!["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) { return; }
      event.preventDefault();
      turn({ Home: "service", End: "run" }[event.key] || (tab === "run" ? "service" : "run"));
      document.getElementById("calc-tab-" + tab).focus();
    });
  }
  forms.service.elements.model.addEventListener("change", unfold);
  for (const form of Object.values(forms)) {
    form.addEventListener("submit", (event) => { event.preventDefault(); answer(); });
    form.addEventListener("change", () => { if (last) { answer(); } });
  }
  for (const touch of ["pointerover", "pointerdown", "focusin"]) { box.addEventListener(touch, wake, { once: true }); }
  new ResizeObserver(fit).observe(box);
  addEventListener("beforeprint", () => { for (const line of all(".calc-command")) { line.open = true; } });
  restore().then((told) => { if (told) { answer(told); } });
})();
