"""A collector of traces for the tests: OTLP over HTTP, decoded by OpenTelemetry's own definitions.

`collector.py FILE` prints the port that it listens on, and then keeps in FILE, a JSON object a line, each span with the attributes of
its resource beside it, and in FILE.raw every byte that was posted. It stops with its standard input.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

FILE, LOCK = sys.argv[1], Lock()


def plain(attributes):
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in attributes}


def spans(body):
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield {
                    "name": span.name,
                    "kind": Span.SpanKind.Name(span.kind),
                    "trace": span.trace_id.hex(),
                    "id": span.span_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    "from": span.start_time_unix_nano,
                    "to": span.end_time_unix_nano,
                    "status": Status.StatusCode.Name(span.status.code),
                    "message": span.status.message,
                    "events": len(span.events),
                    "links": len(span.links),
                    "attributes": plain(span.attributes),
                    "resource": plain(resource.resource.attributes),
                    "scope": scope.scope.name,
                }


class Collector(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        known = self.path == "/v1/traces" and self.headers["Content-Type"] == "application/x-protobuf"
        with LOCK, open(FILE, "a", encoding="utf-8") as lines, open(FILE + ".raw", "ab") as raw:
            raw.write(body + str(self.headers).encode())
            lines.writelines(json.dumps(span) + "\n" for span in spans(body))
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


open(FILE, "w").close()
server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
print(server.server_port, flush=True)
Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
