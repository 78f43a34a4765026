// Tries to get out of a sandbox; standard input says where to. Prints what was tried and reached.
const fs = require("fs"), net = require("net"), dgram = require("dgram"), os = require("os");
const { spawnSync } = require("child_process");
const targets = JSON.parse(fs.readFileSync(0, "utf8"));
let tried = 0;
const breaches = [];

function attempt(name, act) {
  tried += 1;
  try { if (act()) breaches.push(name); } catch { /* held */ }
}
function read(path) {
  if (fs.statSync(path).isDirectory()) return fs.readdirSync(path).length > 0;
  const file = fs.openSync(path, "r");
  return fs.readSync(file, Buffer.alloc(16)) > 0;
}
function make(path) { fs.closeSync(fs.openSync(path, "a")); fs.unlinkSync(path); return true; }
const run = (...command) => spawnSync(command[0], command.slice(1), { timeout: 5000 }).status === 0;
const holds = (path) => fs.readFileSync(path).includes(targets.canary);

async function reach(name, options) {
  tried += 1;
  const reached = await new Promise((resolve) => {
    const socket = net.connect(options);
    socket.setTimeout(1000, () => { socket.destroy(); resolve(false); });
    socket.on("connect", () => { socket.destroy(); resolve(true); });
    socket.on("error", () => resolve(false));
  }).catch(() => false);
  if (reached) breaches.push(name);
}

const sections = {
  outside() {
    for (const path of targets.reads) {
      attempt(`read ${path}`, () => read(path));
      attempt(`read /proc/self/root${path}`, () => read(`/proc/self/root${path}`));
    }
    for (const path of targets.writes) attempt(`write ${path}`, () => make(path));
    targets.reads.slice(0, 4).forEach((path, number) => {
      fs.symlinkSync(path, `link${number}`);
      attempt(`read through a link to ${path}`, () => read(`link${number}`));
      attempt(`second name for ${path}`, () => { fs.linkSync(path, `second${number}`); return true; });
    });
    attempt("read by climbing", () => read("../".repeat(40) + targets.reads[0].slice(1)));
    fs.symlinkSync(targets.world, "world-link");
    attempt("write through a link", () => make("world-link/planted"));
    attempt("rename to outside", () => { fs.renameSync("link0", targets.world + "/moved"); return true; });
    attempt("the interpreter", () => fs.openSync(process.execPath, "a"));
    // Its own /tmp is no breach; the host looks whether it is that of all.
    attempt("the host's /tmp", () => fs.writeFileSync("/tmp/" + targets.token, "x"));
  },
  async network() {
    for (const host of ["127.0.0.1", "0.0.0.0", "::1", targets.address])
      await reach(`tcp ${host}`, { host, port: targets.port });
    await reach("metadata address", { host: "169.254.169.254", port: 80 });
    await reach("socket file", { path: targets.socket });
    await reach("abstract socket", { path: "\0" + targets.abstract });
    await reach("a name", { host: "example.com", port: 80 });
    const udp = dgram.createSocket("udp4");
    await new Promise((resolve) => {
      udp.on("error", resolve);
      udp.send("x", targets.udp, "127.0.0.1", resolve);
    });
    try { udp.close(); } catch { /* was never open */ }
  },
  processes() {
    attempt("signal to the host", () => process.kill(targets.pid, 0));
    for (const part of ["environ", "cmdline", "maps", "root/etc", "cwd", "fd"])
      attempt(`/proc of the host: ${part}`, () => read(`/proc/${targets.pid}/${part}`));
    const seen = targets.proc ? fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name)) : [];
    attempt("host among processes", () => seen.includes(String(targets.pid)));
    for (const process of new Set(["1", "self", ...seen])) {
      attempt(`secret in environ of ${process}`, () => holds(`/proc/${process}/environ`));
      attempt(`secret in cmdline of ${process}`, () => holds(`/proc/${process}/cmdline`));
      attempt(`host through root of ${process}`, () => read(`/proc/${process}/root${targets.reads[0]}`));
    }
    attempt("secret in variables", () => JSON.stringify(process.env).includes(targets.canary));
    attempt("priority", () => { os.setPriority(-5); return true; });
    attempt("debugger on 1", () => { process._debugProcess(1); return os.getuid === 0; });
  },
  privileges() {
    attempt("user 0", () => { process.setuid(0); return true; });
    attempt("group 0", () => { process.setgid(0); return true; });
    attempt("is root", () => process.getuid() === 0 || process.getgid() === 0);
    attempt("mount", () => run("mount", "-t", "tmpfs", "none", "/tmp"));
    attempt("bind mount", () => run("mount", "--bind", "/", "/tmp"));
    attempt("remount", () => run("mount", "-o", "remount,rw", "/usr"));
    attempt("umount", () => run("umount", "-l", "/usr"));
    attempt("user namespace", () => run("unshare", "-Ur", "true"));
    attempt("namespace of 1", () => run("nsenter", "-t", "1", "-m", "true"));
    attempt("chroot", () => run("chroot", "/", "true"));
    attempt("device file", () => run("mknod", "disk", "b", "8", "0"));
    attempt("su", () => run("su", "-c", "true"));
    for (const path of targets.kernel) attempt(`write ${path}`, () => fs.openSync(path, "a"));
  },
};
(async () => {
  for (const section of targets.sections) if (sections[section]) await sections[section]();
  console.log(JSON.stringify({ tried, breaches }));
})();
