// Retrieval on a set of {"query", "match", "distractors", "kind"} lines: the embedding model against word-based embedders.
// Candidates are all matches and distractors of the set together; with --matches-only the matches alone.
// usage: node evaluate_embedding.mjs MODEL.gguf SET.jsonl [TOKENS.jsonl] [SYNONYMS.json] [--fails] [--matches-only] [--no-intervals]
// TOKENS.jsonl (from train_embedding.py): sentences with PyTorch's embeddings, compared with llama.cpp's
// SYNONYMS.json (from coverage.py): word -> groups, for the word embedder with a synonym table
import fs from 'node:fs';
import crypto from 'node:crypto';
import {getLlama} from 'node-llama-cpp';

const files = process.argv.slice(2).filter((x) => !x.startsWith('--')), showFails = process.argv.includes('--fails');
const [modelPath, setPath, tokenPath, synonymPath] = files;
const lines = (p) => fs.readFileSync(p, 'utf8').trim().split('\n').map((l) => JSON.parse(l));
const sha = (p) => crypto.createHash('sha256').update(fs.readFileSync(p)).digest('hex');
const set = lines(setPath).map((e) => process.argv.includes('--matches-only') ? {...e, distractors: []} : e), candidates = set.flatMap((e) => [e.match, ...e.distractors]);
const own = []; for (let i = 0, n = 0; i < set.length; n += 1 + set[i].distractors.length, i++) own.push(n);
const cosine = (a, b) => { let s = 0, x = 0, y = 0; for (let i = 0; i < a.length; i++) { s += a[i] * b[i]; x += a[i] ** 2; y += b[i] ** 2 } return x && y ? s / Math.sqrt(x * y) : 0 };

// ---------------------------------------------------------------- word-based embedders
const STOP = new Set(`a an the and or but if of in on at by for with to from into over under as is are was were be been being am do does did done has have had having will would can could shall should may might must
i you he she it we they me him her us them my your his its our their this that these those what which who whom whose when where why how there here not no nor so than then too very just about up out off down again any some all each
s t re ve ll d m please`.split(/\s+/));
const words = (t) => t.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
function stem(w) {
  if (w.length > 4 && w.endsWith('ies')) return w.slice(0, -3) + 'y';
  for (const s of ['ing', 'ed', 'es', 's', 'ly']) if (w.endsWith(s) && w.length - s.length >= 3 && !w.endsWith('ss')) {
    let x = w.slice(0, -s.length);
    if (s === 'ing' || s === 'ed') { if (!/[aeiouy]/.test(x)) continue; if (x.length > 3 && x.at(-1) === x.at(-2) && !/[lsz]$/.test(x)) x = x.slice(0, -1) }
    return x.replace(/e$/, '');
  }
  return w.length > 4 ? w.replace(/e$/, '') : w;
}
function hash(s) { let h = 2166136261; for (let i = 0; i < s.length; i++) { h ^= s.charCodeAt(i); h = Math.imul(h, 16777619) } h ^= h >>> 15; h = Math.imul(h, 0x2c1b3c6d); h ^= h >>> 12; return h >>> 0 }
function lexical(text, {dims = 2048, grams = true, stop = true, synonyms = null} = {}) {
  const tf = new Map(), add = (f, w) => tf.set(f, [(tf.get(f)?.[0] ?? 0) + 1, w]);
  const ws = words(text);
  for (const raw of ws) {
    const w = stem(raw), weight = stop && STOP.has(raw) ? .1 : 1; add('w ' + w, weight);
    if (grams) { const p = `^${w}$`; for (let n = 3; n <= 5; n++) for (let i = 0; i + n <= p.length; i++) add('g ' + p.slice(i, i + n), .35 * weight) }
  }
  // one shared feature per synonym group; phrases of up to four words are looked up too
  if (synonyms) for (let i = 0; i < ws.length; i++) for (let n = 1; n <= 4 && i + n <= ws.length; n++) for (const g of synonyms[ws.slice(i, i + n).join(' ')] ?? []) add('s ' + g, 1);
  const v = new Float64Array(dims);
  for (const [f, [n, w]] of tf) { const h = hash(f); v[h % dims] += (h & 0x80000000 ? -1 : 1) * w * (1 + Math.log(n)) }
  return v;
}
// Plain BM25 over the candidates (k1 1.2, b .75), same words and stems, no stop list
function bm25(queries) {
  const docs = candidates.map((c) => words(c).map(stem)), df = new Map(), avg = docs.reduce((a, d) => a + d.length, 0) / docs.length;
  for (const d of docs) for (const w of new Set(d)) df.set(w, (df.get(w) ?? 0) + 1);
  return queries.map((q) => { const qs = [...new Set(words(q).map(stem))]; return docs.map((d) => qs.reduce((s, w) => { const f = d.filter((x) => x === w).length; return s + Math.log(1 + (docs.length - (df.get(w) ?? 0) + .5) / ((df.get(w) ?? 0) + .5)) * f * 2.2 / (f + 1.2 * (.25 + .75 * d.length / avg)) }, 0)) });
}

