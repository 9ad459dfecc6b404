// Answers questions of the calculator's page beside it, so that the page is never held up.
import { loadMicroPython } from "./micropython/micropython.mjs";
import { started } from "./runtime.mjs";

const near = (name) => new URL(name, import.meta.url);
const got = async (name) => (await fetch(near(name))).json();
const ready = started(loadMicroPython, near("micropython/micropython.wasm").href, got("rooms.json"), () => got("more.json"));

onmessage = async ({ data: [id, question] }) => {
  try {
    postMessage([id, await (await ready).ask(question)]);
  } catch (error) {
    postMessage([id, { error: "The calculator could not answer: " + String(error.message || error).trim().split("\n").pop() }]);
  }
};
