import { readFileSync, writeFileSync } from 'node:fs';
import { DIALECT_AMQP091 } from '@chapar/core';
import { allRoutes, methods, type Need, type Route } from '@chapar/management';
import { createNodePlatform } from '@chapar/platform';
import { expect, test } from 'vitest';

const file = new URL('../../docs/API.md', import.meta.url);
const begin = '<!-- endpoints: written by test/management/api-doc.test.ts -->\n';
const end = '<!-- end of endpoints -->';

const who: Record<Need, string> = {
  nothing: 'nobody asked',
  management: 'all',
  vhost: 'vhost',
  policies: 'policies',
  policymaker: '`policymaker`',
  monitoring: '`monitoring`',
  administrator: '`administrator`',
};

function row(route: Route): string {
  const there = methods.filter((method) => route[method] !== undefined);
  const needs = there.map((method) => who[route[method]!.need]);
  const same = new Set(needs).size === 1;
  const shown = same ? needs[0]! : there.map((method, i) => `${method} ${needs[i]}`).join(', ');
  return `| \`${route.path}\` | ${there.join(' ')} | ${shown} | ${route.summary} |`;
}

// CHAPAR_WRITE_DOCS=1 writes the table anew.
test('docs/API.md has every endpoint', () => {
  const encode = () => ({ properties: Buffer.alloc(0), persistent: false, priority: -1, expirationMs: -1 });
  const form = { dialect: DIALECT_AMQP091, encode };
  const routes = allRoutes(
    { token: null, form, durability: '', isReady: () => true, listeners: () => [], membership: null },
    createNodePlatform({ log: { level: 'silent' } }),
  );
  const rows = [...routes].sort((a, b) => (a.path < b.path ? -1 : 1)).map(row);
  const table = ['| path | methods | who may | |', '|---|---|---|---|', ...rows].join('\n');
  const text = readFileSync(file, 'utf8');
  const [head, rest] = text.split(begin) as [string, string];
  const written = `${head}${begin}\n${table}\n\n${end}${rest.split(end)[1]}`;
  if (process.env['CHAPAR_WRITE_DOCS'] !== undefined) writeFileSync(file, written);
  else expect(text, 'run it again with CHAPAR_WRITE_DOCS=1').toBe(written);
});
