// Draws figures with Vega, in the page's colours and width, and saves what is shown; loaded with Vega by the first touch.
(function () {
  "use strict";
  const root = document.documentElement;
  const narrow = window.matchMedia("(max-width: 560px)");
  const DARK = { "#1f2328": "#d6dce3", "#59636e": "#9ba6b2", "#d8dee4": "#343b44", "#0072b2": "#56a8e6", "#d55e00": "#f0883e",
    "#008f68": "#35b98f", "#b5579b": "#dc8fc8", "#8a6d1d": "#c9a64f", "#707070": "#a3a3a3" };
  const drawn = new Set();

  // Long titles of axes in lines that fit the figure; a logarithmic one keeps some numbers on a phone.
  function wrapTitles(view, letters) {
    const across = view.encoding && view.encoding.x;
    if (narrow.matches && across && across.axis !== null && across.scale && across.scale.type === "log") {
      across.axis = Object.assign({}, across.axis, { tickCount: 8 });
    }
    for (const axis of ["x", "y"].map((name) => view.encoding && view.encoding[name])) {
      if (!axis || typeof axis.title !== "string") { continue; }
      axis.title = axis.title.split(" ").reduce(function (lines, word) {
        const line = lines[lines.length - 1];
        if (line && line.length + word.length < letters) { lines[lines.length - 1] = line + " " + word; } else { lines.push(word); }
        return lines;
      }, []);
    }
    (view.layer || []).forEach((layer) => wrapTitles(layer, letters));
  }

  function specification(figure, source, width) {
    let text = JSON.stringify(source);
    if (root.dataset.theme === "dark") {
      for (const light of Object.keys(DARK)) { text = text.replaceAll(light, DARK[light]); }
    }
    const { columns, axisY, phone } = source.usermeta;
    if (narrow.matches) { phone.forEach(([wide, small]) => { text = text.replaceAll(wide, small); }); }
    const spec = JSON.parse(text);
    delete spec.usermeta;
    const config = spec.config = spec.config || {};
    config.background = "transparent";
    config.padding = narrow.matches ? 2 : 10; // then it is as high as the picture
    if ((spec.mark || spec.layer) && typeof spec.width !== "object") {
      spec.width = width;
      spec.autosize = { type: "fit-x", contains: "padding" };
    }
    wrapTitles(spec, width / (narrow.matches ? 7.5 : 9));
    if (narrow.matches) {
      config.legend = Object.assign({}, config.legend, { columns, labelLimit: width - 40 }, "titleY" in axisY ? { offset: 40 } : {});
      config.axisY = Object.assign({}, config.axisY, axisY);
      config.axis = Object.assign({}, config.axis, { labelLimit: 150 });
      config.axisX = Object.assign({}, config.axisX, { tickCount: 4, labelOverlap: true, titleAnchor: "end" });
    }
    return spec;
  }

  async function draw(figure, source) {
    const view = figure.querySelector(".book-chart-view");
    const picture = view.querySelector(".book-chart-still");
    if (picture) { view.style.maxWidth = `${picture.querySelector("img").getAttribute("width")}px`; } // as wide as what it replaces
    const width = view.clientWidth;
    const place = document.createElement("div");
    const made = await window.vegaEmbed(place, specification(figure, source, width), {
      mode: "vega-lite", actions: false, renderer: "svg", tooltip: { theme: root.dataset.theme === "dark" ? "dark" : "light" },
    });
    if (figure.state) { made.view.signal(figure.state.name, figure.state.values[figure.state.place]); }
    await made.view.runAsync();
    const old = figure.finalize;
    Object.assign(figure, { view: made.view, finalize: made.finalize, source, drawnWidth: width });
    if (picture) { picture.classList.add("book-print"); }
    view.querySelectorAll(".vega-embed").forEach((earlier) => earlier.remove());
    view.append(place);
    if (old) { old(); }
    place.addEventListener("pointermove", (event) => meet(figure, event));
    place.addEventListener("pointerleave", () => leave(figure));
    figure.dataset.ready = String(Number(figure.dataset.ready || 0) + 1);
    if (!drawn.has(figure)) { drawn.add(figure); widths.observe(view); }
  }

  // All points with something to say, with their places in the drawing.
  function points(mark, x, y, found) {
    for (const item of mark.items || []) {
      if (mark.marktype === "group") {
        (item.items || []).forEach((inner) => points(inner, x + (item.x || 0), y + (item.y || 0), found));
      } else if (mark.marktype === "symbol" && item.tooltip) {
        found.push([x + item.x, y + item.y, item]);
      }
    }
    return found;
  }

  // The pointer need not hit a line: the nearest point answers.
  function meet(figure, event) {
    const svg = figure.querySelector(".vega-embed svg");
    const at = svg && svg.querySelector("g") && svg.querySelector("g").getScreenCTM();
    if (!at || (event.target.__data__ && event.target.__data__.tooltip)) { return; }
    const [x, y] = [event.clientX - at.e, event.clientY - at.f];
    let [best, nearest] = [70, null];
    for (const [left, top, item] of points(figure.view.scenegraph().root, 0, 0, [])) {
      const away = Math.hypot(left - x, 0.7 * (top - y));
      if (away < best) { [best, nearest] = [away, [left, top, item]]; }
    }
    leave(figure);
    if (!nearest) { return; }
    figure.view.tooltip()(figure.view, event, nearest[2], nearest[2].tooltip);
    const ring = document.createElementNS(svg.namespaceURI, "circle");
    for (const [name, value] of Object.entries({ class: "book-ring", cx: nearest[0], cy: nearest[1], r: 6 })) { ring.setAttribute(name, value); }
    svg.querySelector("g").append(ring);
  }

  function leave(figure) {
    figure.querySelectorAll(".book-ring").forEach((ring) => ring.remove());
    figure.view.tooltip()(figure.view, new Event("leave"), null, null);
  }

  const again = function (figure) {
    figure.queue = figure.queue.then(() => draw(figure, figure.source)).catch(function (error) {
      figure.dataset.error = String(error);
      console.error(error);
    });
    return figure.queue;
  };

  let waiting = 0;
  const widths = new ResizeObserver(function () {
    clearTimeout(waiting);
    waiting = setTimeout(function () {
      for (const figure of drawn) {
        const width = figure.querySelector(".book-chart-view").clientWidth;
        if (width && Math.abs(width - figure.drawnWidth) > 1) { again(figure); }
      }
    }, 100);
  });

  let theme = root.dataset.theme;
  new MutationObserver(function () {
    if (theme !== root.dataset.theme) { theme = root.dataset.theme; drawn.forEach(again); }
  }).observe(root, { attributes: true, attributeFilter: ["data-theme"] });

  // The rows that are shown: of a figure that is moved, those at its value.
  function csv(figure) {
    const state = figure.state;
    let rows = Object.values(figure.source.datasets || {}).flat();
    if (state && rows.some((row) => state.name in row)) {
      const same = (a, b) => a === b || (typeof a === "number" && Math.abs(a - b) <= 1e-6 * Math.abs(b));
      rows = rows.filter((row) => !(state.name in row) || same(row[state.name], state.values[state.place]));
    }
    const columns = [...new Set(rows.flatMap(Object.keys))];
    const cell = function (value) {
      const text = value === null || value === undefined ? "" : String(value);
      return /[",\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
    };
    return [columns, ...rows.map((row) => columns.map((column) => row[column]))].map((line) => line.map(cell).join(",") + "\n").join("");
  }

  // What is shown as one picture: title, value, read-out, drawing, and where it comes from.
  async function svg(figure) {
    const state = figure.state;
    const inner = new DOMParser().parseFromString(await figure.view.toSVG(), "image/svg+xml").documentElement;
    const [width, height] = ["width", "height"].map((name) => Number(inner.getAttribute(name)));
    const style = getComputedStyle(document.body);
    const lines = [[figure.querySelector(".book-chart-title").textContent, 15, 700]];
    if (state) { lines.push([`${state.title}: ${state.labels[state.place]}`, 12, 400], [state.readouts[state.place], 20, 700]); }
    const outer = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    let y = 8;
    const add = function (text, size, weight) {
      const words = text.split(" ");
      for (let line = words.shift(); line !== undefined; line = words.shift()) {
        while (words.length && (line + " " + words[0]).length * size * 0.55 < width - 24) { line += " " + words.shift(); }
        const made = document.createElementNS(outer.namespaceURI, "text");
        y += size * 1.35;
        for (const [name, value] of Object.entries({ x: 12, y, "font-size": size, "font-weight": weight, "font-family": style.fontFamily, fill: style.color })) {
          made.setAttribute(name, value);
        }
        made.textContent = line;
        outer.append(made);
      }
    };
    lines.forEach((line) => add(...line));
    inner.setAttribute("y", y + 10);
    outer.append(inner);
    y += height + 14;
    add(document.title + (location.protocol === "file:" ? "" : " · " + location.href.replace(/#.*/, "") + "#" + figure.id), 10, 400);
    for (const [name, value] of Object.entries({ width, height: y + 10, viewBox: `0 0 ${width} ${y + 10}` })) { outer.setAttribute(name, value); }
    outer.style.background = style.backgroundColor;
    return { text: new XMLSerializer().serializeToString(outer), width, height: y + 10, ground: style.backgroundColor };
  }

  async function png(figure) {
    const picture = await svg(figure);
    const image = new Image();
    image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(picture.text);
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: 2 * picture.width, height: 2 * picture.height });
    const pen = canvas.getContext("2d");
    pen.fillStyle = picture.ground;
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(image, 0, 0, canvas.width, canvas.height);
    return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }

  window.bookDraw = draw;
  window.bookSave = async function (figure, kind) {
    const page = location.pathname.split("/").pop().replace(/\.html$/, "") || "index";
    const blob = kind === "png" ? await png(figure)
      : kind === "svg" ? new Blob([(await svg(figure)).text], { type: "image/svg+xml" })
      : new Blob([csv(figure)], { type: "text/csv" });
    const link = document.createElement("a");
    link.download = `${page}-${figure.id}.${kind}`;
    link.href = URL.createObjectURL(blob);
    link.click();
    URL.revokeObjectURL(link.href);
  };
})();
