// node tools/errors-doc.mjs: writes docs/errors.md from the error registry of the core. With --check it writes nothing and fails when
// the file is not what it would write.
import './node-version.mjs';

const { prepareInstall, root } = await import('./prepare.mjs');
await prepareInstall();

const path = await import('node:path');
const { existsSync, mkdirSync, readFileSync, writeFileSync } = await import('node:fs');
const { pathToFileURL } = await import('node:url');
const { runQuietly } = await import('./progress.mjs');

const at = (...parts) => path.join(root, ...parts);
const file = at('docs', 'errors.md');

const built = await runQuietly(process.execPath, [at('node_modules/typescript/bin/tsc'), '-b', 'packages/core'], {
  cwd: root,
});
if (built.code !== 0) {
  console.error(`packages/core does not compile:\n${built.output}`);
  process.exit(1);
}
const { errorRegistry } = await import(pathToFileURL(at('packages/core/dist/error-registry.js')).href);

const wanted = page(errorRegistry);
if (!process.argv.includes('--check')) {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, wanted);
} else if (!existsSync(file) || readFileSync(file, 'utf8') !== wanted) {
  console.error('docs/errors.md is not what packages/core/src/error-registry.ts says: run node tools/errors-doc.mjs');
  process.exitCode = 1;
}

function page(registry) {
  const entries = Object.entries(registry).map(([key, entry]) => ({ key, ...entry }));
  return `# Errors that clients see

Generated from \`packages/core/src/error-registry.ts\` by \`node tools/errors-doc.mjs\`; a test provokes each of them.

A **channel** error closes the channel that caused it; other channels of the connection go on. A **connection** error closes the
connection, and nobody else notices. The text that a client gets begins with the name of the code, as in
\`NOT_FOUND - no queue 'q' in vhost '/'\`; \`{braces}\` below stand for what the case fills in.

${indexOf(entries)}

${section('Channel errors', ofScope(entries, 'channel'))}
${section('Connection errors', ofScope(entries, 'connection'))}`;
}

/** By code, and within a code as the registry has them. */
function ofScope(entries, scope) {
  return entries.filter((entry) => entry.scope === scope).sort((a, b) => a.code - b.code);
}

function indexOf(entries) {
  const codes = new Map();
  for (const entry of [...ofScope(entries, 'channel'), ...ofScope(entries, 'connection')]) {
    const row = `${entry.code} ${entry.name}`;
    codes.set(row, [...(codes.get(row) ?? []), entry]);
  }
  const rows = [...codes].sort(([a], [b]) => (a < b ? -1 : 1));
  const lines = rows.map(
    ([code, group]) => `| ${code} | ${group.map(({ key }) => `[${key}](#${anchor(key)})`).join(', ')} |`,
  );
  return ['| Code | Errors |', '|---|---|', ...lines].join('\n');
}

function section(title, entries) {
  return `## ${title}\n\n${entries.map(item).join('\n')}`;
}

function item({ key, code, name, text, cause, hint }) {
  return `### ${key}

\`${code} ${name} - ${text}\`

${cause}

**What to do:** ${hint}
`;
}

function anchor(key) {
  return key.toLowerCase();
}
