# Settings of Jupyter Lab in a sandbox. Read after those of the user, so that they hold.
import os

c = get_config()  # noqa: F821

# Only the orchestrator reaches the socket, as whatever host people see; it adds the token.
c.ServerApp.allow_remote_access = True
c.ServerApp.open_browser = False
c.ServerApp.quit_button = False
# Who may put it into a frame is said by the orchestrator, which adds `frame-ancestors` of its own; of several the strictest holds.
c.ServerApp.tornado_settings = {"headers": {"Content-Security-Policy": "frame-ancestors *"}}
c.ServerApp.terminado_settings = {"shell_command": ["bash", "-l"]}
c.ServerApp.kernel_manager_class = "sealwork_jupyter.kernels.Kernels"
c.Application.log_level = "WARN"

# Unix sockets instead of five TCP ports each, which would show among the ports that a job serves.
c.KernelManager.transport = "ipc"

# The agent's notebook lies in `.sealwork`.
c.ContentsManager.allow_hidden = True
# What is deleted leaves the disk, and the download.
c.FileContentsManager.delete_to_trash = False
c.FileContentsManager.checkpoints_class = "sealwork_jupyter.checkpoints.Checkpoints"

# A sandbox has no way to either.
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
c.LabApp.extension_manager = "readonly"
c.LabApp.user_settings_dir = os.path.expanduser("~/.jupyter/lab/user-settings")
c.LabApp.workspaces_dir = os.path.expanduser("~/.jupyter/lab/workspaces")
