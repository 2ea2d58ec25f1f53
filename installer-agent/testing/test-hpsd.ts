import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ID, sharedParty, type TestChain } from "../../certs/test-chain.ts";
import { readAgentConfig } from "../../proto/config/agent-config.ts";
import type { Claim } from "../../proto/config/claim.ts";
import { newClaimToken } from "../../proto/values/claim-token.ts";
import { parseDomainName } from "../../proto/values/domain-name.ts";
import { parseEndpoint } from "../../proto/values/endpoint.ts";
import { parseFacts } from "../../proto/values/facts.ts";
import { parseHttpsUrl } from "../../proto/values/https-url.ts";
import { parseTime } from "../../proto/values/time.ts";
import { parseUuid } from "../../proto/values/uuid.ts";
import { createLog } from "../log.ts";
import { AttachDoor, HOST_ID } from "./attach-door.ts";
import { EstDoor } from "./est-door.ts";

export const FACTS = parseFacts({ macs: ["52:54:00:12:34:56"], serial: "S1" });

/** As much of hpsd as an agent sees, an agent's folder, and what its log says. */
export interface TestHpsd {
  readonly chain: TestChain;
  readonly est: EstDoor;
  readonly attach: AttachDoor;
  readonly claim: Claim;
  readonly folder: string;
  readonly agent: ReturnType<typeof agentOptions>;
  readonly stop: () => Promise<void>;
}

export async function startTestHpsd(): Promise<TestHpsd> {
  const { chain } = await sharedParty();
  const est = new EstDoor(chain);
  const attach = new AttachDoor(chain);
  const [https, grpc] = await Promise.all([est.listen(), attach.listen()]);
  const folder = await mkdtemp(join(tmpdir(), "hps-agent-"));
  const claim: Claim = {
    token: newClaimToken(),
    installation: parseUuid(ID),
    host: parseUuid(HOST_ID),
    grpc: parseEndpoint(`localhost:${grpc}`),
    https: parseHttpsUrl(`https://localhost:${https}`),
    trustDomain: parseDomainName("example.org"),
    rootCertificate: chain.root.certificate.toString(),
    serverTime: parseTime(new Date().toISOString()),
  };
  const stop = async () => {
    await Promise.all([est.close(), attach.close()]);
    await rm(folder, { recursive: true });
  };
  return { chain, est, attach, claim, folder, agent: agentOptions(folder), stop };
}

function agentOptions(folder: string) {
  const lines: string[] = [];
  const config = readAgentConfig({
    text: "",
    file: "test",
    sets: [`state=${join(folder, "state")}`, "backoff.min=10ms", "backoff.max=100ms"],
  });
  const log = createLog("debug", (line) => lines.push(line));
  return { config, facts: FACTS, log, lines, version: "0.1.0" };
}
