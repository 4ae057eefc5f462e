// Adds and removes security keys, and has one sign: the browser talks to the key, the site checks what it signed.
import { ask, working } from "./ask.js";
import { show } from "./codes.js";
import { answer } from "./proof.js";

const AT = "/api/auth/security-key";

/** Reads base64url as bytes. */
const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));

/** Writes bytes as base64url. */
const written = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

const named = (keys) => keys?.map((key) => ({ ...key, id: bytes(key.id) }));

/** Asks the browser for a key's answer, and says what became of it. */
async function answered(asking) {
  if (!globalThis.PublicKeyCredential) throw new Error("This browser knows no security keys, or the site isn't opened by https.");
  try {
    return await asking();
  } catch (error) {
    if (error.name === "InvalidStateError") throw new Error("This key is one of yours already.");
    throw new Error("No key answered. Try again.");
  }
}

function credential({ id, rawId, type, response }, parts) {
  const said = Object.fromEntries(parts.filter((part) => response[part]).map((part) => [part, written(response[part])]));
  return { id, rawId: written(rawId), type, response: said, extensions: {} };
}

/** Has one of a member's keys sign for a ticket. */
export async function sign(ticket, told) {
  const { publicKey: asked } = await ask(`${AT}/challenge`, { ticket });
  told.step("Waiting for your key …");
  const publicKey = { ...asked, challenge: bytes(asked.challenge), allowCredentials: named(asked.allowCredentials) };
  const signed = await answered(() => navigator.credentials.get({ publicKey }));
  return { ticket, credential: credential(signed, ["authenticatorData", "clientDataJSON", "signature", "userHandle"]) };
}

/** Signs in by a key for a ticket. */
export const signInBy = async (ticket, told) => ask(AT, await sign(ticket, told));

async function make(proof, name, told) {
  const { publicKey: asked } = await ask(`${AT}/begin`, { proof, name });
  told.step("Waiting for your key …");
  const user = { ...asked.user, id: bytes(asked.user.id) };
  const publicKey = { ...asked, challenge: bytes(asked.challenge), user, excludeCredentials: named(asked.excludeCredentials) };
  const made = await answered(() => navigator.credentials.create({ publicKey }));
  const sent = credential(made, ["attestationObject", "clientDataJSON"]);
  sent.response.transports = made.response.getTransports?.() ?? [];
  return ask(`${AT}/add`, { credential: sent });
}

function add(form) {
  const [name, password] = ["key-name", "add-password"].map((id) => form.querySelector(`#${id}`));
  working(form, async (told) => {
    const { sent } = await answer("second-factor", form.dataset.addKey, password.value, told);
    const { codes } = await make(sent, name.value, told);
    form.reset();
    if (!codes.length) return location.reload();
    show(codes);
  });
}

function remove(form) {
  const [key, password] = ["removed-key", "remove-password"].map((id) => form.querySelector(`#${id}`));
  working(form, async (told) => {
    const { sent } = await answer("second-factor", form.dataset.removeKey, password.value, told);
    await ask(`${AT}/remove`, { proof: sent, key: key.value });
    form.reset();
    location.reload();
  });
}

/** Takes over the forms of the security keys. */
export function securityKeys() {
  const forms = { "data-add-key": add, "data-remove-key": remove };
  for (const [name, start] of Object.entries(forms)) {
    const form = document.querySelector(`form[${name}]`);
    if (form) start(form);
  }
}
