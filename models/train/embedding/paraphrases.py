"""Seeded generator of paraphrases for the embedding model. Deterministic for a given random.Random.

example(r, part) -> (key, anchor, positive, [hard negatives]); equal keys mean equal meaning.
part is "train" or "valid": every eighth frame is kept out of training and used only for validation.
usage: paraphrases.py [count] [seed]      prints examples
Word lists: synonyms.py and frames.py; names, towns, dates and amounts come from models/train/generate.py.
"""
import os, random, re, sys
sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import generate as G, lexicon as X
import synonyms as S, frames

# ---------------------------------------------------------------- groups
def groups(s): return [[w.strip() for w in g.split(",") if w.strip()] for g in s.replace("\n", " ").split(";") if g.strip()]
def inflect(w):
    """base, third person, past, participle, -ing of the first word; the rest follows."""
    if w.startswith("not "):
        b, t, p, pp, ing = inflect(w[4:]); was = b.split()[0] == "be"
        return ("not " + b, "is not" + b[2:] if was else "does not " + b, "was not" + b[2:] if was else "did not " + b, "not " + pp, "not " + ing)
    head, _, rest = w.partition(" "); rest = rest and " " + rest; f = head.split("/"); b = f[0]
    v = b[-1] in "aeiou"; dbl = re.fullmatch(r"[^aeiou]*[aeiou][^aeiouwxy]", b) and len(b) > 2; y = b[-1] == "y" and b[-2] not in "aeiou"
    past = f[1] if len(f) > 1 else b + "d" if b[-1] == "e" else b[:-1] + "ied" if y else b + b[-1] + "ed" if dbl else b + "ed"
    part = f[2] if len(f) > 2 else past
    third = {"be": "is", "have": "has", "do": "does", "go": "goes"}.get(b) or (b[:-1] + "ies" if y else b + "es" if re.search(r"(s|x|ch|sh)$", b) else b + "s")
    ing = {"be": "being", "die": "dying"}.get(b) or (b[:-1] + "ing" if b[-1] == "e" and b[-2] != "e" else b + b[-1] + "ing" if dbl or b in ("get", "put", "set", "run", "cut", "begin") else b + "ing")
    return tuple(x + rest for x in (b, third, past, part, ing))
NOUN = {k: groups(s) for k, s in S.NOUN.items()}
VERB = {k: [[inflect(w) for w in g] for g in groups(s)] for k, s in S.VERB.items()}
ADJ, TIME = groups(S.ADJ), groups(S.TIME)
TOPIC = [[w.strip() for w in t.split(":", 1)[1].split(",")] for t in S.TOPIC.split(";")]
ALL_NOUN = [g for v in NOUN.values() for g in v]
OPP = {}
for a, b in [p.split() for p in S.OPP_ADJ.split(",")]:
    ga, gb = next(g for g in ADJ if g[0] == a), next(g for g in ADJ if g[0] == b); OPP.setdefault(id(ga), gb); OPP.setdefault(id(gb), ga)
OPP_VERB = {}
for a, b in [p.split() for p in S.OPP_VERB.split(",")]:
    for k in VERB:
        ga = [g for g in VERB[k] if g[0][0] == a.replace("_", " ")]; gb = [g for g in VERB[k] if g[0][0] == b.replace("_", " ")]
        if ga and gb: OPP_VERB.setdefault(id(ga[0]), gb[0]); OPP_VERB.setdefault(id(gb[0]), ga[0])
COUNT = {}
for g in ALL_NOUN + ADJ + [[f[0] for f in g] for v in VERB.values() for g in v]:
    for w in g: COUNT[w] = COUNT.get(w, 0) + 1
SWAP = {w: g for g in ALL_NOUN + ADJ for w in g if COUNT[w] == 1 and " " not in w and len(w) > 3}
FRAMES = [(b[0], [l for l in b[1:] if l[0] != "!"], [l[1:] for l in b[1:] if l[0] == "!"]) for b in (x.split("\n") for x in frames.FRAMES.strip().split("\n\n"))]
PART = {"train": [f for i, f in enumerate(FRAMES) if i % 8 != 3], "valid": FRAMES[3::8]}

