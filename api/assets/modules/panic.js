// Asks for the panic: the phrase is typed, and the login proved anew.
import { ask, working } from "./ask.js";
import { answer } from "./proof.js";

const SEALED = "/problems/sealed";

/** Takes over the form of the panic. */
export function panic() {
  const form = document.querySelector("[data-panic]");
  if (!form) return;
  const [confirm, password] = ["confirm", "password"].map((id) => form.querySelector(`#${id}`));
  working(form, async (told) => {
    const { panic: name, phrase } = form.dataset;
    if (confirm.value.trim() !== phrase) throw new Error(`Type ${phrase} exactly as it stands here. Nothing was changed.`);
    try {
      const { sent } = await answer("panic", name, password.value, told);
      told.step("Encrypting everything …");
      await ask("/api/admin/panic/encrypt", { confirm: phrase, ...sent });
    } catch (problem) {
      // Somebody else was faster: then it is as it should be.
      if (problem.kind !== SEALED) throw problem;
    }
    password.value = "";
    location.assign("/");
  });
}
