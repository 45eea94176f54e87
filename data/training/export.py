"""Writes a trained encoder as a model folder: `model.onnx`, `tokenizer.json`, `model.toml`.

    python export.py <folder of the base model> <out folder> [--state state.pt] [--blend A [--with state.pt]] [--fp32] [--name NAME]

The graph is written by hand, of operators that ONNX Runtime has good kernels for: an exporter and a fuser give the like, less
surely. Layers multiply whole numbers: every column of weights has a scale, and so has every token's row of activations, found
while it runs, so a text's vector does not depend on its batch. Activations are 8 bits and weights 7, for processors without VNNI
add two products in 16 bits, which two of 8 bits would overflow. The embedding's rows are 8 bits with a scale for each row.
`--fp32` leaves them all as they are, to measure what that costs. `--blend A` takes A parts of the trained weights and 1 - A of
the base's, or of another state's (Wortsman et al., 2022).
"""

import argparse
import json
import math
import shutil
from pathlib import Path

import numpy
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

import encoder as encoders

# The largest code of a weight and of an activation.
WEIGHT, ACTIVATION = 63, 127
MICROSOFT = "com.microsoft"


class Graph:
    """Nodes and weights, appended in order. Each method gives the name of its result."""

    def __init__(self, weights, is_fp32):
        self.weights, self.is_fp32 = weights, is_fp32
        self.nodes, self.constants = [], []

    def node(self, operator, inputs, domain="", **attributes):
        name = f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, domain=domain, **attributes))
        return name

    def constant(self, name, array):
        self.constants.append(numpy_helper.from_array(numpy.asarray(array, order="C"), name))
        return name

    def shared(self, name, value, kind):
        """A constant that many nodes use."""
        if all(constant.name != name for constant in self.constants):
            self.constant(name, numpy.array(value, dtype=kind))
        return name

    def weight(self, name):
        return self.constant(name, self.weights[name])

    def linear(self, inputs, name):
        """The product with a layer's weights, [out, in], without its bias."""
        return self.product(inputs, name, self.weights[name + ".weight"])

    def product(self, inputs, name, weights):
        columns = weights.T
        if self.is_fp32:
            return self.node("MatMul", [inputs, self.constant(name, columns)])
        codes, scales = quantised(columns)
        step, zero, axis = self.shared("row.step", 1 / ACTIVATION, "float32"), self.shared("row.zero", 128, "uint8"), self.shared("row.axis", [-1], "int64")
        # A row of nothing but zeros is divided by zero; whatever codes that gives are multiplied by it again in the end.
        largest = self.node("ReduceMax", [self.node("Abs", [inputs]), axis], keepdims=1)
        row = self.node("QuantizeLinear", [self.node("Div", [inputs, largest]), step, zero])
        inputs = [row, self.constant(name + ".codes", codes), step, self.constant(name + ".scales", scales), zero]
        return self.node("Mul", [self.node("MatMulIntegerToFloat", inputs, MICROSOFT), largest])

    def words(self, ids):
        """The rows of the word embedding."""
        table = self.weights["words.weight"]
        if self.is_fp32:
            return self.node("Gather", [self.constant("words", table), ids])
        scales = numpy.abs(table).max(axis=1, keepdims=True) / 127
        scales[scales == 0] = 1
        codes = self.constant("words.codes", numpy.rint(table / scales).astype(numpy.int8))
        rows = self.node("Cast", [self.node("Gather", [codes, ids])], to=TensorProto.FLOAT)
        return self.node("Mul", [rows, self.node("Gather", [self.constant("words.scales", scales.astype(numpy.float32)), ids])])

    def add_and_norm(self, inputs, skip, norm, bias, epsilon):
        # As Sum and not Add, or it is fused into SkipLayerNormalization, which takes four times as long (ONNX Runtime 1.32).
        total = self.node("Sum", [inputs, skip, self.weight(bias + ".bias")])
        return self.node("LayerNormalization", [total, self.weight(norm + ".weight"), self.weight(norm + ".bias")], epsilon=epsilon)


