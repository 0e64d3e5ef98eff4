"""Train and export the tiny sentence-embedding model, on the CPU. Fixed seed and step count.

usage: train_embedding.py [OUT]        writes OUT/tiny-embed.npz, OUT/tiny-embed.gguf (Q8_0) and OUT/tokens.jsonl (sentences with PyTorch's embeddings),
       OUT/validation.jsonl (the generated validation set in the format of eval/embedding.jsonl)
Environment: THREADS (default 1), RESUME=2 (start at the second stage with the weights in OUT/tiny-embed.npz).

A Llama of two layers without causal mask (llama.attention.causal = false), mean pooling over all tokens, unit length.
In-batch InfoNCE over all positives and hard negatives of the batch; candidates with the same meaning key are left out.
"""
import json, os, random, sys, time
import numpy as np, torch, torch.nn as nn, torch.nn.functional as F
TRAIN = os.path.dirname(os.path.dirname(os.path.abspath(__file__))); sys.path.append(TRAIN)
import gguf, tokenizer, paraphrases

out = sys.argv[1] if len(sys.argv) > 1 else "out"; os.makedirs(out, exist_ok=True)
C = dict(L=2, d=192, H=6, KV=6, ff=384, ctx=512); L, d, H, ff = C["L"], C["d"], C["H"], C["ff"]; h = d // H
# a stage: steps, learning rate at its start and at its end, data seed; each starts with fresh optimizer states
STAGES = [(1000, 1, 1 - 1000 / 2600, 11), (500, .6, .01, 12)]
BATCH, TAU, LR_EMB, LR_MUON, SEED = 96, .05, 4e-3, .01, 11
torch.manual_seed(SEED); torch.set_num_threads(int(os.environ.get("THREADS", "1")))
tok = tokenizer.Tok.load(os.path.join(TRAIN, "vocab.json")); NV = len(tok.vocab); MAX = 64

# ---------------------------------------------------------------- model; matrix products in bfloat16 while training, in float32 for the final vectors
BF = torch.bfloat16; KIND = [BF]
class Norm(torch.autograd.Function):
    """RMS norm without gain (the gain is exported as ones)."""
    @staticmethod
    def forward(ctx, x):
        s = torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-5); y = x * s; ctx.save_for_backward(y, s); return y.to(KIND[0])
    @staticmethod
    def backward(ctx, g):
        y, s = ctx.saved_tensors; g = g.float(); return s * (g - y * (g * y).mean(-1, keepdim=True))
norm = Norm.apply
class Net(nn.Module):
    def __init__(self):
        super().__init__(); P = lambda o, i, std: nn.Parameter(torch.randn(o, i) * std)
        self.emb = P(NV, d, .05)
        self.b = nn.ModuleList(nn.ParameterDict({"qkv": P(3 * d, d, d ** -.5), "o": P(d, d, 0), "gu": P(2 * ff, d, d ** -.5), "w": P(d, ff, 0)}) for _ in range(L))
    def forward(self, ids, keep):
        """Unit vectors of a padded batch; keep is 1.0 at real tokens."""
        B, T = ids.shape; f = 10000.0 ** (-torch.arange(0, h, 2).float() / h); t = torch.arange(T).float()[:, None] * f; cos, sin = t.cos(), t.sin(); K = KIND[0]
        mask = ((keep - 1)[:, None, None] * 1e4).to(K); x = F.embedding(ids, self.emb)
        for b in self.b:
            z = F.linear(norm(x), b["qkv"].to(K)).view(B, T, 3 * H, h).transpose(1, 2)
            a1, a2 = z[:, :2 * H].float().chunk(2, -1); qk = torch.cat((a1 * cos - a2 * sin, a1 * sin + a2 * cos), -1); q, k, v = (qk[:, :H] * h ** -.5).to(K), qk[:, H:].to(K), z[:, 2 * H:]
            a = (torch.softmax(q @ k.transpose(2, 3) + mask, -1) @ v).transpose(1, 2).reshape(B, T, d)
            x = x + F.linear(a, b["o"].to(K)); g, u = F.linear(norm(x), b["gu"].to(K)).chunk(2, -1); x = x + F.linear(F.silu(g) * u, b["w"].to(K))
        return F.normalize((norm(x).float() * keep[..., None]).sum(1) / keep.sum(1, keepdim=True), dim=-1)
