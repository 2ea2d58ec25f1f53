/** An authority of a test, with what its hpsd would sign for a host. */
import type { KeyObject, X509Certificate } from "node:crypto";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { tlsKeyPair } from "../../../certs/credentials.ts";
import { hostDoorName } from "../../../certs/host-door.ts";
import { issue } from "../../../certs/issue.ts";
import { makeKey, publicKeyDigest } from "../../../certs/key.ts";
import { HOST_DOOR } from "../../../certs/profiles.ts";
import { signStatement } from "../../../certs/statement.ts";
import { ID, makeChain, makePeer, PEERS, type TestChain, type TestPeer } from "../../../certs/test-chain.ts";
import { DIRECT_LIST_CONTEXT } from "../../../proto/direct/list.ts";
import { DirectAccessListSchema } from "../../../proto/gen/hps/v1/direct_pb.ts";
import type { SignedList } from "../signed-list.ts";

const HOUR = 3_600_000;

type ListInit = MessageInitShape<typeof DirectAccessListSchema>;

export interface ListRig {
  readonly chain: TestChain;
  readonly hostId: string;
  readonly roots: readonly X509Certificate[];
  readonly doorKey: KeyObject;
  readonly operator: TestPeer;
  /** With these fields instead of good ones; `by` signs instead of hpsd. */
  readonly sign: (more?: ListInit, by?: TestPeer) => Promise<SignedList>;
  /** PEM for a client: leaf, then the intermediate. */
  readonly pairOf: (peer: TestPeer) => { readonly key: string; readonly cert: string };
}

export async function openListRig(): Promise<ListRig> {
  const chain = await makeChain();
  const [operator, server] = [await makePeer(chain, PEERS.operator), await makePeer(chain, PEERS.server)];
  const doorKey = makeKey();
  const pairOf = (peer: TestPeer) => tlsKeyPair({ ...peer, intermediates: [chain.intermediate.certificate] });
  const door = await issue(chain.intermediate, {
    ...{ identity: PEERS.host, publicKey: doorKey.publicKey, now: chain.now, lifetime: HOUR, profile: HOST_DOOR },
    dnsNames: [hostDoorName("lab", "web01")],
  });
  const certificateChain = pairOf({ certificate: door, privateKey: doorKey.privateKey }).cert;
  const sign = async (more: ListInit = {}, by = server): Promise<SignedList> => {
    const list = toBinary(
      DirectAccessListSchema,
      create(DirectAccessListSchema, {
        ...{ hostId: ID, cluster: "lab", host: "web01", counter: 5n },
        ...{ issueTime: timestampFromMs(chain.now), expireTime: timestampFromMs(chain.now + HOUR) },
        operators: [{ name: "alice", keys: [keyOf(operator)] }],
        ...more,
      }),
    );
    const signature = signStatement(by.privateKey, DIRECT_LIST_CONTEXT, list);
    return { list, signature, signerChain: pairOf(by).cert, certificateChain };
  };
  const roots = [chain.root.certificate];
  return { chain, hostId: ID, roots, doorKey: doorKey.privateKey, operator, sign, pairOf };
}

/** SHA-256 of the SPKI. */
export function keyOf({ certificate }: TestPeer): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(publicKeyDigest(certificate.publicKey), "hex"));
}
