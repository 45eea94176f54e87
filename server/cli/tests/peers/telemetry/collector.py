"""A collector: takes OTLP in protobuf over HTTP, as opentelemetry-proto understands it, and tells what it took.

usage: collector.py PORT HEADER VALUE: requests without this header are refused. GET /received has what was taken, POST /down
makes it answer 503, POST /up ends that.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

SIGNALS = {
    "/v1/traces": ("traces", ExportTraceServiceRequest, ExportTraceServiceResponse),
    "/v1/metrics": ("metrics", ExportMetricsServiceRequest, ExportMetricsServiceResponse),
}
port, header, value = int(sys.argv[1]), sys.argv[2], sys.argv[3]
state = {"traces": [], "metrics": [], "refused": 0, "down": False}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", kind="application/json"):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(200, json.dumps(state).encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path in ("/down", "/up"):
            state["down"] = self.path == "/down"
            return self.answer(200)
        name, request, response = SIGNALS[self.path]
        if state["down"] or self.headers.get(header) != value:
            state["refused"] += 1
            return self.answer(503 if state["down"] else 401)
        assert self.headers["content-type"] == "application/x-protobuf", self.headers["content-type"]
        taken = request()
        taken.ParseFromString(body)
        state[name].append(MessageToDict(taken))
        self.answer(200, response().SerializeToString(), "application/x-protobuf")

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
