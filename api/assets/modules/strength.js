// Tells while a password is typed how hard it is to guess, by a simple estimate that would rather
// say too little. The site's own judgement follows when it is sent.

const KINDS = [[/\p{Ll}/u, 26], [/\p{Lu}/u, 26], [/\p{Nd}/u, 10], [/[^\p{Ll}\p{Lu}\p{Nd}\s]/u, 33]];
const LETTER = /\p{L}/u;
const IN_A_WORD = 2;
const EXPECTED = 0.5;
const SPACE = 1;

/** Estimates the bits of a password: what continues a word, a row or a repetition adds little. */
export function bits(password) {
  const signs = [...password];
  const kinds = KINDS.reduce((sum, [kind, size]) => sum + (kind.test(password) ? size : 0), 0);
  const fresh = Math.log2(Math.max(kinds, 2));
  const triples = new Set();
  let sum = 0;
  signs.forEach((sign, at) => {
    const before = signs[at - 1];
    const triple = signs.slice(at - 2, at + 1).join("");
    const repeated = at >= 2 && triples.has(triple);
    if (at >= 2) triples.add(triple);
    const step = before === undefined ? Infinity : Math.abs(sign.codePointAt(0) - before.codePointAt(0));
    if (repeated || step <= 1) sum += EXPECTED;
    else if (/\s/.test(sign)) sum += SPACE;
    else if (LETTER.test(sign) && before !== undefined && LETTER.test(before)) sum += IN_A_WORD;
    else sum += fresh;
  });
  return sum;
}

/** Says what an estimate means. */
export function words(password, shortest = 12) {
  const left = shortest - [...password].length;
  if (left > 0) return `${left} more ${left === 1 ? "character" : "characters"} at least.`;
  const found = bits(password);
  if (found < 33) return "Easy to guess. Add a word or two that don't belong there.";
  if (found < 45) return "Fair. Another word makes it good.";
  if (found < 60) return "Good.";
  return "Strong.";
}

/** Watches the fields that have a meter. */
export function strength() {
  for (const box of document.querySelectorAll("[data-strength]")) {
    const field = document.getElementById(box.dataset.strength);
    const meter = box.querySelector("meter");
    field.addEventListener("input", () => {
      box.hidden = field.value === "";
      meter.value = Math.min(bits(field.value), meter.max);
      box.querySelector("[data-words]").textContent = words(field.value);
    });
  }
}
