// Keeps a region of the page as it is on the server, by the second while something moves.
import { replaceRegion } from "./fragment.js";

const MOVING = 1_000;
const STILL = 10_000;

/** Refreshes the page's live region for as long as somebody looks. */
export function live() {
  const region = document.querySelector("[data-live]");
  if (!region) return;
  const pause = () => (region.querySelector("[data-moving]") ? MOVING : STILL);
  const refresh = async () => {
    const asked = region.contains(document.activeElement);
    if (!document.hidden && !asked) await replaceRegion(region, location.href).catch(() => {});
    setTimeout(refresh, pause());
  };
  setTimeout(refresh, pause());
}
