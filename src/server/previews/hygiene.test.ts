import assert from "node:assert/strict";
import { test } from "node:test";
import { previewAnswerLines, programAnswerLines } from "./answer-headers.ts";
import { passedOn } from "./header-lines.ts";
import { isOwnCookieName, withoutOwnCookies } from "./preview-cookie.ts";
import { type RequestRules, requestLines } from "./request-headers.ts";

const RULES: RequestRules = {
  host: "p1-x.localhost:8000",
  scheme: "http",
  prefix: null,
  origin: "http://p1-x.localhost:8000",
  cookies: "keep",
  isOwnCredential: (text) => text.includes("swt_ours"),
  authorization: null,
};
const sent = (raw: string[], rules: Partial<RequestRules> = {}) =>
  requestLines({ rawHeaders: raw }, { ...RULES, ...rules }).map(([name, value]) => `${name}: ${value}`);
const own = ["Host: p1-x.localhost:8000", "X-Forwarded-Host: p1-x.localhost:8000", "X-Forwarded-Proto: http"];
const kept = (raw: string[], rules: Partial<RequestRules> = {}) =>
  sent(raw, rules).filter((line) => !own.includes(line));

test("what belongs to one connection is passed on in neither direction, nor what Connection names", () => {
  const lines = [
    ["Connection", "close, X-Named , content-length,host"],
    ["X-Named", "1"],
    ["Keep-Alive", "1"],
    ["TE", "trailers"],
    ["Transfer-Encoding", "chunked"],
    ["Upgrade", "h2c"],
    ["HTTP2-Settings", "x"],
    ["Proxy-Authorization", "Bearer swt_ours"],
    ["Expect", "100-continue"],
    ["Trailer", "x"],
    ["Content-Length", "5"],
    ["Accept", "a"],
    ["Accept", "b"],
  ] as const;
  assert.deepEqual(passedOn(lines), [
    ["Content-Length", "5"],
    ["Accept", "a"],
    ["Accept", "b"],
  ]);
});

test("a request loses our cookies, our token and what is said of the viewer, and keeps what is the page's own", () => {
  assert.deepEqual(
    kept([
      ...["Cookie", "a=1; __Host-sealwork-preview=x; b=__Host-sealwork-preview"],
      ...["Cookie", " __host-SEALWORK-preview =y; __Secure-sealwork=z;sealwork-session=w"],
      ...["Authorization", "Bearer swt_ours"],
      ...["X-Sealwork-Version", "1"],
      ...["X-Forwarded-For", "10.0.0.1"],
      ...["Forwarded", "for=10.0.0.1"],
      ...["X-Real-IP", "10.0.0.1"],
      ...["Referer", "http://sealwork.localhost:8000/jobs/1"],
      ...["Origin", "http://p1-x.localhost:8000"],
      ...["Content-Length", "7"],
      ...["Sec-WebSocket-Protocol", "vite-hmr"],
    ]),
    [
      "Cookie: a=1; b=__Host-sealwork-preview",
      "Origin: http://p1-x.localhost:8000",
      "Sec-WebSocket-Protocol: vite-hmr",
    ],
  );
  assert.deepEqual(
    kept(["Authorization", "Bearer of-the-page", "Referer", "http://p1-x.localhost:8000/a?b"]),
    ["Authorization: Bearer of-the-page", "Referer: http://p1-x.localhost:8000/a?b"],
  );
});

test("Jupyter gets its own token in place of any other, and a program's cookies and origin go nowhere", () => {
  const raw = [
    "Authorization",
    "Bearer mine",
    "Cookie",
    "a=1",
    "Origin",
    "http://127.0.0.1:8000",
    "Accept",
    "*/*",
  ];
  assert.deepEqual(
    kept(raw, { authorization: "token t", cookies: "drop", origin: null, prefix: "/jobs/1" }),
    ["Accept: */*", "X-Forwarded-Prefix: /jobs/1", "Authorization: token t"],
  );
});

const answered = (raw: string[]) =>
  previewAnswerLines(raw, ["http://sealwork.localhost:8000"]).map(([name, value]) => `${name}: ${value}`);
const USUAL = [
  "Vary: Service-Worker",
  "Cross-Origin-Opener-Policy: same-origin-allow-popups",
  "Content-Security-Policy: frame-ancestors 'self' http://sealwork.localhost:8000",
  "Cross-Origin-Resource-Policy: same-origin",
  "Origin-Agent-Cluster: ?1",
  "Referrer-Policy: same-origin",
];

