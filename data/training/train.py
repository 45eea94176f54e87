"""Trains the retriever: queries near the texts of the tools that answer them.

    python train.py <folder of pairs> <folder of the base model> <out folder> [--steps N] [--stop N] [--resume] [--start state.pt]

Contrastive loss with in-batch negatives (InfoNCE, van den Oord et al., 2018) in both directions. Half of a batch comes in
groups of neighbours, tools that are hard to tell apart, so that each is the others' hard negative without a text more to encode.
What answers a query besides its own text, or says the same, is no negative. Late interaction over the tokens' own vectors learns
by the same loss, from the same pass of the encoder. The result is the mean of the weights over the
last steps (EMA). Two quiet cores train some 20 pairs a second, with bf16 twice as many; every 100 steps the state is saved, and `--resume` goes on there.
"""

import argparse
import json
import random
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch.nn import functional

import encoder as encoders

SEED = 6
BATCH = 64
GROUP = 4
GROUPED = 0.5
QUERY_TOKENS, DOCUMENT_TOKENS = 64, 96
TEMPERATURE = 0.05
RATE, WARM_UP, DECAY = 5e-5, 0.06, 0.01
EMA = 0.99
# What late interaction's loss weighs, and how much faster its new layer learns.
LATE_LOSS, LATE_RATE = 0.7, 10.0
# How often each set is drawn, whatever its size.
WEIGHTS = {
    "metatool": 2.0, "toolret_apigen": 1.0, "toolret_toolink": 0.5, "nl2bash_tldr": 0.5, "sealtools": 2.0,
    "catalog_openapi": 2.5, "catalog_agent_tools": 1.5, "requests_catalog_openapi": 5.0, "requests_catalog_agent_tools": 4.5,
    "requests_toolret_apigen": 2.5, "requests_toolret_toolink": 0.5, "requests_nl2bash_tldr": 0.5,
}
# Half the time where the processor multiplies such numbers; elsewhere they cost more than they gain.
BF16 = torch.cpu._is_avx512_bf16_supported()
# Texts are encoded in runs of so many of like length, so that little is padding.
RUN = 16


def encode(model, tokenizer, texts, n_tokens):
    """Of texts, in their order: vectors [texts, width], tokens' own vectors [texts, tokens, LATE], what each counts [texts, tokens]."""
    tokenizer.enable_truncation(n_tokens)
    encoded = tokenizer.encode_batch(texts)
    order = sorted(range(len(texts)), key=lambda place: len(encoded[place].ids))
    vectors, late, counts = [], [], []
    longest = len(encoded[order[-1]].ids)
    for begin in range(0, len(order), RUN):
        run = [encoded[place] for place in order[begin : begin + RUN]]
        length = max(len(one.ids) for one in run)
        ids = torch.zeros(len(run), length, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, one in enumerate(run):
            ids[row, : len(one.ids)] = torch.tensor(one.ids)
            mask[row, : len(one.ids)] = 1
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=BF16):
            of_run = model(ids, mask)
        vectors.append(of_run[0])
        late.append(functional.pad(of_run[1], (0, 0, 0, longest - length)))
        counts.append(functional.pad(of_run[2], (0, longest - length)))
    back = torch.empty(len(order), dtype=torch.long)
    back[torch.tensor(order)] = torch.arange(len(order))
    return torch.cat(vectors)[back], torch.cat(late)[back], torch.cat(counts)[back]


def late_scores(queries, documents):
    """For each query's token its best likeness in the document; their mean, each token by what it counts. [queries, documents]."""
    (_, query, counts), (_, document, present) = queries, documents
    alike = torch.einsum("qid,njd->qnij", query, document).masked_fill(present[None, :, None, :] == 0, -1.0)
    counts = counts / counts.sum(1, keepdim=True)
    return torch.einsum("qni,qi->qn", alike.amax(3), counts)


class Pairs:
    """The pairs of each set, drawn in an order that only the seed decides."""

    def __init__(self, folder):
        self.by_set = {}
        for line in open(folder / "pairs.jsonl"):
            pair = json.loads(line)
            self.by_set.setdefault(pair["set"], []).append(pair)
        self.order = {name: [] for name in self.by_set}

    def next(self, name, rng):
        """The next pair of a set: all come before one comes again."""
        if not self.order[name]:
            self.order[name] = list(range(len(self.by_set[name])))
            rng.shuffle(self.order[name])
        return self.by_set[name][self.order[name].pop()]

    def batch(self, rng):
        chosen = []
        while len(chosen) < BATCH:
            name = rng.choices(list(WEIGHTS), weights=WEIGHTS.values())[0]
            pair = self.next(name, rng)
            chosen.append(pair)
            if rng.random() < GROUPED / GROUP * 1.6:
                near = rng.sample(pair["near"], min(GROUP - 1, len(pair["near"])))
                chosen += [self.by_set[pair.get("near_set", name)][place] for place in near]
        chosen = chosen[:BATCH]
        answers = torch.zeros(BATCH, BATCH, dtype=torch.bool)
        for row, pair in enumerate(chosen):
            gold = {pair["whole"], *pair["others"]}
            for column, other in enumerate(chosen):
                answers[row, column] = other["whole"] in gold or (other["query"] == pair["query"])
        return [pair["query"] for pair in chosen], [pair["document"] for pair in chosen], answers


