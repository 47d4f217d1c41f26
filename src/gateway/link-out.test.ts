import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import { AppError } from "../contract/errors.ts";
import { OUT_WINDOW_BYTES, type Question } from "../contract/link.ts";
import type { Outbound } from "../core/outbound.ts";
import { OutLink } from "../runner/link/out.ts";
import { bytes, hasCode, listen, never, openEnds, SANDBOX, sha256Of } from "./link-fixture.ts";
import { closed, echo, hashOf, outbound, QUESTION, settled, withOut } from "./link-out-fixture.ts";
import type { OutServices } from "./out-services.ts";

test("bytes go both ways untouched, and each service is given the job that answers for the sandbox", async () => {
  const seen: string[] = [];
  const job = outbound();
  const service =
    (name: string): OutServices["models"] =>
    (connection, given) => {
      seen.push(`${name} ${given === job}`);
      echo(connection, given);
    };
  await withOut(
    { out: { models: service("models"), egress: service("egress") }, outbound: job },
    async ({ out }) => {
      for (const name of ["models", "egress"] as const) {
        const stream = await out.connect(name);
        bytes(3_000_017).pipe(stream);
        assert.equal(await sha256Of(stream), await sha256Of(bytes(3_000_017)));
      }
      assert.deepEqual(seen, ["models true", "egress true"]);
    },
  );
});

test("a client that has ended its side still gets the whole answer", async () => {
  const answering: OutServices["models"] = async (connection) => {
    const asked = await hashOf(connection);
    connection.end(asked);
  };
  await withOut({ out: { models: answering } }, async ({ out }) => {
    const stream = await out.connect("models");
    stream.end("a question");
    const answer = (await stream.toArray()).join("");
    assert.match(answer, /^[0-9a-f]{64}$/);
    await closed(stream);
  });
});

test("a service that ends its side still gets all that the client has to say", async () => {
  const heard = Promise.withResolvers<string>();
  const listening: OutServices["egress"] = (connection) => {
    connection.end("enough");
    hashOf(connection).then(heard.resolve, heard.reject);
  };
  await withOut({ out: { egress: listening } }, async ({ out }) => {
    const stream = await out.connect("egress");
    stream.setEncoding("utf8");
    const [said] = await once(stream, "data");
    if (!stream.readableEnded) await once(stream, "end");
    assert.equal(said, "enough");
    bytes(700_001).pipe(stream);
    assert.equal(await heard.promise, await sha256Of(bytes(700_001)));
  });
});

test("an abrupt end is an error on the other side, never an end in good order", async () => {
  const given = Promise.withResolvers<Duplex>();
  const taking: OutServices["models"] = (connection) => given.resolve(connection);
  await withOut({ out: { models: taking } }, async ({ out }) => {
    const stream = await out.connect("models");
    stream.write("the first half");
    const connection = await given.promise;
    const reading = sha256Of(connection);
    stream.destroy();
    await assert.rejects(reading, hasCode("link_lost"));
  });
  const dropping: OutServices["models"] = (connection) => {
    connection.write("half an answer", () => connection.destroy());
  };
  await withOut({ out: { models: dropping } }, async ({ out }) => {
    const stream = await out.connect("models");
    await assert.rejects(sha256Of(stream), hasCode("link_lost"));
  });
});

test("a link that is cut is an error for every stream on both sides", async () => {
  const given: Duplex[] = [];
  const taking: OutServices["models"] = (connection) => {
    given.push(connection);
    connection.resume();
  };
  await withOut({ out: { models: taking } }, async ({ ends, out }) => {
    const streams = await Promise.all([out.connect("models"), out.connect("models")]);
    for (const stream of streams) stream.resume();
    await ends.listener[Symbol.asyncDispose]();
    await Promise.all([...streams, ...given].map(closed));
    for (const stream of [...streams, ...given])
      assert(hasCode("link_lost")(stream.errored), String(stream.errored));
  });
});

test("what nobody reads waits at the sender, in both directions, and flows on when it is read", async () => {
  const total = 50 * 1024 * 1024;
  let taken = 0;
  const given = Promise.withResolvers<Duplex>();
  await withOut({ out: { egress: (connection) => given.resolve(connection) } }, async ({ out }) => {
    const stream = await out.connect("egress");
    const connection = await given.promise;
    for (const [from, to] of [
      [stream, connection],
      [connection, stream],
    ] as const) {
      taken = 0;
      const source = bytes(total).on("data", (chunk: Buffer) => {
        taken += chunk.length;
      });
      source.pipe(from, { end: false });
      const held = await settled(() => taken);
      assert.ok(held < OUT_WINDOW_BYTES + 1024 * 1024, `${held} bytes left the sender`);
      let length = 0;
      for await (const chunk of to.iterator({ destroyOnReturn: false })) {
        length += chunk.length;
        if (length === total) break;
      }
      assert.equal(length, total);
    }
    stream.destroy();
  });
});

