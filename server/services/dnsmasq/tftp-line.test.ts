import { expect, test } from "vitest";
import { parseTftpLine } from "./tftp-line.ts";

test("a file that was sent, and no other line", () => {
  const line = "dnsmasq-tftp[77]: sent /var/lib/hps dnsmasq/tftp/ipxe.efi to 10.77.0.103";
  expect(parseTftpLine(line)).toEqual({ file: "ipxe.efi", address: "10.77.0.103" });
  for (const other of [
    "dnsmasq-tftp[77]: error 8 User aborted the transfer received from 10.77.0.103",
    "dnsmasq-tftp[77]: file /x/sent /x/ipxe.efi to 10.77.0.103 not found for 10.77.0.9",
    "dnsmasq-tftp[77]: sent /x/ipxe.efi to 10.77.0.999",
    `x ${line}`,
    `${line} `,
  ]) {
    expect(parseTftpLine(other)).toBeUndefined();
  }
});
