// biome-ignore-all lint/suspicious/noDocumentCookie: the attack is made in the way that every browser has.
// What a hostile page tries as the viewer: each attack tells what it got, and an empty text where it got nothing.
const PATIENCE_MS = 3_000;

const within = (promise) =>
  Promise.race([
    promise,
    new Promise((resolve) =>
      setTimeout(() => {
        resolve("");
      }, PATIENCE_MS),
    ),
  ]);
const textOf = (asked) =>
  within(
    asked.then(
      (answer) => answer.text(),
      () => "",
    ),
  );
const socket = (url) =>
  within(
    new Promise((resolve) => {
      const opened = new WebSocket(url.replace("http", "ws"));
      opened.onopen = () => resolve("open");
      opened.onclose = () => resolve("");
    }),
  );
const events = (url) =>
  within(
    new Promise((resolve) => {
      const source = new EventSource(url, { withCredentials: true });
      source.onopen = () => resolve("open");
      source.onerror = () => {
        source.close();
        resolve("");
      };
    }),
  );
const element = (tag, url) =>
  within(
    new Promise((resolve) => {
      const made = document.createElement(tag);
      const shows = tag === "object" || tag === "embed";
      made.onload = () => resolve(shows ? "" : "loaded");
      made.onerror = () => resolve("");
      made.setAttribute(tag === "object" ? "data" : "src", url);
      document.body.append(made);
    }),
  );
const frame = (url) =>
  within(
    new Promise((resolve) => {
      const made = document.createElement("iframe");
      made.onload = () => resolve("");
      made.src = url;
      document.body.append(made);
    }),
  );
const form = (url, target) => {
  const made = document.body.appendChild(document.createElement("form"));
  Object.assign(made, { method: "POST", action: url, target, rel: "opener" });
  made.submit();
};

globalThis.attacks = {
  frame,
  form: (url) => form(url, "_blank"),
  window: (url) => {
    globalThis.opened = window.open(url);
  },
  hold: () => globalThis.opened.closed,
  opener: () => window.opener,
  heard: async () => (await fetch("/heard")).json(),

  async callApi(api, victim) {
    const task = JSON.stringify({ prompt: "```sh\necho mine\n```" });
    const json = { "content-type": "application/json" };
    const asked = [
      fetch(`${api}/jobs`),
      fetch(`${api}/jobs`, { credentials: "include" }),
      fetch(`${api}/jobs`, { mode: "no-cors", credentials: "include" }),
      fetch(`${api}/schedule`, { method: "POST", body: task, mode: "no-cors" }),
      fetch(`${api}/schedule`, { method: "POST", body: task, headers: json }),
      fetch(`${api}/cancel/${victim}`, { method: "POST", mode: "no-cors", credentials: "include" }),
      fetch(`${api}/jobs/${victim}/ports/8080/open`, { method: "POST", mode: "no-cors" }),
      fetch(`${api}/jobs/${victim}/ports/8080/written`, { mode: "no-cors" }),
      fetch(`${api}/jobs/${victim}/ports/8080/written`, { method: "POST", mode: "no-cors" }),
    ].map(textOf);
    const target = `form-${Math.random()}`;
    const inside = document.createElement("iframe");
    inside.name = target;
    document.body.append(inside);
    const submitted = within(
      new Promise((resolve) => {
        inside.onload = () => resolve("");
      }),
    );
    form(`${api}/cancel/${victim}`, target);
    return Promise.all([
      ...asked,
      submitted,
      events(`${api}/events`),
      element("img", `${api}/jobs/${victim}/screen.png`),
      element("script", `${api}/jobs/${victim}/logs`),
      socket(`${api}/jobs/${victim}/forward/8080`),
      socket(`${api}/jobs/${victim}/ports/8080/`),
      socket(`${api}/jobs/${victim}/terminal`),
    ]);
  },

  async takeCookies() {
    for (const name of ["__Host-sealwork-preview", "__host-Sealwork-preview", ""])
      document.cookie = `${name}=stolen; Path=/; Secure`;
    for (const domain of ["localhost", "sealwork.localhost", ".localhost", location.hostname])
      document.cookie = `session=stolen; Path=/; Domain=${domain}`;
    for (let index = 0; index < 1000; index += 1)
      document.cookie = `c${index}=${"x".repeat(1000)}; Path=/; Secure; SameSite=None; Partitioned`;
    for (let index = 0; index < 4000; index += 1) document.cookie = `d${index}=x; Path=/`;
    localStorage.setItem("kept", "yes");
    await fetch("/clear");
    return document.cookie + JSON.stringify(await cookieStore.getAll());
  },

  async installWorker() {
    const cached = await (await fetch("/sw.js", { cache: "force-cache" })).text();
    const tried = [];
    for (const options of [{}, { updateViaCache: "all" }, { type: "module", updateViaCache: "all" }])
      tried.push(
        await navigator.serviceWorker.register("/sw.js", options).then(
          () => "registered",
          () => "",
        ),
      );
    const there = await navigator.serviceWorker.getRegistrations();
    return { cached, tried, registrations: there.length };
  },

  async reach(there) {
    const credentials = "include";
    const asked = [
      fetch(`${there}/read`, { credentials }),
      fetch(`${there}/read`, { credentials, mode: "no-cors" }),
      fetch(`${there}/write`, { credentials, mode: "no-cors", method: "POST" }),
    ].map(textOf);
    return Promise.all([
      ...asked,
      events(`${there}/events`),
      socket(`${there}/socket`),
      frame(`${there}/framed`),
      ...["img", "script", "object", "embed"].map((tag) => element(tag, `${there}/${tag}`)),
    ]);
  },
};
