// Solves a proof of work in workers and tells how far it is. The work is a matter of luck, so the
// share is of what is expected, and never says that it is done before it is.
import { scriptURL } from "./trusted.js";

/** Solves a challenge; `told` gets a share from 0 to 99. */
export function solve({ challenge, difficultyBits }, told) {
  const count = Math.min(Math.max(navigator.hardwareConcurrency || 1, 1), 4);
  const expected = 2 ** difficultyBits;
  let tried = 0;
  return new Promise((resolve, reject) => {
    const workers = [];
    const stop = () => workers.forEach((worker) => worker.terminate());
    for (let first = 0; first < count; first += 1) {
      const worker = new Worker(scriptURL(new URL("./pow-worker.js", import.meta.url)), { type: "module" });
      worker.addEventListener("message", ({ data }) => {
        if (data.nonce !== undefined) {
          stop();
          resolve(data.nonce);
        } else {
          tried += data.tried;
          told(Math.min(99, Math.floor(100 * (1 - Math.exp(-tried / expected)))));
        }
      });
      worker.addEventListener("error", () => {
        stop();
        reject(new Error("Your browser couldn't do the proof of work. Reload the page and try again."));
      });
      worker.postMessage({ challenge, bits: difficultyBits, first, step: count });
      workers.push(worker);
    }
  });
}
