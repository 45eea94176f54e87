"""The encoder as a torch module: BERT (Devlin et al., 2019), mean pooling, unit length. Its shape stands in the base's `config.json`.

Written out because it is a page, and `export.py` writes the same page as a graph.
"""

import json
import math
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional


class Layer(nn.Module):
    def __init__(self, width, n_heads, inner, epsilon, dropout):
        super().__init__()
        self.n_heads = n_heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.joined = nn.Linear(width, width)
        self.after_attention = nn.LayerNorm(width, eps=epsilon)
        self.up, self.down = nn.Linear(width, inner), nn.Linear(inner, width)
        self.after_inner = nn.LayerNorm(width, eps=epsilon)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden, mask):
        batch, length, width = hidden.shape
        heads = lambda x: x.view(batch, length, self.n_heads, width // self.n_heads).transpose(1, 2)
        query, key, value = heads(self.query(hidden)), heads(self.key(hidden)), heads(self.value(hidden))
        # Written out, for the gradient of torch's own attention is a third of a step on a CPU.
        scores = (query @ key.transpose(2, 3) / math.sqrt(width / self.n_heads)).masked_fill(~mask, -1e4)
        mixed = functional.softmax(scores, dim=-1) @ value
        mixed = mixed.transpose(1, 2).reshape(batch, length, width)
        hidden = self.after_attention(hidden + self.dropout(self.joined(mixed)))
        return self.after_inner(hidden + self.dropout(self.down(functional.gelu(self.up(hidden)))))


class Encoder(nn.Module):
    """Token ids and their mask, both [batch, length] -> vectors of unit length [batch, width]."""

    def __init__(self, config, dropout=0.1):
        super().__init__()
        width, epsilon = config["hidden_size"], config["layer_norm_eps"]
        self.words = nn.Embedding(config["vocab_size"], width)
        self.places = nn.Embedding(config["max_position_embeddings"], width)
        self.kinds = nn.Embedding(config["type_vocab_size"], width)
        self.norm = nn.LayerNorm(width, eps=epsilon)
        self.dropout = nn.Dropout(dropout)
        shape = (width, config["num_attention_heads"], config["intermediate_size"], epsilon, dropout)
        self.layers = nn.ModuleList(Layer(*shape) for _ in range(config["num_hidden_layers"]))

    def tokens(self, ids, mask):
        """The last layer's vector of every token, [batch, length, width]."""
        places = torch.arange(ids.shape[1], device=ids.device)
        hidden = self.dropout(self.norm(self.words(ids) + self.places(places) + self.kinds.weight[0]))
        seen = mask[:, None, None, :].bool()
        for layer in self.layers:
            hidden = layer(hidden, seen)
        return hidden

    def forward(self, ids, mask):
        hidden = self.tokens(ids, mask)
        weights = mask[..., None].to(hidden.dtype)
        mean = (hidden * weights).sum(1) / weights.sum(1)
        return functional.normalize(mean.float(), dim=-1)


# Our names -> BERT's.
NAMES = {
    "words.": "embeddings.word_embeddings.",
    "places.": "embeddings.position_embeddings.",
    "kinds.": "embeddings.token_type_embeddings.",
    "norm.": "embeddings.LayerNorm.",
}
LAYER = {
    "query.": "attention.self.query.",
    "key.": "attention.self.key.",
    "value.": "attention.self.value.",
    "joined.": "attention.output.dense.",
    "after_attention.": "attention.output.LayerNorm.",
    "up.": "intermediate.dense.",
    "down.": "output.dense.",
    "after_inner.": "output.LayerNorm.",
}


def load(folder, dropout=0.1):
    """An encoder with the weights of a folder in the format of sentence-transformers."""
    folder = Path(folder)
    encoder = Encoder(json.loads((folder / "config.json").read_text()), dropout)
    theirs = load_file(folder / "model.safetensors")
    ours = {}
    for name in encoder.state_dict():
        if name.startswith("layers."):
            _, number, rest = name.split(".", 2)
            prefix = next(prefix for prefix in LAYER if rest.startswith(prefix))
            ours[name] = theirs[f"encoder.layer.{number}.{LAYER[prefix]}{rest[len(prefix):]}"]
        else:
            prefix = next(prefix for prefix in NAMES if name.startswith(prefix))
            ours[name] = theirs[NAMES[prefix] + name[len(prefix):]]
    encoder.load_state_dict(ours)
    return encoder


def mean_of(state):
    """The averaged weights of a state.pt, by our names."""
    mean = torch.load(state, weights_only=False)["mean"]
    return {name.removeprefix("module."): value for name, value in mean.items() if name != "n_averaged"}
