"""
The kernels of Jupyter Lab, and beside them the agent's own.

The agent's Python tool (kernel.py of the base image) starts a kernel and keeps a connection file for it. A notebook whose kernel is
`sealwork-session` is attached to that very kernel: values are shared, and cells of agent and person run one after the other. Its life is
the tool's: to shut it down here detaches, to restart it makes the tool start a fresh one under the same address.
"""

import asyncio
import json
import os
import signal
import socket
import struct

from jupyter_client.manager import in_pending_state
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager, ServerKernelManager
from traitlets import default

SESSION = "sealwork-session"
CONNECTION_FILE = os.path.expanduser("~/.sealwork/kernel.json")
CONNECT_TIMEOUT_S = 1
# A kernel that does not end by itself is killed; a fresh one takes about a second.
END_TIMEOUT_S = 5
START_TIMEOUT_S = 60
POLL_S = 0.1
# Of what a kernel says while nobody listens this much is kept for who comes back.
KEPT_MAX_BYTES = 16 * 1024 * 1024

# Lab shows it in a dialog that does not break lines.
NO_KERNEL = """The agent has no Python kernel at the moment: it starts with the agent's next Python step.
Until then, choose the kernel Python 3."""


class Kernel(ServerKernelManager):
    """One kernel: one that this server started, or the agent's."""

    _attached = False

    @property
    def is_session(self):
        return self.kernel_name == SESSION

    @property
    def has_kernel(self):
        return self._attached if self.is_session else super().has_kernel

    async def start_kernel(self, *args, **kwargs):
        return await (self._attach(**kwargs) if self.is_session else super().start_kernel(*args, **kwargs))

    async def shutdown_kernel(self, now=False, restart=False):
        return await (self._detach() if self.is_session else super().shutdown_kernel(now=now, restart=restart))

    async def restart_kernel(self, now=False, newports=False, **kwargs):
        if not self.is_session:
            return await super().restart_kernel(now=now, newports=newports, **kwargs)
        # With `now` it is the watch over kernels that asks, because this one is gone: all there is to do is to wait for the tool.
        return None if now else await self._replace()

    async def interrupt_kernel(self):
        if not self.is_session:
            return await super().interrupt_kernel()
        return self._control("interrupt_request", {})

    async def is_alive(self):
        return self._pid() is not None if self.is_session else await super().is_alive()

    @in_pending_state
    async def _attach(self, kernel_id=None, **kwargs):
        self._attempted_start = True
        self.kernel_id = self.kernel_id or kernel_id
        self.load_connection_info(agents_connection())
        self._attached = True
        self.start_restarter()

    @in_pending_state
    async def _detach(self):
        self.shutting_down = True
        self.stop_restarter()
        self._close_control_socket()
        self._attached = False

    @in_pending_state
    async def _replace(self):
        """Ends the kernel and waits for the one that the tool starts in its place."""
        self.stop_restarter()
        try:
            pid = self._pid()
            if pid is not None:
                self._control("interrupt_request", {})
                self._control("shutdown_request", {"restart": True})
                ended = await self._becomes(lambda now: now != pid, END_TIMEOUT_S)
                # What the old kernel has not read must not reach the next one, which has the same address.
                self._control_socket.linger = 0
                self._close_control_socket()
                if not ended and self._pid() == pid:
                    os.kill(pid, signal.SIGKILL)
            if not await self._becomes(lambda now: now not in (None, pid), START_TIMEOUT_S):
                raise RuntimeError(NO_KERNEL)
        finally:
            self.start_restarter()

    async def _becomes(self, wanted, timeout_s):
        for _ in range(round(timeout_s / POLL_S)):
            if wanted(self._pid()):
                return True
            await asyncio.sleep(POLL_S)
        return False

    def _control(self, kind, content):
        self._connect_control_socket()
        self.session.send(self._control_socket, self.session.msg(kind, content=content))

    def _pid(self):
        return listener(self.get_connection_info())


class Kernels(AsyncMappingKernelManager):
    """All kernels of the server. Bounds what is kept of their words for clients that have gone."""

    @default("kernel_manager_class")
    def _default_kernel_manager_class(self):
        return "sealwork_jupyter.kernels.Kernel"

    async def _async_start_kernel(self, *, kernel_name=None, **kwargs):
        if kernel_name == SESSION:
            # Said here, before anything is made that would have to be taken back; people read it in a dialog.
            agents_connection()
        return await super()._async_start_kernel(kernel_name=kernel_name, **kwargs)

    start_kernel = _async_start_kernel

    async def _async_restart_kernel(self, kernel_id, now=False):
        self._check_kernel_id(kernel_id)
        kernel = self.get_kernel(kernel_id)
        if not kernel.is_session:
            return await super()._async_restart_kernel(kernel_id, now=now)
        # Clients connect anew and ask until they are answered; one question from here could be lost, and would be waited for.
        return await kernel.restart_kernel(now=now)

    restart_kernel = _async_restart_kernel

    def start_buffering(self, kernel_id, session_key, channels):
        super().start_buffering(kernel_id, session_key, channels)
        if kernel_id in self._kernel_buffers:
            self._kernel_buffers[kernel_id]["buffer"] = Newest()


def agents_connection():
    """What leads to the agent's kernel. RuntimeError when there is none."""
    try:
        with open(CONNECTION_FILE, encoding="utf-8") as file:
            found = json.load(file)
        if listener(found) is not None:
            return found
    except (OSError, ValueError, KeyError):
        pass  # It has not been written yet, or is just being written.
    raise RuntimeError(NO_KERNEL)


def listener(connection):
    """The process that listens at a kernel's address; None when there is none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(CONNECT_TIMEOUT_S)
        try:
            probe.connect(f"{connection['ip']}-{connection['hb_port']}")
            credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        except OSError:
            return None
        return struct.unpack("3i", credentials)[0]


class Newest(list):
    """The newest messages, up to KEPT_MAX_BYTES together."""

    kept_bytes = 0

    def append(self, message):
        super().append(message)
        self.kept_bytes += size_of(message)
        while self.kept_bytes > KEPT_MAX_BYTES and self:
            self.kept_bytes -= size_of(self.pop(0))


def size_of(message):
    _channel, parts = message
    return sum(len(part) for part in parts)
