"""Reads the weights of bge-small-en-v1.5 out of the quantised graph of `data/assets.toml` into the format of sentence-transformers.

    python base.py <folder of the model> <out folder>

The 8-bit codes come back as the numbers they stand for; a few hundred steps of training make up for what rounding took away.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy
import onnx
from onnx import numpy_helper
from safetensors.numpy import save_file

CONFIG = {
    "hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 1536, "vocab_size": 30522,
    "max_position_embeddings": 512, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
}


def main():
    model, out = map(Path, sys.argv[1:3])
    graph = onnx.load(model / "model.onnx").graph
    stored = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    users = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)

    def numbers(name):
        codes, zero = stored[name + "_quantized"].astype(numpy.float32), stored[name + "_zero_point"].astype(numpy.float32)
        return (codes - zero) * stored[name + "_scale"]

    def bias_of(name):
        """The bias that is added to a result next, which tells by its name whose product it is."""
        for node in users[name]:
            biases = [one for one in node.input if node.op_type == "Add" and one.endswith(".bias")]
            return biases[0] if biases else bias_of(node.output[0])

    weights = {name: value for name, value in stored.items() if name.endswith((".bias", "LayerNorm.weight"))}
    for kind in ("word", "position", "token_type"):
        weights[f"embeddings.{kind}_embeddings.weight"] = numbers(f"embeddings.{kind}_embeddings.weight")
    for node in graph.node:
        if node.op_type == "MatMulInteger":
            name = bias_of(node.output[0]).removesuffix("bias") + "weight"
            weights[name] = numbers(node.input[1].removesuffix("_quantized")).T
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").write_text(json.dumps(CONFIG))
    shutil.copy(model / "tokenizer.json", out / "tokenizer.json")
    # Last, for `run` takes a folder that has it for whole.
    save_file({name: numpy.ascontiguousarray(value, dtype=numpy.float32) for name, value in weights.items()}, out / "model.safetensors")


main()