# ---------------------------------------------------------------- small pieces
cap = lambda s: s[:1].upper() + s[1:]
def other(r, xs, x):
    while True:
        y = r.choice(xs)
        if y is not x and y != x: return y
def pick(r, g, used):
    """A member of the group, seldom one that was used before."""
    fresh = [w for w in g if w not in used]; w = r.choice(fresh if fresh and r.random() < .75 else g); used.add(w); return w
def plural(w): return w if w[-1] == "s" or " " in w else w[:-1] + "ies" if w[-1] == "y" and w[-2] not in "aeiou" else w + "es" if re.search(r"(x|ch|sh)$", w) else w + "s"
def code(r):
    k = r.random(); d = "".join(r.choice("0123456789") for _ in range(r.randint(2, 5)))
    return d if k < .4 else f"{r.choice('ABCDEFGHKLMNPRSTVWX')}-{d}" if k < .6 else f"{r.choice('ABCDEFGH')}{r.choice('KLMNPRST')} {d}" if k < .75 else f"{G.word(r)}-{d}" if k < .9 else G.word(r)
def near_code(r, c):
    """The same code with one digit or letter changed, or two swapped."""
    i = r.randrange(len(c))
    for _ in range(20):
        i = r.randrange(len(c)); ch = c[i]
        n = r.choice("0123456789") if ch.isdigit() else r.choice("abcdefghklmnoprstuw") if ch.isalpha() else ch
        if n != ch.lower(): return c[:i] + (n.upper() if ch.isupper() else n) + c[i + 1:]
    return c + "1"
def near_name(r, n):
    """Another name that looks alike when there is one."""
    alike = [x for x in X.FIRST if x[0] == n[0] and x != n]
    return r.choice(alike) if alike and r.random() < .5 else G.first(r)
def clock(r): h = r.randint(7, 20); return r.choice([f"{h}:{r.choice(['00', '15', '30', '45'])}", f"{h}:00", f"{(h - 1) % 12 + 1} {'am' if h < 12 else 'pm'}", f"{(h - 1) % 12 + 1} o'clock"])
ROLE = NOUN["person"]
PLAIN = lambda gs: [g for g in gs if any(" " not in w for w in g)]
def slot(r, k):
    if k in "PQ": return G.person(r)
    if k == "D": return G.date(r)
    if k == "T": return clock(r)
    if k == "M": return G.amount(r)
    if k == "N": return str(r.choice([r.randint(2, 99), r.randint(100, 9999)]))
    if k == "K": return code(r)
    if k == "L": return G.place(r)
    if k == "C": return G.company(r)
    if k == "I": return r.choice(r.choice(NOUN["thing"])) if r.random() < .7 else r.choice(X.ITEM).replace("_", " ")
    if k == "W": return r.choice(r.choice(NOUN["doc"])) if r.random() < .7 else r.choice(X.DOC).replace("_", " ")
    if k == "J": return r.choice(X.JOB)
    if k == "E": return r.choice(r.choice(NOUN["event"][:21]))
    if k == "A": return r.choice([f"room {r.randint(1, 400)}", r.choice(X.PLACE_IN), "the " + r.choice(r.choice(NOUN["place"])), "the " + r.choice(r.choice(NOUN["place"]))])
def changed(r, k, v):
    for _ in range(9):
        n = near_name(r, v) if k in "PQ" and " " not in v else near_code(r, v) if k in "KN" and r.random() < .7 else slot(r, k)
        if n != v and SWAP.get(n, 0) is not SWAP.get(v, 1): return n
    return slot(r, k)
def reword(r, t, p=.35):
    """Exchange single words by others of their group."""
    def f(m):
        w = m.group(0); g = SWAP.get(w)
        return r.choice([x for x in g if " " not in x] or [w]) if g and r.random() < p else w
    return re.sub(r"[a-z]+", f, t)
