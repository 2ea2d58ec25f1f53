/** Further operators of a real hpsd, by hpsctl as people use it. */
import path from "node:path";
import { hpsctl } from "../../client/testing/hpsctl.ts";
import type { startHpsd } from "./real-hpsd.ts";

type RealHpsd = Pick<Awaited<ReturnType<typeof startHpsd>>, "hpsctl" | "folder" | "https" | "grpc">;

/** hpsctl as the admin, which must succeed; its output. */
export async function asAdmin(hpsd: RealHpsd, ...words: readonly string[]): Promise<string> {
  const { code, out, err } = await hpsd.hpsctl(...words);
  if (code !== 0) throw new Error(`hpsctl ${words.join(" ")}: ${err}`);
  return out;
}

/** A new operator of cluster lab, logged in: the environment of its own hpsctl. */
export async function loggedIn(hpsd: RealHpsd, name: string, role: string): Promise<{ readonly HPSCONFIG: string }> {
  const environment = { HPSCONFIG: path.join(hpsd.folder, `${name}.yaml`) };
  const invitation = await asAdmin(hpsd, "operator", "invite", name, "--role", `lab=${role}`);
  const token = /--token (\S+)/.exec(invitation)?.[1] ?? "";
  const where = [`https://localhost:${hpsd.https}`, "--server", `localhost:${hpsd.grpc}`];
  const { code, err } = await hpsctl({ environment }, ["login", ...where, "--token", token]);
  if (code !== 0) throw new Error(`login of ${name}: ${err}`);
  return environment;
}
