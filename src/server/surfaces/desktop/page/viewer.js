import { Connection } from "/connection.js";

const CLIPBOARD_MAX_BYTES = 8 * 1024 * 1024;
/** One who drove and comes back this soon goes on driving. Later the agent may be in the middle of something. */
const RESUME_MS = 60_000;
const SURE_MS = 4_000;
const HINT_MS = 5_000;
const STATE_RETRY_MS = 1_000;

const me = { viewer: kept("viewer", newId), name: kept("name", nameFromAddress) };
const at = (id) => document.getElementById(id);
const stage = at("stage");
const connection = new Connection(stage, me);

let rfb = null;
let state = { held_by: null, clipboard: true, viewers: [] };
let fits = true;
/** When this tab last drove, in ms since the page began; null once it gave the desktop back, or lost it to somebody. */
let drove_at = null;
let sure_until = 0;

function drives() {
  return state.viewers.some((one) => one.viewer === me.viewer && one.drives);
}

connection.addEventListener("on", ({ detail }) => {
  rfb = detail;
  document.body.dataset.line = "on";
  stage.style.backgroundImage = "";
  show();
  if (drove_at !== null && performance.now() - drove_at < RESUME_MS && state.held_by === null) take(false);
});
connection.addEventListener("lost", ({ detail }) => {
  rfb = null;
  document.body.dataset.line = detail.connected ? "lost" : document.body.dataset.line;
  if (document.body.dataset.line === "lost")
    notice("Connection lost", "The desktop goes on. Coming back to it…");
  show();
});
connection.addEventListener("picture", ({ detail }) => {
  stage.style.backgroundImage = `url(${detail})`;
});
connection.addEventListener("over", ({ detail }) => over(detail.title, detail.text, true));
connection.addEventListener("clipboard", ({ detail }) => {
  at("clipboard-text").value = detail;
  note("Copied on the desktop just now.");
});

function follow() {
  const source = new EventSource("/state");
  source.addEventListener("message", (event) => {
    const drove = drives();
    state = JSON.parse(event.data);
    if (drives()) drove_at = performance.now();
    else if (drove && state.held_by !== null) {
      drove_at = null;
      hint(`${state.held_by} took control.`);
    }
    show();
  });
  source.addEventListener("ended", () => {
    source.close();
    over("This job has ended", "What it made is in its ZIP, and its screen can still be looked at.", false);
  });
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) setTimeout(follow, STATE_RETRY_MS);
  });
}

/** Brings everything on the page into line with what is so. */
function show() {
  const driving = drives();
  const on = rfb !== null;
  const others = state.viewers.filter((one) => one.viewer !== me.viewer && one.connections > 0).length;
  const [driver, name, more] = standing(on, driving);
  document.body.dataset.driver = driver;
  at("driver").textContent = name;
  at("more").textContent = more;
  at("people-count").textContent = String(others + 1);
  document.title = `${name} · Desktop`;

  const control = at("control");
  const sure = performance.now() < sure_until && !driving && state.held_by !== null;
  control.disabled = !on;
  control.hidden = document.body.dataset.line === "over";
  control.classList.toggle("sure", sure);
  if (driving) control.textContent = "Give back";
  else if (state.held_by === null) control.textContent = "Take control";
  else control.textContent = sure ? `Take over from ${short(state.held_by)}?` : "Take over";

  at("clipboard-shared").checked = state.clipboard;
  at("clipboard-send").disabled = !(on && driving && state.clipboard);
  if (!state.clipboard) note("The clipboard is switched off.");
  else if (!driving) note("Take control to send something.");
  else note("");

  at("people-list").replaceChildren(
    ...state.viewers.map((one) => {
      const row = document.createElement("li");
      const name = document.createElement("span");
      name.textContent = one.viewer === me.viewer ? `${one.name} (you)` : one.name;
      const role = document.createElement("span");
      role.className = one.drives ? "drives" : "quiet";
      role.textContent = one.connections === 0 ? "away" : one.drives ? "drives" : "watches";
      row.append(name, role);
      return row;
    }),
  );

  at("fit").setAttribute("aria-pressed", String(fits));
  if (rfb === null) return;
  const began = rfb.viewOnly && driving;
  rfb.viewOnly = !driving;
  rfb.scaleViewport = fits;
  // Of one who drives the desktop takes the size of the window.
  if (rfb.resizeSession !== (fits && driving) || began) rfb.resizeSession = fits && driving;
  if (began) rfb.focus();
}