def finish(r, t):
    t = cap(t) if r.random() < .8 else t
    if t[-1] not in ".?!" and r.random() < .25: t += "."
    elif t[-1] in ".?" and r.random() < .2: t = t[:-1]
    k = r.random()
    return t.lower() if k < .12 else ("Hello, " + t[0].lower() + t[1:] if k < .14 else r.choice(["Note: ", "To remember: ", "I noted that ", "Question: "]) + t if k < .18 else t)

# ---------------------------------------------------------------- frames
def from_frame(r, part):
    name, pos, neg = r.choice(PART[part]); ks = sorted(set(re.findall(r"\{(\w)\}", " ".join(pos)))); v = {k: slot(r, k) for k in ks}
    fill = lambda t, v: cap(re.sub(r"\{(\w)\}", lambda m: v[m.group(1)], t))
    two = r.sample(pos, 2) if r.random() < .93 else [r.choice(pos)] * 2
    a, b = (finish(r, reword(r, fill(t, v))) for t in two); negs = []
    if neg and r.random() < .7: negs.append(fill(r.choice(neg), v))
    shared = [k for k in ks if "{" + k + "}" in two[0]] or ks  # a negative must differ in something that the anchor says
    if shared: k = r.choice(shared); t = r.choice([x for x in pos if "{" + k + "}" in x]); negs.append(fill(t, {**v, k: changed(r, k, v[k])}))
    if len(negs) < 2: n2, p2, _ = r.choice(PART[part]); w = {k: v.get(k) or slot(r, k) for k in "PQDTMNKLCIWJEA"}; n2 != name and negs.append(fill(r.choice(p2), w))
    return f"{name}|{sorted(v.items())}", a, b, [finish(r, reword(r, x)) for x in negs[:2]]

# ---------------------------------------------------------------- clauses: who does what with what, when and where
def clause(r, part=None):
    kind = r.choice(["doc", "doc", "thing", "thing", "thing", "person", "none"]); v = r.choice(VERB[kind])
    S_ = G.person(r) if r.random() < .55 else r.choice(ROLE)
    O = None if kind == "none" else (G.person(r) if r.random() < .5 else r.choice(ROLE)) if kind == "person" else r.choice(NOUN["doc"] + NOUN["tech"] if kind == "doc" else NOUN["thing"] + NOUN["food"] + NOUN["nature"] if r.random() < .85 else ALL_NOUN)
    A = r.choice(ADJ) if isinstance(O, list) and r.random() < .3 else None
    T = (r.choice(TIME) if r.random() < .6 else "on " + G.date(r)) if r.random() < .4 else None
    P = (r.choice(NOUN["place"]) if r.random() < .6 else "in " + G.place(r)) if r.random() < .2 else None
    return dict(v=v, S=S_, O=O, A=A, T=T, P=P, kind=kind, neg=r.random() < .08)
