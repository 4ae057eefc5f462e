// Joins: makes what the site keeps of the password, does the proof of work, and sends both.
import { ask, working } from "./ask.js";
import * as own from "./crypto.js";
import { solve } from "./pow.js";

const SHORTEST = 10;
const SHORTEST_PANIC = 12;

/** Checks the Panic Password where the form asks for one. */
function panicPassword(form) {
  const [first, again] = ["panic-password", "panic-password-again"].map((id) => form.querySelector(`#${id}`));
  if (!first) return {};
  if ([...first.value].length < SHORTEST_PANIC) throw new Error(`The Panic Password needs at least ${SHORTEST_PANIC} characters.`);
  if (first.value !== again.value) throw new Error("The two Panic Passwords differ. Type them again.");
  return { panicPassword: first.value };
}

/** Takes over the form by which somebody joins. */
export function join() {
  const form = document.querySelector("[data-join]");
  if (!form) return;
  const [username, password, again] = ["username", "password", "password-again"].map((id) => form.querySelector(`#${id}`));
  working(form, async (told) => {
    if (!own.available()) throw new Error("Your browser makes keys over https alone. Open this site by https.");
    if ([...password.value].length < SHORTEST) throw new Error(`The password needs at least ${SHORTEST} characters.`);
    if (password.value !== again.value) throw new Error("The two passwords differ. Type them again.");
    const invite = form.querySelector("#invite-code");
    const code = form.querySelector("#setup-code");
    const more = { ...panicPassword(form), ...(invite?.value.trim() && { inviteCode: invite.value.trim() }), ...(code && { setupCode: code.value }) };
    told.step("Making your key …");
    const kept = await own.credentials(password.value, Number(form.dataset.iterations));
    const work = await ask("/api/auth/pow?purpose=registration");
    told.step("Proving that you are not a bot: your browser solves a puzzle …");
    told.share(0);
    const powNonce = await solve(work, told.share);
    told.share(100);
    told.step("Joining …");
    const made = await ask(form.dataset.join, { username: username.value, ...kept, powChallenge: work.challenge, powNonce, ...more });
    form.reset();
    // Where the Panic Password couldn't be kept, the page that sets it comes first.
    location.assign(more.panicPassword && !made.panicPassword ? "/staff/panic" : "/");
  });
}
