/** DHCP messages (RFC 2131, 2132), as bare as tests need them. */

const COOKIE = Buffer.from([0x63, 0x82, 0x53, 0x63]);
const FIXED = 236;

export interface DhcpPacket {
  readonly transaction: number;
  readonly mac: string;
  /** 1 DISCOVER, 2 OFFER, 3 REQUEST, 5 ACK, 6 NAK. */
  readonly type: number;
  readonly yourAddress: string;
  readonly options: ReadonlyMap<number, Buffer>;
}

/** A client's message that asks for a broadcast reply: it has no address yet. */
export function encodeRequest(packet: Omit<DhcpPacket, "yourAddress">): Buffer {
  const fixed = Buffer.alloc(FIXED);
  fixed.set([1, 1, 6, 0]);
  fixed.writeUInt32BE(packet.transaction, 4);
  fixed.writeUInt16BE(0x8000, 10);
  fixed.set(Buffer.from(packet.mac.replaceAll(":", ""), "hex"), 28);
  const all = new Map([[53, Buffer.from([packet.type])], ...packet.options]);
  const options = [...all].flatMap(([code, value]) => [Buffer.from([code, value.length]), value]);
  return Buffer.concat([fixed, COOKIE, ...options, Buffer.from([255])]);
}

/** A server's message; undefined for what is none. */
export function decodeReply(bytes: Buffer): DhcpPacket | undefined {
  if (bytes.length < FIXED + 4 || !bytes.subarray(FIXED, FIXED + 4).equals(COOKIE)) return undefined;
  const options = new Map<number, Buffer>();
  for (let at = FIXED + 4; at + 1 < bytes.length && bytes[at] !== 255; ) {
    if (bytes[at] === 0) {
      at += 1;
      continue;
    }
    const length = bytes[at + 1] ?? 0;
    options.set(bytes[at] ?? 0, bytes.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return {
    transaction: bytes.readUInt32BE(4),
    mac: (bytes.subarray(28, 34).toString("hex").match(/../g) ?? []).join(":"),
    type: options.get(53)?.[0] ?? 0,
    yourAddress: [...bytes.subarray(16, 20)].join("."),
    options,
  };
}
