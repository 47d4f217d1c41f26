"""Checkpoints of notebooks outside the workspace, which is what people download."""

import hashlib
import os

from jupyter_server.services.contents.filecheckpoints import AsyncFileCheckpoints


class Checkpoints(AsyncFileCheckpoints):
    def checkpoint_path(self, checkpoint_id, path):
        """A path of its own for each file, wherever the file lies."""
        folder = os.path.expanduser("~/.jupyter/checkpoints")
        os.makedirs(folder, mode=0o700, exist_ok=True)
        name = hashlib.sha256(path.strip("/").encode()).hexdigest()
        return os.path.join(folder, f"{name}-{checkpoint_id}")
