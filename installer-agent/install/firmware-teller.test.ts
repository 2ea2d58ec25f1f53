import { expect, test } from "vitest";
import { firmwareTeller } from "./firmware-teller.ts";

test("firmware that is missed is named when the driver has asked, and once", () => {
  const kernel: string[] = [];
  const said: string[] = [];
  const tell = firmwareTeller({ warn: (line) => said.push(line) }, () => kernel);
  tell();
  expect(said).toEqual([]);
  kernel.push("4,900,1000,-;e100 0000:00:04.0: firmware: failed to load e100/d102e_ucode.bin (-2)");
  tell();
  tell();
  expect(said).toEqual([
    "e100 0000:00:04.0 misses its firmware e100/d102e_ucode.bin; if it is needed here: hpsctl installer-image build --firmware firmware-misc-nonfree",
  ]);
  kernel.push("4,901,1001,-;r8169 0000:00:05.0: firmware: failed to load rtl_nic/rtl8168h-2.fw (-2)");
  tell();
  expect(said).toHaveLength(2);
});
