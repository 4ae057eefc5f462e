// SHA-256 of a fixed start and a changing end, for the proof of work: the state after the start's
// whole blocks is kept, so each try costs one block.

const K = new Int32Array(64);
const START = new Int32Array(8);
{
  const primes = [];
  for (let n = 2; primes.length < 64; n += 1) if (primes.every((prime) => n % prime)) primes.push(n);
  const fraction = (x) => ((x - Math.floor(x)) * 2 ** 32) | 0;
  primes.forEach((prime, at) => {
    K[at] = fraction(Math.cbrt(prime));
    if (at < 8) START[at] = fraction(Math.sqrt(prime));
  });
}

const W = new Int32Array(64);

function compress(state, view, at) {
  for (let i = 0; i < 16; i += 1) W[i] = view.getInt32(at + 4 * i);
  for (let i = 16; i < 64; i += 1) {
    const x = W[i - 15];
    const y = W[i - 2];
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    W[i] = (W[i - 16] + s0 + W[i - 7] + s1) | 0;
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i += 1) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i] + W[i]) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g; g = f; f = e; e = (d + t1) | 0; d = c; c = b; b = a; a = (t1 + t2) | 0;
  }
  state[0] += a; state[1] += b; state[2] += c; state[3] += d;
  state[4] += e; state[5] += f; state[6] += g; state[7] += h;
}

/** Gives a function that counts the leading zero bits of SHA-256(start + end), for short ends. */
export function zerosAfter(start) {
  const bytes = new TextEncoder().encode(start);
  const whole = bytes.length - (bytes.length % 64);
  const base = START.slice();
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < whole; at += 64) compress(base, view, at);
  const rest = bytes.subarray(whole);
  const block = new Uint8Array(64);
  const blockView = new DataView(block.buffer);
  const state = new Int32Array(8);
  return (end) => {
    const length = rest.length + end.length;
    if (length > 55) throw new RangeError("the end is too long");
    block.fill(0);
    block.set(rest);
    for (let i = 0; i < end.length; i += 1) block[rest.length + i] = end.charCodeAt(i);
    block[length] = 0x80;
    blockView.setUint32(60, (whole + length) * 8);
    state.set(base);
    compress(state, blockView, 0);
    let zeros = 0;
    for (const word of state) {
      zeros += Math.clz32(word);
      if (word !== 0) break;
    }
    return zeros;
  };
}