// ---------------------------------------------------------------- metrics; equal scores count as a random order
function measure(scores) {
  return scores.map((s, i) => {
    const mine = s[own[i]]; let above = 0, equal = 0; s.forEach((x, j) => { if (j !== own[i]) { if (x > mine + 1e-12) above++; else if (Math.abs(x - mine) <= 1e-12) equal++ } });
    const at = (k) => Math.min(1, Math.max(0, (k - above) / (equal + 1))); let rr = 0; for (let e = 0; e <= equal; e++) rr += 1 / (above + 1 + e);
    return {r1: at(1), r5: at(5), mrr: rr / (equal + 1), best: s.indexOf(Math.max(...s))};
  });
}
const mean = (xs) => xs.reduce((a, b) => a + b, 0) / xs.length;
function random(seed) { return () => { seed = seed + 0x6D2B79F5 | 0; let t = Math.imul(seed ^ seed >>> 15, 1 | seed); t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t; return ((t ^ t >>> 14) >>> 0) / 4294967296 } }
function bootstrap(a, b, n = 20000) {
  const r = random(1), d = a.map((x, i) => x.r1 - b[i].r1), out = [];
  for (let k = 0; k < n; k++) { let s = 0; for (let i = 0; i < d.length; i++) s += d[Math.floor(r() * d.length)]; out.push(s / d.length) }
  out.sort((x, y) => x - y); return [mean(d), out[Math.floor(.025 * n)], out[Math.floor(.975 * n)]];
}

