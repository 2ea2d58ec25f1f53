import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { type AttachRequestSchema, CommandSchema } from "../../proto/gen/hps/v1/agent_pb.ts";
import { hello, type RequestInit } from "../core/operations/testing-agent.ts";
import { enrolled, startOperationsRig } from "./testing/operations-rig.ts";

type Request = MessageInitShape<typeof AttachRequestSchema>;

test("a command goes down and its result comes back; stop tells the agent", async () => {
  await using rig = await startOperationsRig();
  const of = await enrolled(rig);
  const results: RequestInit[] = [];
  let wake = Promise.withResolvers<void>();
  const requests = (async function* (): AsyncGenerator<Request, void, void> {
    yield { message: hello() };
    for (;;) {
      await wake.promise;
      wake = Promise.withResolvers<void>();
      for (const message of results.splice(0)) yield { message };
    }
  })();
  const stream = rig.agents().attach(requests, rig.installer(of))[Symbol.asyncIterator]();
  expect((await stream.next()).value?.message.case).toBe("welcome");
  const sent = rig.core.presence.send(of.hostId, { case: "renew", value: {} });
  const { message } = (await stream.next()).value ?? {};
  const command = message?.case === "command" ? message.value : create(CommandSchema);
  expect(command.command.case).toBe("renew");
  results.push({ case: "result", value: { commandId: command.id } });
  wake.resolve();
  await sent;
  const stopped = rig.server.stop(5_000);
  await expect(stream.next()).rejects.toMatchObject({ code: "unavailable" });
  await stopped;
});

test("an installer gets its host's configuration and certificate, and no other's", async () => {
  await using rig = await startOperationsRig();
  const [own, other] = [await enrolled(rig, "debian/web:12"), await enrolled(rig)];
  const agent = rig.agents();
  const as = rig.installer(own);
  expect(await agent.getConfiguration({ hostId: own.hostId }, as)).toMatchObject({
    ...{ cluster: "lab", image: "debian/web:12", wipeDiskSerials: ["S1"], installation: own.installationId },
    ...{ imageSource: { file: { digest: "a".repeat(64), sizeBytes: 1000n }, format: 1, entries: 7n } },
    ...{ tools: { digest: "b".repeat(64), sizeBytes: 24n }, network: { mode: 1 }, storage: { wipe: false } },
  });
  const { store, clusterId } = rig.core;
  const image_mirrors_json = JSON.stringify(["https://cache.example.org/hps"]);
  await store.write(async (tx) => {
    await tx.updateTable("cluster").set({ image_mirrors_json }).where("id", "=", clusterId).execute();
    await tx.updateTable("image").set({ format: "packs" }).execute();
  });
  const { imageSource } = await agent.getConfiguration({ hostId: own.hostId }, as);
  expect(imageSource?.baseUrls).toEqual(["https://cache.example.org/hps"]);
  await expect(agent.getConfiguration({ hostId: other.hostId }, as)).rejects.toMatchObject({ code: "not-found" });
  const certificateRequest = new Uint8Array(3);
  const { certificateChain } = await agent.issueHostCertificate(
    { installation: own.installationId, certificateRequest },
    as,
  );
  expect(certificateChain).toBe(`${own.hostId} 3`);
  const foreign = agent.issueHostCertificate({ installation: other.installationId, certificateRequest }, as);
  await expect(foreign).rejects.toMatchObject({ code: "not-found" });
});
