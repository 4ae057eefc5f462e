// The estimate that is shown while a Panic Password is typed.
import assert from "node:assert/strict";
import { test } from "node:test";

import { bits, words } from "../modules/strength.js";

test("rows, repetitions and a single word are easy to guess", () => {
  for (const weak of ["aaaaaaaaaaaaaaaa", "abcdefghijklmnop", "123123123123123", "password1234", "0123456789012345", "            "]) {
    assert.ok(bits(weak) < 33, `${weak}: ${bits(weak)}`);
    assert.match(words(weak), /^Easy to guess/);
  }
});

test("a few words are good, and more are strong", () => {
  assert.equal(words("rivers run to the sea"), "Good.");
  assert.equal(words("correct horse battery staple"), "Good.");
  assert.equal(words("seven correct horses near a battery staple"), "Strong.");
  assert.equal(words("kX3#vB9!qLm2Zp7%"), "Strong.");
});

test("what is too short is told before anything else", () => {
  assert.equal(words(""), "12 more characters at least.");
  assert.equal(words("elevenchars"), "1 more character at least.");
});

test("nothing that is added makes a password weaker", () => {
  const whole = "Ungewöhnlich große Wörter, 7 Stück!";
  let before = 0;
  for (let end = 1; end <= whole.length; end += 1) {
    const now = bits(whole.slice(0, end));
    assert.ok(now >= before, whole.slice(0, end));
    before = now;
  }
});
