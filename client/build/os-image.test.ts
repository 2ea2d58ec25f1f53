import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { aptOptionsFrom, aptSourcesFor } from "./apt-sources.ts";
import { writeOsImage } from "./os-image.ts";
import { buildFailure } from "./os-image-failure.ts";
import { type OsImageWords, parseOsImageOrder } from "./os-image-order.ts";
import { mmdebstrapArguments } from "./os-image-plan.ts";
import { keepPackages } from "./package-cache.ts";

const WORDS: OsImageWords = { suite: "bookworm", kernel: "linux-image-amd64" };
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "os-image-"));
  mkdirSync(join(folder, "bin"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A mmdebstrap that does what `script` says; its words are in the file `words`. */
function fakeBootstrap(script: string): void {
  const path = join(folder, "bin", "mmdebstrap");
  writeFileSync(path, `#!/bin/sh\nfor w in "$@"; do printf '%s\\0' "$w"; done > "${folder}/words"\n${script}\n`);
  chmodSync(path, 0o755);
}

async function build(
  words: Partial<OsImageWords> = {},
  signal = new AbortController().signal,
  path = ":/usr/bin:/bin",
  hear: (line: string) => void = () => undefined,
) {
  const lines: string[] = [];
  const environment = { PATH: `${join(folder, "bin")}${path}`, HOME: folder, TMPDIR: folder };
  const order = parseOsImageOrder({ ...WORDS, mirror: "http://mirror.example/debian", ...words });
  const out = join(folder, "image.tar.zst");
  const onLine = (line: string) => {
    lines.push(line);
    hear(line);
  };
  const written = await writeOsImage({ order, out, environment, signal, now: Date.now, onLine });
  return { written, lines, out };
}

describe("a build", () => {
  test("compresses and hashes what mmdebstrap prints, and leaves nothing else behind", async () => {
    fakeBootstrap("echo 'I: working' >&2; head -c 3000000 /dev/zero; printf end");
    const { written, lines, out } = await build();
    const file = readFileSync(out);
    expect(written).toEqual({
      path: out,
      sizeBytes: file.length,
      digest: createHash("sha256").update(file).digest("hex"),
    });
    const archive = zstdDecompressSync(file);
    expect([archive.length, archive.subarray(-3).toString()]).toEqual([3_000_003, "end"]);
    expect(lines).toEqual(["I: working"]);
    expect(readdirSync(join(folder, ".cache/hps"))).toEqual(["packages"]);
    expect(readdirSync(folder).sort()).toEqual([".cache", "bin", "image.tar.zst", "words"]);
  });

  test("hands files, keys and scripts over as they are, owned by root", async () => {
    mkdirSync(join(folder, "it's"));
    writeFileSync(join(folder, "it's", "f"), "data", { mode: 0o600 });
    writeFileSync(join(folder, "key.pub"), "# mine\nssh-ed25519 AAAAC3Nz me@here\n");
    fakeBootstrap(`cp "$HOME"/.cache/hps/build-*/overlay.tar "$HOME/overlay.tar"`);
    await build({ file: [`${folder}/it's:/opt/x`], sshKey: [join(folder, "key.pub")] });
    const listed = execFileSync("tar", ["--numeric-owner", "-tvf", join(folder, "overlay.tar")]).toString();
    expect(listed).toMatch(/^drwxr-xr-x 0\/0 .* opt\/x\/\n-rw------- 0\/0 +4 .* opt\/x\/f\n/);
    expect(listed).toMatch(/drwx------ 0\/0 .* root\/\.ssh\/\n-rw------- 0\/0 .* root\/\.ssh\/authorized_keys\n$/);
    expect(listed.split("\n")).toHaveLength(5);
  });

  test.each([
    ["cp: error writing 'x': No space left on device", "exhausted", /no space is left/],
    ["Err:1 http://deb.example x\n  Temporary failure resolving 'deb.example'", "unavailable", /reached: deb.example/],
    ["E: Unable to locate package ngins", "not-found", /no package ngins/],
    [
      "Err:1 http://deb.example x\n  404  Not Found [IP: 192.0.2.1 80]\nE: not signed",
      "not-found",
      /does not hold this suite/,
    ],
    ["E: the script ./a.sh failed", "invalid", /script \.\/a\.sh failed/],
    ["something new", "internal", /mmdebstrap ended with exit code 3: something new/],
  ])("that failed with %j says what happened", async (line, code, message) => {
    fakeBootstrap(`echo ${JSON.stringify(line)} >&2; printf partial; exit 3`);
    await expect(build()).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expect(existsSync(join(folder, "image.tar.zst"))).toBe(false);
    expect(readdirSync(join(folder, ".cache/hps"))).toEqual(["packages"]);
  });

  test("without mmdebstrap says what to install", async () => {
    const built = build({}, undefined, "");
    await expect(built).rejects.toMatchObject({ code: "precondition", hint: "apt-get install mmdebstrap" });
  });

  test("that is interrupted tells mmdebstrap, waits for it and leaves no image", async () => {
    fakeBootstrap(`trap 'echo cleaned > "$HOME/cleaned"; exit 1' TERM; echo up >&2; while :; do sleep 0.05; done`);
    const controller = new AbortController();
    const running = build({}, controller.signal, undefined, () => controller.abort());
    await expect(running).rejects.toMatchObject({ code: "cancelled" });
    expect(existsSync(join(folder, "cleaned"))).toBe(true);
    expect(existsSync(join(folder, "image.tar.zst"))).toBe(false);
  });

  test("that is interrupted before mmdebstrap says the same", async () => {
    await expect(build({}, AbortSignal.abort())).rejects.toMatchObject({
      code: "cancelled",
      message: expect.stringMatching(/^interrupted/),
    });
    expect(existsSync(join(folder, "words"))).toBe(false);
  });
});

describe("an order", () => {
  test.each([
    [{ package: ["--allow-unauthenticated"] }, /package/],
    [{ package: ["a,b"] }, /package/],
    [{ suite: "book worm" }, /suite/],
    [{ file: ["motd"] }, /file to copy/],
    [{ file: ["motd:etc/motd"] }, /file to copy/],
    [{ file: ["motd:/etc/../../motd"] }, /file to copy/],
    [{ file: ["motd:/"] }, /file to copy/],
    [{ mirror: "deb http://x y" }, /archive's address/],
  ])("of %j is refused by name", (words, message) => {
    expect(() => parseOsImageOrder({ ...WORDS, ...words })).toThrow(message);
  });

  test("a private key is no public key", async () => {
    writeFileSync(join(folder, "id"), "-----BEGIN OPENSSH PRIVATE KEY-----\n");
    fakeBootstrap("");
    await expect(build({ sshKey: [join(folder, "id")] })).rejects.toThrow(/holds no public SSH key/);
  });

  test("names with quotes reach mmdebstrap's hooks as one word", () => {
    const order = parseOsImageOrder({ ...WORDS, script: ["it's; reboot"] });
    const places = { packages: "/p", used: "/u", scripts: ["/w/it's"], sources: "/s" };
    const args = mmdebstrapArguments(order, places, []);
    expect(args).toContain(`--customize-hook=upload '/w/it'\\''s' /.hps-script`);
    expect(args.find((arg) => arg.includes("I: running the script"))).toContain(
      `'I: running the script it'\\''s; reboot'`,
    );
    expect(args.slice(-3)).toEqual(["bookworm", "-", "/s"]);
  });

  test("a slim one leaves out the same when packages are added later", () => {
    const places = { packages: "/p", used: "/u", scripts: [], sources: "/s" };
    const args = mmdebstrapArguments(parseOsImageOrder({ ...WORDS, slim: true }), places, []);
    expect(args).toContain("--dpkgopt=path-exclude=/usr/share/man/*");
    expect(args.filter((arg) => arg.includes("hps-slim"))).toHaveLength(1);
    expect(mmdebstrapArguments(parseOsImageOrder(WORDS), places, []).join(" ")).not.toContain("path-exclude");
  });

  test.each(["--setup-hook", "--customize-hook"])("every %s is a program that sh can read", (option) => {
    const order = parseOsImageOrder({ ...WORDS, script: ["a"], slim: true });
    const places = { packages: "/p", used: "/u", overlay: "/o", scripts: ["/w/a"], sources: "/s" };
    const hooks = mmdebstrapArguments(order, places, []).filter((arg) => arg.startsWith(`${option}=`));
    expect(hooks.length).toBeGreaterThan(1);
    for (const hook of hooks) execFileSync("sh", ["-n", "-c", hook.slice(option.length + 1)]);
  });
});

test("what is cleaned away is the image's; mmdebstrap's own configuration is there afterwards, whatever a script removed", () => {
  const root = join(folder, "root");
  const kept = ["etc/ssh/sshd_config", "etc/passwd", "tmp/mmdebstrap.apt.conf.x"];
  const gone = [
    "etc/ssh/ssh_host_rsa_key",
    "etc/hostname",
    "etc/passwd-",
    "var/lib/apt/lists/Release",
    "var/log/apt/term.log",
  ];
  for (const name of [...kept, ...gone, "etc/machine-id", "var/log/dpkg.log", ".hps-apt"]) {
    mkdirSync(join(root, name, ".."), { recursive: true });
    writeFileSync(join(root, name), "text");
  }
  const order = parseOsImageOrder(WORDS);
  const places = { packages: "/p", used: "/u", scripts: [], sources: "/s" };
  const hook = mmdebstrapArguments(order, places, []).findLast((arg) => arg.startsWith("--customize-hook=")) ?? "";
  const clean = (config: string) =>
    execFileSync("sh", ["-c", hook.slice("--customize-hook=".length), "exec", root], {
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", MMDEBSTRAP_APT_CONFIG: join(root, config) },
    });
  clean("tmp/mmdebstrap.apt.conf.x");
  expect(kept.filter((name) => !existsSync(join(root, name)))).toEqual([]);
  expect([...gone, ".hps-apt"].filter((name) => existsSync(join(root, name)))).toEqual([]);
  expect(["etc/machine-id", "var/log/dpkg.log"].map((name) => readFileSync(join(root, name), "utf8"))).toEqual([
    "",
    "",
  ]);
  writeFileSync(join(root, ".hps-apt"), "Dir");
  clean("tmp/other.conf");
  expect(readFileSync(join(root, "tmp/other.conf"), "utf8")).toBe("Dir");
});

describe("apt's sources", () => {
  const deb822 = {
    path: "/etc/apt/sources.list.d/debian.sources",
    text: [
      "Types: deb deb-src\n# old\nURIs: http://a.example/debian\nSuites: bookworm bookworm-updates bookworm-backports",
      "Components: main\n  contrib\nSigned-By:\n -----BEGIN\n .\n key",
      "\nTypes: deb\nEnabled: no\nURIs: http://off.example\nSuites: bookworm\nComponents: main",
      "\nTypes: deb\nURIs: http://else.example\nSuites: nodistro\nComponents: main\n",
    ].join("\n"),
  };

  test("of the suite alone are taken, with their keys", () => {
    expect(aptSourcesFor("bookworm", [deb822])).toBe(
      "Types: deb\nURIs: http://a.example/debian\nSuites: bookworm bookworm-updates\nComponents: main contrib\nSigned-By: \n -----BEGIN\n .\n key\n",
    );
  });

  test("in lines are read too", () => {
    const text =
      "# x\ndeb [arch=amd64 signed-by=/k.gpg] http://b.example/debian trixie main contrib # why\ndeb-src http://b x y\n";
    expect(aptSourcesFor("trixie", [{ path: "/etc/apt/sources.list", text }])).toBe(
      "Types: deb\nURIs: http://b.example/debian\nSuites: trixie\nComponents: main contrib\nSigned-By: /k.gpg\n",
    );
  });

  test("that lack the suite are refused, with the way out", () => {
    expect(() => aptSourcesFor("trixie", [deb822])).toThrow(
      expect.objectContaining({ code: "precondition", hint: expect.stringContaining("--mirror") }),
    );
  });

  test("a proxy goes along, other settings do not", () => {
    const dump =
      'APT "";\nAcquire::http::Proxy "http://p:3142";\nAcquire::Check-Valid-Until "false";\nDPkg::Post-Invoke:: "x";\n';
    expect(aptOptionsFrom(dump)).toEqual([
      'Acquire::http::Proxy "http://p:3142";',
      'Acquire::Check-Valid-Until "false";',
    ]);
  });
});

test("the signs of a failure stand in the order of what is more exact", () => {
  const both = ["E: Unable to fetch", "cannot write: No space left on device", "Could not connect to x"];
  expect(buildFailure("exit code 1", both).code).toBe("exhausted");
});

test("packages that no build used for a month go, others stay", async () => {
  const [cache, used] = [join(folder, "packages"), join(folder, "used")];
  for (const path of [cache, used]) mkdirSync(path);
  for (const name of ["old.deb", "young.deb"]) writeFileSync(join(cache, name), "");
  writeFileSync(join(used, "new.deb"), "");
  const day = 86_400_000;
  await keepPackages(cache, used, Date.now());
  expect(readdirSync(cache).sort()).toEqual(["new.deb", "old.deb", "young.deb"]);
  await keepPackages(cache, used, Date.now() + 31 * day);
  expect(readdirSync(cache)).toEqual([]);
});
