"""
Starts a Jupyter kernel and speaks for it on standard input and output, one JSON object a line.

Arguments: the connection file to write, the folder of its sockets, the folder it starts in.

In   {"op": "execute", "id": N, "code": TEXT}, {"op": "interrupt"}. The end of input ends the kernel.
Out  {"event": "missing", "module": NAME} when the image lacks it, {"event": "failed", "message": TEXT} when the kernel does not start,
     {"event": "ready"}, then for each cell, with its id: "stream" (name, text), "display" (data, result), "error" (text),
     "done" (status, count); {"event": "died", "code": N or null} when the kernel ended, negative for a signal.

Only one cell runs at a time: whoever writes waits for its "done".
"""

import json
import os
import sys

READ_MAX_BYTES = 1024 * 1024
# What a cell shows at a time: a picture of some megabytes, as base64. The runner reads no longer line.
LINE_MAX_BYTES = 24 * 1024 * 1024
STREAM_MAX_CHARS = 256 * 1024
TRACEBACK_MAX_CHARS = 64 * 1024
START_TIMEOUT_S = 60
ALIVE_CHECK_MS = 500
# After the kernel's answer its last outputs may still be under way.
IDLE_WAIT_CHECKS = 4
MIMES = (
    "image/png", "image/jpeg", "image/svg+xml", "text/html", "text/markdown", "text/latex", "application/json", "text/plain",
)

# What the kernel or a library prints goes elsewhere, so that only this program writes on the channel.
channel = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace", newline="\n")
nothing = os.open(os.devnull, os.O_RDWR)
os.dup2(nothing, 1)
os.dup2(nothing, 2)


def say(event, **fields):
    line = json.dumps({"event": event, **fields}, ensure_ascii=False)
    if len(line) * 4 > LINE_MAX_BYTES and len(line.encode("utf-8", "replace")) > LINE_MAX_BYTES:
        fields["data"] = {"text/plain": "(a value that is too large to be shown)"}
        line = json.dumps({"event": event, **fields})
    channel.write(line + "\n")
    channel.flush()


try:
    import ipykernel  # noqa: F401
    import jupyter_client
    import zmq
except ImportError as error:
    say("missing", module=error.name or str(error))
    sys.exit(0)


class Kernel:
    def __init__(self, connection_file, sockets, folder):
        self.cell = None
        self.message_id = None
        self.status = None
        self.idle = False
        self.waited = 0
        self.count = None
        self.rest = b""
        # Written anew, for nobody but its owner: it holds the key.
        if os.path.lexists(connection_file):
            os.remove(connection_file)
        self.manager = jupyter_client.KernelManager(
            kernel_name="python3", transport="ipc", ip=os.path.join(sockets, "kernel"), connection_file=connection_file
        )
        self.manager.start_kernel(cwd=folder, extra_arguments=["--HistoryManager.enabled=False"])
        self.client = self.manager.client()
        self.client.start_channels(stdin=False, hb=False)
        self.client.wait_for_ready(timeout=START_TIMEOUT_S)

    def run(self):
        poller = zmq.Poller()
        iopub, shell = self.client.iopub_channel.socket, self.client.shell_channel.socket
        for source in (sys.stdin.fileno(), iopub, shell):
            poller.register(source, zmq.POLLIN)
        while True:
            ready = dict(poller.poll(ALIVE_CHECK_MS))
            if iopub in ready:
                self.take_output(self.client.get_iopub_msg(timeout=1))
            if shell in ready:
                self.take_answer(self.client.get_shell_msg(timeout=1))
            if sys.stdin.fileno() in ready and not self.take_orders():
                return
            self.finish_cell(quiet=not ready)
            if not ready and not self.manager.is_alive():
                process = getattr(self.manager.provisioner, "process", None)
                say("died", code=None if process is None else process.returncode)
                return

    def take_orders(self):
        """Reads the lines that have come; false at the end of input."""
        read = os.read(sys.stdin.fileno(), READ_MAX_BYTES)
        if not read:
            return False
        *lines, self.rest = (self.rest + read).split(b"\n")
        for line in lines:
            order = json.loads(line)
            if order["op"] == "interrupt":
                self.manager.interrupt_kernel()
            elif order["op"] == "execute":
                self.cell, self.status, self.idle, self.waited, self.count = order["id"], None, False, 0, None
                self.message_id = self.client.execute(order["code"], allow_stdin=False, stop_on_error=False)
        return True

    def take_answer(self, message):
        if message["parent_header"].get("msg_id") != self.message_id or message["msg_type"] != "execute_reply":
            return
        self.status = message["content"].get("status", "error")
        self.count = message["content"].get("execution_count")

    def take_output(self, message):
        """Output of threads that an earlier cell left behind counts as the running cell's, as in a notebook that shows it where it can."""
        kind, content = message["msg_type"], message["content"]
        own = message["parent_header"].get("msg_id") == self.message_id
        if self.cell is None:
            return
        if kind == "stream":
            text = content["text"]
            for start in range(0, len(text), STREAM_MAX_CHARS):
                say("stream", id=self.cell, name=content["name"], text=text[start : start + STREAM_MAX_CHARS])
        elif kind in ("display_data", "execute_result", "update_display_data"):
            say("display", id=self.cell, data=known(content["data"]), result=kind == "execute_result")
        elif kind == "error" and own:
            text = "\n".join(content["traceback"])[-TRACEBACK_MAX_CHARS:]
            say("error", id=self.cell, name=content["ename"], value=content["evalue"][:2000], text=text)
        elif kind == "status" and own and content["execution_state"] == "idle":
            self.idle = True

    def finish_cell(self, quiet):
        """A cell has ended when the kernel has answered and is idle; the word that it is can be lost when much was printed."""
        if self.cell is None or self.status is None:
            return
        self.waited += 1 if quiet else 0
        if self.idle or self.waited >= IDLE_WAIT_CHECKS:
            say("done", id=self.cell, status=self.status, count=self.count)
            self.cell = None


def known(data):
    """The forms of a value that can be shown, each as text."""
    found = {mime: data[mime] for mime in MIMES if data.get(mime) is not None}
    return {mime: value if isinstance(value, str) else json.dumps(value) for mime, value in found.items()}


def main():
    connection_file, sockets, folder = sys.argv[1:4]
    try:
        kernel = Kernel(connection_file, sockets, folder)
    except Exception as error:  # Whatever it is, the runner is told.
        say("failed", message=f"{type(error).__name__}: {error}"[:2000])
        return
    try:
        say("ready")
        kernel.run()
    except BrokenPipeError:
        pass
    finally:
        kernel.client.stop_channels()
        kernel.manager.shutdown_kernel(now=True)


main()