test("an answer loses what reaches beyond its page", () => {
  assert.deepEqual(
    answered([
      ...["Clear-Site-Data", '"*"'],
      ...["clear-site-data", '"cookies"'],
      ...["Service-Worker-Allowed", "/"],
      ...["Alt-Svc", 'h2=":1"'],
      ...["Strict-Transport-Security", "max-age=1; includeSubDomains"],
      ...["NEL", "{}"],
      ...["X-Frame-Options", "DENY"],
      ...["X-Sealwork-Version", "9"],
      ...["Origin-Agent-Cluster", "?0"],
      ...["Cross-Origin-Resource-Policy", "cross-origin"],
      ...["Connection", "close"],
      ...["Content-Type", "text/html"],
    ]),
    ["Content-Type: text/html", ...USUAL],
  );
});

test("a policy of the page stays, but for who may frame it", () => {
  assert.deepEqual(
    answered([
      ...["Content-Security-Policy", "default-src 'self'; frame-ancestors *; img-src *"],
      ...["Content-Security-Policy", "frame-ancestors 'none', script-src 'self'"],
      ...["content-security-policy", "Frame-Ancestors 'none'"],
      ...["Content-Security-Policy-Report-Only", "frame-ancestors 'none'; report-uri /x"],
    ]),
    [
      "Content-Security-Policy: default-src 'self'; img-src *",
      "Content-Security-Policy: script-src 'self'",
      "Content-Security-Policy-Report-Only: report-uri /x",
      ...USUAL,
    ],
  );
  assert.ok(
    answered(["Referrer-Policy", "no-referrer"]).every((line) => line !== "Referrer-Policy: same-origin"),
  );
  for (const [said, becomes] of [
    ["unsafe-none", "same-origin-allow-popups"],
    ['same-origin; report-to="x"', "same-origin"],
    ["restrict-properties", "same-origin-allow-popups"],
  ])
    assert.ok(
      answered(["Cross-Origin-Opener-Policy", said ?? ""]).includes(`Cross-Origin-Opener-Policy: ${becomes}`),
    );
});

test("a page sets cookies for its own host only, none without a name and none that could pass for ours", () => {
  const isSet = (cookie: string) => answered(["Set-Cookie", cookie]).length > USUAL.length;
  for (const cookie of [
    "a=1",
    "a=1; Path=/; HttpOnly; SameSite=Lax",
    "a=1; Expires=Wed, 21 Oct 2065 07:28:00 GMT",
    "a=",
    "domain=1",
    "a=domain=x; Path=/domain",
    "__Host-mine=1; Secure; Path=/",
  ])
    assert.ok(isSet(cookie), cookie);
  for (const cookie of [
    "a=1; Domain=localhost",
    "a=1;domain=.localhost",
    "a=1; \tDOMAIN \t= x",
    "a=1; Domain",
    "a=1; Domain=",
    "a=1; Domain=; Path=/",
    "__Host-sealwork-preview=1; Path=/; Secure",
    "__host-sealwork-preview=1",
    " __HOST-Sealwork-Preview\t =1",
    "__Secure-sealwork=1",
    "__Http-sealwork=1",
    "__Host-Http-sealwork-preview=1",
    "sealwork-session=1",
    "=__Host-sealwork-preview=1",
    "__Host-sealwork-preview",
    " = x",
    "",
    "; Path=/",
    "a\tb=1",
    "a=1\x00; Path=/",
  ])
    assert.ok(!isSet(cookie), JSON.stringify(cookie));
});

test("what is ours in a Cookie header is known by any spelling", () => {
  for (const name of ["__Host-sealwork-preview", " __HOST-SEALWORK-x ", "Sealwork", "__Secure-sealworkx"])
    assert.ok(isOwnCookieName(name), name);
  for (const name of ["", "a", "__Host-a", "my-sealwork", "__Host-__Host-sealwork"])
    assert.ok(!isOwnCookieName(name), name);
  assert.equal(withoutOwnCookies("__Host-sealwork-preview=x"), null);
  assert.equal(withoutOwnCookies(";; a ;b=1=2;__Host-sealwork-preview"), "a; b=1=2");
});

test("an answer to a program says nothing for the API's own origin", () => {
  const lines = programAnswerLines(
    [
      ...["Set-Cookie", "a=1"],
      ...["Access-Control-Allow-Origin", "*"],
      ...["Access-Control-Allow-Credentials", "true"],
      ...["Content-Security-Policy", "default-src *"],
      ...["Clear-Site-Data", '"*"'],
      ...["X-Sealwork-Version", "9"],
      ...["Refresh", "0; url=/"],
      ...["Link", "</x>; rel=preload"],
      ...["Location", "/next"],
      ...["Content-Type", "application/json"],
      ...["ETag", '"1"'],
    ],
    "/jobs/1/ports/80",
  );
  assert.deepEqual(lines, [
    ["Location", "/jobs/1/ports/80/next"],
    ["Content-Type", "application/json"],
    ["ETag", '"1"'],
  ]);
  for (const location of ["//elsewhere/", "/\\elsewhere/", "http://elsewhere/", "next"])
    assert.deepEqual(programAnswerLines(["Location", location], "/p"), [["Location", location]]);
});
