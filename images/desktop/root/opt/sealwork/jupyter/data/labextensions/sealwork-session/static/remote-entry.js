// An extension of Jupyter Lab: the agent writes its cells into the notebook's file, and this brings them into the notebook that is open.
// Before that it sees to it that Lab can keep things in the browser, because without that Lab would load itself again for ever.
// It stands here as Lab loads it (a container of module federation), because it needs nothing of Lab's own modules.
(() => {
  const PATH = ".sealwork/session.ipynb";
  const LOOK_EVERY_MS = 2000;

  /** The ids of all cells that a notebook has shown: what a person removed does not come back. */
  const shown = new WeakMap();

  const plugin = {
    id: "sealwork-session:live",
    autoStart: true,
    activate(app) {
      const { contents } = app.serviceManager;
      const look = async () => {
        const open = [...app.shell.widgets("main")].filter((widget) => widget.context?.path === PATH);
        if (open.length === 0 || document.hidden) return;
        const { last_modified } = await contents.get(PATH, { content: false });
        for (const widget of open) {
          const { context } = widget;
          const ids = shownIn(context.model.sharedModel);
          const known = context.contentsModel?.last_modified;
          if (!context.isReady || known === undefined || known === last_modified) continue;
          if (context.model.dirty) addCells(context, ids, await contents.get(PATH));
          else await reload(widget);
        }
      };
      const again = () =>
        setTimeout(
          () =>
            look()
              .catch(() => undefined)
              .then(again),
          LOOK_EVERY_MS,
        );
      again();
    },
  };

  /** Nothing here is unsaved: the file is shown as it is, at the same place. */
  async function reload({ context, content }) {
    const { scrollTop } = content.node;
    const { activeCellIndex } = content;
    await context.revert();
    content.activeCellIndex = activeCellIndex;
    content.node.scrollTop = scrollTop;
  }

  function shownIn(sharedModel) {
    const ids = shown.get(sharedModel) ?? new Set();
    shown.set(sharedModel, ids);
    for (const cell of sharedModel.cells) ids.add(cell.id);
    return ids;
  }

  /** A person is at work: only what is new comes in, at the end, where the agent adds it. */
  function addCells(context, ids, file) {
    const { sharedModel } = context.model;
    const fresh = file.content.cells.filter((cell) => !ids.has(cell.id));
    sharedModel.insertCells(sharedModel.cells.length, fresh);
    // What it would ask a person before it saves, whether that may replace what is new in the file, is answered: it is all here.
    context._updateContentsModel?.({ ...file, content: undefined });
  }

  /** A browser that keeps the cookies of frames from pages keeps its storage from them too: what would be kept there lasts as long as the page. */
  class PageStorage {
    #kept = new Map();
    get length() {
      return this.#kept.size;
    }
    key(index) {
      return [...this.#kept.keys()][index] ?? null;
    }
    getItem(name) {
      return this.#kept.get(String(name)) ?? null;
    }
    setItem(name, value) {
      this.#kept.set(String(name), String(value));
    }
    removeItem(name) {
      this.#kept.delete(String(name));
    }
    clear() {
      this.#kept.clear();
    }
  }

  for (const name of ["localStorage", "sessionStorage"])
    try {
      globalThis[name].getItem("");
    } catch {
      Object.defineProperty(globalThis, name, { value: new PageStorage() });
    }

  globalThis._JUPYTERLAB ??= {};
  globalThis._JUPYTERLAB["sealwork-session"] = {
    init: () => undefined,
    get: async () => () => ({ __esModule: true, default: plugin }),
  };
})();
