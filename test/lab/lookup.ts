import type { Rack } from "./rack.ts";
import { must } from "./run.ts";

/** Asks the rack's DNS for a name, or for the name of an address. */
export async function lookup(rack: Pick<Rack, "server">, what: string): Promise<string | undefined> {
  const code = `const { Resolver } = require("node:dns").promises; const r = new Resolver({ timeout: 3000, tries: 2 });
    r.setServers([${JSON.stringify(rack.server.address)}]); const what = ${JSON.stringify(what)};
    (/^[\\d.]+$/.test(what) ? r.reverse(what) : r.resolve4(what)).then(([one]) => console.log(one), (e) => {
      if (!["ENOTFOUND", "EREFUSED", "ENODATA"].includes(e.code)) throw e; });`;
  const out = await must([process.execPath, "-e", code], { ns: rack.server.ns });
  return out.trim() === "" ? undefined : out.trim();
}
