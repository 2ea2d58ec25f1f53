import fc from "fast-check";
import { expect, test } from "vitest";
import { ANY_CHARACTER } from "../../proto/values/testing/any-character.ts";
import {
  askUrl,
  firstContactScript,
  firstContactUrl,
  installScript,
  localDiskScript,
  refusalScript,
  waitScript,
} from "./ipxe-script.ts";
import { ipxeText, ipxeWord } from "./ipxe-text.ts";

const BOOT = "http://10.77.0.1:7080";
const NASTY = fc.constantFrom(...`ab 1$\{}&&||;#!\n\r\t\0\\"'\`\u001b\u0085\u2028é%`);
const hostile = fc.oneof(
  fc.string({ unit: ANY_CHARACTER }),
  fc.string({ unit: NASTY }),
  fc.constant(`\${net0/mac}\n#!ipxe\nshell`),
);

/** The script without what iPXE fills in itself: what is left must hold nothing that iPXE could take for more than text. */
const OWN = /\$\{(netX\/mac|netX\/ip|uuid|platform|buildarch|(manufacturer|product|serial|asset):uristring)\}/g;

test("shown text holds nothing but harmless characters, and something", () => {
  fc.assert(
    fc.property(hostile, (value) => {
      expect(ipxeText(value)).toMatch(/^[A-Za-z0-9 ._:/@,+=()?-]{1,200}$/);
    }),
    { numRuns: 2000 },
  );
  expect(ipxeText("web01.example.test (rack 3)")).toBe("web01.example.test (rack 3)");
});

test("a word arrives as it is or not at all", () => {
  fc.assert(
    fc.property(hostile, (value) => {
      if (/^[A-Za-z0-9._:/@,+=?%-]+$/.test(value)) expect(ipxeWord(value)).toBe(value);
      else expect(() => ipxeWord(value)).toThrow("iPXE cannot be told");
    }),
  );
});

test("no value adds a line, a command or a setting to any script", () => {
  const build = (value: string) => [
    refusalScript({ reason: value, incident: value }),
    waitScript({ bootUrl: BOOT, reason: value, waitSeconds: 5 }),
    localDiskScript({ grubUrl: `${BOOT}/grub`, hostName: value }),
    installScript({ ...install, hostName: value, installation: value }),
  ];
  const shape = (text: string) => text.split("\n").map((line) => line.split(" ")[0]);
  const plain = build("x").map(shape);
  fc.assert(
    fc.property(hostile, (value) => {
      const scripts = build(value);
      expect(scripts.map(shape)).toEqual(plain);
      for (const script of scripts) {
        expect(script.replaceAll(OWN, "")).not.toMatch(/\$\{|;|[^\n\x20-\x7e]/);
        expect(script.split(/&&|\|\|/).length).toBe(build("x")[scripts.indexOf(script)]?.split(/&&|\|\|/).length);
        expect(script.split("#!").length).toBe(2);
      }
    }),
    { numRuns: 500 },
  );
});

const install = {
  bootUrl: BOOT,
  hostName: "web01",
  installation: "0190-7",
  kernelUrl: `${BOOT}/boot/v1/file/kernel`,
  archives: [{ name: "initrd.img", url: `${BOOT}/boot/v1/file/initrd` }],
  claimUrl: `${BOOT}/boot/v1/claim/0190-7`,
  kernelArguments: ["console=ttyS0", "quiet"],
};

test("the installer, with its claim as second archive", () => {
  expect(installScript(install)).toMatchInlineSnapshot(`
    "#!ipxe
    echo HPS: installing web01, installation 0190-7
    imgfree
    kernel http://10.77.0.1:7080/boot/v1/file/kernel initrd=initrd.img initrd=claim.img console=ttyS0 quiet || goto failed
    initrd --name initrd.img http://10.77.0.1:7080/boot/v1/file/initrd || goto failed
    initrd --name claim.img http://10.77.0.1:7080/boot/v1/claim/0190-7 || goto failed
    boot || goto failed
    :failed
    echo HPS: the installer could not be fetched, asking again
    imgfree
    :again
    sleep 10
    ifconf --configurator dhcp netX || ifconf --configurator dhcp || goto again
    chain --replace --autofree http://10.77.0.1:7080/boot/v1/ipxe?mac=\${netX/mac} || goto again
    "
  `);
  expect(() => installScript({ ...install, kernelArguments: ["a b"] })).toThrow();
  expect(() => installScript({ ...install, claimUrl: `http://x/\${uuid}` })).toThrow();
});

test("the disk, first contact, waiting and refusal", () => {
  expect(localDiskScript({ grubUrl: `${BOOT}/boot/v1/grub/1`, hostName: "web01" })).toMatchInlineSnapshot(`
    "#!ipxe
    echo HPS: web01 boots its disk
    iseq \${platform} efi && goto efi ||
    exit 1
    :efi
    chain --autofree http://10.77.0.1:7080/boot/v1/grub/1 ||
    echo HPS: the disk was not booted from here, the firmware tries what is next in its boot order
    sleep 5
    exit 1
    "
  `);
  expect(firstContactScript({ bootUrl: BOOT, waitSeconds: 10 })).toMatchInlineSnapshot(`
    "#!ipxe
    echo
    echo HPS does not know this machine. To let it in, an operator adds a host with this address:
    echo MAC \${netX/mac} IP \${netX/ip}
    echo It asks again until then.
    :again
    sleep 10
    ifconf --configurator dhcp netX || ifconf --configurator dhcp || goto again
    chain --replace --autofree http://10.77.0.1:7080/boot/v1/first-contact?mac=\${netX/mac}&manufacturer=\${manufacturer:uristring}&product=\${product:uristring}&serial=\${serial:uristring}&asset=\${asset:uristring}&uuid=\${uuid}&platform=\${platform}&buildarch=\${buildarch} || goto again
    "
  `);
  expect(
    waitScript({ bootUrl: BOOT, reason: "the agent of web01 is still there", waitSeconds: 10 }),
  ).toMatchInlineSnapshot(`
    "#!ipxe
    echo HPS: the agent of web01 is still there. Asking again.
    :again
    sleep 10
    ifconf --configurator dhcp netX || ifconf --configurator dhcp || goto again
    chain --replace --autofree http://10.77.0.1:7080/boot/v1/ipxe?mac=\${netX/mac} || goto again
    "
  `);
  expect(refusalScript({ reason: "unknown machine", incident: "0190-8" })).toMatchInlineSnapshot(`
    "#!ipxe
    echo
    echo HPS refused this machine: unknown machine
    echo Incident 0190-8
    sleep 30
    exit 1
    "
  `);
});

test("the URL that DHCP names fits its field", () => {
  expect(askUrl("http://255.255.255.255:65535").length).toBeLessThan(128);
  expect(firstContactUrl(BOOT)).toContain("/boot/v1/first-contact?mac=");
});
