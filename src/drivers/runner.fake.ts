/** Stands where the runner does in images of the tests: says who and where it is, and stays. */
console.log(JSON.stringify({ version: process.version, uid: process.getuid?.(), pid: process.pid }));
setInterval(() => {}, 60_000);
