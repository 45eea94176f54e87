"""Trains the retriever: queries near the texts of the tools that answer them.

    python train.py <folder of pairs> <folder of the base model> <out folder> [--steps N] [--stop N] [--resume] [--start state.pt]
             [--lists]

Contrastive loss with in-batch negatives (InfoNCE, van den Oord et al., 2018) in both directions. Half of a batch comes in
groups of neighbours, tools that are hard to tell apart, so that each is the others' hard negative without a text more to encode.
What answers a query besides its own text, or says the same, is no negative. With `--lists`, every second step learns from judged
lists instead: what an encoder found for a request, each tool with a grade, so that what nearly answers is
told from what does (ListNet's loss; Cao et al., 2007). The result is the mean of the weights over the last steps (EMA). Two
cores with bf16 take 2.5 to 3.5 s a step; every 100 steps the state is saved, and `--resume` goes on there.
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
QUERY_TOKENS, DOCUMENT_TOKENS = 64, 80
# Judged lists of a step, and how much of a list's sum a tool of each grade should take.
LISTS, SHARES = 10, (0.0, 0.15, 1.0)
TEMPERATURE = 0.05
RATE, WARM_UP, DECAY = 5e-5, 0.06, 0.01
EMA = 0.99
# How often each set is drawn, whatever its size.
WEIGHTS = {
    "metatool": 3.0, "toolret_apigen": 1.0, "toolret_toolink": 0.5, "nl2bash_tldr": 0.5, "sealtools": 2.0,
    "catalog_openapi": 2.5, "catalog_agent_tools": 1.5, "requests_catalog_openapi": 6.0, "requests_catalog_agent_tools": 5.0,
    "requests_toolret_apigen": 2.5, "requests_toolret_toolink": 0.5, "requests_nl2bash_tldr": 0.5, "requests_invented": 3.0,
}
# Half the time where the processor multiplies such numbers; elsewhere they cost more than they gain.
BF16 = torch.cpu._is_avx512_bf16_supported()
# Texts are encoded in runs of so many of like length, so that little is padding.
RUN = 32


def encode(model, tokenizer, texts, n_tokens):
    """The texts' vectors, in their order: [texts, width]."""
    tokenizer.enable_truncation(n_tokens)
    encoded = tokenizer.encode_batch(texts)
    order = sorted(range(len(texts)), key=lambda place: len(encoded[place].ids))
    vectors = []
    for begin in range(0, len(order), RUN):
        run = [encoded[place] for place in order[begin : begin + RUN]]
        length = max(len(one.ids) for one in run)
        ids = torch.zeros(len(run), length, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, one in enumerate(run):
            ids[row, : len(one.ids)] = torch.tensor(one.ids)
            mask[row, : len(one.ids)] = 1
        vectors.append(model(ids, mask))
    back = torch.empty(len(order), dtype=torch.long)
    back[torch.tensor(order)] = torch.arange(len(order))
    return torch.cat(vectors)[back]


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
        return chosen[:BATCH]


def loss_of(queries, documents, chosen):
    """InfoNCE both ways; what answers a query besides its own text is left out of the comparison."""
    answers = torch.zeros(BATCH, BATCH, dtype=torch.bool)
    for row, pair in enumerate(chosen):
        gold = {pair["whole"], *pair["others"]}
        for column, other in enumerate(chosen):
            answers[row, column] = row != column and (other["whole"] in gold or other["query"] == pair["query"])
    own = torch.arange(BATCH)
    scores = (queries @ documents.T / TEMPERATURE).masked_fill(answers | answers.T, -1e4)
    return (functional.cross_entropy(scores, own) + 0.5 * functional.cross_entropy(scores.T, own)) / 1.5


class Lists:
    """The judged lists, drawn in an order that only the seed decides."""

    def __init__(self, folder):
        self.all, self.order = [json.loads(line) for line in open(folder / "lists.jsonl")], []

    def go_on(self, order, n_known, rng):
        """Goes on in an order that was saved, among which those are shuffled that came since."""
        self.order = order
        if len(self.all) > n_known:
            self.order = order + list(range(n_known, len(self.all)))
            rng.shuffle(self.order)

    def batch(self, rng):
        while len(self.order) < LISTS:
            more = list(range(len(self.all)))
            rng.shuffle(more)
            self.order = more + self.order
        return [self.all[self.order.pop()] for _ in range(LISTS)]


def loss_of_lists(queries, documents, chosen):
    """Cross-entropy of the grades' shares and a softmax over a list's tools and those of all other lists, which are taken not to answer."""
    owner = torch.tensor([row for row, one in enumerate(chosen) for _ in one["documents"]])
    texts = [text for one in chosen for text in one["documents"]]
    shares, taken_out = torch.zeros(len(chosen), len(texts)), torch.zeros(len(chosen), len(texts), dtype=torch.bool)
    for row, one in enumerate(chosen):
        share = torch.tensor([SHARES[grade] for grade in one["grades"]])
        shares[row, owner == row] = share / share.sum()
        own = set(one["documents"])
        taken_out[row] = torch.tensor([owner[place] != row and text in own for place, text in enumerate(texts)])
    scores = (queries @ documents.T / TEMPERATURE).masked_fill(taken_out, -1e4)
    return -(shares * functional.log_softmax(scores, dim=1)).sum(1).mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("base", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=3000, help="where the learning rate ends")
    parser.add_argument("--stop", type=int, help="save and stop here, to go on by another schedule")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--start", type=Path, help="begin with the weights of an earlier run's state.pt instead of the base's")
    parser.add_argument("--lists", action="store_true", help="learn from judged lists in every second step")
    args = parser.parse_args()
    rng = random.Random(SEED)
    torch.manual_seed(SEED)
    args.out.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer.from_file(str(args.base / "tokenizer.json"))
    tokenizer.no_padding()
    # Most of the data are seen once or not at all, which needs no dropout, and it would cost a third of the time.
    model = encoders.load(args.base, dropout=0.0)
    if args.start:
        model.load_state_dict(encoders.mean_of(args.start))
    mean = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(EMA))
    is_plain = lambda name: "norm" in name or "after_" in name or name.endswith("bias")
    groups = [
        {"params": [p for name, p in model.named_parameters() if not is_plain(name)], "weight_decay": DECAY},
        {"params": [p for name, p in model.named_parameters() if is_plain(name)], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=RATE)
    warm = max(1, int(args.steps * WARM_UP))
    schedule = lambda step: min((step + 1) / warm, max(0.0, (args.steps - step) / max(1, args.steps - warm)))
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule)
    pairs, lists, first = Pairs(args.pairs), Lists(args.pairs) if args.lists else None, 0
    state = args.out / "state.pt"
    if args.resume and state.exists():
        saved = torch.load(state, weights_only=False)
        model.load_state_dict(saved["model"]), mean.load_state_dict(saved["mean"])
        optimizer.load_state_dict(saved["optimizer"]), scheduler.load_state_dict(saved["scheduler"])
        rng.setstate(saved["rng"])
        pairs.order, first = saved["order"], saved["step"]
        if lists and saved["lists"] is not None:
            lists.go_on(saved["lists"], saved["n_lists"], rng)
    log = open(args.out / "log.jsonl", "a")
    began, smooth = time.time(), None
    last = min(args.steps, args.stop or args.steps)
    for step in range(first, last):
        of_lists = lists is not None and step % 2 == 1
        chosen = lists.batch(rng) if of_lists else pairs.batch(rng)
        texts = [text for one in chosen for text in (one["documents"] if of_lists else [one["document"]])]
        # Around both, for the weights are made bf16 once for each.
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=BF16):
            queries = encode(model, tokenizer, [one["query"] for one in chosen], QUERY_TOKENS)
            documents = encode(model, tokenizer, texts, DOCUMENT_TOKENS)
        loss = (loss_of_lists if of_lists else loss_of)(queries, documents, chosen)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        mean.update_parameters(model)
        smooth = loss.item() if smooth is None else 0.98 * smooth + 0.02 * loss.item()
        if step % 20 == 0 or step + 1 == last:
            line = json.dumps({"step": step, "loss": round(smooth, 4), "seconds": round(time.time() - began)})
            print(line, file=log, flush=True)
            print(line, flush=True)
        if (step + 1) % 100 == 0 or step + 1 == last:
            saved = {
                "model": model.state_dict(), "mean": mean.state_dict(), "optimizer": optimizer.state_dict(),
                "scheduler": scheduler.state_dict(), "rng": rng.getstate(), "order": pairs.order, "step": step + 1,
                "lists": lists.order if lists else None, "n_lists": len(lists.all) if lists else 0,
            }
            torch.save(saved, state.with_suffix(".new"))
            state.with_suffix(".new").rename(state)


main()
