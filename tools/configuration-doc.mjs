// node tools/configuration-doc.mjs: writes docs/CONFIGURATION.md from the table of settings. With --check it writes nothing and fails
// when the file is not what it would write.
import './node-version.mjs';

const { prepare, root } = await import('./prepare.mjs');
await prepare();

const path = await import('node:path');
const { existsSync, mkdirSync, readFileSync, writeFileSync } = await import('node:fs');
const { configurationDocument } = await import('../packages/server/dist/config/document.js');

const file = path.join(root, 'docs', 'CONFIGURATION.md');
const wanted = configurationDocument();
if (!process.argv.includes('--check')) {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, wanted);
} else if (!existsSync(file) || readFileSync(file, 'utf8') !== wanted) {
  console.error(
    'docs/CONFIGURATION.md is not what packages/server/src/config says: run node tools/configuration-doc.mjs',
  );
  process.exitCode = 1;
}