def orthogonal(G):
    """Newton-Schulz step of Muon."""
    t = G.shape[0] > G.shape[1]; X = G.to(BF); X = X.t() if t else X; X = X / (X.norm() + 1e-7)
    for _ in range(5): A = X @ X.t(); X = 3.4445 * X + (-4.7750 * A + 2.0315 * A @ A) @ X
    return (X.t() if t else X).float() * max(1, G.shape[0] / G.shape[1]) ** .5
def embed(net, texts):
    """Sentences of like length share a forward pass."""
    ids = [tok.text(t)[:MAX] for t in texts]; order = sorted(range(len(ids)), key=lambda i: len(ids[i])); parts = []
    for s in range(0, len(order), 96):
        g = [ids[i] for i in order[s:s + 96]]; T = max(map(len, g))
        parts.append(net(torch.tensor([x + [0] * (T - len(x)) for x in g]), torch.tensor([[1.] * len(x) + [0.] * (T - len(x)) for x in g])))
    back = torch.empty(len(order), dtype=torch.long); back[torch.tensor(order)] = torch.arange(len(order)); return torch.cat(parts)[back]

# ---------------------------------------------------------------- generated validation set: held-out frames and fresh sentences
def validation():
    r = random.Random(SEED + 1000); rows = [paraphrases.from_frame(r, "valid") for _ in range(150)] + [paraphrases.from_clause(r, None) for _ in range(100)] + [paraphrases.from_fact(r, None) for _ in range(50)]
    return rows
def recall(net, rows):
    with torch.no_grad():
        c = [x[2] for x in rows] + [n for x in rows for n in x[3]]; s = embed(net, [x[1] for x in rows]) @ embed(net, c).t(); own = s.diagonal()[:, None]
        rank = (s > own).sum(1); return (rank == 0).float().mean().item(), (1 / (1. + rank)).mean().item()

