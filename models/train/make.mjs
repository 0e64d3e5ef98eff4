/**
 * Makes everything of this folder anew, one step after the other, with the
 * seeds and step counts that stand in the scripts and in config.py. Nothing
 * that ships is overwritten: all files go into OUT.
 *
 * usage: node models/train/make.mjs OUT [step…]     (without steps: all)
 *
 *   vocab    OUT/vocab.json, which must be train/vocab.json byte for byte
 *   main     OUT/tiny-agent.gguf        (hours on two cores; needs PyTorch)
 *   draft    OUT/tiny-agent-draft.gguf  (needs PyTorch)
 *   heldout  OUT/heldout.jsonl, which must be eval/heldout.jsonl byte for byte
 *   random   OUT/random-50m.gguf, whose SHA-256 must be the one below
 *   embedding  OUT/tiny-embed.gguf and its figures (needs PyTorch)
 *   check    evaluate.mjs and verify.mjs over the two models in OUT
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const randomSha256 = '18954ec7ae27a86c6625d821c27f1cd0edf0f042301ed4521905cab98395ee53';
const here = dirname(fileURLToPath(import.meta.url));
const outputBytesMax = 64 * 1024 * 1024;

const [folder, ...asked] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: node models/train/make.mjs OUT [step…]');
const out = resolve(folder);
const at = (name) => join(out, name);
mkdirSync(out, { recursive: true });

/** Runs a script of this folder; `to` names the file that gets what it prints. */
function run(program, script, args, { to, threads = '2' } = {}) {
  console.log(`> ${script} ${args.join(' ')}`);
  const { status, stdout } = spawnSync(program, [join(here, script), ...args], {
    cwd: here,
    stdio: ['ignore', to === undefined ? 'inherit' : 'pipe', 'inherit'],
    env: { ...process.env, THREADS: process.env.THREADS ?? threads },
    maxBuffer: outputBytesMax,
  });
  if (status !== 0) throw new Error(`${script} failed`);
  if (to !== undefined) writeFileSync(to, stdout);
}
const python = (script, args, options) => run('python3', script, args, options);
/** A second thread costs models of this size more than it brings. */
const node = (script, args) => run(process.execPath, script, args, { threads: '1' });

function same(made, known) {
  const equal = readFileSync(made).equals(readFileSync(join(here, known)));
  if (!equal) throw new Error(`${made} is not ${known}`);
  console.log(`${made} is ${known}`);
}

function train(kind, name) {
  python('train.py', [kind, at(kind)]);
  python('export.py', [at(`${kind}.npz`), at(name), kind]);
}

const steps = {
  vocab() {
    python('tokenizer.py', [at('vocab.json')]);
    same(at('vocab.json'), 'vocab.json');
  },
  main: () => train('main', 'tiny-agent.gguf'),
  draft: () => train('draft', 'tiny-agent-draft.gguf'),
  heldout() {
    python('generate.py', ['40'], { to: at('heldout.jsonl') });
    same(at('heldout.jsonl'), '../eval/heldout.jsonl');
  },
  embedding() {
    python('embedding/train_embedding.py', [out], { threads: '1' });
    const set = join(here, '../eval/embedding.jsonl');
    const files = [at('tiny-embed.gguf'), set, at('tokens.jsonl')];
    for (const more of [[], ['--matches-only']]) node('embedding/evaluate_embedding.mjs', [...files, ...more]);
  },
  random() {
    node('random.mjs', [at('random-50m.gguf')]);
    const sha256 = createHash('sha256').update(readFileSync(at('random-50m.gguf'))).digest('hex');
    if (sha256 !== randomSha256) throw new Error(`random-50m.gguf has the SHA-256 ${sha256}`);
  },
  check() {
    const models = [at('tiny-agent.gguf'), at('tiny-agent-draft.gguf')];
    node('evaluate.mjs', [models[0], at('heldout.jsonl')]);
    python('tokens.py', [at('vocab.json'), at('heldout.jsonl')], { to: at('tokens.jsonl') });
    node('verify.mjs', [...models, at('heldout.jsonl'), at('tokens.jsonl')]);
  },
};

for (const name of asked) {
  if (!Object.hasOwn(steps, name)) throw new Error(`there is no step ${name}`);
}
for (const [name, step] of Object.entries(steps)) {
  if (asked.length === 0 || asked.includes(name)) step();
}
