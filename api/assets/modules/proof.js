// Proves a password in answer to a fresh challenge; the password itself goes nowhere.
import { ask } from "./ask.js";
import * as own from "./crypto.js";

/** Gives what answers a challenge, and the signature by which the site must prove itself. */
export async function answer(purpose, username, password, told) {
  if (!own.available()) throw new Error("Your browser proves passwords over https alone. Open this site by https.");
  told.step("Asking for a challenge …");
  const asked = await ask(`/api/auth/challenge?${new URLSearchParams({ username, purpose })}`);
  if (asked.scheme !== "v2") throw new Error("The site asked for an unknown way to prove a password.");
  told.step("Proving that you know the password …");
  const exchange = { ...asked, purpose, origin: location.origin, username, clientNonce: own.base64(own.random(24)) };
  const { proof, serverSignature } = await own.prove(password, exchange);
  return { sent: { challenge: asked.challenge, proof, clientNonce: exchange.clientNonce }, serverSignature };
}
