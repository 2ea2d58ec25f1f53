import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { partitionId } from "../../proto/values/layout-ids.ts";
import { parseUuid } from "../../proto/values/uuid.ts";
import { encodeLoadOption } from "../plan/efi-load-option.ts";
import { setBootEntry } from "./boot-entry.ts";

const GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
const installation = parseUuid("01890a5d-ac96-774b-bcce-b302099a8057");
const attributes = Buffer.from([7, 0, 0, 0]);

let variables: string;
beforeEach(async () => {
  variables = await mkdtemp(join(tmpdir(), "hps-efivars-"));
});
afterEach(() => rm(variables, { recursive: true }));

async function set(folder = variables): Promise<string[]> {
  const lines: string[] = [];
  const place = { number: 1, startBytes: 1_048_576, bytes: 536_870_912 };
  const signal = new AbortController().signal;
  const log = (line: string) => void lines.push(line);
  await setBootEntry({ installation, place, sectorBytes: 4096, signal, log, variables: folder });
  return lines;
}

test("the entry names the ESP in the disk's own sectors, and the order grows by it; the second time nothing is written", async () => {
  await writeFile(join(variables, `BootOrder-${GLOBAL}`), Buffer.concat([attributes, Buffer.from([2, 0])]));
  await writeFile(join(variables, `Boot0002-${GLOBAL}`), Buffer.concat([attributes, Buffer.from("firmware's own")]));
  expect(await set()).toEqual(["the firmware's boot entry HPS is set", "its boot order is now 0002, 0000"]);
  const esp = { number: 1, start: 256, sectors: 131_072, id: partitionId(installation, "esp") };
  const value = encodeLoadOption("HPS", esp, "\\EFI\\hps\\grubx64.efi");
  expect(await readFile(join(variables, `Boot0000-${GLOBAL}`))).toEqual(Buffer.concat([attributes, value]));
  const order = await readFile(join(variables, `BootOrder-${GLOBAL}`));
  expect(order.toString("hex")).toBe("07000000" + "0200" + "0000");
  expect(await set()).toEqual(["the firmware has the boot entry HPS already"]);
  expect(await readdir(variables)).toHaveLength(3);
});

test("a firmware that takes no entry is no failure: it is said", async () => {
  const [line, more] = await set(join(variables, "missing"));
  expect(line).toContain("mount -t efivarfs efivarfs");
  expect([line, more].join()).toContain("$ mount");
  expect((await set(join(variables, "missing"))).at(-1)).toContain("it has to find the disk by itself");
});
