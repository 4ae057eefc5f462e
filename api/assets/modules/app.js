// Starts the modules; each finds its own element, and does nothing where there is none.
import { clipboard } from "./clipboard.js";
import { erasure } from "./erasure.js";
import { filters } from "./filters.js";
import { join } from "./join.js";
import { keyboard } from "./keyboard.js";
import { live } from "./live.js";
import { panic } from "./panic.js";
import { password } from "./password.js";
import { printing } from "./print.js";
import { secondFactor } from "./second-factor.js";
import { securityKeys } from "./security-key.js";
import { signIn } from "./sign-in.js";
import { strength } from "./strength.js";
import { upload } from "./upload.js";

for (const start of [clipboard, erasure, filters, join, keyboard, live, panic, password, printing, secondFactor, securityKeys, signIn, strength, upload]) start();
