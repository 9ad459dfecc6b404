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

  const PATIENCE = 20;

  function give_up(error) {
    worker.terminate();
    worker = null;
    for (const resolve of waiting.values()) { resolve({ error }); }
    waiting.clear();
  }

  function ask(question) {
    if (!worker) {
      worker = new Worker(new URL("worker.mjs", here), { type: "module" });
      worker.onmessage = (event) => { const [id, answer] = event.data; waiting.get(id)(answer); waiting.delete(id); };
      worker.onerror = () => give_up("The calculator could not be loaded.");
    }
    return new Promise((resolve) => {
      const mine = ++asked;
      waiting.set(mine, resolve);
      worker.postMessage([mine, question]);
      setTimeout(() => { if (waiting.has(mine)) { give_up(`The calculator could not answer within ${PATIENCE} seconds.`); } }, PATIENCE * 1000);
    });
  }

  function number(form, name) {
    const text = form.elements[name].value.trim().replace(/,/g, "");
    if (!text) { return null; }
    if (!/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text)) { throw new Error(`${name} = '${text.slice(0, 60)}' is not allowed: it must be a number`); }
    return Number(text);
  }

  // A whole number goes as one, so that the library prints it as the command line does: 8 cards, but 16.0 users.
  const real = (value) => value === null ? null : { real: Number.isFinite(value) ? value : String(value) };

  function service() {
    const form = forms.service, get = (name) => number(form, name), value = (name) => form.elements[name].value || null;
    const cards = get("accelerators"), price = get("usd_per_hour"), hours = get("hours") === null ? 24 : get("hours");
    if (cards !== null && (!Number.isInteger(cards) || cards < 1 || cards > 100000)) { throw new Error(`accelerators = ${cards} is not allowed: it must be a whole number from 1 to 100000`); }
    if (!(hours > 0 && hours <= 24)) { throw new Error(`hours = ${hours} is not allowed: it must be above 0 and at most 24`); }
    const files = {};
    if (value("model") === "config.json") {
      files["config.json"] = form.elements.config.value;
      if (form.elements.quant.value.trim()) { files["hf_quant_config.json"] = form.elements.quant.value; }
    }
    const options = { accelerators: cards, weights: value("weights"), arithmetic: value("arithmetic"), kv: value("kv") };
    for (const name of ["prompt", "output", "cached_share"]) { if (get(name) !== null) { options[name] = real(get(name)); } }
    for (const name of ["concurrency", "tokens_per_s"]) { options[name] = real(get(name)); }
    return { what: "service", model: value("model"), systems: [value("system")], options, price: price !== null && !Number.isFinite(price) ? String(price) : price, hours, files };
  }

  function run() {
    const form = forms.run, get = (name, times) => { const value = number(form, name); return value === null ? null : real(value * (times || 1)); };
    const given = { parameters: get("parameters", 1e9), tokens: get("tokens", 1e9), accelerators: get("cards"), days: get("days"), usd: get("budget"), mfu: get("mfu"), usd_per_hour: get("rate"), peak_flops: { real: Number(form.elements.peak.value) } };
    return { what: "run", given };
  }

  // Answers

  function fail(text) { find(".calc-error").textContent = text; }

  async function answer() {
    const mine = ++round;
    let question;
    try { question = tab === "service" ? service() : run(); } catch (error) { fail(error.message); return; }
    if (location.protocol === "file:") { fail("Opened as a file, this page may not load the library. Serve the folder (python -m http.server), or use the command line below."); show_command(question); return; }
    find(".calc-said").textContent ||= "…";
    const started = performance.now();
    const ranking = tab === "service" && (question.systems[0] === "all" || question.options.tokens_per_s !== null);
    if (ranking) { await rank(question, mine); return; }
    const found = await ask(question);
    if (mine !== round) { return; }
    if (found.error) { fail(found.error); if (find(".calc-said").textContent === "…") { find(".calc-said").textContent = ""; } return; }
    fail("");
    keep();
    last = { question, found };
    box.dataset.took = performance.now() - started;
    if (tab === "run") { show_run(found.answer); } else { show_service(found); draw(question, found.answer, mine); }
    show_command(question);
    box.dataset.done = mine;
  }

  async function rank(question, mine) {
    const one = question.systems[0] !== "all";
    const names = one ? question.systems : [...forms.service.elements.system.options].map((o) => o.value).filter((v) => v !== "all");
    const rows = [];
    for (const system of names) {
      const found = await ask({ ...question, what: "candidate", system });
      if (mine !== round) { return; }
      if (found.error) { fail(found.error); return; }
      rows.push(found.answer);
      find(".calc-said").textContent = `${rows.length} of ${names.length} systems asked …`;
    }
    const found = await ask({ what: "ranked", rows });
    if (mine !== round) { return; }
    fail("");
    keep();
    last = { question, found };
    show_ranking(question, found.answer);
    show_command(question);
    box.dataset.done = mine;
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
    find(".calc-picture").hidden = true;
    find(".calc-tools").hidden = false;
  }

  function show_service(found) {
    empty();
    find(".calc-said").textContent = found.said;
    const rows = found.workings.map((w) => [w.name, `${digits(w.value)}${w.unit && w.unit !== "USD" ? " " + w.unit : ""}`, w.formula, w.numbers]);
    find(".calc-numbers").append(table(["number", "value", "formula", "with its numbers"], rows));
    const a = found.answer, times = (t) => `${digits(t.value)} ms (${digits(t.low)} to ${digits(t.high)}; never below ${digits(t.floor)})`;
    const seen = a.evidence;
    find(".calc-numbers").append(make("p", `Per token ${times(a.tpot_ms)}; first token ${times(a.ttft_ms)}. The interval is that of ${seen.interval}, of ${seen.services}.` +
      (seen.chip_measured ? "" : " No service on this chip is among them.") + (seen.model_measured ? "" : " No service of this model is among them.")));
  }

  function show_run(a) {
    empty();
    const days = a.days === null ? "" : `${digits(a.days)} days`, usd = a.usd === null ? "" : `$${digits(a.usd)}`;
    find(".calc-said").textContent = [a.accelerators === null ? "" : `${digits(a.accelerators)} cards`, days, usd].filter(Boolean).join(", ") + ".";
    find(".calc-numbers").append(table(["number", "value", "formula", "with its numbers"], [
      ["compute", digits(a.flops / 1e21) + "e21 FLOP", "6 × parameters × tokens", `6 × ${digits(a.parameters / 1e9)}e9 × ${digits(a.tokens / 1e9)}e9`],
      ["card-hours", digits(a.accelerator_hours), "compute ÷ (MFU × peak) ÷ 3600", `${digits(a.flops / 1e21)}e21 ÷ (${digits(a.mfu)} × ${digits(a.peak_flops / 1e12)}e12) ÷ 3600`],
      ["days", digits(a.days), "card-hours ÷ cards ÷ 24", `${digits(a.accelerator_hours)} ÷ ${digits(a.accelerators)} ÷ 24`],
      ["USD", digits(a.usd), "card-hours × price", `${digits(a.accelerator_hours)} × ${digits(a.usd_per_hour)}`],
      ["cards", digits(a.accelerators), "card-hours ÷ (24 × days)", `${digits(a.accelerator_hours)} ÷ (24 × ${digits(a.days)})`],
      ["tokens per parameter", digits(a.tokens_per_parameter), "about 20 is compute-optimal", `${digits(a.tokens)} ÷ ${digits(a.parameters)}`],
    ]));
  }

  function show_ranking(question, rows) {
    empty();
    const able = rows.filter((row) => !row.why_not), first = able[0];
    find(".calc-said").textContent = first ? `${first.system.split(",")[0]} is the cheapest of ${able.length}` + (first.usd_per_million_tokens ? `: $${digits(first.usd_per_million_tokens.output)} a million tokens out on ${first.accelerators} cards, ${digits(first.tokens_per_s_per_user)} tokens/s each` : "") + (first.flips_at_usd_per_hour ? `; another is cheaper from $${digits(first.flips_at_usd_per_hour)} a card-hour` : "") + "." : "No system serves this.";
    find(".calc-ranking").append(table(["system", "cards", "users", "tokens/s each", "USD/hour", "in, USD/M", "out, USD/M", "order flips at USD/hour", "takes most"], rows.map((row) => row.why_not ? [row.system, row.why_not] : [
      row.system.split(",")[0], String(row.accelerators), digits(row.concurrency), digits(row.tokens_per_s_per_user), digits(row.usd_per_hour),
      row.usd_per_million_tokens ? digits(row.usd_per_million_tokens.input) : "–", row.usd_per_million_tokens ? digits(row.usd_per_million_tokens.output) : "–", digits(row.flips_at_usd_per_hour), row.binds])));
  }

  // The picture: speed of a user against output of a card, with the reader's point and what was published near it

  async function draw(question, found, mine) {
    const line = await ask({ ...question, what: "curve" });
    measured = measured || await fetch(new URL("points.json", here)).then((got) => got.json()).catch(() => []);
    if (mine !== round || line.error) { return; }
    const near = measured.filter((p) => p[0] === found.accelerator && p[1] === found.model && p[4] / found.output_tokens < 4 && found.output_tokens / p[4] < 4);
    const mark = [found.tokens_per_s_per_user, found.output_tokens_per_s_per_accelerator];
    const xs = [mark[0], ...line.answer.map((p) => p[1]), ...near.map((p) => p[5])], ys = [mark[1], ...line.answer.map((p) => p[2]), ...near.map((p) => p[6])];
    const scale = (values, from, to) => {
      const low = Math.log10(Math.min(...values) / 1.3), high = Math.log10(Math.max(...values) * 1.3);
      const at = (v) => from + (to - from) * (Math.log10(v) - low) / (high - low);
      at.ticks = [];
      for (let d = Math.floor(low); d <= high; d++) { for (const m of [1, 2, 5]) { const v = m * 10 ** d; if (Math.log10(v) >= low && Math.log10(v) <= high) { at.ticks.push(v); } } }
      return at;
    };
    const W = 640, H = 360, x = scale(xs, 62, W - 16), y = scale(ys, H - 46, 14);
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const put = (name, attributes, text) => { const made = document.createElementNS(svg.namespaceURI, name); for (const key of Object.keys(attributes)) { made.setAttribute(key, attributes[key]); } if (text) { made.textContent = text; } svg.append(made); return made; };
    svg.setAttribute("viewBox", `0 0 ${W} ${H}`);
    svg.setAttribute("role", "img");
    const words = `Speed of a user against output of a card: at ${digits(found.concurrency)} users ${digits(mark[0])} tokens/s each and ${digits(mark[1])} tokens/s a card. ${near.length} published measurements of this model on this chip.`;
    svg.setAttribute("aria-label", words);
    for (const v of x.ticks) { put("line", { x1: x(v), x2: x(v), y1: 14, y2: H - 46, stroke: "var(--book-grid)" }); put("text", { x: x(v), y: H - 30, "text-anchor": "middle" }, digits(v)); }
    for (const v of y.ticks) { put("line", { x1: 62, x2: W - 16, y1: y(v), y2: y(v), stroke: "var(--book-grid)" }); put("text", { x: 56, y: y(v) + 4, "text-anchor": "end" }, digits(v)); }
    put("text", { x: W / 2, y: H - 8, "text-anchor": "middle" }, "tokens/s of a user");
    put("text", { x: -H / 2 + 20, y: 12, transform: "rotate(-90)", "text-anchor": "middle" }, "output tokens/s of a card");
    put("polyline", { points: line.answer.map((p) => `${x(p[1])},${y(p[2])}`).join(" "), fill: "none", stroke: "var(--series-1)", "stroke-width": 2 });
    for (const p of near) { put("circle", { cx: x(p[5]), cy: y(p[6]), r: 3.5, fill: "none", stroke: "var(--series-2)" }); }
    put("circle", { cx: x(mark[0]), cy: y(mark[1]), r: 6, fill: "var(--series-1)" });
    put("text", { x: x(mark[0]) + 10, y: y(mark[1]) - 8, "font-weight": 600 }, "yours");
    find(".calc-picture").replaceChildren(svg, make("figcaption", words + (near.length ? " Circles: published." : "")));
    find(".calc-picture").hidden = false;
  }

  // The address and the command line

  const fields = () => [...forms[tab].elements].filter((field) => field.name && !["config", "quant"].includes(field.name));

  function keep() {
    const query = new URLSearchParams({ tab });
    for (const field of fields()) { if (field.value !== "") { query.set(field.name, field.value); } }
    if (tab === "service" && forms.service.elements.model.value === "config.json") {
      for (const name of ["config", "quant"]) { const text = forms.service.elements[name].value.trim(); if (text && text.length < 4000) { query.set(name, text); } }
    }
    history.replaceState(null, "", "?" + query);
  }

  function restore() {
    const query = new URLSearchParams(location.search);
    if (![...query].length) { return false; }
    select(query.get("tab") === "run" ? "run" : "service");
    const wrong = [];
    for (const field of forms[tab].elements) {
      if (!field.name || !query.has(field.name)) { if (field.name && field.tagName === "INPUT" && query.has("tab")) { field.value = ""; } continue; }
      const value = query.get(field.name).slice(0, 5000);
      if (field.tagName === "SELECT" && ![...field.options].some((option) => option.value === value)) {
        const plain = (text) => text.toLowerCase().replace(/[\W_]+/g, "");
        const near = [...field.options].find((option) => plain(option.value).split("main")[0] === plain(value));
        if (near) { field.value = near.value; } else if (field.name === "peak") { wrong.push(`peak = '${value.slice(0, 60)}' is not allowed: it is not known`); } else { field.add(new Option(value.slice(0, 200), value)); field.value = value; }
      } else { field.value = value; }
    }
    pasted();
    if (wrong.length) { fail(wrong[0]); return false; }
    return true;
  }

  const quoted = (text) => /^[\w.,:-]+$/.test(text) ? text : `'${text.replace(/'/g, "'\\''")}'`;

  function command(question) {
    if (question.what === "run") { return "llm-economics has no command for a training run; in Python:\nfrom llm_economics.formulas import questions\nquestions.run(" + Object.entries(question.given).filter(([, v]) => v).map(([k, v]) => `${k}=${v.real}`).join(", ") + ")"; }
    const names = { accelerators: "accelerators", concurrency: "concurrency", tokens_per_s: "tokens-per-s", prompt: "input", output: "output", cached_share: "cached-share", weights: "weights", arithmetic: "arithmetic", kv: "kv" };
    const parts = ["llm-economics service", quoted(question.model), "--system", quoted(question.systems[0])];
    for (const [name, option] of Object.entries(names)) { const value = question.options[name]; if (value !== null && value !== undefined) { parts.push(`--${option}`, quoted(String(value.real === undefined ? value : value.real))); } }
    const paid = question.hours === 24 ? question.price : last && last.found.answer.usd_per_hour;
    if (paid) { parts.push("--usd-per-hour", String(paid)); }
    return parts.join(" ");
  }

  function show_command(question) {
    find(".calc-command pre").textContent = command(question) + (question.files && question.files["config.json"] ? "\n# with the pasted text saved as config.json (and hf_quant_config.json) in this folder" : "");
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

  function pasted() { find("[data-pasted]").hidden = forms.service.elements.model.value !== "config.json"; }

  function csv() {
    const rows = last.found.workings ? [["number", "value", "unit", "formula", "numbers"], ...last.found.workings.map((w) => [w.name, w.value, w.unit, w.formula, w.numbers])]
      : Array.isArray(last.found.answer) ? [["system", "accelerators", "concurrency", "tokens_per_s_per_user", "usd_per_hour", "usd_per_request", "flips_at_usd_per_hour", "why_not"], ...last.found.answer.map((r) => [r.system, r.accelerators, r.concurrency, r.tokens_per_s_per_user, r.usd_per_hour, r.usd_per_request, r.flips_at_usd_per_hour, r.why_not])]
      : [["number", "value"], ...Object.entries(last.found.answer)];
    return rows.map((row) => row.map((cell) => { const text = String(cell ?? ""); return /[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text; }).join(",")).join("\n") + "\n";
  }

  function save(blob, name) {
    const link = make("a", "", { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  async function png() {
    const svg = find(".calc-picture svg").cloneNode(true), style = getComputedStyle(document.documentElement);
    const text = new XMLSerializer().serializeToString(svg).replace(/var\((--[\w-]+)\)/g, (_, name) => style.getPropertyValue(name).trim());
    const image = new Image();
    image.src = "data:image/svg+xml," + encodeURIComponent(text.replace("<svg", `<svg width="1280" height="720" style="font:12px sans-serif;fill:${getComputedStyle(document.body).color}"`));
    await image.decode();
    const canvas = make("canvas", "", { width: 1280, height: 720 }), ink = canvas.getContext("2d");
    ink.fillStyle = getComputedStyle(document.body).backgroundColor;
    ink.fillRect(0, 0, 1280, 720);
    ink.drawImage(image, 0, 0);
    canvas.toBlob((blob) => save(blob, "service.png"));
  }

  const tools = {
    link: () => navigator.clipboard.writeText(location.href),
    command: () => navigator.clipboard.writeText(command(last.question)),
    png,
    csv: () => save(new Blob([csv()], { type: "text/csv" }), "calculator.csv"),
    cite: () => navigator.clipboard.writeText(`The Price of a Token, “The calculator”, ${location.href}, read on ${new Date().toISOString().slice(0, 10)}.`),
  };
  for (const button of all("[data-do]")) {
    button.addEventListener("click", async function () {
      if (!last || (button.dataset.do === "png" && find(".calc-picture").hidden)) { return; }
      const before = button.textContent;
      try { await tools[button.dataset.do](); button.textContent = "Done"; } catch (error) { button.textContent = "Not possible here"; }
      setTimeout(() => { button.textContent = before; }, 1500);
    });
  }
  for (const button of all("[role=tab]")) {
    button.addEventListener("click", () => select(button.id.replace("calc-tab-", "")));
    button.addEventListener("keydown", function (event) {
      if (!["ArrowLeft", "ArrowRight"].includes(event.key)) { return; }
      select(tab === "run" ? "service" : "run");
      document.getElementById("calc-tab-" + tab).focus();
    });
  }
  forms.service.elements.model.addEventListener("change", pasted);
  for (const form of Object.values(forms)) {
    form.addEventListener("submit", (event) => { event.preventDefault(); answer(); });
    form.addEventListener("change", () => { if (last) { answer(); } });
  }
  if (restore()) { answer(); }
})();
