/**
 * What a page of somebody else tries with a dashboard that the person is signed in to: it acts, reads and listens by every way a page has.
 * Each says what came of it.
 */
globalThis.attack = (target, job_id) => {
  const say = async (name, happened) => `${name}: ${await happened.catch(() => "failed")}`;
  const opened = (source) =>
    new Promise((resolve, reject) => {
      source.onopen = () => resolve("opened");
      source.onerror = reject;
    });
  const cancel = `${target}/cancel/${job_id}`;
  const act = { method: "POST", credentials: "include" };
  return Promise.all([
    say(
      "act",
      fetch(cancel, act).then((answer) => answer.text()),
    ),
    say(
      "act blindly",
      fetch(cancel, { ...act, mode: "no-cors" }).then(({ type }) => type),
    ),
    say(
      "read",
      fetch(`${target}/tokens`, { credentials: "include" }).then((answer) => answer.text()),
    ),
    say("socket", opened(new WebSocket(`${target.replace("http", "ws")}/jobs/${job_id}/terminal`))),
    say("events", opened(new EventSource(`${target}/events`, { withCredentials: true }))),
  ]);
};

/** Shows an address in a frame; resolves when the browser has loaded it or what it shows instead. */
globalThis.frame = (address) => {
  const element = document.createElement("iframe");
  const loaded = new Promise((resolve) => element.addEventListener("load", () => resolve(), { once: true }));
  element.src = address;
  document.body.append(element);
  return loaded;
};

/** Sends a form there, which needs no permission of anybody. */
globalThis.post = (action) => {
  const form = document.createElement("form");
  Object.assign(form, { method: "post", action });
  document.body.append(form);
  form.submit();
};