def say_clause(r, c, used, query):
    """One wording. Queries may leave out the subject, the time or the place."""
    v = c["v"]; fresh = [f for f in v if f[0] not in used]; f = r.choice(fresh if fresh and r.random() < .75 else v); used.add(f[0]); base, third, past, part, ing = f
    def np(x, adj=None):
        if x is None: return ""
        if isinstance(x, str): return x
        w = pick(r, x, used); k = r.random()
        if k < .12: w = plural(w)
        if adj:
            a = pick(r, adj, used)
            return f"the {w} that is {a}" if " " in a and a.split()[0] in ("not", "with", "at", "by", "out", "in", "on", "for", "to", "a", "no", "ahead", "behind", "that", "against", "weighing", "going", "taken", "nowhere", "without") else f"the {a} {w}"
        return r.choice(["the ", "the ", "the ", "a ", "our ", "this "]) + w
    s, o = np(c["S"]), np(c["O"], c["A"]); t = c["T"] if isinstance(c["T"], str) else pick(r, c["T"], used) if c["T"] else ""; p = c["P"] if isinstance(c["P"], str) else "in the " + pick(r, c["P"], used) if c["P"] else ""
    if query: t = t if r.random() < .6 else ""; p = p if r.random() < .6 else ""
    tail = " ".join(x for x in ([t, p] if r.random() < .5 else [p, t]) if x); tail = tail and " " + tail; forms = []
    if c["neg"]:
        forms = [f"{s} did not {base} {o}{tail}", f"{s} has not {part} {o}{tail}", f"{s} never {past} {o}{tail}", f"it is not true that {s} {past} {o}{tail}", f"{s} won't {base} {o}{tail}"]
        if o and c["kind"] != "person": forms += [f"{o} was not {part} by {s}{tail}"]
    else:
        forms = [f"{s} {past} {o}{tail}", f"{s} {third} {o}{tail}", f"{s} has {part} {o}{tail}", f"it was {s} who {past} {o}{tail}", f"{s} wants to {base} {o}{tail}", f"{s} will {base} {o}{tail}"]
        if t: forms += [f"{t}, {s} {past} {o} {p}", f"{t} {s} {past} {o} {p}"]
        if o: forms += [f"{o} was {part} by {s}{tail}", f"{o} has been {part} by {s}{tail}"] * 2
        if query:
            if o: forms += [f"who {past} {o}{tail}?", f"what happened to {o}{tail}?" if r.random() < .2 else f"who {third} {o}?", f"did {s} {base} {o}{tail}?", f"please {base} {o}{tail}", f"can someone {base} {o}?", f"how do I {base} {o}?", f"{ing} {o}", f"we need to {base} {o}{tail}", f"{o} {part}", f"{o} must be {part}{tail}"]
            forms += [f"did {s} {base} {o}{tail}?", f"{s} {ing} {o}", f"{s} {o} {base}".replace("the ", ""), f"when did {s} {base} {o}?", f"why did {s} {base} {o}?"]
    return re.sub(r"\s+", " ", r.choice(forms)).replace(" ,", ",").replace(" ?", "?").strip()
def from_clause(r, part):
    c = clause(r); used = set(); key = repr([c["v"][0][0], *(x if isinstance(x, str) else x and x[0] for x in (c["S"], c["O"], c["A"], c["T"], c["P"])), c["neg"]])
    a, b = say_clause(r, c, used, True), say_clause(r, c, used, r.random() < .2)
    negs = []
    for _ in range(2):
        n = dict(c); k = r.random()
        same = lambda x: near_name(r, x.split()[0]) if isinstance(x, str) else other(r, ROLE, x)
        if k < .3: n["v"] = OPP_VERB.get(id(c["v"])) or other(r, VERB[c["kind"]], c["v"])
        elif k < .42 and c["O"] and c["kind"] == "person": n["S"], n["O"] = c["O"], c["S"]
        elif k < .62 and isinstance(c["O"], list): n["O"] = other(r, next((v for v in NOUN.values() if any(g is c["O"] for g in v)), ALL_NOUN), c["O"])
        elif k < .75 and c["A"]: n["A"] = OPP.get(id(c["A"])) or other(r, ADJ, c["A"])
        elif k < .82: n["neg"] = not c["neg"]
        elif c["O"] is None or r.random() < .5: n["v"] = other(r, VERB[c["kind"]], c["v"])
        else: n["O"] = other(r, ALL_NOUN, c["O"]) if isinstance(c["O"], list) else same(c["O"])
        negs.append(say_clause(r, n, set(), False))
    if r.random() < .08: a, b = b, a
    return key, finish(r, a), finish(r, b), [finish(r, x) for x in negs]