test("streams that nobody reads never hold up another one", async () => {
  const stuck: OutServices["egress"] = (connection) => void connection.write(Buffer.alloc(2 * 1024 * 1024));
  await withOut({ out: { models: echo, egress: stuck } }, async ({ out }) => {
    const streams = await Promise.all(Array.from({ length: 100 }, () => out.connect("egress")));
    for (const stream of streams) stream.write(Buffer.alloc(2 * 1024 * 1024));
    const stream = await out.connect("models");
    bytes(2_000_001).pipe(stream);
    assert.equal(await sha256Of(stream), await sha256Of(bytes(2_000_001)));
    for (const each of streams) each.destroy();
  });
});

test("a question comes back with the decision, however long that took", async () => {
  const decided = Promise.withResolvers<void>();
  const asked: Question[] = [];
  const ask: Outbound["ask"] = async (question) => {
    asked.push(question);
    await decided.promise;
    return { n: 3, decision: "allow" };
  };
  await withOut({ outbound: outbound({ ask }) }, async ({ out }) => {
    const asking = out.ask(QUESTION, never());
    setImmediate(decided.resolve);
    assert.equal(await asking, "allow");
    assert.deepEqual(asked, [QUESTION]);
  });
});

test("a question that is pending when the orchestrator goes is asked again of the next one, with the same key", async () => {
  const first = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<unknown>();
  const silent: Outbound["ask"] = (_question, signal) => {
    first.resolve();
    return new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        gone.resolve(signal.reason);
        reject(signal.reason);
      });
    });
  };
  await withOut({ outbound: outbound({ ask: silent }) }, async ({ ends, out }) => {
    const asking = out.ask(QUESTION, never());
    await first.promise;
    await ends.listener[Symbol.asyncDispose]();
    await gone.promise;
    const keys: string[] = [];
    const ask: Outbound["ask"] = async ({ key }) => {
      keys.push(key);
      return { n: 1, decision: "allow" };
    };
    await using next = listen(ends.folder, [], {}, { models: echo });
    await next.open(SANDBOX, outbound({ ask }));
    assert.equal(await asking, "allow");
    assert.deepEqual(keys, ["k-1"]);
    const stream = await out.connect("models");
    stream.end("still there");
    assert.equal((await stream.toArray()).join(""), "still there");
  });
});

test("who stops asking is gone for the job too, and gets the reason", async () => {
  const aborted = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const ask: Outbound["ask"] = (_question, signal) => {
    begun.resolve();
    return new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        aborted.resolve();
        reject(signal.reason);
      });
    });
  };
  await withOut({ outbound: outbound({ ask }) }, async ({ out }) => {
    const giving = new AbortController();
    const asking = out.ask(QUESTION, giving.signal);
    await begun.promise;
    giving.abort(new Error("the job ends"));
    await assert.rejects(asking, /the job ends/);
    await aborted.promise;
  });
});

test("what a job refuses comes back with its code, and is not asked again", async () => {
  let times = 0;
  const ask: Outbound["ask"] = async () => {
    times += 1;
    throw new AppError({ code: "conflict", message: "The job is packing." });
  };
  await withOut({ outbound: outbound({ ask }) }, async ({ out }) => {
    await assert.rejects(out.ask(QUESTION, never()), hasCode("conflict"));
    assert.equal(times, 1);
    await assert.rejects(
      out.ask({ ...QUESTION, title: "x".repeat(2000) }, never()),
      hasCode("invalid_request"),
    );
    await assert.rejects(
      out.ask({ ...QUESTION, detail: "x".repeat(100_000) }, never()),
      hasCode("body_too_large"),
    );
    assert.equal(times, 1);
  });
});

test("a sandbox that nobody answers for reaches nothing, until a job does", () =>
  withOut({ outbound: null, out: { models: echo } }, async ({ ends, out }) => {
    await assert.rejects(out.connect("models"), hasCode("not_available"));
    await assert.rejects(out.ask(QUESTION, never()), hasCode("not_available"));
    await ends.listener.open(SANDBOX, outbound());
    await ends.listener.open(SANDBOX, null);
    const stream = await out.connect("models");
    stream.end("x");
    assert.equal((await stream.toArray()).join(""), "x");
  }));

test("nobody who listens is waited for no longer than said", async () => {
  await using ends = await openEnds({}, { outbound: outbound() });
  await ends.listener.close(SANDBOX);
  await using out = new OutLink({ folder: join(ends.folder, SANDBOX), connect_max_ms: 200 });
  await assert.rejects(out.connect("models"), hasCode("link_lost"));
  const giving = new AbortController();
  const asking = out.ask(QUESTION, giving.signal);
  giving.abort(new Error("enough"));
  await assert.rejects(asking, /enough/);
});
