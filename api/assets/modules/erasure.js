// Erases a member: the phrase is typed, and the login of who asks is proved anew.
import { ask, working } from "./ask.js";
import { answer } from "./proof.js";

/** Takes over the form of an erasure. */
export function erasure() {
  const form = document.querySelector("[data-erasure]");
  if (!form) return;
  const [confirm, password] = ["confirm", "password"].map((id) => form.querySelector(`#${id}`));
  working(form, async (told) => {
    const { erasure: name, phrase, ask: address, then } = form.dataset;
    if (confirm.value.trim() !== phrase) throw new Error(`Type ${phrase} exactly as it stands here. Nothing was changed.`);
    const { sent } = await answer("erasure", name, password.value, told);
    told.step("Erasing …");
    await ask(address, { confirm: phrase, ...sent });
    password.value = "";
    location.assign(then);
  });
}
