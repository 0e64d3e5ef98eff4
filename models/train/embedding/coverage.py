"""What the generator and the hand-written set have in common, and the synonym table as JSON. Only for reporting; nothing is chosen by it.

usage: coverage.py OUT        writes OUT/synonyms.json (word -> groups) and OUT/embedding-covered.jsonl (the set with "covered": true|false)
covered: a word or phrase of the query and a different one of the match stand in the same synonym group.
"""
import json, os, re, sys
import paraphrases as P, synonyms as S

out = sys.argv[1]; os.makedirs(out, exist_ok=True); table = {}
def put(w, g): table.setdefault(" ".join(re.findall(r"[^\W_]+", w.lower())), set()).add(g)
n = 0
for g in P.ALL_NOUN + P.ADJ + P.TIME:
    for w in g:
        put(w, n)
        if g in P.ALL_NOUN: put(P.plural(w), n)
    n += 1
for gs in P.VERB.values():
    for g in gs:
        for forms in g:
            for w in forms: put(w, n)
        n += 1
json.dump({w: sorted(g) for w, g in sorted(table.items())}, open(os.path.join(out, "synonyms.json"), "w"))
def spans(t): ws = re.findall(r"[^\W_]+", t.lower()); return {" ".join(ws[i:i + k]) for i in range(len(ws)) for k in (1, 2, 3, 4) if i + k <= len(ws)}
here = os.path.dirname(os.path.abspath(__file__)); rows = [json.loads(l) for l in open(os.path.join(here, "../../eval/embedding.jsonl"), encoding="utf8")]
for r in rows: a, b = spans(r["query"]), spans(r["match"]); r["covered"] = any(x != y and table.get(x, set()) & table.get(y, set()) for x in a for y in b)
open(os.path.join(out, "embedding-covered.jsonl"), "w", encoding="utf8").write("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows))
grams = lambda t: {tuple(ws[i:i + 4]) for ws in [re.findall(r"[^\W_]+", t.lower())] for i in range(len(ws) - 3)}
known = {g for _, p, q in P.FRAMES for t in p + q for g in grams(re.sub(r"\{\w\}", "0", t)) if "0" not in g}
hit = [r["query"] if grams(r["query"]) & known else r["match"] for r in rows if (grams(r["query"]) | grams(r["match"])) & known]
print(len(P.FRAMES), "frames,", sum(len(p) for _, p, _ in P.FRAMES), "wordings,", sum(len(p) >= 5 for _, p, _ in P.FRAMES), "frames with five or more,", sum(len(q) for _, _, q in P.FRAMES), "contrary wordings;", n, "synonym groups,", len(table), "words, forms and phrases;", len(P.TOPIC), "topics")
for k in ("paraphrase", "fact", "near"): x = [r for r in rows if r["kind"] == k]; print(k, len(x), "pairs, linked by a synonym group:", sum(r["covered"] for r in x))
print("pairs with four words in a row from a frame:", len(hit), hit)
