"""Reads the weights of a model of ours back out of its graph, for `train.py --start` to go on from.

    python weights.py <folder of the model> <folder of the base model> <out state.pt>

The codes come back as the numbers they stand for: what rounding took away stays lost, and is little beside what training moves.
"""

import sys
from pathlib import Path

import numpy
import onnx
import torch
from onnx import numpy_helper

import encoder as encoders


def main():
    model, base, out = map(Path, sys.argv[1:4])
    stored = {one.name: numpy_helper.to_array(one) for one in onnx.load(model / "model.onnx").graph.initializer}

    def layer(name):
        return (stored[name + ".codes"] * stored[name + ".scales"]).T

    weights = {name: value.numpy() for name, value in encoders.load(base).state_dict().items()}
    for name in weights:
        prefix, _, kind = name.rpartition(".")
        number, _, part = prefix.rpartition(".")
        if name == "words.weight":
            weights[name] = stored["words.codes"] * stored["words.scales"]
        elif name == "places.weight":
            # The kinds' first row went into the places.
            weights[name] = stored["places"] - weights["kinds.weight"][0]
        elif name == "kinds.weight":
            continue
        elif part in ("query", "key", "value"):
            place = ("query", "key", "value").index(part)
            joined = layer(number + ".attention") if kind == "weight" else stored[number + ".attention.bias"]
            weights[name] = numpy.split(joined, 3)[place]
        elif kind == "weight" and "norm" not in part and "after" not in part:
            weights[name] = layer(prefix)
        else:
            weights[name] = stored[name]
    torch.save({"mean": {name: torch.tensor(value) for name, value in weights.items()}}, out)


main()
