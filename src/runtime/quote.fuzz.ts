import { test } from "bun:test";

import { LOCALE_NAMES } from "../testing/locales.ts";
import { expectReadAsTheyAre, hardText, readsExactly } from "../testing/quoted-texts.ts";
import { fuzz } from "../testing/random.ts";
import { FURTHER_SHELLS, SHELLS } from "../testing/shells.ts";

const TEXTS = 300;

test("every shell reads random texts as they are, in every locale", async () => {
  await fuzz((random) => {
    const { name } = random.pick([...SHELLS, ...FURTHER_SHELLS]);
    const locale = random.pick(LOCALE_NAMES.filter((candidate) => readsExactly(name, candidate)));
    const texts = Array.from({ length: TEXTS }, () => hardText(random));
    expectReadAsTheyAre(texts, name, locale);
  });
});
