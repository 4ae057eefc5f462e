// Another password, recovery codes, and the way back by one: passwords become proofs and keys here.
import { ask, working } from "./ask.js";
import { show } from "./codes.js";
import * as own from "./crypto.js";
import { solve } from "./pow.js";
import { answer } from "./proof.js";
import { sign } from "./security-key.js";

const SHORTEST = 10;

/** Makes what the site keeps of the password that was chosen in a form. */
function chosen(form, told) {
  const [first, again] = ["new-password", "new-password-again"].map((id) => form.querySelector(`#${id}`).value);
  if (!own.available()) throw new Error("Your browser makes keys over https alone. Open this site by https.");
  if ([...first].length < SHORTEST) throw new Error(`The password needs at least ${SHORTEST} characters.`);
  if (first !== again) throw new Error("The two passwords differ. Type them again.");
  told.step("Making your key …");
  return own.credentials(first, Number(form.dataset.iterations));
}

function change(form) {
  working(form, async (told) => {
    const kept = await chosen(form, told);
    const { sent } = await answer("password", form.dataset.password, form.querySelector("#password").value, told);
    await ask("/api/auth/password", { proof: sent, kept });
    form.reset();
    document.querySelector("[data-changed]").hidden = false;
  });
}

function codes(form) {
  working(form, async (told) => {
    const { sent } = await answer("password", form.dataset.codes, form.querySelector("#codes-password").value, told);
    const made = await ask("/api/auth/recovery-codes", { proof: sent });
    form.reset();
    show(made.codes);
  });
}

function recover(form) {
  const send = async (kept, securityKey, told) => {
    const work = await ask("/api/auth/pow?purpose=recovery");
    told.step("Proving that you are not a bot: your browser solves a puzzle …");
    told.share(0);
    const powNonce = await solve(work, told.share);
    const [username, code, secondFactor] = ["username", "code", "second-factor"].map((id) => form.querySelector(`#${id}`).value);
    return ask("/api/auth/recover", { username, code, secondFactor, securityKey, kept, powChallenge: work.challenge, powNonce });
  };
  working(form, async (told) => {
    const kept = await chosen(form, told);
    const said = await send(kept, undefined, told);
    if (said.secondFactor) await send(kept, await sign(said.secondFactor, told), told);
    form.reset();
    location.assign("/sign-in?recovered=1");
  });
}

/** Takes over the forms of the password. */
export function password() {
  const forms = { "data-password": change, "data-codes": codes, "data-recover": recover };
  for (const [name, start] of Object.entries(forms)) {
    const form = document.querySelector(`form[${name}]`);
    if (form) start(form);
  }
}