// ---------------------------------------------------------------- the model
const llama = await getLlama({gpu: false, build: 'never', maxThreads: Number(process.env.THREADS ?? 1), logLevel: 'error'});
const model = await llama.loadModel({modelPath}); const context = await model.createEmbeddingContext({contextSize: 512, threads: Number(process.env.THREADS ?? 1)});
const embed = async (t) => (await context.getEmbeddingFor(t)).vector;
console.log('model', fs.statSync(modelPath).size, 'bytes, sha256', sha(modelPath)); console.log('set', set.length, 'queries', candidates.length, 'candidates, sha256', sha(setPath));
let failed = false;
if (tokenPath) {
  const rows = lines(tokenPath); let ids = 0, full = 1, rounded = 1;
  for (const x of rows) { const v = await embed(x.text); if (model.tokenize(x.text).join() === x.ids.join()) ids++; full = Math.min(full, cosine(v, x.full)); rounded = Math.min(rounded, cosine(v, x.rounded)) }
  failed = ids < rows.length || full < .999; console.log(failed ? 'FAIL' : 'ok  ', `llama.cpp and PyTorch on ${rows.length} sentences: same tokens ${ids}, smallest cosine ${full.toFixed(5)} (float weights), ${rounded.toFixed(5)} (weights rounded as in the file)`);
}
const t0 = performance.now(), Q = [], D = []; for (const e of set) Q.push(await embed(e.query)); for (const c of candidates) D.push(await embed(c));
console.log(`${((Q.length + D.length) / (performance.now() - t0) * 1e3).toFixed(0)} embeddings/s`);
const pairs = (f) => { const q = set.map((e) => f(e.query)), c = candidates.map(f); return q.map((x) => c.map((y) => cosine(x, y))) };
const sum = (a, b) => a.map((r, i) => r.map((x, j) => x + b[i][j]));
const neural = Q.map((x) => D.map((y) => cosine(x, y))), lex = pairs((t) => lexical(t));
const synonyms = synonymPath ? JSON.parse(fs.readFileSync(synonymPath, 'utf8')) : null;
const contenders = {
  'GGUF alone': neural, 'lexical': lex, 'hybrid (sum)': sum(neural, lex), 'BM25': bm25(set.map((e) => e.query)),
  'lexical, words only': pairs((t) => lexical(t, {grams: false})), 'lexical, no stop list': pairs((t) => lexical(t, {stop: false})), 'lexical, 512 dims': pairs((t) => lexical(t, {dims: 512})),
};
if (synonyms) { contenders['lexical + synonyms'] = pairs((t) => lexical(t, {synonyms})); contenders['hybrid + synonyms'] = sum(neural, contenders['lexical + synonyms']) }
const results = Object.fromEntries(Object.entries(contenders).map(([k, v]) => [k, measure(v)])), kinds = [...new Set(set.map((e) => e.kind))].filter(Boolean);
console.log(`\n| | recall@1 | recall@5 | MRR |${kinds.map((k) => ` r@1 ${k} (${set.filter((e) => e.kind === k).length}) |`).join('')}\n| --- | --- | --- | --- |${' --- |'.repeat(kinds.length)}`);
for (const [k, rs] of Object.entries(results)) console.log(`| ${k} | ${['r1', 'r5', 'mrr'].map((m) => mean(rs.map((x) => x[m])).toFixed(3)).join(' | ')} |${kinds.map((d) => ` ${mean(rs.filter((_, i) => set[i].kind === d).map((x) => x.r1)).toFixed(3)} |`).join('')}`);
if (!process.argv.includes('--no-intervals')) console.log('\nDifference in recall@1, paired bootstrap, 95 %:');
const compare = [['GGUF alone', 'lexical'], ['hybrid (sum)', 'GGUF alone'], ['hybrid (sum)', 'lexical'], ['GGUF alone', 'BM25'], ['hybrid (sum)', 'BM25'], ['GGUF alone', 'lexical, no stop list'], ['hybrid (sum)', 'lexical, no stop list'], ...synonyms ? [['lexical + synonyms', 'lexical'], ['hybrid (sum)', 'lexical + synonyms'], ['hybrid + synonyms', 'lexical + synonyms'], ['hybrid + synonyms', 'lexical']] : []];
for (const [a, b] of process.argv.includes('--no-intervals') ? [] : compare) { const [m, lo, hi] = bootstrap(results[a], results[b]); console.log(`${a} - ${b}: ${m >= 0 ? '+' : ''}${m.toFixed(3)} [${lo.toFixed(3)}, ${hi.toFixed(3)}]`) }
const covered = set.map((e) => e.covered); if (covered.some((x) => x !== undefined)) for (const c of [true, false]) for (const k of ['GGUF alone', 'lexical', 'hybrid (sum)']) console.log(`synonym link ${c}:`, k, mean(results[k].filter((_, i) => set[i].covered === c).map((x) => x.r1)).toFixed(3));
if (showFails) for (const [i, e] of set.entries()) if (results['hybrid (sum)'][i].r1 < 1) console.log('\n', e.kind, e.query, '\n   want', e.match, '\n   got ', candidates[results['hybrid (sum)'][i].best]);
process.exit(failed ? 1 : 0);
