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

function helpers(known) {
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
    is_list: (value) => Array.isArray(value),
    names: (value) => Object.keys(value),
    look: (table, key) => (Object.hasOwn(known[table], key) ? known[table][key] : null),
    keys: (table) => Object.keys(known[table]),
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

/** Put files (path to text) into MicroPython's store. */
function add(python, files) {
  for (const [path, text] of Object.entries(files)) {
    const folder = `/lib/${path}`.split("/").slice(0, -1).join("/");
    if (!python.FS.analyzePath(folder).exists) python.FS.mkdirTree(folder);
    python.FS.writeFile(`/lib/${path}`, text);
  }
}

/** Whole numbers cross over as 32 bits: larger ones go as text. */
const wide = (_, value) => (Number.isInteger(value) && Math.abs(value) >= 2 ** 30 ? { digits: BigInt(value).toString() } : value);

/** What answers questions: `rooms` are the files of a first answer and the catalog's tables, `more` fetches the rest. */
export async function started(loadMicroPython, url, rooms, more) {
  const python = await loadMicroPython({ url, heapsize: 48 * 1024 * 1024, pystack: 64 * 1024, stdout: console.log, linebuffer: true });
  const { files, known } = await rooms;
  python.registerJsModule("page", helpers(known));
  add(python, files);
  python.runPython("import asking");
  const answer = python.globals.get("asking").ask;
  let rest = null;
  const all = () => (rest = rest || more().then((found) => add(python, found)));
  return {
    python,
    all,
    ask: async (question) => {
      const asked = JSON.parse(JSON.stringify(question), wide); // leaves out what is not given
      let found = answer(asked);
      if (found === null) {
        await all();
        found = answer(asked);
      }
      return JSON.parse(found);
    },
  };
}
