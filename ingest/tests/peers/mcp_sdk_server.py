"""An MCP server made with the protocol's own SDK, which speaks every revision; asked in the newest, it answers in it.

Usage: mcp_sdk_server.py PORT SCOPE. Besides the protocol at /mcp, POST /grow adds a tool and announces it, and GET /seen
tells which revisions the requests named and which methods they called.
"""

import json
import sys
from typing import Annotated

import uvicorn
from mcp.server.caching import CacheHint
from mcp.server.mcpserver import MCPServer
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp.shared.subscriptions import ToolsListChanged
from mcp_types import ToolAnnotations
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

port, scope = int(sys.argv[1]), sys.argv[2]
bus = InMemorySubscriptionBus()
hints = {"tools/list": CacheHint(ttl_ms=90_000, scope=scope)}
server = MCPServer("Weather desk", version="1.2.3", cache_hints=hints, subscriptions=bus)


class Forecast(BaseModel):
    """What the weather will be."""

    celsius: Annotated[float, Field(description="The temperature")]
    words: str


@server.tool(title="Weather forecast", annotations=ToolAnnotations(read_only_hint=True, open_world_hint=True))
def forecast(city: Annotated[str, Field(description="Where")], days: int = 3) -> Forecast:
    """Forecasts the weather of a city."""
    return Forecast(celsius=20, words="sunny")


@server.tool(annotations=ToolAnnotations(read_only_hint=False, destructive_hint=True))
def delete_station(station: str) -> str:
    """Removes a weather station and all that it measured."""
    return station


@server.custom_route("/grow", methods=["POST"])
async def grow(request):
    def sunrise(city: str) -> str:
        """Says when the sun rises."""
        return city

    server.add_tool(sunrise)
    await bus.publish(ToolsListChanged())
    return JSONResponse({})


seen = set()


@server.custom_route("/seen", methods=["GET"])
async def tell(request):
    return JSONResponse(sorted(seen))


app = server.streamable_http_app()


async def watching(scope, receive, send):
    if scope["type"] == "http" and scope["path"] == "/mcp":
        headers = dict(scope["headers"])
        words = [headers.get(name, b"-").decode() for name in (b"mcp-protocol-version", b"mcp-method")]
        seen.add(" ".join(words))
    await app(scope, receive, send)


uvicorn.run(watching, host="127.0.0.1", port=port, log_level="warning")