/** Who drives, what to call it, and what it means for whoever looks at this page. */
function standing(on, driving) {
  const { line } = document.body.dataset;
  if (!on) return ["nobody", { over: "Closed", lost: "Coming back" }[line] ?? "Connecting", ""];
  if (driving) return ["you", "You drive", "the agent waits until you give the desktop back"];
  if (state.held_by === null) return ["agent", "The agent drives", "you are watching"];
  return ["other", `${state.held_by} drives`, "you are watching"];
}

async function take(force) {
  await order("/control", { viewer: me.viewer, take: true, force });
}

at("control").addEventListener("click", async () => {
  at("hint").hidden = true;
  if (drives()) {
    drove_at = null;
    await order("/control", { viewer: me.viewer, take: false });
  } else if (state.held_by === null || performance.now() < sure_until) {
    sure_until = 0;
    await take(state.held_by !== null);
  } else {
    sure_until = performance.now() + SURE_MS;
    setTimeout(show, SURE_MS + 50);
    show();
  }
});

at("fit").addEventListener("click", () => {
  fits = !fits;
  show();
});

for (const name of ["clipboard", "people"])
  at(name).addEventListener("click", () => toggle(name, at(`${name}-panel`).hidden));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && event.target.closest?.(".panel")) toggle("", false);
});

function toggle(name, open) {
  for (const one of ["clipboard", "people"]) {
    const shown = one === name && open;
    at(`${one}-panel`).hidden = !shown;
    at(one).setAttribute("aria-expanded", String(shown));
  }
  if (name === "clipboard" && open) at("clipboard-text").focus();
}

at("clipboard-send").addEventListener("click", () => {
  const text = at("clipboard-text").value;
  if (new Blob([text]).size > CLIPBOARD_MAX_BYTES) return note("That is more than 8 MiB.");
  rfb?.clipboardPasteFrom(text);
  note("Sent. Paste it on the desktop with Ctrl+V.");
});
at("clipboard-copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(at("clipboard-text").value);
    note("Copied to this computer.");
  } catch {
    at("clipboard-text").select();
    note("Press Ctrl+C to copy.");
  }
});
at("clipboard-shared").addEventListener("change", ({ target }) =>
  order("/clipboard", { enabled: target.checked }),
);
at("retry").addEventListener("click", () => location.reload());

// Whoever clicks or types without driving is told why nothing happens.
const watching = () => {
  if (rfb !== null && !drives()) hint("You are watching. Take control to click and type.");
};
for (const type of ["mousedown", "touchstart"])
  stage.addEventListener(type, watching, { capture: true, passive: true });
document.addEventListener("keydown", ({ target, key }) => {
  const elsewhere = target.closest?.("header, .panel") ?? null;
  if (elsewhere === null && key.length === 1) watching();
});

async function order(path, body) {
  try {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
    const said = await answer.json();
    if (answer.ok) state = said;
    else hint(said.error.message);
  } catch {
    hint("The server does not answer.");
  }
  show();
}

let hint_timer = 0;
function hint(text) {
  at("hint").textContent = text;
  at("hint").hidden = false;
  clearTimeout(hint_timer);
  hint_timer = setTimeout(() => {
    at("hint").hidden = true;
  }, HINT_MS);
}

function note(text) {
  at("clipboard-note").textContent = text;
}

function notice(title, text) {
  at("notice-title").textContent = title;
  at("notice-text").textContent = text;
}

function over(title, text, again) {
  rfb = null;
  document.body.dataset.line = "over";
  notice(title, text);
  at("retry").hidden = !again || title.startsWith("This job");
  show();
}

function short(name) {
  return name.length > 20 ? `${name.slice(0, 19)}…` : name;
}

/** Kept for this tab, so that a reload is the same viewer. */
function kept(key, make) {
  const known = sessionStorage.getItem(key);
  if (known !== null && key === "viewer") return known;
  const value = make(known);
  sessionStorage.setItem(key, value);
  return value;
}

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Who opened the address may have put a name behind it. */
function nameFromAddress(known) {
  const name = new URLSearchParams(location.hash.slice(1)).get("name");
  history.replaceState(null, "", location.pathname);
  return name?.trim().slice(0, 100) || known || "Somebody";
}

follow();
connection.open();
show();