# ---------------------------------------------------------------- states: something is so
def from_state(r, part):
    N, A = r.choice(ALL_NOUN), r.choice(ADJ); q = r.choice(["", "", "", "in " + G.place(r), "of " + G.person(r), "in the " + r.choice(r.choice(NOUN["place"]))]); used = set()
    def say(N, A, used, query):
        n, a = pick(r, N, used), pick(r, A, used); n = plural(n) if r.random() < .1 else n; q_ = q if not query or r.random() < .7 else ""; be = r.choice(["is", "is", "was", "seems", "has been"])
        forms = [f"the {n} {q_} {be} {a}", f"the {n} {q_} {be} {a}", f"our {n} {q_} {be} {a}", f"we have a {n} {q_} that is {a}", f"there is a {n} {q_} that is {a}", f"they say that the {n} {q_} {be} {a}"]
        if query: forms += [f"why is the {n} {q_} {a}?", f"{n} {q_} {a}", f"{a} {n} {q_}", f"is the {n} {q_} {a}?", f"which {n} {q_} is {a}?", f"problem: the {n} {q_} is {a}"]
        return re.sub(r"\s+", " ", r.choice(forms)).replace(" ?", "?").strip()
    a, b = say(N, A, used, True), say(N, A, used, False)
    negs = [say(N, OPP.get(id(A)) or other(r, ADJ, A), set(), False), say(other(r, ALL_NOUN, N), A, set(), False)]
    return f"state|{N[0]}|{A[0]}|{q}", finish(r, a), finish(r, b), [finish(r, x) for x in negs]

# ---------------------------------------------------------------- facts: an attribute of a thing has a value
ATTR = [a.split("/") for a in """colour/shade; weight/number of kilos; height/how tall it is; length/how long it is; price/cost/what it costs; owner/who owns it; address/where it is/location; serial number/serial; phone number/telephone/extension; date of birth/birthday;
opening time/when it opens; deadline/due date; manager/boss/head; password/access code; order number/order reference; account number/bank account; size/how big it is; age/how old it is; room/which room; seat/which seat; gate/departure gate; deposit/down payment; salary/pay; version/release; port/port number;
address of the server/host; temperature/degrees; capacity/how many fit in; code name/internal name; number of pages/page count; author/who wrote it; supplier/vendor; shelf/where it is kept; warranty/guarantee; top speed/how fast it is; material/what it is made of; maker/manufacturer; model/type; next inspection/next check; dose/how much to take;
nickname/called; language/spoken there; team/which team; licence plate/number plate; insurance number/policy number; budget/money planned; rent/monthly rent; floor/storey; start date/when it begins; end date/when it ends; limit/maximum; minimum/at least; tax number/tax id; postcode/zip; contact person/whom to ask""".replace("\n", " ").split(";")]
def from_fact(r, part):
    at = r.choice(ATTR); at = [x.strip() for x in at]; k = r.random(); noun = r.choice(r.choice(ALL_NOUN)); used = set()
    if k < .4: e = G.person(r); near = " ".join([near_name(r, e.split()[0]), *e.split()[1:]]); ent, ent2 = e, near
    elif k < .55: e = code(r); ent, ent2 = f"{noun} {e}", f"{noun} {near_code(r, e)}"
    elif k < .75: w = r.choice([cap(G.word(r)), G.place(r), G.company(r)]); ent, ent2 = f"the {w} {noun}", f"the {r.choice([cap(G.word(r)), G.place(r), G.company(r)])} {noun}"
    elif k < .85: a = r.choice(r.choice(ADJ) if r.random() < .5 else X.COLOUR); a2 = r.choice(X.COLOUR + [g[0] for g in ADJ]); ent, ent2 = f"the {a} {noun}", f"the {a2 if a2 != a else 'other'} {noun}"
    else: ent, ent2 = "the " + noun, "the " + r.choice(r.choice(ALL_NOUN))
    val = lambda: r.choice([code(r), G.amount(r), G.date(r), G.person(r), G.place(r), str(r.randint(2, 900)), r.choice(X.COLOUR), clock(r), f"{r.randint(2, 99)} {r.choice(['metres', 'kilos', 'pages', 'months', 'days', 'litres', 'degrees', 'people'])}"])
    v = val(); a1, a2 = pick(r, at, used), pick(r, at, used)
    def stmt(ent, a, v): return r.choice([f"the {a} of {ent} is {v}", f"{ent} has the {a} {v}", f"{ent}: {a} {v}", f"{v} is the {a} of {ent}", f"{ent}'s {a} is {v}", f"for {ent} the {a} is {v}", f"as {a} of {ent} we noted {v}", f"{ent} - {v} ({a})"])
    q = r.choice([f"what is the {a1} of {ent}?", f"{a1} of {ent}", f"{ent} {a1}", f"{a1} {ent}", f"{ent}'s {a1}?", f"do you know the {a1} of {ent}?", f"tell me the {a1} of {ent}", f"which {a1} does {ent} have?", f"I need the {a1} for {ent}", stmt(ent, a1, v)])
    o = [x.strip() for x in other(r, ATTR, at)]
    return f"fact|{at[0]}|{ent}|{v}", finish(r, q), finish(r, stmt(ent, a2, v)), [finish(r, stmt(ent2, a2, val())), finish(r, stmt(ent, r.choice(o), val()))]

