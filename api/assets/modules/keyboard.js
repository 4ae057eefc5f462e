// The key / leads to the search.

/** Listens for the key. */
export function keyboard() {
  const search = document.querySelector("[data-search]");
  if (!search) return;
  addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      search.focus();
    }
  });
}
