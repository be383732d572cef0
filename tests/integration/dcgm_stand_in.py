"""What NVIDIA's DCGM exporter says of one GPU, for a machine that has none."""

import http.server
import threading


class DcgmStandIn:
    """Serves GET /metrics at `port`; `xid` is the last error, 0: none."""

    def __init__(self, host):
        stand_in = self
        self.xid = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                text = (
                    "# HELP DCGM_FI_DEV_XID_ERRORS Value of the last XID error encountered.\n"
                    "# TYPE DCGM_FI_DEV_XID_ERRORS gauge\n"
                    'DCGM_FI_DEV_XID_ERRORS{gpu="0",UUID="GPU-0",device="nvidia0",'
                    f'modelName="NVIDIA H100",Hostname="{host}"}} {stand_in.xid}\n'
                )
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
