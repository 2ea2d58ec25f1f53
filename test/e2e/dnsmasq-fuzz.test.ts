import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { dnsmasqText } from "../../server/services/dnsmasq/dnsmasq-text.ts";
import { createRack } from "../lab/rack.ts";
import { must } from "../lab/run.ts";

const NASTY = fc.constantFrom(..."ab 9,,\"\"\\\\##''=;:.$`{}[]()&|<>!*?~^%@/-_é漢");
const VALUES = 400;

/** Values the encoder takes, that fit the 255 bytes of one DNS text. */
function encodable(): readonly string[] {
  const value = fc.oneof(
    fc.string({ unit: NASTY, minLength: 1, maxLength: 60 }),
    fc.string({ minLength: 1, unit: "grapheme" }),
  );
  return fc.sample(value, VALUES * 2).filter((text) => {
    try {
      dnsmasqText(text);
      return Buffer.byteLength(text) <= 255;
    } catch {
      return false;
    }
  });
}

test("dnsmasq reads back exactly what went into the encoder", async () => {
  const folder = await mkdtemp(join(tmpdir(), "hps-fuzz-"));
  await using rack = await createRack();
  try {
    const values = encodable();
    expect(values.length).toBeGreaterThan(VALUES);
    const conf = join(folder, "conf");
    const base = "port=53\ninterface=lo\nbind-interfaces\nno-resolv\nno-hosts\npid-file=\nuser=root\nlog-facility=-\n";
    const records = values.map((value, index) => `txt-record=v${index}.test,${dnsmasqText(value)}\n`);
    await writeFile(conf, base + records.join(""));
    await must(["dnsmasq", "--test", `--conf-file=${conf}`]);
    await rack.start({ argv: ["dnsmasq", "-k", `--conf-file=${conf}`], readyLine: /started, version/ });
    const ask = `const { Resolver } = require("node:dns").promises; const r = new Resolver(); r.setServers(["127.0.0.1"]);
      (async () => { const all = []; for (let i = 0; i < ${values.length}; i++) all.push((await r.resolveTxt("v" + i + ".test"))[0].join(""));
      console.log(JSON.stringify(all)); })();`;
    const answers: unknown = JSON.parse(await must([process.execPath, "-e", ask], { ns: rack.server.ns }));
    // Node gives the bytes of a text record as Latin-1.
    expect(answers).toEqual(values.map((value) => Buffer.from(value).toString("latin1")));
  } finally {
    await rm(folder, { recursive: true });
  }
});
