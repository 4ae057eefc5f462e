// Signs in: the password becomes a proof here and goes nowhere. Who has a second factor brings a code or a key's signature then.
import { ask, working } from "./ask.js";
import { answer } from "./proof.js";
import { signInBy } from "./security-key.js";

/** Takes over the sign-in form. */
export function signIn() {
  const form = document.querySelector("[data-sign-in]");
  if (!form) return;
  const [username, password, code] = ["username", "password", "code"].map((id) => form.querySelector(`#${id}`));
  const [first, second] = ["first", "second"].map((step) => form.querySelector(`[data-step-${step}]`));
  const byKey = form.querySelector("[data-by-key]");
  let ticket;
  const prove = async (told) => {
    const name = username.value;
    const { sent, serverSignature } = await answer("sign-in", name, password.value, told);
    const said = await ask("/api/auth/login", { username: name, ...sent });
    if (said.serverSignature !== serverSignature) throw new Error("The site couldn't prove that it knows you. Don't go on.");
    password.value = "";
    ticket = said.secondFactor;
    byKey.hidden = !said.securityKeys;
    return !ticket;
  };
  working(form, async (told, pressed) => {
    if (ticket && pressed === byKey) await signInBy(ticket, told);
    else if (ticket) await ask("/api/auth/second-factor", { ticket, code: code.value });
    else if (!(await prove(told))) {
      [first.hidden, first.disabled, second.hidden, second.disabled] = [true, true, false, false];
      (byKey.hidden ? code : byKey).focus();
      return;
    }
    location.assign(form.dataset.signIn);
  });
}
