import Database from "better-sqlite3";
import fc from "fast-check";
import { expect, test } from "vitest";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { rpmPackages } from "./rpm-packages.ts";
import { tableRows } from "./sqlite-table.ts";

interface Said {
  readonly name: string;
  readonly version?: string;
  readonly architecture?: string;
  readonly epoch?: number;
  /** Bytes of what else a header has: lists of files. */
  readonly more?: number;
}

/** A header as a database keeps it: without the magic bytes of one in a file. */
function headerOf({ name, version = "1.0", architecture = "x86_64", epoch, more = 0 }: Said): Buffer {
  const entries: [number, number, number][] = [];
  const pieces: Buffer[] = [];
  let length = 0;
  const add = (tag: number, type: number, bytes: Buffer) => {
    entries.push([tag, type, length]);
    pieces.push(bytes);
    length += bytes.length;
  };
  if (epoch !== undefined) add(1003, 4, Buffer.from([0, 0, 0, epoch]));
  for (const [tag, text] of [
    [1000, name],
    [1001, version],
    [1002, "3.fc40"],
    [1022, architecture],
  ] as const) {
    add(tag, 6, Buffer.from(`${text}\0`));
  }
  add(1027, 7, Buffer.alloc(more, 1));
  const head = Buffer.alloc(8 + entries.length * 16);
  head.writeUInt32BE(entries.length, 0);
  head.writeUInt32BE(length, 4);
  for (const [at, [tag, type, offset]] of entries.entries()) {
    for (const [word, value] of [tag, type, offset, 1].entries()) head.writeUInt32BE(value, 8 + at * 16 + word * 4);
  }
  return Buffer.concat([head, ...pieces]);
}

/** As rpm makes it. */
function databaseOf(packages: readonly Said[], pageSize = 4096): Buffer {
  const db = new Database(":memory:");
  try {
    db.pragma(`page_size = ${pageSize}`);
    db.exec("CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)");
    db.exec("CREATE TABLE 'Name' (key TEXT NOT NULL, hnum INTEGER NOT NULL, idx INTEGER NOT NULL)");
    const insert = db.prepare("INSERT INTO Packages (blob) VALUES (?)");
    db.transaction(() => {
      for (const said of packages) insert.run(headerOf(said));
    })();
    return db.serialize();
  } finally {
    db.close();
  }
}

test("names and versions, with an epoch where there is one, several of a name, and other architectures apart", () => {
  const database = databaseOf([
    { name: "bash", version: "5.2" },
    { name: "kernel-core", version: "6.9" },
    { name: "kernel-core", version: "6.10" },
    { name: "glibc", version: "2.39" },
    { name: "glibc", version: "2.39", architecture: "i686" },
    { name: "tzdata", version: "2024a", architecture: "noarch" },
    { name: "dbus", version: "1.14", epoch: 1 },
    { name: "gpg-pubkey", version: "a15b79cc", architecture: "" },
    { name: "zero", epoch: 0 },
  ]);
  expect([...rpmPackages(database)]).toEqual([
    ["bash", "5.2-3.fc40"],
    ["kernel-core", "6.10-3.fc40, 6.9-3.fc40"],
    ["glibc", "2.39-3.fc40"],
    ["glibc:i686", "2.39-3.fc40"],
    ["tzdata", "2024a-3.fc40"],
    ["dbus", "1:1.14-3.fc40"],
    ["gpg-pubkey", "a15b79cc-3.fc40"],
    ["zero", "1.0-3.fc40"],
  ]);
  expect([...rpmPackages(databaseOf([]))]).toEqual([]);
});

test.each([512, 4096, 65_536])("headers of any length, in a tree of pages of %d bytes", (pageSize) => {
  const packages = Array.from({ length: 700 }, (_, at) => ({ name: `p${at}`, more: (at * 37) % 5000 }));
  packages.push({ name: "large", more: 300_000 });
  const database = databaseOf(packages, pageSize);
  expect([...rpmPackages(database).keys()]).toEqual(packages.map(({ name }) => name));
  const rows = [...tableRows(database, "Packages")].map(([, header]) => header);
  expect(rows).toEqual(packages.map(headerOf));
  expect([...tableRows(database, "Nothing")]).toEqual([]);
});

test.each<[string, Buffer, RegExp]>([
  ["no database", Buffer.alloc(4096, 1), /does not begin as one/],
  ["nothing", Buffer.alloc(0), /does not begin as one/],
  [
    "a database that is cut",
    databaseOf([{ name: "a", more: 9000 }]).subarray(0, 8192),
    /there is no page|longer than the file/,
  ],
])("%s is refused", (_, file, message) => {
  expect(() => rpmPackages(file)).toThrow(message);
});

test("cells that lie over each other, and pages that lead to each other, end", () => {
  const database = databaseOf([{ name: "a", more: 60_000 }], 65_536);
  const [page] = [65_536];
  // All cells of the leaf are the one that is there.
  database.writeUInt16BE(30_000, page + 3);
  const place = database.readUInt16BE(page + 8);
  for (let cell = 0; cell < 30_000; cell += 1) database.writeUInt16BE(place, page + 8 + cell * 2);
  expect(() => rpmPackages(database)).toThrow(/its rows are longer than the file|a number is too large|passes/);
  const ring = databaseOf(
    Array.from({ length: 300 }, (_, at) => ({ name: `p${at}` })),
    512,
  );
  // Page 2 is the root of the first table: an interior page, all of whose children are itself now.
  expect(ring.readUInt8(512)).toBe(5);
  for (let cell = 0; cell < ring.readUInt16BE(512 + 3); cell += 1) {
    ring.writeUInt32BE(2, 512 + ring.readUInt16BE(512 + 12 + cell * 2));
  }
  expect(() => rpmPackages(ring)).toThrow(/page 2 is used twice/);
});

test("whatever is altered in a database, it is read or refused, and never anything else", () => {
  const whole = databaseOf(
    Array.from({ length: 40 }, (_, at) => ({ name: `p${at}`, more: at * 40 })),
    512,
  );
  const change = fc.record({ at: fc.nat({ max: whole.length - 1 }), byte: fc.nat({ max: 255 }) });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 20 }), fc.nat({ max: whole.length }), (changes, length) => {
      const altered = Buffer.from(length % 3 === 0 ? whole.subarray(0, length) : whole);
      for (const { at, byte } of changes) if (at < altered.length) altered[at] = byte;
      try {
        expect(rpmPackages(altered).size).toBeLessThanOrEqual(40 * 512);
      } catch (error) {
        expect(error).toBeInstanceOf(HpsError);
      }
    }),
    { numRuns: 2000 },
  );
});
