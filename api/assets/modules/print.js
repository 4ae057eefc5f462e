// A button that prints the page.

/** Shows the button and listens to it. */
export function printing() {
  const button = document.querySelector("[data-print]");
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", () => print());
}
