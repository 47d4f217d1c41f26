"""
Starts a Jupyter kernel and speaks for it on standard input and output, one JSON object a line.

Arguments: the connection file to write, the folder of its sockets, the folder it starts in.

In   {"op": "execute", "id": N, "code": TEXT}, {"op": "interrupt"}. The end of input ends the kernel.
Out  {"event": "missing", "module": NAME} when the image lacks it, {"event": "failed", "message": TEXT} when the kernel does not start,
     {"event": "ready"}, then for each cell, with its id: "begun" when the kernel has come to it, "stream" (name, text), "display"
     (data, result), "error" (text), "done" (status, count); {"event": "died", "code": N or null} when the kernel ended, negative for a
     signal: the running cell has ended with it, and values are lost. A fresh kernel, "ready", takes its place under the same address.

Only one cell runs at a time: whoever writes waits for its "done". Others may use the kernel too (people in Jupyter Lab): their cells and
these wait for each other in the kernel's own queue, and what theirs put out is not told here.
"""

import glob
import json
import os
import secrets
import sys

READ_MAX_BYTES = 1024 * 1024
# What a cell shows at a time: a picture of some megabytes, as base64. The runner reads no longer line.
LINE_MAX_BYTES = 24 * 1024 * 1024
STREAM_MAX_CHARS = 256 * 1024
TRACEBACK_MAX_CHARS = 64 * 1024
START_TIMEOUT_S = 60
# Kernels that ended, each by somebody's doing; one that ends as soon as it has started would go on for ever.
RESTARTS_MAX = 1000
ALIVE_CHECK_MS = 500
KEY_CHARS = 64
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
        self.begin(None)
        self.restarts = 0
        self.rest = b""
        self.folder = folder
        address = os.path.join(sockets, "kernel")
        key = key_of_earlier(connection_file, address)
        # Written anew, for nobody but its owner: it holds the key.
        if os.path.lexists(connection_file):
            os.remove(connection_file)
        for left in glob.glob(glob.escape(address) + "-*"):
            os.remove(left)
        self.manager = jupyter_client.KernelManager(
            kernel_name="python3", transport="ipc", ip=address, connection_file=connection_file
        )
        self.manager.session.key = key
        self.client = None
        self.start()

    def start(self):
        self.manager.start_kernel(cwd=self.folder, extra_arguments=["--HistoryManager.enabled=False"])
        self.client = self.manager.client()
        self.client.start_channels(stdin=False, hb=False)
        self.client.wait_for_ready(timeout=START_TIMEOUT_S)

    def replace(self):
        """Starts a fresh kernel in the place of one that has ended, under the same address and key, so that people find it too."""
        process = getattr(self.manager.provisioner, "process", None)
        say("died", code=None if process is None else process.returncode)
        self.cell = None
        self.client.stop_channels()
        self.restarts += 1
        if self.restarts > RESTARTS_MAX:
            raise RuntimeError(f"it ended {self.restarts} times")
        self.manager.shutdown_kernel(now=True, restart=True)
        self.start()
        say("ready")

    def run(self):
        """Until the end of input."""
        while self.serve():
            self.replace()

    def serve(self):
        """Passes orders and outputs on. True when the kernel has ended, false at the end of input."""
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
                return False
            self.finish_cell(quiet=not ready)
            if not ready and not self.manager.is_alive():
                return True

    def begin(self, message_id):
        self.message_id, self.status, self.idle, self.waited, self.count = message_id, None, False, 0, None

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
                self.cell, self.code = order["id"], order["code"]
                self.execute()
        return True

    def execute(self):
        self.begin(self.client.execute(self.code, allow_stdin=False, stop_on_error=False))

    def take_answer(self, message):
        if message["parent_header"].get("msg_id") != self.message_id or message["msg_type"] != "execute_reply":
            return
        if message["content"].get("status") == "aborted":
            # It stood behind somebody else's cell, which failed: that takes all that waits out of the kernel's queue. It has not run.
            self.execute()
            return
        self.status = message["content"].get("status", "error")
        self.count = message["content"].get("execution_count")

    def take_output(self, message):
        """
        Output of threads that an earlier cell left behind counts as the running cell's, as in a notebook that shows it where it can;
        output of other people's cells does not.
        """
        kind, content, parent = message["msg_type"], message["content"], message["parent_header"]
        own = parent.get("msg_id") == self.message_id
        if self.cell is None or parent.get("session", self.client.session.session) != self.client.session.session:
            return
        if own and kind == "execute_input":
            say("begun", id=self.cell)
        elif kind == "stream":
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


def key_of_earlier(connection_file, address):
    """The key of the kernel that had this address before, so that who is connected to it finds the next one; else a new one."""
    try:
        with open(connection_file, encoding="utf-8") as file:
            earlier = json.load(file)
        if earlier["ip"] == address and len(earlier["key"]) >= KEY_CHARS:
            return earlier["key"].encode()
    except (OSError, ValueError, KeyError, TypeError):
        pass  # There was none.
    return secrets.token_hex(KEY_CHARS // 2).encode()


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
    except Exception as error:  # Whatever it is, the runner is told.
        say("failed", message=f"{type(error).__name__}: {error}"[:2000])
    finally:
        kernel.client.stop_channels()
        kernel.manager.shutdown_kernel(now=True)


main()
