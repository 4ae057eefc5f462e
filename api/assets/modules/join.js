// Joins: makes what the site keeps of the password, does the proof of work, and sends both.
import { ask, working } from "./ask.js";
import * as own from "./crypto.js";
import { solve } from "./pow.js";

const SHORTEST = 10;

/** Takes over the form by which somebody joins. */
export function join() {
  const form = document.querySelector("[data-join]");
  if (!form) return;
  const [username, password, again] = ["username", "password", "password-again"].map((id) => form.querySelector(`#${id}`));
  working(form, async (told) => {
    if (!own.available()) throw new Error("Your browser makes keys over https alone. Open this site by https.");
    if ([...password.value].length < SHORTEST) throw new Error(`The password needs at least ${SHORTEST} characters.`);
    if (password.value !== again.value) throw new Error("The two passwords differ. Type them again.");
    told.step("Making your key …");
    const kept = await own.credentials(password.value, Number(form.dataset.iterations));
    const work = await ask("/api/auth/pow?purpose=registration");
    told.step("Proving that you are not a bot: your browser solves a puzzle …");
    told.share(0);
    const powNonce = await solve(work, told.share);
    told.share(100);
    await ask(form.dataset.join, { username: username.value, ...kept, powChallenge: work.challenge, powNonce });
    password.value = "";
    again.value = "";
    location.assign("/");
  });
}
