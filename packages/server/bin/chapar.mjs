#!/usr/bin/env node
// `npx chapar` in a checkout, `chapar` where the package is installed.
import { existsSync } from 'node:fs';

const main = new URL('../dist/main.js', import.meta.url);
const prepare = new URL('../../../tools/prepare.mjs', import.meta.url);
// A checkout that was never built is built once; later builds are for `npm start`, which may be running from these files.
if (!existsSync(main) && existsSync(prepare)) await (await import(prepare.href)).prepare();
await (await import(main.href)).main(process.argv.slice(2));
