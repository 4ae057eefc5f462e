// Tries nonces in a worker, every `step`-th from `first`, and says how many it has tried.
import { zerosAfter } from "./sha256.js";

addEventListener("message", ({ data: { challenge, bits, first, step } }) => {
  const zeros = zerosAfter(`${challenge}:`);
  for (let nonce = first, tried = 0; ; nonce += step) {
    if (zeros(String(nonce)) >= bits) return postMessage({ nonce: String(nonce) });
    tried += 1;
    if (tried % 20_000 === 0) postMessage({ tried: 20_000 });
  }
});
