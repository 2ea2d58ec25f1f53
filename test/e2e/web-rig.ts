/** A real Chromium with an operator's certificate in its own key store, before the real HTTPS door and a real agent's shell. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { type BrowserContext, chromium } from "playwright-core";
import { Access } from "../../server/core/identity/access.ts";
import { issueTestPeer, type TestPeer } from "../../server/core/testing/test-identity.ts";
import { addTestOperator } from "../../server/core/testing/test-rows.ts";
import { openTestDoor } from "../../server/http/testing.ts";
import { WebDoor } from "../../server/http/web-routes.ts";
import type { TerminalLimits } from "../../server/http/web-terminal.ts";
import { type ShellRig, startShellRig } from "./shell-rig.ts";

const run = promisify(execFile);

const CHROMIUM = "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
];

export interface WebRig extends AsyncDisposable {
  readonly shell: ShellRig;
  readonly web: WebDoor;
  readonly url: string;
  readonly port: number;
  readonly serial: string;
  /** The operator's certificate. */
  readonly peer: TestPeer;
  readonly browse: (options?: { readonly certificate?: boolean }) => Promise<BrowserContext>;
}

export async function startWebRig(limits: Partial<TerminalLimits> = {}): Promise<WebRig> {
  const shell = await startShellRig();
  const { identity, shells, links } = shell;
  const { store, refusals, live, clock, principals } = identity;
  let origins: readonly string[] = [];
  const web = new WebDoor({
    ...{ links, live, clock, limits },
    access: new Access(store, refusals),
    shells,
    origins: () => origins,
    resolve: (chain) => principals.resolve(chain),
    refused: (who, reason) => refusals.refused(who, { reason }),
    onError: ({ error }) => console.error(error),
  });
  const door = await openTestDoor(identity, { routes: [web.routes] });
  origins = [door.url];
  await addTestOperator(store, "wendy", { "*": "operator" });
  const peer = await issueTestPeer(identity, { kind: "operator", subject: "wendy" });
  const home = await mkdtemp(path.join(tmpdir(), "hps-web-"));
  const open: BrowserContext[] = [];
  const strangers = await mkdtemp(path.join(tmpdir(), "hps-web-"));
  await makeKeyStore(home, identity.authority.rootPem, peer);
  await makeKeyStore(strangers, identity.authority.rootPem);
  return {
    ...{ shell, web, url: door.url, port: door.door.port, serial: peer.signed.serial, peer },
    browse: async ({ certificate = true } = {}) => {
      const context = await launch(certificate ? home : strangers);
      open.push(context);
      return context;
    },
    [Symbol.asyncDispose]: async () => {
      for (const context of open) await context.close();
      await door[Symbol.asyncDispose]();
      await shell[Symbol.asyncDispose]();
      for (const folder of [home, strangers]) await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What Chromium on Linux reads: a database of NSS in the home folder. It trusts our root, and holds a certificate or none. */
async function makeKeyStore(home: string, root: string, peer?: TestPeer): Promise<void> {
  const folder = path.join(home, ".pki", "nssdb");
  await mkdir(folder, { recursive: true });
  const file = (name: string) => path.join(home, name);
  const db = `sql:${folder}`;
  await writeFile(file("root.pem"), root);
  await run("certutil", ["-N", "-d", db, "--empty-password"]);
  await run("certutil", ["-A", "-d", db, "-n", "root", "-t", "C,,", "-i", file("root.pem")]);
  if (peer === undefined) return;
  await writeFile(file("key.pem"), peer.key);
  await writeFile(file("cert.pem"), peer.cert);
  const p12 = ["-inkey", file("key.pem"), "-in", file("cert.pem"), "-out", file("me.p12"), "-passout", "pass:"];
  await run("openssl", ["pkcs12", "-export", "-name", "wendy", ...p12]);
  await run("pk12util", ["-d", db, "-i", file("me.p12"), "-W", ""]);
}

/** Which certificate to show is asked of a person, unless a policy says it: here of every site, for every certificate. */
const POLICY = { profile: { managed_auto_select_certificate_for_urls: ['{"pattern":"*","filter":{}}'] } };

let count = 0;
async function launch(home: string): Promise<BrowserContext> {
  count += 1;
  const profile = path.join(home, `profile-${count}`);
  await mkdir(path.join(profile, "Default"), { recursive: true });
  await writeFile(path.join(profile, "Default", "Preferences"), JSON.stringify(POLICY));
  const env = { PATH: process.env.PATH ?? "", HOME: home };
  const viewport = { width: 1100, height: 700 };
  return await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    headless: true,
    args: FLAGS,
    env,
    viewport,
  });
}
