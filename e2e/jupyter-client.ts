import assert from "node:assert/strict";
import {
  ContentsManager,
  Drive,
  type Kernel,
  KernelManager,
  KernelMessage,
  ServerConnection,
  SessionManager,
} from "@jupyterlab/services";
import WebSocket from "ws";
import type { TestOrchestrator } from "./harness.ts";

/**
 * A program that uses the Jupyter Lab of a job with Jupyter's own client, over the path route and with the token of the API. Dispose it while the job
 * is at work: the client does not take back a reconnection that it has planned, which then fails after everything.
 */
export class JupyterClient implements AsyncDisposable {
  readonly contents: ContentsManager;
  readonly kernels: KernelManager;
  readonly sessions: SessionManager;
  readonly #settings: ServerConnection.ISettings;
  readonly #connections: Kernel.IKernelConnection[] = [];

  constructor(orchestrator: TestOrchestrator, job_id: string) {
    const authorization = `Bearer ${orchestrator.token}`;
    class Socket extends WebSocket {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols, { headers: { authorization } });
      }
    }
    const base = `${orchestrator.url}/jobs/${job_id}/jupyter/`;
    const serverSettings = ServerConnection.makeSettings({
      baseUrl: base,
      wsUrl: base.replace("http", "ws"),
      appendToken: false,
      WebSocket: Socket as unknown as typeof globalThis.WebSocket,
      fetch: (input, init) => {
        const request = new Request(input, init);
        request.headers.set("authorization", authorization);
        return fetch(request);
      },
    });
    const options = { serverSettings, standby: "never" } as const;
    this.contents = new ContentsManager({ defaultDrive: new Drive({ serverSettings }) });
    this.kernels = new KernelManager(options);
    this.sessions = new SessionManager({ ...options, kernelManager: this.kernels });
    this.#settings = serverSettings;
  }

  /** The session of a notebook, with the kernel that the notebook itself names, as Lab opens it. */
  async openNotebook(path: string): Promise<Kernel.IKernelConnection> {
    const { content } = await this.contents.get(path);
    const name: unknown = content.metadata.kernelspec.name;
    assert(typeof name === "string");
    return this.startSession(path, name);
  }

  /** A session of a notebook with a kernel of this name. */
  async startSession(path: string, name: string): Promise<Kernel.IKernelConnection> {
    const { kernel } = await this.sessions.startNew({ path, name: path, type: "notebook", kernel: { name } });
    assert(kernel !== null);
    this.#connections.push(kernel);
    return kernel;
  }

  /** Has a terminal run a command, and waits until it has printed something. Over the plain protocol: the client wants a page for these. */
  async inTerminal(command: string, expected: RegExp): Promise<void> {
    const { baseUrl, wsUrl, fetch, WebSocket: Terminal } = this.#settings;
    const made = await fetch(`${baseUrl}api/terminals`, { method: "POST" });
    const { name }: { name: string } = JSON.parse(await made.text());
    const terminal = new Terminal(`${wsUrl}terminals/websocket/${name}`);
    const seen = Promise.withResolvers<void>();
    let printed = "";
    terminal.onmessage = ({ data }) => {
      const [kind, content] = JSON.parse(String(data));
      if (kind === "setup") terminal.send(JSON.stringify(["stdin", `${command}\r`]));
      if (kind === "stdout") printed += content;
      if (expected.test(printed)) seen.resolve();
    };
    terminal.onclose = () => seen.reject(new Error(`the terminal closed after ${JSON.stringify(printed)}`));
    await seen.promise;
    terminal.close();
    await fetch(`${baseUrl}api/terminals/${name}`, { method: "DELETE" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#connections.map(settled));
    for (const part of [this.sessions, this.kernels, this.contents]) part.dispose();
  }
}

/** Resolves when a connection neither begins nor comes back. */
function settled(kernel: Kernel.IKernelConnection): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (!kernel.isDisposed && kernel.connectionStatus === "connecting") return;
      kernel.connectionStatusChanged.disconnect(look);
      kernel.disposed.disconnect(look);
      resolve();
    };
    kernel.connectionStatusChanged.connect(look);
    kernel.disposed.connect(look);
    look();
  });
}

/** Runs a cell; what it put out as text, errors included. */
export async function runCell(
  kernel: Kernel.IKernelConnection,
  code: string,
  onText: (text: string) => void = () => undefined,
): Promise<string> {
  let text = "";
  const cell = kernel.requestExecute({ code });
  cell.onIOPub = (message) => {
    if (KernelMessage.isStreamMsg(message)) text += message.content.text;
    else if (KernelMessage.isExecuteResultMsg(message)) text += message.content.data["text/plain"];
    else if (KernelMessage.isErrorMsg(message)) text += `${message.content.ename}: ${message.content.evalue}`;
    onText(text);
  };
  await cell.done;
  return text;
}
