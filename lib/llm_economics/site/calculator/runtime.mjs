// MicroPython with the library's rooms: what `standard.py` asks of a browser, and one question at a time.

const flags = (given) => "d" + (given & 2 ? "i" : "") + (given & 8 ? "m" : "") + (given & 16 ? "s" : "");

/** An expression of Python's as one of JavaScript's. */
function translated(pattern, given) {
  let asked = flags(given);
  if (pattern.includes("(?s:")) asked += asked.includes("s") ? "" : "s";
  const text = pattern
    .replaceAll("(?s:", "(?:")
    .replaceAll("(?>", "(?:")
    .replaceAll("(?P<", "(?<")
    .replace(/\(\?P=(\w+)\)/g, "\\k<$1>")
    .replace(/\\[Zz]/g, "(?![^])")
    .replace(/\\A/g, "(?<![^])");
  return [text, asked];
}

function helpers() {
  const patterns = [];
  let held = "", wide = false;
  const unit = (at) => (wide ? [...held].slice(0, at).join("").length : at);
  const point = (at) => (wide && at > 0 ? [...held.slice(0, at)].length : at);
  return {
    shortest: (x) => x.toExponential(),
    exact: (x) => x.toExponential(100),
    printable: (c) => c === " " || !/[\p{C}\p{Z}]/u.test(c),
    lower: (s) => s.toLowerCase(),
    upper: (s) => s.toUpperCase(),
    title: (s) => s.toLowerCase().replace(/\p{L}+/gu, (w) => w[0].toUpperCase() + w.slice(1)),
    words: (s) => s.trim().split(/[\s\x1c-\x1f\x85]+/u).join("\n"),
    quoted: (s) => JSON.stringify(s),
    compile: (pattern, given) => {
      try {
        const [text, asked] = translated(pattern, given);
        patterns.push({
          search: new RegExp(text, asked + "g"),
          match: new RegExp(text, asked + "y"),
          full: new RegExp(`(?:${text})(?![^])`, asked + "y"),
        });
        return patterns.length - 1;
      } catch {
        return -1;
      }
    },
    hold: (text) => {
      held = text;
      wide = /[\ud800-\udbff]/.test(text);
    },
    find: (id, pos, how) => {
      const expression = patterns[id][["search", "match", "full"][how]];
      expression.lastIndex = Math.min(unit(pos), held.length);
      const found = expression.exec(held);
      if (!found) return null;
      const spans = found.indices.flatMap((span) => (span ? span.map(point) : [-1, -1]));
      const names = {};
      for (const name of Object.keys(found.groups || {})) {
        names[name] = found.findIndex((part, i) => i && part === found.groups[name]);
      }
      return { spans, names };
    },
  };
}

/** MicroPython with these files (path to text) in its store. */
export async function started(loadMicroPython, url, files) {
  const python = await loadMicroPython({ url, heapsize: 48 * 1024 * 1024, pystack: 64 * 1024, stdout: console.log, linebuffer: true });
  python.registerJsModule("page", helpers());
  const made = new Set();
  for (const [path, text] of Object.entries(files)) {
    const parts = `/lib/${path}`.split("/");
    for (let i = 2; i < parts.length; i++) {
      const folder = parts.slice(0, i).join("/");
      if (!made.has(folder)) python.FS.mkdir(folder);
      made.add(folder);
    }
    python.FS.writeFile(`/lib/${path}`, text);
  }
  return python;
}
