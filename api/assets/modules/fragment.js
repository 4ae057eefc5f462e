// Replaces a region of the page with what our server renders for an address.
import { serverHTML } from "./trusted.js";

/** Loads a page and takes its region of the same name over; goes to a page that has none. */
export async function replaceRegion(region, address) {
  const answer = await fetch(address, { credentials: "same-origin", headers: { accept: "text/html" } });
  if (answer.redirected) return location.assign(address);
  const page = new DOMParser().parseFromString(serverHTML(await answer.text()), "text/html");
  // What matters is the region, not the status: a sealed site answers 503 and tells how far it is.
  const fresh = page.querySelector(`[data-region="${region.dataset.region}"]`);
  if (!fresh) return location.assign(address);
  region.replaceChildren(...fresh.childNodes);
}

/** Shows HTML that our server rendered. */
export function show(region, html) {
  const page = new DOMParser().parseFromString(serverHTML(html), "text/html");
  region.replaceChildren(...page.body.childNodes);
}
