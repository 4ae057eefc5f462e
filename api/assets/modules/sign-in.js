// Signs in: the password becomes a proof here and goes nowhere.
import { ask, working } from "./ask.js";
import * as own from "./crypto.js";

/** Takes over the sign-in form. */
export function signIn() {
  const form = document.querySelector("[data-sign-in]");
  if (!form) return;
  const [username, password] = ["username", "password"].map((id) => form.querySelector(`#${id}`));
  working(form, async (told) => {
    if (!own.available()) throw new Error("Your browser proves passwords over https alone. Open this site by https.");
    told.step("Asking for a challenge …");
    const name = username.value;
    const asked = await ask(`/api/auth/challenge?username=${encodeURIComponent(name)}`);
    if (asked.scheme !== "v2") throw new Error("The site asked for an unknown way to sign in.");
    told.step("Proving that you know the password …");
    const exchange = { ...asked, origin: location.origin, username: name, clientNonce: own.base64(own.random(24)) };
    const { proof, serverSignature } = await own.prove(password.value, exchange);
    const answer = await ask("/api/auth/login", { username: name, challenge: asked.challenge, proof, clientNonce: exchange.clientNonce });
    if (answer.serverSignature !== serverSignature) throw new Error("The site couldn't prove that it knows you. Don't go on.");
    password.value = "";
    location.assign(form.dataset.signIn);
  });
}
