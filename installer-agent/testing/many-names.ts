import { ByteWriter } from "../../proto/image/byte-writer.ts";

/** A manifest of fifos below a root, eleven bytes each: little takes more memory for its length, and it is quickly made. */
export function manyNames(count: number): Buffer {
  const writer = new ByteWriter();
  writer.rawText("HPSIMG\0");
  for (const number of [1, 0, count + 1]) writer.number(number);
  const entry = (type: number, shared: number, rest: string) => {
    for (const number of [type, shared, rest.length]) writer.number(number);
    writer.rawText(rest);
    for (const number of [0o755, 0, 0, 0, 0, 0]) writer.number(number);
  };
  entry(2, 0, "");
  let before = "";
  for (let at = 0; at < count; at += 1) {
    const name = String(at).padStart(8, "0");
    let shared = 0;
    while (shared < before.length && before[shared] === name[shared]) shared += 1;
    entry(7, shared, name.slice(shared));
    before = name;
  }
  return writer.done();
}
