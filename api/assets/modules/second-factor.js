// Sets a second factor up, or turns one off: the password of who asks is proved anew.
import { ask, working } from "./ask.js";
import { show } from "./codes.js";
import { answer } from "./proof.js";

/** Takes over the form of the second factor. */
export function secondFactor() {
  const form = document.querySelector("form[data-second-factor]");
  if (!form) return;
  const [code, password] = ["code", "password"].map((id) => form.querySelector(`#${id}`));
  working(form, async (told) => {
    const { secondFactor: name, ask: address, then } = form.dataset;
    const { sent } = await answer("second-factor", name, password.value, told);
    const made = await ask(address, { proof: sent, ...(code && { code: code.value }) });
    form.reset();
    if (made.codes?.length) show(made.codes);
    else location.assign(then);
  });
}
