/** A server of the echo service and a client beside it, over real TLS on the loopback. */

import { EchoService } from "../../gen/rpc/testing/echo_pb.ts";
import { HpsError } from "../../values/hps-error.ts";
import type { Incident } from "../call-gate.ts";
import { type Channel, type ChannelOptions, openChannel } from "../channel.ts";
import type { Handlers, IncomingCall } from "../handlers.ts";
import { type Client, client } from "../rpc-client.ts";
import { type CallObservation, RpcServer, type RpcServerOptions } from "../rpc-server.ts";
import { type Authority, type Leaf, sharedParty } from "./certificates.ts";

export type EchoHandlers = Handlers<typeof EchoService, string>;

export interface Rig {
  readonly root: Authority;
  readonly serverLeaf: Leaf;
  readonly clientLeaf: Leaf;
  readonly server: RpcServer<string>;
  readonly port: number;
  readonly channel: Channel;
  readonly echo: Client<typeof EchoService>;
  readonly incidents: Incident[];
  readonly observations: CallObservation[];
  /** Another channel, closed with the rig. */
  readonly open: (changes?: Partial<ChannelOptions>) => Channel;
  readonly stop: () => Promise<void>;
}

/** Lets in whoever presents a certificate; its principal is the address. */
async function authorizeAny(call: IncomingCall): Promise<string> {
  if (call.peer.certificateChain.length === 0) {
    throw new HpsError("unauthenticated", "no client certificate");
  }
  return call.peer.address;
}

/** Handlers that answer what they were asked; a test replaces the ones it is about. */
export const ECHO: EchoHandlers = {
  unary: async ({ text, count, data }) => ({ text, count, data }),
  download: async function* (request) {
    for (let count = 0; count < request.count; count += 1) {
      yield { text: request.text, count, data: request.data };
    }
  },
  upload: async (requests) => {
    let count = 0;
    for await (const request of requests) {
      count += request.count;
    }
    return { count };
  },
  chat: async function* (requests) {
    for await (const { text, count, data } of requests) {
      yield { text, count, data };
    }
  },
};

export async function startRig(
  handlers: Partial<EchoHandlers> = {},
  options: Partial<RpcServerOptions<string>> = {},
): Promise<Rig> {
  const { root, server: serverLeaf, client: clientLeaf } = await sharedParty();
  const incidents: Incident[] = [];
  const observations: CallObservation[] = [];
  const server = new RpcServer<string>({
    authorize: authorizeAny,
    onError: (incident) => incidents.push(incident),
    onCall: (observation) => observations.push(observation),
    ...options,
  });
  server.add(EchoService, { ...ECHO, ...handlers });
  const certificate = { key: serverLeaf.key, chain: serverLeaf.cert };
  const port = await server.listen({ host: "127.0.0.1", port: 0, certificate });
  const channels: Channel[] = [];
  const open = (changes: Partial<ChannelOptions> = {}) => {
    const tls = { ca: root.pem, key: clientLeaf.key, cert: clientLeaf.cert };
    const channel = openChannel({ address: `localhost:${port}`, version: "0.1.0", tls, ...changes });
    channels.push(channel);
    return channel;
  };
  const stop = async () => {
    for (const channel of channels) {
      channel.close();
    }
    await server.stop(1000);
  };
  const channel = open();
  const echo = client(EchoService, channel);
  return { root, serverLeaf, clientLeaf, server, port, channel, echo, incidents, observations, open, stop };
}
