// The browser's cryptography against the vectors that the Rust tests read too.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as own from "../modules/crypto.js";
import { zerosAfter } from "../modules/sha256.js";

const vectors = JSON.parse(readFileSync(new URL("./vectors.json", import.meta.url)));
const hex = (bytes) => Buffer.from(bytes).toString("hex");

for (const vector of [...vectors.signIn, ...vectors.panic]) {
  test(`${vector.username} proves the password as published for ${vector.purpose ?? "signing in"}`, async () => {
    const said = await crypto.subtle.digest("SHA-256", own.transcript(vector));
    assert.equal(hex(said), vector.transcriptHash);
    const { proof, serverSignature } = await own.prove(vector.password, vector);
    assert.deepEqual({ proof, serverSignature }, { proof: vector.proof, serverSignature: vector.serverSignature });
    const kept = await own.credentials(vector.password, vector.iterations, own.unbase64(vector.salt));
    assert.equal(kept.authVerifier, vector.verifier);
  });
}

test("counts of iterations that no honest site asks for are refused", async () => {
  for (const iterations of [1, 99_999, 10_000_001, 600_000.5]) {
    await assert.rejects(own.derive("x", new Uint8Array(32), iterations));
  }
});

test("the proof of work is counted as published", () => {
  const { challenge, bits, nonce } = vectors.work;
  const zeros = zerosAfter(`${challenge}:`);
  assert.equal(zeros(nonce), bits);
  assert.ok(zeros("3225652") < bits);
});

test("the hash counts as the browser's own for ends of every length", async () => {
  const zeros = zerosAfter(`${"ab".repeat(32)}:`);
  for (const end of ["", "0", "12345678901234567890", "99999"]) {
    const whole = new TextEncoder().encode(`${"ab".repeat(32)}:${end}`);
    const bits = [...new Uint8Array(await crypto.subtle.digest("SHA-256", whole))].map((byte) => byte.toString(2).padStart(8, "0")).join("");
    assert.equal(zeros(end), bits.indexOf("1"));
  }
});
