import { type Ipv4Address, parseIpv4 } from "../../../proto/values/ip-address.ts";

/** dnsmasq sent a whole file by TFTP. */
export interface SentFile {
  /** Its name, without folders. */
  readonly file: string;
  readonly address: Ipv4Address;
}

const SENT = /^dnsmasq-tftp\[\d+\]: sent (?:.*\/)?([\w.-]{1,100}) to ([\d.]{7,15})$/;

/** Only its log tells; undefined for all its other lines. It also says so of a transfer that was broken off to learn the size. */
export function parseTftpLine(line: string): SentFile | undefined {
  const [, file = "", address = ""] = SENT.exec(line) ?? [];
  try {
    return file === "" ? undefined : { file, address: parseIpv4(address) };
  } catch {
    return undefined;
  }
}
