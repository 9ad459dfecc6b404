// Figures that ask for a guess before they show what was measured, and texts that run at the speed of a handle.
(function () {
  "use strict";
  for (const figure of document.querySelectorAll(".book-chart.is-guessing")) {
    const { state } = figure;
    const marks = figure.querySelector(".book-chart-marks");
    const show = function () {
      if (!figure.classList.contains("is-guessing")) { return; }
      figure.classList.remove("is-guessing");
      const mine = Object.assign(document.createElement("span"), { className: "book-chart-mark is-mine", textContent: "your guess" });
      mine.style.setProperty("--at", state.place / Math.max(1, state.values.length - 1));
      mine.style.setProperty("--line", marks.style.getPropertyValue("--lines"));
      marks.style.setProperty("--lines", Number(marks.style.getPropertyValue("--lines")) + 1);
      marks.append(mine);
      figure.querySelector(".book-chart-guess").remove();
    };
    figure.querySelector(".book-chart-guess button").addEventListener("click", show);
    if (state.place !== state.start) { show(); }
  }

  for (const place of document.querySelectorAll(".book-chart-pace")) {
    const figure = place.closest(".book-chart");
    const [button, line] = place.children;
    const words = [...document.querySelectorAll(".opening-claim, .opening-says")].map((part) => part.textContent).join(" ").split(/\s+/);
    let [read, before, running] = [0, 0, false];
    const step = function (now) {
      if (!running) { return; }
      read += Math.min(now - before, 250) / 1000 * figure.state.pace[figure.state.place];
      before = now;
      line.textContent = words.slice(0, Math.floor(read)).join(" ");
      if (read < words.length) { requestAnimationFrame(step); } else { button.textContent = "Read again at this speed"; running = false; }
    };
    button.addEventListener("click", function () {
      running = !running;
      if (read >= words.length) { read = 0; }
      button.textContent = running ? "Stop" : "Read on at this speed";
      if (running) { before = performance.now(); requestAnimationFrame(step); }
    });
  }
})();
