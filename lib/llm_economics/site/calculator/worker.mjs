// Answers questions of the calculator's page beside it, so that the page is never held up.
import { loadMicroPython } from "./micropython/micropython.mjs";
import { started } from "./runtime.mjs";

const ready = (async () => {
  const files = await (await fetch(new URL("rooms.json", import.meta.url))).json();
  const python = await started(loadMicroPython, new URL("micropython/micropython.wasm", import.meta.url).href, files);
  python.runPython("from asking import ask");
  return python.globals.get("ask");
})();

onmessage = async ({ data: [id, question] }) => {
  try {
    postMessage([id, JSON.parse((await ready)(JSON.stringify(question)))]);
  } catch (error) {
    postMessage([id, { error: "The calculator could not answer: " + String(error.message || error).trim().split("\n").pop() }]);
  }
};
