import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, runWell } from './command.js';

/** Tests of amqp091-go that cannot apply, and why. The same table stands in README.md. */
export const cannotApply: Readonly<Record<string, string>> = {
  TestConnection_Close_WhenMemoryAlarmIsActive: 'it lowers the memory watermark of a RabbitMQ with rabbitmqctl',
};

/** Tests of features that are not built yet: they run and must fail, so that the list shrinks as soon as it can. */
export const comesLater: Readonly<Record<string, string>> = {};

export interface GoTest {
  name: string;
  result: 'pass' | 'fail' | 'skip';
  output: string;
}

/**
 * Runs the integration tests that come with the Go module, in a copy of it that is deleted afterwards. The copy differs in two
 * things: the tests reach the management API at localhost:15672, and here at the address of the broker under test; and three of
 * them do nothing unless the server calls itself RabbitMQ, and here also when it calls itself Chapar.
 */
export async function runModuleTests(module: string, url: string, managementUrl: string | null): Promise<GoTest[]> {
  const original = (
    await runWell(['go', 'list', '-m', '-f', '{{.Dir}}', 'github.com/rabbitmq/amqp091-go'], { cwd: module })
  ).trim();
  const copy = mkdtempSync(join(tmpdir(), 'amqp091-go-'));
  try {
    cpSync(original, copy, { recursive: true });
    await runWell(['chmod', '-R', 'u+w', copy]);
    letChaparCount(copy);
    if (managementUrl !== null) pointAtManagement(copy, new URL(managementUrl));
    const command = ['go', 'test', '-tags', 'integration', '-json', '-count=1', '-timeout', '400s', '.'];
    const { output } = await run(command, { cwd: copy, environment: { AMQP_URL: url }, seconds: 450 });
    return collect(output);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

function pointAtManagement(copy: string, { hostname, port }: URL): void {
  replace(join(copy, 'internal/utils/http.go'), [
    ['http://localhost:15672/', `http://${hostname}:${port}/`],
    ['http://localhost:"+port', `http://${hostname}:"+port`],
  ]);
  replace(join(copy, 'recovery_test.go'), [['"15672"', `"${port}"`]]);
}

function letChaparCount(copy: string): void {
  replace(join(copy, 'integration_test.go'), [
    ['server == "RabbitMQ"', '(server == "RabbitMQ" || server == "Chapar")'],
    ['product.(string) == "RabbitMQ"', '(product.(string) == "RabbitMQ" || product.(string) == "Chapar")'],
  ]);
}

function replace(file: string, changes: [string, string][]): void {
  let text = readFileSync(file, 'utf8');
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`${file} has no ${from}: the module changed, and this patch must follow`);
    text = text.replaceAll(from, to);
  }
  writeFileSync(file, text);
}

/** The tests of the top level, out of the events that `go test -json` prints. */
function collect(json: string): GoTest[] {
  const tests = new Map<string, GoTest>();
  const other: string[] = [];
  for (const line of json.split('\n')) {
    if (!line.startsWith('{')) {
      other.push(line);
      continue;
    }
    const event = JSON.parse(line) as { Action: string; Test?: string; Output?: string };
    const name = event.Test?.split('/')[0];
    if (name === undefined) {
      other.push(event.Output ?? '');
      continue;
    }
    // A test that never ends (the program crashed or ran out of time) stays a failure.
    const test = tests.get(name) ?? { name, result: 'fail', output: '' };
    tests.set(name, test);
    test.output += event.Output ?? '';
    if (event.Test === name && isResult(event.Action)) test.result = event.Action;
  }
  if (tests.size === 0) throw new Error(`go test ran no test:\n${other.join('\n')}`);
  return [...tests.values()];
}

function isResult(action: string): action is GoTest['result'] {
  return action === 'pass' || action === 'fail' || action === 'skip';
}
