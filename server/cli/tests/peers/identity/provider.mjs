// An identity provider whose keys rotate, for the tests: `node provider.mjs <module of oauth2-mock-server> <port>`.
//
// POST /token      the provider's own; the form's field `claims` (JSON) goes into the token
// POST /rotate     makes a new key; from now on it alone signs
// POST /forget     publishes the newest key alone

const [module, port] = process.argv.slice(2);
const { OAuth2Server, Events } = await import(module);

const server = new OAuth2Server();
const keys = server.issuer.keys;
let newest = await keys.generate('RS256');
let since = 0;
let made = [newest.kid];

// The provider signs with its keys in turn, and publishes all that it ever had. A real one signs with the newest.
const get = keys.get.bind(keys);
keys.get = (kid) => get(kid ?? newest.kid);
const toJSON = keys.toJSON.bind(keys);
keys.toJSON = (withPrivate) => toJSON(withPrivate).filter((key) => made.indexOf(key.kid) >= since);

server.service.on(Events.BeforeTokenSigning, (token, request) => {
  Object.assign(token.payload, JSON.parse(request.body.claims ?? '{}'));
});
server.service.addRoute('POST', '/rotate', async (request, response) => {
  newest = await keys.generate('RS256');
  made.push(newest.kid);
  response.writeHead(204).end();
});
server.service.addRoute('POST', '/forget', (request, response) => {
  since = made.length - 1;
  response.writeHead(204).end();
});

await server.start(Number(port), '127.0.0.1');
server.issuer.url = `http://127.0.0.1:${port}`;
