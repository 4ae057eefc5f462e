// The browser's half of the sign-in: SCRAM-SHA-256 by WebCrypto. Nothing here touches the page.

const FEWEST = 100_000;
const MOST = 10_000_000;
const text = (string) => new TextEncoder().encode(string);

/** Writes bytes as base64. */
export const base64 = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)));

/** Reads base64 as bytes. */
export const unbase64 = (string) => Uint8Array.from(atob(string), (letter) => letter.charCodeAt(0));

/** Gives random bytes. */
export const random = (length) => crypto.getRandomValues(new Uint8Array(length));

/** Tells whether this page may use the browser's cryptography: over TLS, or on this machine. */
export const available = () => Boolean(globalThis.crypto?.subtle);

async function hmac(key, message) {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, message));
}

const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

/** Derives the client's and the server's key of a password; refuses counts that no honest site asks for. */
export async function derive(password, salt, iterations) {
  if (!Number.isInteger(iterations) || iterations < FEWEST || iterations > MOST) {
    throw new Error("The site asked for an unusual number of iterations. Don't sign in here.");
  }
  const secret = await crypto.subtle.importKey("raw", text(password.normalize("NFKC")), "PBKDF2", false, ["deriveBits"]);
  const bits = await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt, iterations }, secret, 256);
  return { key: await hmac(bits, text("Client Key")), serverKey: await hmac(bits, text("Server Key")) };
}

/** Makes what the site keeps of a new password. */
export async function credentials(password, iterations, salt = random(32)) {
  const { key, serverKey } = await derive(password, salt, iterations);
  return {
    authScheme: "v2",
    authSalt: base64(salt),
    authIterations: iterations,
    authVerifier: base64(await sha256(key)),
    authServerKey: base64(serverKey),
  };
}

const LABELS = { "sign-in": "opentracker-login-v2", password: "opentracker-password-v2", panic: "opentracker-panic-v2", erasure: "opentracker-erasure-v2", "second-factor": "opentracker-factor-v2" };

/** Writes what both sides sign: each part behind its length, first what it is for. */
export function transcript({ purpose = "sign-in", origin, username, iterations, salt, challenge, clientNonce }) {
  const parts = [LABELS[purpose], origin, username, "v2", "PBKDF2-HMAC-SHA256", String(iterations), salt, challenge, clientNonce];
  const encoded = parts.map(text);
  const bytes = new Uint8Array(encoded.reduce((sum, part) => sum + 4 + part.length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const part of encoded) {
    view.setUint32(at, part.length);
    bytes.set(part, at + 4);
    at += 4 + part.length;
  }
  return bytes;
}

/** Makes the proof of a password, and the signature that the site must answer with. */
export async function prove(password, exchange) {
  const { key, serverKey } = await derive(password, unbase64(exchange.salt), exchange.iterations);
  const said = transcript(exchange);
  const mask = await hmac(await sha256(key), said);
  return { proof: base64(key.map((byte, at) => byte ^ mask[at])), serverSignature: base64(await hmac(serverKey, said)) };
}
