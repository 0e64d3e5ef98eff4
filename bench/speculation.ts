/**
 * What guessing tokens ahead changes: nothing in the answers, and how much in speed. All held-out
 * prompts of the embedded model are asked of four instances of it, in an order that turns with
 * every prompt: `plain` guesses nothing, `lookup` and `draft` always guess (from the prompt, and
 * by the draft model), and `gated` guesses from the prompt while the product finds that faster,
 * which is the default.
 *
 * `same`: answers that are those of `plain`, token for token. `ties`: of the others, those whose
 * first other token was a near tie: both tokens were the most likely one to their instance, with
 * probabilities within a hundredth of each other. A batch of several tokens rounds otherwise than
 * single ones. `acceptance`: part of the guessed tokens that stayed. `speed`: tokens per second
 * over those of `plain`, of whole generations with the prompt; samples are fifths of the prompts.
 * `gate on`: whether `gated` guesses at the end, 1 or 0.
 */
import { fileURLToPath } from 'node:url';
import { type LlamaModel, openLlamaModel } from '../src/inference/llama-model.ts';
import type { GeneratedToken, GenerationOutcome } from '../src/inference/model-port.ts';
import { benchOptions, figure, report } from './harness.ts';
import { conversationsInTurns, request } from './inference/prompts.ts';

const { quick } = benchOptions();
const promptsMax = quick ? 22 : 440;
const parts = 5;
/** Probabilities of two tokens that are called a tie, apart at most. */
const tieMax = 0.01;

const kinds = {
  plain: { speculation: 'off' },
  lookup: { speculation: 'prompt-lookup', alwaysSpeculates: true },
  draft: { speculation: 'draft', alwaysSpeculates: true },
  gated: { speculation: 'prompt-lookup' },
} as const;

type Name = keyof typeof kinds;

const names = Object.keys(kinds) as Name[];
const models = {} as Record<Name, LlamaModel>;
for (const name of names) {
  models[name] = await openLlamaModel({
    ...kinds[name],
    file: fileURLToPath(new URL('../models/tiny-agent.gguf', import.meta.url)),
    draftFile: fileURLToPath(new URL('../models/tiny-agent-draft.gguf', import.meta.url)),
    trusted: true,
    device: 'cpu',
    cores: 1,
  });
}

interface Asked {
  readonly outcome: GenerationOutcome;
  readonly ms: number;
}

const asked: Record<Name, Asked[]> = { plain: [], lookup: [], draft: [], gated: [] };
for (const [index, messages] of conversationsInTurns().slice(0, promptsMax).entries()) {
  for (let turn = 0; turn < names.length; turn += 1) {
    const name = names[(index + turn) % names.length] ?? 'plain';
    const start = performance.now();
    const outcome = await models[name].generate(request(messages, null));
    asked[name].push({ outcome, ms: performance.now() - start });
  }
}

/** Place of the first other token; null when there is none. */
function firstOther(one: readonly GeneratedToken[], other: readonly GeneratedToken[]) {
  const length = Math.max(one.length, other.length);
  for (let place = 0; place < length; place += 1) {
    if (one[place]?.text !== other[place]?.text) return place;
  }
  return null;
}

function compare(name: Name) {
  let [same, others, ties] = [0, 0, 0];
  for (const [index, { outcome }] of asked[name].entries()) {
    const plain = asked.plain[index]?.outcome.tokens ?? [];
    const place = firstOther(plain, outcome.tokens);
    if (place === null) same += 1;
    else {
      others += 1;
      const [one, two] = [plain[place]?.confidence, outcome.tokens[place]?.confidence];
      if (Math.abs((one ?? 1) - (two ?? 0)) <= tieMax) ties += 1;
    }
  }
  return { same, others, ties };
}

function perSecond(answers: readonly Asked[]): number {
  const tokens = answers.reduce((sum, { outcome }) => sum + outcome.usage.answerTokens, 0);
  return (tokens * 1_000) / answers.reduce((sum, { ms }) => sum + ms, 0);
}

function speeds(name: Name): number[] {
  const size = Math.ceil(asked.plain.length / parts);
  return Array.from({ length: parts }, (_, part) => {
    const [from, to] = [part * size, (part + 1) * size];
    return perSecond(asked[name].slice(from, to)) / perSecond(asked.plain.slice(from, to));
  });
}

const figures = [figure('prompts', 'count', [asked.plain.length])];
for (const name of ['lookup', 'draft', 'gated'] as const) {
  const { same, others, ties } = compare(name);
  const { guessed, confirmed, on } = (await models[name].usage()).speculation;
  figures.push(
    figure(`${name}, same`, 'share', [same / asked.plain.length]),
    figure(`${name}, same or ties`, 'share', [(same + ties) / asked.plain.length], { goal: 1 }),
    figure(`${name}, others`, 'count', [others], { higherIsBetter: false }),
    figure(`${name}, acceptance`, 'share', [guessed === 0 ? 0 : confirmed / guessed]),
    figure(`${name}, guessed`, 'tokens', [guessed]),
    figure(`${name}, speed`, 'x', speeds(name)),
  );
  if (name === 'gated') figures.push(figure('gate on', 'flag', [on ? 1 : 0]));
}
await Promise.all(Object.values(models).map((model) => model.close()));
report('speculation', figures);
