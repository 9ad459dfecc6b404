// Lighthouse (mobile preset) on pages of several sites, each served with gzip: medians as one JSON line a page.
// node page_speed.mjs RUNS CHROMIUM NAME=FOLDER=PAGE...
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import zlib from "node:zlib";
import { launch } from "chrome-launcher";
import lighthouse from "lighthouse";

const [runs, chromePath, ...pages] = process.argv.slice(2);
const QUIET = 1000; // of benchmarkIndex: below it the machine was busy with something else
const KINDS = { ".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".json": "application/json" };
const CATEGORIES = ["performance", "accessibility", "best-practices", "seo"];

function serve(folder) {
  return http.createServer(function (asked, answer) {
    const file = path.join(folder, decodeURIComponent(asked.url.split("?")[0]));
    if (!fs.existsSync(file) || fs.statSync(file).isDirectory()) { answer.writeHead(404); answer.end(); return; }
    const kind = path.extname(file);
    const head = { "content-type": KINDS[kind] || "application/octet-stream", "cache-control": "max-age=600" };
    let body = fs.readFileSync(file);
    if (kind in KINDS) { head["content-encoding"] = "gzip"; body = zlib.gzipSync(body); }
    answer.writeHead(200, head);
    answer.end(body);
  }).listen(0, "127.0.0.1");
}

async function once(address) {
  const browser = await launch({ chromePath, chromeFlags: ["--headless=new", "--no-sandbox", "--disable-gpu"] });
  try {
    const { lhr } = await lighthouse(address, { port: browser.port, output: "json", logLevel: "silent" });
    if (!lhr.audits["network-requests"].details) { return { index: 0 }; } // a run that failed
    const found = Object.fromEntries(CATEGORIES.map((name) => [name, Math.round(100 * (lhr.categories[name].score ?? 0))]));
    found.kB = lhr.audits["network-requests"].details.items.reduce((sum, item) => sum + (item.transferSize || 0), 0) / 1000;
    for (const [name, audit] of [["FCP s", "first-contentful-paint"], ["LCP s", "largest-contentful-paint"]]) { found[name] = lhr.audits[audit].numericValue / 1000; }
    found["TBT ms"] = lhr.audits["total-blocking-time"].numericValue;
    found.index = lhr.environment.benchmarkIndex;
    return found;
  } finally { await browser.kill(); }
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
for (const page of pages) {
  const [name, folder, file] = page.split("=");
  const server = serve(folder);
  await new Promise((ready) => server.on("listening", ready));
  const all = [];
  for (let tries = 0; all.length < runs && tries < 4 * runs; tries += 1) {
    const found = await once(`http://127.0.0.1:${server.address().port}/${file}`);
    if (found.index >= QUIET) { all.push(found); }
  }
  server.close();
  const row = { page: name, runs: all.length };
  if (all.length) { for (const key of Object.keys(all[0])) { row[key] = Number(median(all.map((one) => one[key])).toPrecision(4)); } }
  console.log(JSON.stringify(row));
}
process.exit(0);
