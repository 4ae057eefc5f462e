// Asks our own JSON API; what goes wrong becomes an error that says what to do next.

const token = () => {
  const meta = document.querySelector("meta[name=form-token]");
  return meta ? { "x-csrf-token": meta.content } : {};
};

/** Gives the answer to a request, or throws with the problem's own words and its kind. */
export async function ask(path, body) {
  const options = body && { method: "POST", headers: { accept: "application/json", "content-type": "application/json", ...token() }, body: JSON.stringify(body) };
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", headers: { accept: "application/json" }, ...options });
  } catch {
    throw new Error("The site can't be reached. Check your connection and try again.");
  }
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    const problem = new Error(said.detail ?? "The site couldn't answer. Try again in a moment.");
    throw Object.assign(problem, { kind: said.type });
  }
  return said;
}

/** Runs a form's work, which learns what was pressed: shows its steps, its progress and its error, and holds the buttons meanwhile. */
export function working(form, work) {
  const box = form.querySelector("[data-working]");
  const error = form.querySelector("[data-error]");
  const bar = box.querySelector("progress");
  const hold = (held) => {
    for (const button of form.querySelectorAll("button[type=submit]")) button.disabled = held;
  };
  const told = {
    step: (words) => { box.hidden = false; box.querySelector("[data-step]").textContent = words; },
    share: (share) => { bar.value = share; },
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    error.hidden = true;
    hold(true);
    bar.removeAttribute("value");
    try {
      await work(told, event.submitter);
    } catch (problem) {
      error.textContent = problem.message;
      error.hidden = false;
    } finally {
      box.hidden = true;
      hold(false);
    }
  });
}
