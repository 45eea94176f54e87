// The TypeScript SDK's client, of the revisions with a handshake. It checks every answer against the tool's output schema.
// Usage: typescript.mjs SDK http URL HEADERS | typescript.mjs SDK stdio PROGRAM ARGUMENT...
const [sdk, over, target, ...rest] = process.argv.slice(2);
const { Client } = await import(`${sdk}/dist/esm/client/index.js`);
const { StreamableHTTPClientTransport } = await import(`${sdk}/dist/esm/client/streamableHttp.js`);
const { StdioClientTransport } = await import(`${sdk}/dist/esm/client/stdio.js`);

const transport =
  over === "http"
    ? new StreamableHTTPClientTransport(new URL(target), { requestInit: { headers: JSON.parse(rest[0]) } })
    : new StdioClientTransport({ command: target, args: rest, env: process.env, stderr: "inherit" });
const client = new Client({ name: "typescript", version: "1.0.0" });
await client.connect(transport);
const { tools } = await client.listTools();
const call = (name, args) => client.callTool({ name, arguments: args });
const found = await call("search_tools", { query: "create an issue", detail: "signature" });
const refs = found.structuredContent.hits.map((hit) => hit.ref);
const report = {
  server: client.getServerVersion().name,
  instructions: client.getInstructions().length > 0,
  tools: tools.map((tool) => tool.name),
  refs,
  text: found.content[0].text,
  details: (await call("get_tool_details", { refs })).structuredContent.tools.map((tool) => tool.found),
  namespaces: (await call("list_namespaces", {})).structuredContent.namespaces.map((one) => one.namespace),
  mistake: await call("search_tools", { query: "x", colour: 1 }),
  missing: await call("get_tool_details", { refs: ["test://jira.create_issue"] }),
  unknown: await call("rm", {}).catch((error) => error.code),
};
console.log(JSON.stringify(report));
await client.close();
