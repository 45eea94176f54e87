"""An Arcade worker with a tool of every shape that its list can take. Arguments: the port, and the toolkit's version."""

import sys
from enum import Enum
from typing import Annotated, Literal, Optional

from arcade_core.metadata import Behavior, Classification, Operation, ServiceDomain, ToolMetadata
from arcade_mcp_server import MCPApp, tool
from arcade_tdk import ToolContext
from arcade_tdk.auth import Google, OAuth2, Slack
from typing_extensions import NotRequired, TypedDict

app = MCPApp(name="office_desk", version=sys.argv[2], log_level="WARNING")


class Priority(Enum):
    LOW = "low"
    HIGH = "high"


class Address(TypedDict):
    street: str
    zip: NotRequired[int]


class Person(TypedDict):
    name: str
    address: Address


@app.tool
def add_numbers(
    a: Annotated[int, "The first number"],
    b: Annotated[int, "The second number"] = 2,
) -> Annotated[int, "The sum"]:
    """Adds two numbers."""
    return a + b


@app.tool(
    requires_auth=Google(
        scopes=[
            "https://www.googleapis.com/auth/gmail.readonly",
            "https://www.googleapis.com/auth/gmail.send",
        ]
    ),
    metadata=ToolMetadata(
        classification=Classification(service_domains=[ServiceDomain.EMAIL]),
        behavior=Behavior(
            operations=[Operation.CREATE],
            read_only=False,
            destructive=False,
            idempotent=False,
            open_world=True,
        ),
    ),
)
def send_mail(
    context: ToolContext,
    to: Annotated[list[str], "Who gets it"],
    priority: Annotated[Priority, "How urgent it is"] = Priority.LOW,
    kind: Annotated[Optional[Literal["plain", "html"]], "The body's kind"] = None,
) -> Annotated[dict, "What was sent"]:
    """Sends a mail on behalf of the user."""
    return {}


@app.tool(requires_auth=Slack())
def list_channels(context: ToolContext) -> Annotated[list[str], "Channel names"]:
    """Lists the channels that the user is in."""
    return []


@app.tool(requires_auth=OAuth2(id="crm", scopes=["contacts:read"]))
def find_contact(
    context: ToolContext, name: Annotated[str, "Part of the name"]
) -> Annotated[Person, "The contact"]:
    """Finds a contact in the company's own system."""
    return {}


@app.tool(requires_secrets=["PRINTER_KEY", "PRINTER_URL"])
def print_page(
    context: ToolContext,
    people: Annotated[list[Person], "Whose labels are printed"],
    labels: Annotated[list[Priority], "Which labels"],
    options: Annotated[Optional[dict], "Anything else"] = None,
    scale: Annotated[float, "1.0 is full size"] = 1.0,
    color: Annotated[bool, "Whether in colour"] = False,
) -> Annotated[bool, "Whether it was printed"]:
    """Prints address labels."""
    return True


@tool.deprecated("Use PrintPage.")
@tool(requires_metadata=["client_id"], requires_auth=Google(scopes=["openid"]))
def fax_page(context: ToolContext, number: Annotated[str, "The number"]) -> Annotated[str, "A receipt"]:
    """Sends a fax."""
    return ""


app.add_tool(fax_page)

if __name__ == "__main__":
    app.run(transport="http", host="127.0.0.1", port=int(sys.argv[1]))
