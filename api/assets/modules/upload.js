// Takes a dropped .torrent file, says what was chosen, and previews the description, also of one that is edited.
import { show } from "./fragment.js";

const LARGEST = 10 * 1024 * 1024;

/** Takes over the form of a torrent: its file, where it asks for one, and its description. */
export function upload() {
  const form = document.querySelector("[data-upload]");
  if (form) drop(form);
  const button = document.querySelector("[data-preview-button]");
  if (button) preview(button);
}

function drop(form) {
  const area = form.querySelector("[data-drop]");
  const input = area.querySelector("input[type=file]");
  const hint = area.querySelector("[data-file-hint]");
  const mark = (over) => (event) => { event.preventDefault(); area.classList.toggle("over", over); };
  area.addEventListener("dragover", mark(true));
  area.addEventListener("dragleave", mark(false));
  area.addEventListener("drop", (event) => {
    mark(false)(event);
    if (event.dataTransfer.files.length) {
      input.files = event.dataTransfer.files;
      input.dispatchEvent(new Event("change"));
    }
  });
  input.addEventListener("change", () => {
    const [file] = input.files;
    const tooLarge = file && file.size > LARGEST;
    input.setCustomValidity(tooLarge ? "A .torrent file has at most 10 MiB." : "");
    if (file) hint.textContent = tooLarge ? `${file.name} is larger than 10 MiB.` : `${file.name}, ${file.size} bytes`;
  });
}

function preview(button) {
  const form = button.closest("form");
  const region = form.querySelector("[data-preview-region]");
  button.addEventListener("click", async (event) => {
    event.preventDefault();
    const text = form.querySelector("#description").value;
    const answer = await fetch("/upload/preview", { method: "POST", body: new URLSearchParams({ text }) });
    if (answer.ok) show(region, await answer.text());
    else region.textContent = "The preview can't be shown now. Try again in a moment.";
  });
}
