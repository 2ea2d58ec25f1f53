import { checked } from "../../proto/tree/native/call-error.ts";
import { cFunction } from "../../proto/tree/native/library.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { InterfaceName } from "../../proto/values/interface-name.ts";

const socket = cFunction("int socket(int domain, int type, int protocol)");
const setsockopt = cFunction("int setsockopt(int fd, int level, int name, uint8_t *value, uint32_t size)");
const sendto = cFunction(
  "int64_t sendto(int fd, uint8_t *data, uint64_t size, int flags, uint8_t *to, uint32_t length)",
);
const closeFd = cFunction("int close(int fd)");
const indexOf = cFunction("uint32_t if_nametoindex(uint8_t *name)");

const [AF_INET6, SOCK_RAW, SOCK_CLOEXEC, MSG_DONTWAIT] = [10, 3, 0x80000, 0x40];
const [IPPROTO_IPV6, IPPROTO_ICMPV6] = [41, 58];
const [IPV6_MULTICAST_IF, IPV6_MULTICAST_HOPS, IPV6_MULTICAST_LOOP, ICMPV6_FILTER] = [17, 18, 19, 1];
/** All nodes of the link. */
const ALL_NODES = Buffer.from("ff020000000000000000000000000001", "hex");

/**
 * A router advertisement (RFC 4861, 4.2) that advertises nothing: lifetime 0 (no default router), no prefix, no other flags, no timers.
 * Hosts change nothing by it. The kernel fills in the checksum.
 */
const NO_ROUTER = Buffer.from([134, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

/** At most so often, whoever asks. */
const PAUSE_MS = 500;

export interface NoRouter {
  /** Sends one, now or with the next that is due. Never throws: it only saves time. */
  tell(): void;
  close(): void;
}

/**
 * iPXE configures IPv4 and IPv6 at once and goes on when both are done: on a link without an IPv6 router it waits for one for 16
 * seconds at each boot. Telling it that there is none ends the wait. Throws where that cannot be said: no IPv6, not root.
 */
export function openNoRouter(link: InterfaceName, onError: (error: unknown) => void): NoRouter {
  const index = indexOf(Buffer.from(`${link}\0`));
  if (index === 0) throw new HpsError("precondition", `there is no interface ${link}`);
  const fd = checked("socket", socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6));
  try {
    prepare(fd, index);
  } catch (error) {
    closeFd(fd);
    throw error;
  }
  const to = allNodesOn(index);
  const send = () => {
    try {
      checked("sendto", Number(sendto(fd, NO_ROUTER, NO_ROUTER.length, MSG_DONTWAIT, to, to.length)));
    } catch (error) {
      onError(error);
    }
  };
  let timer: NodeJS.Timeout | undefined;
  let last = Number.NEGATIVE_INFINITY;
  const due = () => {
    timer = undefined;
    last = performance.now();
    send();
  };
  return {
    tell: () => {
      timer ??= setTimeout(due, Math.max(0, last + PAUSE_MS - performance.now()));
    },
    close: () => {
      clearTimeout(timer);
      closeFd(fd);
    },
  };
}

/** 255 hops, as receivers demand; nothing comes back to us, for nobody reads it. */
function prepare(fd: number, index: number): void {
  const set = (level: number, name: number, value: Buffer) =>
    checked("setsockopt", setsockopt(fd, level, name, value, value.length));
  set(IPPROTO_IPV6, IPV6_MULTICAST_HOPS, number(255));
  set(IPPROTO_IPV6, IPV6_MULTICAST_IF, number(index));
  set(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, number(0));
  set(IPPROTO_ICMPV6, ICMPV6_FILTER, Buffer.alloc(32, 0xff));
}

/** A C int of this machine: Node runs HPS on little endian ones alone. */
function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

/** struct sockaddr_in6. */
function allNodesOn(index: number): Buffer {
  const family = Buffer.alloc(2);
  family.writeUInt16LE(AF_INET6);
  return Buffer.concat([family, Buffer.alloc(6), ALL_NODES, number(index)]);
}
