import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readRequest } from "../../certs/csr.ts";
import type { PeerIdentity } from "../../certs/identity.ts";
import { issue } from "../../certs/issue.ts";
import { publicKeyDigest } from "../../certs/key.ts";
import { DAY, ID, makeChain, PEERS, type TestChain } from "../../certs/test-chain.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseImageRef } from "../../proto/values/image-ref.ts";
import { parseUuid } from "../../proto/values/uuid.ts";
import { loadIdentity } from "../link/identity.ts";
import { openStateFolder } from "../link/state-folder.ts";
import { CONTACT } from "../testing/orders.ts";
import { makeHostIdentity } from "./host-identity.ts";

const installation = parseUuid("01890a5d-ac96-774b-bcce-b302099a8057");

let chain: TestChain;
let state: string;
let keys: string[];
beforeEach(async () => {
  chain = await makeChain();
  state = await mkdtemp(join(tmpdir(), "hps-identity-"));
  keys = [];
});
afterEach(() => rm(state, { recursive: true }));

/** Makes an identity with certificates of `identity`. */
function make(identity: PeerIdentity = PEERS.host): Promise<void> {
  const sign = async (request: Uint8Array) => {
    const publicKey = readRequest(Buffer.from(request));
    keys.push(publicKeyDigest(publicKey));
    const leaf = await issue(chain.intermediate, { identity, publicKey, now: chain.now, lifetime: DAY });
    return `${leaf}${chain.intermediate.certificate}`;
  };
  return makeHostIdentity({
    folder: join(state, "identity"),
    contact: { ...CONTACT, rootCertificate: chain.root.certificate.toString(), claimDigest: "of the installer" },
    ...{ hostId: ID, installation, image: parseImageRef("debian:12"), issue: sign },
  });
}

test("the folder is the identity that mode host finds, and nobody else's to read", async () => {
  await make();
  const folder = await openStateFolder(join(state, "identity"));
  const identity = await loadIdentity(folder);
  expect(identity?.peer).toEqual(PEERS.host);
  expect(identity?.contact.claimDigest).toBeUndefined();
  expect(await readFile(folder.image, "utf8")).toBe("debian:12\n");
  expect(await readFile(folder.installation, "utf8")).toBe(`${installation}\n`);
  expect((await stat(join(state, "identity"))).mode & 0o777).toBe(0o700);
  expect((await stat(folder.key)).mode & 0o777).toBe(0o600);
});

test("done again it is another key; interrupted it is no identity", async () => {
  await make();
  await make();
  expect(new Set(keys).size).toBe(2);
  const folder = await openStateFolder(join(state, "identity"));
  expect(await loadIdentity(folder)).toBeDefined();
  await expect(make(PEERS.installer)).rejects.toThrow(HpsError);
  expect(await loadIdentity(folder)).toBeUndefined();
});
