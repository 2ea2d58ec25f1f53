/** `compare-here ONE OTHER`: in one line of JSON, how the second tree differs from the first; what mkfs makes is passed over. */
import { differences } from "../../installer-agent/testing/unpack-rig.ts";

const [one = "", other = ""] = process.argv.slice(2);
const found = differences(one, other).filter((line) => !/^"(boot\/)?lost\+found" is not expected/.test(line));
console.log(JSON.stringify(found.slice(0, 20)));