# ---------------------------------------------------------------- single words, topics and plain overlap
def from_word(r, part):
    k = r.random()
    if k < .45: g = r.choice(ALL_NOUN); o = other(r, ALL_NOUN, g); d = r.choice(["", "the ", "a ", "my ", "about the ", "where is the "])
    elif k < .7: g = r.choice(ADJ); o = OPP.get(id(g)) or other(r, ADJ, g); d = r.choice(["", "it is ", "that is ", "very "])
    elif k < .92: vs = r.choice(list(VERB.values())); v = r.choice(vs); i = r.randrange(5); w = OPP_VERB.get(id(v)) or other(r, vs, v); g, o = [x[i] for x in v], [x[i] for x in w]; d = "to " if i == 0 and r.random() < .5 else ""
    else: g = r.choice(TIME); o = other(r, TIME, g); d = ""
    a, b = r.sample(g, 2) if len(g) > 1 else g * 2
    return "word|" + g[0], finish(r, d + a), finish(r, r.choice(["", d]) + b), [finish(r, d + r.choice(o))]
def from_topic(r, part):
    t = r.choice(TOPIC); o = other(r, TOPIC, t); ws = r.sample(t, min(len(t), 5)); n = r.randint(1, 2)
    say = lambda w: r.choice([" ".join(w), "the " + " and the ".join(w), "something about " + " and ".join(w), "a " + " with a ".join(w)])
    return "topic|" + t[0] + t[1], say(ws[:n]), say(ws[n:n + r.randint(1, 3)]), [say(r.sample(o, 2))]
def from_overlap(r, part):
    """A sentence of any words, known or made up; the query keeps only some of them, in another order or form."""
    def w():
        k = r.random()
        return G.word(r) if k < .25 else r.choice(r.choice(ALL_NOUN + ADJ)) if k < .6 else r.choice(X.ITEM + X.DOC + X.ADJ + X.JOB + X.TEAM).replace("_", " ") if k < .8 else r.choice(r.choice(VERB["thing"] + VERB["doc"] + VERB["none"]))[r.randrange(5)] if k < .9 else r.choice([code(r), G.first(r), G.place(r)])
    ws = [w() for _ in range(r.randint(3, 7))]; glue = ["the", "a", "of the", "with", "in the", "for", "and", "is", "was", "has", "to", "our", "from"]
    say = lambda xs: " ".join(y for x in xs for y in ([r.choice(glue), x] if r.random() < .6 else [x]))
    form = lambda x: (x[:-1] if len(x) > 4 and x[-1] == "s" else x + "s") if r.random() < .15 and x.isalpha() else cap(x) if r.random() < .1 else x
    keep = [form(x) for x in r.sample(ws, max(2, round(len(ws) * r.uniform(.4, .8))))]
    neg = [w() if x in r.sample(ws, max(1, len(ws) // 2)) else x for x in ws]
    return "overlap|" + " ".join(ws), finish(r, say(keep)), finish(r, say(ws)), [finish(r, say(neg))] if neg != ws else []

MIX = [(from_frame, .27), (from_clause, .29), (from_state, .10), (from_fact, .13), (from_word, .11), (from_topic, .03), (from_overlap, .07)]
def example(r, part="train"):
    k = r.random()
    for f, p in MIX:
        if k < p: return f(r, part)
        k -= p
    return from_frame(r, part)
if __name__ == "__main__":
    r = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 20):
        key, a, b, n = example(r); print(f"{a}\n  = {b}" + "".join(f"\n  x {x}" for x in n))
