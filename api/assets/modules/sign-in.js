// Signs in: the password becomes a proof here and goes nowhere.
import { ask, working } from "./ask.js";
import { answer } from "./proof.js";

/** Takes over the sign-in form. */
export function signIn() {
  const form = document.querySelector("[data-sign-in]");
  if (!form) return;
  const [username, password] = ["username", "password"].map((id) => form.querySelector(`#${id}`));
  working(form, async (told) => {
    const name = username.value;
    const { sent, serverSignature } = await answer("sign-in", name, password.value, told);
    const said = await ask("/api/auth/login", { username: name, ...sent });
    if (said.serverSignature !== serverSignature) throw new Error("The site couldn't prove that it knows you. Don't go on.");
    password.value = "";
    location.assign(form.dataset.signIn);
  });
}
