import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { ConfigurationSchema, ImageFormat, NetworkMode } from "../../proto/gen/hps/v1/agent_pb.ts";
import { parseInstallOrder } from "./install-order.ts";

type Sent = Exclude<MessageInitShape<typeof ConfigurationSchema>, { readonly $typeName: string }>;

const digest = "0123456789abcdef".repeat(4);
const imageSource = {
  ...{ file: { digest, sizeBytes: 300n }, format: ImageFormat.TAR_XZ, contentBytes: 1000n, entries: 10n },
  lacks: ["initrd"],
};
const sent: Sent = {
  ...{ image: "debian:12", installation: "01890a5d-ac96-774b-bcce-b302099a8057", imageSource },
  wipeDiskSerials: ["S 1"],
  storage: { disk: "size>=10GiB,smallest", rootSizeBytes: 2n ** 33n, wipe: true },
  network: { mode: NetworkMode.STATIC, mac: "525400000001", addresses: ["10.0.0.5/24"], gateway: "10.0.0.1" },
};
const order = (changes: Sent = {}) => parseInstallOrder(create(ConfigurationSchema, { ...sent, ...changes }));

test("all that hpsd says becomes values", () => {
  expect(order()).toEqual({
    installation: sent.installation,
    image: {
      ...{ name: "debian:12", file: { digest, sizeBytes: 300 }, format: "tar.xz", contentBytes: 1000, entries: 10 },
      ...{ lacks: ["initrd"], proof: { signatures: [], keySets: [] } },
    },
    storage: {
      ...{ disk: { atLeast: 10 * 2 ** 30, pick: "smallest" }, rootBytes: 2 ** 33, wipe: true, wipeSerials: ["S 1"] },
    },
    network: {
      ...{ mode: "static", mac: "52:54:00:00:00:01", addresses: [{ address: "10.0.0.5", prefix: 24 }] },
      ...{ gateway: "10.0.0.1", nameServers: [] },
    },
  });
  expect(order({ storage: undefined, network: undefined })).toMatchObject({
    storage: { disk: {}, rootBytes: undefined, wipe: false },
    network: { mode: "dhcp", mac: undefined },
  });
});

test("nothing is to be installed in a rescue, or without an image", () => {
  expect(order({ rescue: true })).toBeUndefined();
  expect(order({ image: "" })).toBeUndefined();
});

test("what is missing, unknown or out of range is refused by name", () => {
  const wrong: readonly [Sent, RegExp][] = [
    [{ imageSource: undefined }, /names the image debian:12 but not where it is/],
    [{ imageSource: { ...imageSource, format: ImageFormat.UNSPECIFIED } }, /does not know the format/],
    [{ imageSource: { ...imageSource, file: { digest: `../${digest}`, sizeBytes: 1n } } }, /not a digest/],
    [{ imageSource: { ...imageSource, file: { digest, sizeBytes: -1n } } }, /the length of the image debian:12 is out/],
    [{ installation: "" }, /not a UUID/],
    [{ storage: { disk: "sda" } }, /not a disk rule/],
    [{ network: { mode: NetworkMode.STATIC } }, /has no address/],
    [{ network: { mode: NetworkMode.STATIC, addresses: ["10.0.0.5"] } }, /prefix length/],
  ];
  for (const [changes, message] of wrong) expect(() => order(changes), String(message)).toThrow(message);
});