# ---------------------------------------------------------------- export
def save(net):
    g = lambda p: p.detach().numpy(); one = np.ones(d, np.float32); W = {"token_embd.weight": g(net.emb), "output_norm.weight": one}
    pairs = np.arange(h).reshape(2, h // 2).T.reshape(-1); inter = lambda m: m.reshape(-1, h, d)[:, pairs].reshape(-1, d)  # half-split rotary layout -> llama.cpp's pairs
    for i, b in enumerate(net.b):
        qkv, gu = g(b["qkv"]), g(b["gu"])
        for n, a in dict(attn_norm=one, attn_q=inter(qkv[:d]), attn_k=inter(qkv[d:2 * d]), attn_v=qkv[2 * d:], attn_output=g(b["o"]), ffn_norm=one, ffn_gate=gu[:ff], ffn_up=gu[ff:], ffn_down=g(b["w"])).items(): W[f"blk.{i}.{n}.weight"] = np.ascontiguousarray(a)
    np.savez(os.path.join(out, "tiny-embed.npz"), **W)
    # the writer's field for pooling is llama.pooling_type = 1 (mean); one more field says that attention is not causal
    plain = gguf.field
    def field(key, t, v, elem=None):
        if key == "tokenizer.chat_template": return plain("llama.attention.causal", gguf.BOOL, False)  # no chat template; the count of fields stays right
        return plain(key, t, v, elem)
    gguf.field = field; path = os.path.join(out, "tiny-embed.gguf"); gguf.write(path, C, W, tok.vocab, [tuple(m) for m in tok.merges], "q8_0", "tiny-embed"); gguf.field = plain
    r = random.Random(5); texts = [x for _ in range(10) for x in paraphrases.example(r)[1:3]]
    # PyTorch's embeddings with the same rounding of the weights as in the file
    q = lambda a: (lambda b: (np.round(b / s) * s if (s := np.abs(b).max(1, keepdims=True) / 127).all() else b))(a.reshape(-1, 32)).reshape(a.shape).astype(np.float32)
    keep = [p.detach().clone() for p in net.parameters()]
    KIND[0] = torch.float32
    with torch.no_grad():
        full = embed(net, texts)
        for p in net.parameters(): p.copy_(torch.from_numpy(q(p.numpy())))
        rounded = embed(net, texts)
        for p, k in zip(net.parameters(), keep): p.copy_(k)
    KIND[0] = BF
    with open(os.path.join(out, "tokens.jsonl"), "w", encoding="utf8") as f:
        for t, a, b in zip(texts, full, rounded): f.write(json.dumps({"text": t, "ids": tok.text(t), "full": [round(x, 6) for x in a.tolist()], "rounded": [round(x, 6) for x in b.tolist()]}, ensure_ascii=False) + "\n")
    return os.path.getsize(path)

def load(net):
    Z = np.load(os.path.join(out, "tiny-embed.npz")); put = lambda p, *a: p.data.copy_(torch.from_numpy(np.concatenate(a))); put(net.emb, Z["token_embd.weight"])
    half = lambda m: m.reshape(-1, h, d)[:, np.argsort(np.arange(h).reshape(2, h // 2).T.reshape(-1))].reshape(-1, d)
    for i, b in enumerate(net.b):
        k = lambda n: Z[f"blk.{i}.{n}.weight"]; put(b["qkv"], half(k("attn_q")), half(k("attn_k")), k("attn_v")); put(b["o"], k("attn_output")); put(b["gu"], k("ffn_gate"), k("ffn_up")); put(b["w"], k("ffn_down"))

# ---------------------------------------------------------------- training
if __name__ == "__main__":
    net = Net(); mats = [p for b in net.b for p in b.values()]; rng = random.Random(); step = 0; first = int(os.environ.get("RESUME", "1"))
    print("parameters", sum(p.numel() for p in net.parameters()), "steps", sum(s[0] for s in STAGES), flush=True); rows = validation()
    with open(os.path.join(out, "validation.jsonl"), "w", encoding="utf8") as f:
        for key, a, b, ns in rows: f.write(json.dumps({"query": a, "match": b, "distractors": ns, "kind": "clause" if key[0] == "[" else "fact" if key.startswith("fact|") else "frame"}, ensure_ascii=False) + "\n")
    if first > 1: load(net)
    t0 = time.time(); ema = None; print("validation recall@1 %.3f MRR %.3f at the start" % recall(net, rows), flush=True)
    for number, (n, top, low, seed) in enumerate(STAGES, 1):
        if number < first: step += n; continue
        start = step; rng.seed(seed); mom = [torch.zeros_like(p) for p in mats]; opt = torch.optim.AdamW([net.emb], lr=LR_EMB, betas=(.9, .98), weight_decay=0)
        while step < start + n:
            lr = min(1, (step - start + 1) / (100 if number == 1 else 20)) * (top + (low - top) * (step - start) / n); ex = [paraphrases.example(rng) for _ in range(BATCH)]; negs = [x for e in ex for x in e[3]]
            e = embed(net, [x[1] for x in ex] + [x[2] for x in ex] + negs); A, Pz, Nz = e[:BATCH], e[BATCH:2 * BATCH], e[2 * BATCH:]
            same = torch.tensor([[x[0] == y[0] for y in ex] for x in ex]) & ~torch.eye(BATCH, dtype=torch.bool); y = torch.arange(BATCH)
            ab = (A.to(BF) @ torch.cat((Pz, Nz)).to(BF).t()).float() / TAU; ab[:, :BATCH] = ab[:, :BATCH].masked_fill(same, -1e4); ba = ((Pz.to(BF) @ A.to(BF).t()).float() / TAU).masked_fill(same, -1e4)
            loss = F.cross_entropy(ab, y) + .5 * F.cross_entropy(ba, y)
            for p in net.parameters(): p.grad = None
            loss.backward(); opt.param_groups[0]["lr"] = LR_EMB * lr; opt.step(); mu = .85 + .1 * min(1, step / 300)
            with torch.no_grad():
                for p, m in zip(mats, mom): m.mul_(mu).add_(p.grad); p.mul_(1 - LR_MUON * lr * .05).add_(orthogonal(p.grad + mu * m), alpha=-LR_MUON * lr)
            ema = loss.item() if ema is None else .97 * ema + .03 * loss.item(); step += 1
            if step % 50 == 0: print(f"step {step} t {time.time() - t0:.0f}s loss {ema:.4f}" + (" validation recall@1 %.3f MRR %.3f" % recall(net, rows) if step % 250 == 0 else ""), flush=True)
        print("stage", number, "done,", save(net), "bytes", flush=True)
    print("final validation recall@1 %.3f MRR %.3f" % recall(net, rows), f"{time.time() - t0:.0f}s")
