"""The Python SDK's client, of the newest revision. It checks every answer against the tool's output schema.

Usage: python_client.py http URL HEADERS | python_client.py stdio PROGRAM ARGUMENT...
"""

import asyncio
import json
import os
import sys

import httpx2
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

over, target, *rest = sys.argv[1:]


def transport():
    if over == "http":
        return streamable_http_client(target, http_client=httpx2.AsyncClient(headers=json.loads(rest[0])))
    return StdioServerParameters(command=target, args=rest, env=dict(os.environ))


async def main():
    async with Client(transport()) as client:
        tools = (await client.list_tools()).tools
        found = await client.call_tool("search_tools", {"query": "create an issue", "detail": "signature"})
        refs = [hit["ref"] for hit in found.structured_content["hits"]]
        details = await client.call_tool("get_tool_details", {"refs": refs})
        namespaces = await client.call_tool("list_namespaces", {})
        mistake = await client.call_tool("search_tools", {"query": "x", "colour": 1})
        missing = await client.call_tool("get_tool_details", {"refs": ["test://jira.create_issue"]})
        try:
            unknown = (await client.call_tool("rm", {})).model_dump(mode="json")
        except MCPError as error:
            unknown = error.error.code
        report = {
            "version": client.protocol_version,
            "server": client.server_info.name,
            "instructions": bool(client.instructions),
            "tools": [tool.name for tool in tools],
            "refs": refs,
            "text": found.content[0].text,
            "details": [tool["found"] for tool in details.structured_content["tools"]],
            "namespaces": [one["namespace"] for one in namespaces.structured_content["namespaces"]],
            "mistake": mistake.model_dump(mode="json", by_alias=True),
            "missing": missing.model_dump(mode="json", by_alias=True),
            "unknown": unknown,
        }
        print(json.dumps(report))


asyncio.run(main())
