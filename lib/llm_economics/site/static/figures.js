// Figures before they are drawn: handle, read-out, title and address answer at once; the first touch fetches the rest.
(function () {
  "use strict";
  const script = document.currentScript;
  const figures = [...document.querySelectorAll(".book-chart")];
  const query = new URLSearchParams(location.search);
  const known = new Set(["article", "verdict", "q", "sort"]);
  let drawing = null;

  function load(address) {
    return new Promise(function (resolve, reject) {
      const made = document.createElement("script");
      made.src = new URL(address, document.baseURI);
      made.onload = resolve;
      made.onerror = () => reject(new Error("the figure could not be loaded: " + address));
      document.head.append(made);
    });
  }

  // Vega, the script that draws with it, and the specifications: fetched when a reader first touches some figure.
  function fetchDrawing() {
    drawing = drawing || Promise.all([load(script.dataset.vega), load(script.dataset.draw), window.bookAside()])
      .then(([, , page]) => (figure) => window.bookDraw(figure, page.figures[figure.id]));
    return drawing;
  }

  function touch(figure) {
    if (figure.queue) { return figure.queue; }
    figure.dataset.asked = "1";
    figure.queue = fetchDrawing().then((draw) => draw(figure)).catch(function (error) {
      figure.dataset.error = String(error);
      console.error(error);
    });
    return figure.queue;
  }
  window.bookTouch = touch;

  // The address holds what a reader has moved, and nothing else.
  function remember() {
    const now = new URLSearchParams(location.search);
    for (const figure of figures.filter((one) => one.state)) {
      const { key, place, start, values } = figure.state;
      if (place === start) { now.delete(key); } else { now.set(key, values[place]); }
    }
    const text = now.toString();
    history.replaceState(null, "", location.pathname + (text ? "?" + text : "") + location.hash);
    document.dispatchEvent(new CustomEvent("book-moved"));
  }

  function show(figure) {
    const state = figure.state;
    const moved = state.place !== state.start;
    state.input.value = state.place;
    state.input.setAttribute("aria-valuetext", state.labels[state.place]);
    state.value.textContent = state.labels[state.place];
    state.readout.textContent = state.readouts[state.place];
    state.caption.textContent = (state.titles || [])[state.place]
      || (moved ? `${state.title[0].toUpperCase()}${state.title.slice(1)}: ${state.labels[state.place]} (in the text: ${state.labels[state.start]})` : state.finding);
    state.reset.hidden = !moved;
    for (const over of state.over) {
      const now = over.at[state.place];
      over.line.style.display = now.length ? "" : "none";
      if (now.length) { ["x1", "x2"].forEach((end) => over.line.setAttribute(end, now[0][0])); }
      for (const dot of over.dots) {
        const point = now.find((one) => one[2] === Number(dot.dataset.series));
        dot.style.display = point ? "" : "none";
        if (point) { dot.setAttribute("cx", point[0]); dot.setAttribute("cy", point[1]); }
      }
    }
    if (figure.view) { figure.view.signal(state.name, state.values[state.place]).runAsync(); }
  }

  function move(figure, place) {
    figure.state.place = place;
    show(figure);
    remember();
    if (!figure.state.over.length) { touch(figure); }
  }

  // A point that follows its curve can be dragged in the picture itself.
  function drag(figure, view, event) {
    const over = figure.state.over.find((one) => one.svg.getClientRects().length);
    let pixel = (place) => { const now = over.at[place]; return now.length ? over.svg.getScreenCTM().a * now[0][0] + over.svg.getScreenCTM().e : NaN; };
    if (!over) {
      const at = view.querySelector("svg > g").getScreenCTM();
      const scale = figure.view && figure.view.scale("x");
      const row = (place) => Object.values(figure.source.datasets).flat().find((one) => one[figure.state.name] === figure.state.values[place]);
      pixel = (place) => { const one = row(place); return one && scale ? at.e + scale(one[figure.state.along]) : NaN; };
    }
    let [best, away] = [figure.state.place, Infinity];
    for (let place = 0; place < figure.state.values.length; place += 1) {
      const far = Math.abs(pixel(place) - event.clientX);
      if (far < away) { [best, away] = [place, far]; }
    }
    if (best !== figure.state.place) { move(figure, best); }
  }

  // The place of a value that an address asks for, or -1.
  function placeOf(state, text) {
    return state.values.findIndex(function (value) {
      if (typeof value !== "number") { return value === text; }
      const asked = text.trim() === "" ? NaN : Number(text);
      return Math.abs(asked - value) <= 1e-6 * Math.max(1e-9, Math.abs(value));
    });
  }

  function prepare(figure) {
    const stored = figure.querySelector(".book-chart-state");
    if (!stored) { return; }
    const state = figure.state = JSON.parse(stored.textContent);
    const part = (name) => figure.querySelector(name);
    state.input = part(".book-chart-controls input");
    [state.value, state.readout, state.reset, state.caption] =
      [".book-chart-value", ".book-chart-readout", ".book-chart-reset", ".book-chart-title"].map(part);
    state.over = [...figure.querySelectorAll(".book-follow")].map((svg) => (
      { svg, at: JSON.parse(svg.dataset.at), line: svg.querySelector("line"), dots: [...svg.querySelectorAll("circle")] }));
    if (state.over.length) {
      const view = figure.querySelector(".book-chart-view");
      view.classList.add("book-drag");
      view.addEventListener("pointerdown", function (event) {
        if (event.button) { return; }
        drag(figure, view, event);
        const follow = (moved) => drag(figure, view, moved);
        document.addEventListener("pointermove", follow);
        for (const end of ["pointerup", "pointercancel"]) {
          document.addEventListener(end, () => document.removeEventListener("pointermove", follow), { once: true });
        }
      });
    }
    state.finding = state.caption.textContent;
    state.place = state.start;
    state.key = state.name;
    const taken = (key) => known.has(key) || (document.getElementById("assumption-" + key) && (state.sets || [])[0] !== key);
    for (let more = 2; taken(state.key); more += 1) { state.key = `${state.name}-${more}`; }
    known.add(state.key);
    state.input.addEventListener("input", () => move(figure, Number(state.input.value)));
    state.reset.addEventListener("click", function () { move(figure, state.start); state.input.focus(); });
    if (!query.has(state.key)) { return; }
    const place = placeOf(state, query.get(state.key));
    if (place < 0) {
      const ends = typeof state.values[0] === "number" ? `from ${state.labels[0]} to ${state.labels[state.labels.length - 1]}` : `one of ${state.labels.join(", ")}`;
      window.bookSay(`The address asks for ${state.key} = ${query.get(state.key).slice(0, 40)}, which is not a value of its figure (${ends}): the page keeps ${state.labels[state.start]}.`);
    } else {
      state.place = place;
      show(figure);
      touch(figure);
    }
  }

  const save = (figure, kind) => touch(figure).then(() => window.bookSave(figure, kind));

  figures.forEach(prepare);
  document.dispatchEvent(new CustomEvent("book-moved"));
  for (const name of new Set(query.keys())) {
    if (!known.has(name) && !document.getElementById("assumption-" + name) && !/^utm_|^(fbclid|gclid|ref)$/.test(name)) {
      window.bookSay(`The address names ${name.slice(0, 40)}, which this page does not know: it is left aside.`);
    }
  }
  for (const figure of figures) {
    const view = figure.querySelector(".book-chart-view");
    for (const kind of figure.state && figure.state.over.length ? ["mouseenter"] : ["pointerenter", "pointerdown", "focusin"]) {
      view.addEventListener(kind, () => touch(figure), { once: true });
    }
    for (const button of figure.querySelectorAll("[data-save]")) {
      button.addEventListener("click", () => save(figure, button.dataset.save));
    }
  }
})();