def quantised(columns):
    """Codes and a scale for each column of [in, out]: of some ranges, the one that loses least, for a rare large weight may be cut."""
    whole = numpy.abs(columns).max(axis=0) / WEIGHT
    whole[whole == 0] = 1
    scales, least = whole, numpy.full(len(whole), numpy.inf)
    for share in numpy.arange(0.6, 1.001, 0.02):
        tried = whole * share
        lost = ((numpy.clip(numpy.rint(columns / tried), -WEIGHT, WEIGHT) * tried - columns) ** 2).sum(axis=0)
        scales, least = numpy.where(lost < least, tried, scales), numpy.minimum(lost, least)
    return numpy.clip(numpy.rint(columns / scales), -WEIGHT, WEIGHT).astype(numpy.int8), scales.astype(numpy.float32)


def build(weights, config, is_fp32):
    graph = Graph(weights, is_fp32)
    epsilon, n_heads, width = config["layer_norm_eps"], config["num_attention_heads"], config["hidden_size"]
    # Every text is of kind 0, so its embedding goes into the places'.
    places = graph.constant("places", weights["places.weight"] + weights["kinds.weight"][0])
    length = graph.node("Gather", [graph.node("Shape", ["input_ids"]), graph.constant("one", numpy.array([1], dtype=numpy.int64))])
    zero, step = graph.constant("zero", numpy.array([0], dtype=numpy.int64)), graph.constant("axis", numpy.array([0], dtype=numpy.int64))
    words = graph.words("input_ids")
    embedded = graph.node("Add", [words, graph.node("Slice", [places, zero, length, step])])
    hidden = graph.node("LayerNormalization", [embedded, graph.weight("norm.weight"), graph.weight("norm.bias")], epsilon=epsilon)
    mask = graph.node("Cast", ["attention_mask"], to=TensorProto.INT32)
    for number in range(config["num_hidden_layers"]):
        layer = f"layers.{number}."
        joined = {kind: numpy.concatenate([weights[f"{layer}{part}.{kind}"] for part in ("query", "key", "value")]) for kind in ("weight", "bias")}
        # One product gives all three; a split by columns costs less than two products more.
        all_three = graph.product(hidden, layer + "attention", joined["weight"])
        graph.nodes.append(helper.make_node("Split", [all_three], [layer + part for part in "qkv"], axis=2, num_outputs=3))
        inputs = [*(layer + part for part in "qkv"), graph.constant(layer + "attention.bias", joined["bias"]), mask]
        mixed = graph.node("MultiHeadAttention", inputs, MICROSOFT, num_heads=n_heads, scale=1 / math.sqrt(width / n_heads))
        hidden = graph.add_and_norm(graph.linear(mixed, layer + "joined"), hidden, layer + "after_attention", layer + "joined", epsilon)
        inner = graph.node("BiasGelu", [graph.linear(hidden, layer + "up"), graph.weight(layer + "up.bias")], MICROSOFT)
        hidden = graph.add_and_norm(graph.linear(inner, layer + "down"), hidden, layer + "after_inner", layer + "down", epsilon)
    graph.nodes[-1].output[0] = "last_hidden_state"
    shape = ["batch", "tokens"]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("input_ids", "attention_mask")]
    output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, [*shape, width])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(MICROSOFT, 1)]
    made = helper.make_model(helper.make_graph(graph.nodes, "encoder", inputs, [output], graph.constants), opset_imports=opsets, ir_version=9)
    onnx.checker.check_model(made)
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--blend", type=float, default=1.0)
    parser.add_argument("--with", dest="other", type=Path, help="a state.pt to blend with instead of the base")
    parser.add_argument("--fp32", action="store_true")
    parser.add_argument("--name", default="shortlist-encoder-7")
    args = parser.parse_args()
    weights = encoders.load(args.base).state_dict()
    if args.other:
        weights |= encoders.mean_of(args.other)
    if args.state:
        trained = encoders.mean_of(args.state)
        weights = {name: args.blend * trained[name] + (1 - args.blend) * other for name, other in weights.items()}
    weights = {name: value.float().numpy() for name, value in weights.items()}
    args.out.mkdir(parents=True, exist_ok=True)
    config = json.loads((args.base / "config.json").read_text())
    onnx.save(build(weights, config, args.fp32), args.out / "model.onnx")
    shutil.copy(args.base / "tokenizer.json", args.out / "tokenizer.json")
    (args.out / "model.toml").write_text(
        f'name = "{args.name}"\nkind = "bi_encoder"\ndimension = {config["hidden_size"]}\npooling = "mean"\nmax_tokens = 256\nbatch_invariant = true\n'
    )


main()
