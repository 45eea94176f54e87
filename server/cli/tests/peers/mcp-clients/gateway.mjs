// A gateway in front of the server: it knows who everybody is, and says so in headers. For clients that cannot send any.
// Usage: gateway.mjs PORT SERVER USER SECRET
import http from "node:http";

const [port, server, user, secret] = process.argv.slice(2);
http
  .createServer((request, response) => {
    const headers = { ...request.headers, "x-shortlist-user": user, "x-shortlist-secret": secret };
    const onward = http.request(server + request.url, { method: request.method, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  })
  .listen(Number(port), "127.0.0.1");
