"""Holds answers of a search against the types of the vendors' own SDKs. Whatever is not in a type is refused.

Usage: vendor_shapes.py ANTHROPIC OPENAI, both JSON
"""

import json
import re
import sys

from anthropic.types import ToolParam, ToolReferenceBlockParam
from openai.types.responses import FunctionToolParam
from openai.types.responses.response_tool_search_output_item_param_param import ResponseToolSearchOutputItemParamParam
from pydantic import TypeAdapter

anthropic, openai = (json.loads(text) for text in sys.argv[1:])


def check(kind, value):
    unknown = set(value) - set(kind.__annotations__)
    assert not unknown, unknown
    TypeAdapter(kind).validate_python(value)


for block in anthropic["content"]:
    check(ToolReferenceBlockParam, block)
for tool in anthropic["tools"]:
    check(ToolParam, tool)
assert [block["tool_name"] for block in anthropic["content"]] == [tool["name"] for tool in anthropic["tools"]]
output = {**openai["output"], "call_id": "call_1"}
check(ResponseToolSearchOutputItemParamParam, output)
for tool in output["tools"]:
    check(FunctionToolParam, tool)
for answer, tools in [(anthropic, anthropic["tools"]), (openai, output["tools"])]:
    names = [tool["name"] for tool in tools]
    assert all(re.fullmatch("[a-zA-Z0-9_-]{1,64}", name) for name in names) and set(names) == set(answer["refs"])
print(json.dumps({"names": names}))
