#!/usr/bin/env bash
# gpt-tokenizer 4.0.0 (npm), estimateCost of a model's own module, as its readme shows for GPT-4o; @pydantic/genai-prices
# 0.1.8 beside it.
#
# Guess: the list price of the model that the module is named after: GPT-5 $1.25 a million in and $10 out.
# Found: $10 and $30, the price of GPT-4 Turbo, for GPT-5 (a prompt at eight times its price), GPT-4.1, GPT-4o, o1-mini and
# the audio models, GPT-4o mini's among them (67 times), and $15 and $60, the price of o1, for o3. GPT-5 Codex, GPT-4 and
# o1 are right: of the 57 models that both lists have a price for, 27 are.
#
# Node 20 or later, a package index, half a minute; no network at run time.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init --yes > /dev/null
npm install --silent --no-audit --no-fund gpt-tokenizer@4.0.0 @pydantic/genai-prices@0.1.8
[[ $(npm pkg get version --prefix node_modules/gpt-tokenizer) == '"4.0.0"' ]]
cat > ask.mjs <<'JS'
import assert from 'node:assert';
import { readdirSync, readFileSync } from 'node:fs';
import { calcPrice } from '@pydantic/genai-prices';

const MILLION = 1e6;
const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version;
const module = (name) => import(`gpt-tokenizer/model/${name}`);

// Dollars for a million tokens, in and out; null where a list has no price.
const said = async (name) => {
  try {
    const { main } = (await module(name)).estimateCost(MILLION);
    return main.input && main.output ? [main.input, main.output] : null;
  } catch {
    return null;
  }
};
const listed = (name) => {
  const cost = (usage) => calcPrice(usage, name, { providerId: 'openai' });
  const into = cost({ input_tokens: 1000 });
  return into && [into.input_price * 1000, cost({ output_tokens: 1000 }).output_price * 1000];
};
const round = (pair) => pair.map((each) => Math.round(each * 1e4) / 1e4);

console.log('gpt-tokenizer', version('gpt-tokenizer'), '@pydantic/genai-prices', version('@pydantic/genai-prices'));
const wrong = {};
const right = [];
for (const file of readdirSync('node_modules/gpt-tokenizer/esm/model').filter((each) => each.endsWith('.js'))) {
  const name = file.slice(0, -'.js'.length);
  const [ours, theirs] = [await said(name), listed(name)];
  if (!ours || !theirs) continue;
  if (ours.every((each, n) => Math.abs(each / theirs[n] - 1) < 0.01)) right.push(name);
  else wrong[name] = [ours, round(theirs)];
}
for (const [name, [ours, theirs]] of Object.entries(wrong)) console.log(`${name}: $${ours.join(', $')}; listed $${theirs.join(', $')}`);
console.log(`${right.length} are right, ${Object.keys(wrong).length} are not`);
for (const name of ['gpt-5', 'gpt-4.1', 'gpt-4o', 'o1-mini', 'gpt-4o-mini-audio-preview']) assert.deepEqual(wrong[name][0], [10, 30]);
assert.deepEqual(wrong['gpt-5'][1], [1.25, 10]);
assert.deepEqual(wrong['gpt-4o-mini-audio-preview'][1], [0.15, 0.6]);
assert.deepEqual(wrong.o3, [[15, 60], [2, 8]]);
assert(['gpt-5-codex', 'gpt-4', 'gpt-4-turbo', 'o1'].every((name) => right.includes(name)), String(right));
assert.deepEqual([right.length, Object.keys(wrong).length], [27, 30]);
JS
node ask.mjs
echo "as found"