def loss_of(scores, answers):
    """InfoNCE both ways; what answers a query besides its own text is left out of the comparison."""
    own = torch.arange(len(scores))
    others = answers.clone()
    others[own, own] = False
    scores = scores.masked_fill(others | others.T, -1e4)
    return (functional.cross_entropy(scores, own) + 0.5 * functional.cross_entropy(scores.T, own)) / 1.5


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("base", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=1650, help="where the learning rate ends")
    parser.add_argument("--stop", type=int, help="save and stop here, to go on by another schedule")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--start", type=Path, help="begin with the weights of an earlier run's state.pt instead of the base's")
    args = parser.parse_args()
    rng = random.Random(SEED)
    torch.manual_seed(SEED)
    args.out.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer.from_file(str(args.base / "tokenizer.json"))
    tokenizer.no_padding()
    # One pass over most of the data needs no dropout, and it would cost a third of the time.
    model = encoders.load(args.base, dropout=0.0)
    if args.start:
        earlier = torch.load(args.start, weights_only=False)["mean"]
        earlier = {name.removeprefix("module."): value for name, value in earlier.items() if name != "n_averaged"}
        missing, unknown = model.load_state_dict(earlier, strict=False)
        assert not unknown and all(name.startswith("late") for name in missing), (missing, unknown)
    mean = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(EMA))
    is_plain = lambda name: "norm" in name or "after_" in name or name.endswith("bias")
    is_late = lambda name: name.startswith("late")
    groups = [
        {"params": [p for name, p in model.named_parameters() if not is_plain(name) and not is_late(name)], "weight_decay": DECAY},
        {"params": [p for name, p in model.named_parameters() if is_plain(name) and not is_late(name)], "weight_decay": 0.0},
        {"params": [p for name, p in model.named_parameters() if is_late(name)], "weight_decay": 0.0, "lr": RATE * LATE_RATE},
    ]
    optimizer = torch.optim.AdamW(groups, lr=RATE)
    warm = max(1, int(args.steps * WARM_UP))
    schedule = lambda step: min((step + 1) / warm, max(0.0, (args.steps - step) / max(1, args.steps - warm)))
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule)
    pairs, first = Pairs(args.pairs), 0
    state = args.out / "state.pt"
    if args.resume and state.exists():
        saved = torch.load(state, weights_only=False)
        model.load_state_dict(saved["model"]), mean.load_state_dict(saved["mean"])
        optimizer.load_state_dict(saved["optimizer"]), scheduler.load_state_dict(saved["scheduler"])
        rng.setstate(saved["rng"])
        pairs.order, first = saved["order"], saved["step"]
    log = open(args.out / "log.jsonl", "a")
    began, smooth = time.time(), None
    last = min(args.steps, args.stop or args.steps)
    for step in range(first, last):
        queries, texts, answers = pairs.batch(rng)
        queries, documents = encode(model, tokenizer, queries, QUERY_TOKENS), encode(model, tokenizer, texts, DOCUMENT_TOKENS)
        dense = loss_of(queries[0] @ documents[0].T / TEMPERATURE, answers)
        late = loss_of(late_scores(queries, documents) * model.late_scale.exp(), answers)
        loss = dense + LATE_LOSS * late
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        mean.update_parameters(model)
        losses = torch.stack([dense, late]).detach()
        smooth = losses if smooth is None else 0.98 * smooth + 0.02 * losses
        if step % 20 == 0 or step + 1 == last:
            line = json.dumps({"step": step, "loss": round(smooth[0].item(), 4), "late": round(smooth[1].item(), 4), "seconds": round(time.time() - began)})
            print(line, file=log, flush=True)
            print(line, flush=True)
        if (step + 1) % 100 == 0 or step + 1 == last:
            saved = {
                "model": model.state_dict(), "mean": mean.state_dict(), "optimizer": optimizer.state_dict(),
                "scheduler": scheduler.state_dict(), "rng": rng.getstate(), "order": pairs.order, "step": step + 1,
            }
            torch.save(saved, state.with_suffix(".new"))
            state.with_suffix(".new").rename(state)


main()
