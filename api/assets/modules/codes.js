// Recovery codes, which are shown once.

/** Shows codes, and puts away what led to them. */
export function show(codes) {
  const line = (code) => {
    const item = document.createElement("li");
    item.append(Object.assign(document.createElement("code"), { textContent: code }));
    return item;
  };
  const made = document.querySelector("[data-made]");
  document.querySelector("[data-list]").replaceChildren(...codes.map(line));
  made.hidden = false;
  for (const before of document.querySelectorAll("[data-before]")) before.hidden = true;
  made.querySelector("h2")?.focus();
}
