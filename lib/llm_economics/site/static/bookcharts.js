// Draws the book's charts with Vega, which is fetched from this site when the first chart comes near the window.
(function () {
  "use strict";
  const here = document.currentScript;
  const root = document.documentElement;
  const narrow = window.matchMedia("(max-width: 560px)");
  const charts = Array.from(document.querySelectorAll(".book-chart"));
  let vega = null;

  function fetchVega() {
    vega = vega || new Promise(function (resolve, reject) {
      const script = document.createElement("script");
      script.type = "module";
      script.src = new URL(here.dataset.vega, document.baseURI);
      script.onload = resolve;
      script.onerror = () => reject(new Error("the chart library could not be loaded"));
      document.head.append(script);
    });
    return vega;
  }

  const css = (name, otherwise) => getComputedStyle(root).getPropertyValue(name).trim() || otherwise;

  // Long titles of horizontal axes in lines that fit under the plot.
  function wrapTitles(view, letters) {
    const x = view.encoding && view.encoding.x;
    if (x && typeof x.title === "string") {
      x.title = x.title.split(" ").reduce(function (lines, word) {
        const line = lines[lines.length - 1];
        if (line && line.length + word.length < letters) { lines[lines.length - 1] = line + " " + word; } else { lines.push(word); }
        return lines;
      }, []);
    }
    (view.layer || []).forEach((layer) => wrapTitles(layer, letters));
  }

  // The specification with the page's colours, font and width.
  function specification(chart) {
    const source = chart.querySelector('script[type="application/json"]').textContent
      .replaceAll('"#1f2328"', JSON.stringify(css("--pst-color-text-base", "#1f2328")))
      .replaceAll('"#59636e"', JSON.stringify(css("--pst-color-text-muted", "#59636e")))
      .replaceAll('"#d8dee4"', JSON.stringify(css("--book-grid", "#d8dee4")));
    const spec = JSON.parse(source);
    const config = spec.config = spec.config || {};
    config.background = "transparent";
    config.font = getComputedStyle(document.body).fontFamily;
    config.padding = 2;
    if ((spec.mark || spec.layer) && typeof spec.width !== "object") {
      spec.width = "container";
    }
    wrapTitles(spec, narrow.matches ? chart.clientWidth / 7.5 : chart.clientWidth / 10);
    if (narrow.matches) {
      config.legend = Object.assign({}, config.legend, { columns: 2 });
      config.axisX = Object.assign({}, config.axisX, { tickCount: 4, labelOverlap: true, titleAnchor: "end" });
    }
    return spec;
  }

  async function draw(chart) {
    await fetchVega();
    const kept = {};
    if (chart.view) {
      for (const name of chart.moved) { kept[name] = chart.view.signal(name); }
      chart.finalize();
    }
    const spec = specification(chart);
    const dark = root.dataset.theme === "dark";
    const place = chart.querySelector(".book-chart-view");
    const drawn = await window.vegaEmbed(place, spec, {
      mode: "vega-lite", actions: false, renderer: "svg",
      bind: chart.querySelector(".book-chart-controls") || undefined,
      tooltip: { theme: dark ? "dark" : "light" },
    });
    chart.view = drawn.view;
    chart.finalize = drawn.finalize;
    chart.moved = (spec.params || []).filter((p) => p.bind).map((p) => p.name);
    const readout = chart.querySelector(".book-chart-readout");
    if (readout && (spec.params || []).some((p) => p.name === "readout")) {
      const say = (text) => { readout.textContent = text; };
      chart.view.addSignalListener("readout", (name, text) => say(text));
      say(chart.view.signal("readout"));
    }
    for (const name of Object.keys(kept)) { chart.view.signal(name, kept[name]); }
    await chart.view.runAsync();
    place.style.minHeight = "";
    chart.dataset.ready = "1";
  }

  function attempt(chart) {
    chart.queue = (chart.queue || Promise.resolve()).then(() => draw(chart)).catch(function (error) {
      chart.dataset.error = String(error);
      console.error(error);
    });
    return chart.queue;
  }

  const redraw = () => charts.filter((chart) => chart.queue).forEach(attempt);

  // All rows of all datasets in one table; columns that a row lacks stay empty.
  function csv(chart) {
    const sets = JSON.parse(chart.querySelector('script[type="application/json"]').textContent).datasets || {};
    const rows = Object.values(sets).flat();
    const columns = [...new Set(rows.flatMap(Object.keys))];
    const cell = function (value) {
      const text = value === null || value === undefined ? "" : String(value);
      return /[",\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
    };
    return [columns, ...rows.map((row) => columns.map((column) => row[column]))]
      .map((line) => line.map(cell).join(",") + "\n").join("");
  }

  function download(chart) {
    const page = location.pathname.split("/").pop().replace(/\.html$/, "") || "index";
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csv(chart)], { type: "text/csv" }));
    link.download = `${page}-figure-${charts.indexOf(chart) + 1}.csv`;
    link.click();
    URL.revokeObjectURL(link.href);
  }

  const near = new IntersectionObserver(function (entries) {
    for (const entry of entries.filter((e) => e.isIntersecting)) {
      near.unobserve(entry.target);
      attempt(entry.target);
    }
  }, { rootMargin: "400px" });
  for (const chart of charts) {
    near.observe(chart);
    chart.querySelector(".book-chart-csv").addEventListener("click", () => download(chart));
  }

  let theme = root.dataset.theme;
  new MutationObserver(function () {
    if (theme !== root.dataset.theme) { theme = root.dataset.theme; redraw(); }
  }).observe(root, { attributes: true, attributeFilter: ["data-theme"] });
  narrow.addEventListener("change", redraw);
  window.addEventListener("beforeprint", () => charts.filter((chart) => !chart.queue).forEach(attempt));
})();
