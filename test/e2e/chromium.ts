/** A real Chromium with certificates of a test in its own key store. */
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { type BrowserContext, chromium } from "playwright-core";

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

/** In PEM. */
interface Pair {
  readonly key: string;
  readonly cert: string;
}

/** What Chromium on Linux reads: a database of NSS in the home folder. It trusts our root, and holds a certificate or none. */
export async function makeKeyStore(home: string, root: string, peer?: Pair): Promise<void> {
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
/** With that home. */
export async function launch(home: string): Promise<BrowserContext> {
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
