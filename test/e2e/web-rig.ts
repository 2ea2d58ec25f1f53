/** A real Chromium with an operator's certificate in its own key store, before the real HTTPS door and a real agent's shell. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { BrowserContext } from "playwright-core";
import { Access } from "../../server/core/identity/access.ts";
import { issueTestPeer, type TestPeer } from "../../server/core/testing/test-identity.ts";
import { addTestOperator } from "../../server/core/testing/test-rows.ts";
import { openTestDoor } from "../../server/http/testing.ts";
import { WebDoor } from "../../server/http/web-routes.ts";
import type { TerminalLimits } from "../../server/http/web-terminal.ts";
import { launch, makeKeyStore } from "./chromium.ts";
import { type ShellRig, startShellRig } from "./shell-rig.ts";

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
