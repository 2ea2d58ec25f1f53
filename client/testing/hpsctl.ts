/** hpsctl run in this process, against servers that stop after each test. */
import { afterEach } from "vitest";
import { run } from "../run.ts";
import { type FakeTerminalOptions, fakeTerminal } from "./fake-terminal.ts";
import { startTestServer, type TestHandlers, type TestServer } from "./test-server.ts";

export function useServers(): (handlers?: TestHandlers, version?: string) => Promise<TestServer> {
  const servers: TestServer[] = [];
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.stop()));
  });
  return async (handlers, version) => {
    const server = await startTestServer(handlers, version);
    servers.push(server);
    return server;
  };
}

/** Runs `words`, divided at spaces unless they are a list. */
export async function hpsctl(
  { environment }: Pick<TestServer, "environment">,
  words: string | readonly string[],
  options: FakeTerminalOptions = {},
) {
  const terminal = fakeTerminal({ environment, ...options });
  const code = await run(typeof words === "string" ? words.split(" ") : words, terminal);
  return { code, out: terminal.printed(), err: terminal.errors(), bytes: terminal.bytes() };
}
