// Refreshes a list as its filters change; the address stays the state.
import { replaceRegion } from "./fragment.js";

const PAUSE = 300;

/** Takes over the filters of a list. */
export function filters() {
  const form = document.querySelector("[data-filters]");
  const region = form && document.querySelector(`[data-region="${form.dataset.filters}"]`);
  if (!region) return;
  let waiting;
  const refresh = () => {
    const said = [...new FormData(form)].filter(([, value]) => value);
    const query = new URLSearchParams(said).toString();
    const address = query ? `${form.action}?${query}` : form.action;
    history.replaceState(null, "", address);
    replaceRegion(region, address);
  };
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(refresh, PAUSE);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(waiting);
    refresh();
  });
}
