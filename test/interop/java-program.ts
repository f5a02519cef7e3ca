import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runWell, versionOf } from './command.js';
import type { Program } from './program-suite.js';

/** The plugin of Maven that fetches; without a version it would be whichever is newest. */
const FETCH = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';

/** The jars of pom.xml and the classes, made once, and again when a source or the compiler changes. */
export async function javaProgram(folder = 'java', cacheName = 'chapar-java'): Promise<Program> {
  const sources = fileURLToPath(new URL(folder, import.meta.url));
  const cache = fileURLToPath(new URL(`../../node_modules/.cache/${cacheName}/`, import.meta.url));
  const version = versionOf('javac', '-version');
  if (version === null) return { command: null, missing: 'javac (a JDK) is not installed' };
  if (versionOf('mvn', '-version') === null) return { command: null, missing: 'mvn (Maven) is not installed' };
  const [jars, classes, mark] = [join(cache, 'jars'), join(cache, 'classes'), join(cache, 'complete')];
  const files = readdirSync(sources).map((name) => join(sources, name));
  const hash = createHash('sha256').update(version);
  for (const file of files) hash.update(readFileSync(file));
  const wanted = hash.digest('hex');
  const command = [
    'java',
    '-XX:TieredStopAtLevel=1',
    '-XX:+UseSerialGC',
    '-cp',
    `${classes}:${join(jars, '*')}`,
    'Interop',
  ];
  if (existsSync(mark) && readFileSync(mark, 'utf8') === wanted) return { command, missing: null };

  rmSync(cache, { recursive: true, force: true });
  mkdirSync(cache, { recursive: true });
  try {
    const where = ['-f', join(sources, 'pom.xml'), `-DoutputDirectory=${jars}`];
    await runWell(['mvn', '--quiet', '--batch-mode', ...where, FETCH], { seconds: 300 });
  } catch (error) {
    return { command: null, missing: `the jars of pom.xml could not be fetched: ${(error as Error).message}` };
  }
  const java = files.filter((file) => file.endsWith('.java'));
  const options = ['-encoding', 'UTF-8', '-Xlint:all', '-Werror', '-d', classes, '-cp', join(jars, '*')];
  await runWell(['javac', ...options, ...java], { seconds: 120 });
  writeFileSync(mark, wanted);
  return { command, missing: null };
}
