// npm run demo: plays the stories of the Node examples, one after another, against a broker of its own, or against the one
// that AMQP_URL (and MANAGEMENT_URL) name.  npm run demo -- chat   plays those whose name holds "chat".
import { fileURLToPath } from 'node:url';
import { startBroker, useBroker } from './demo/broker.mjs';
import { Program } from './demo/program.mjs';
import { stories } from './demo/stories.mjs';

const folder = fileURLToPath(new URL('node', import.meta.url));
const paint = (code, text) => (process.stdout.isTTY ? `\x1b[${code}m${text}\x1b[0m` : text);

async function findBroker() {
  if (process.env.AMQP_URL === undefined) {
    console.log('Starting a Chapar for this demo (set AMQP_URL to use another broker) ...');
    return startBroker();
  }
  const { hostname } = new URL(process.env.AMQP_URL);
  const managementUrl = process.env.MANAGEMENT_URL ?? `http://guest:guest@${hostname}:15672`;
  return useBroker({ url: process.env.AMQP_URL, managementUrl });
}

async function play(story, broker) {
  const cast = [];
  const start = (name, ...args) => {
    const namesakes = cast.filter((program) => program.title.startsWith(name)).length;
    const title = namesakes === 0 ? name : `${name} ${namesakes + 1}`;
    const colour = 32 + (cast.length % 5);
    const program = new Program(title, [process.execPath, `${name}.mjs`, ...args], {
      cwd: folder,
      environment: { AMQP_URL: broker.url },
      onLine: (line) => console.log(`  ${paint(colour, title.padEnd(18))} ${line}`),
    });
    cast.push(program);
    return program;
  };
  try {
    await story.play({ broker, start, note: (text) => console.log(`  ${text}`) });
  } finally {
    for (const program of cast) await program.kill9();
  }
}

function reasonToSkip(story, broker) {
  if (story.needsRestart && !broker.canRestart) return 'the demo did not start this broker, so it does not kill it';
  return null;
}

const wanted = process.argv.slice(2);
const chosen = stories.filter(({ name }) => wanted.length === 0 || wanted.some((word) => name.includes(word)));
const broker = await findBroker();
console.log(`The broker listens at ${broker.url}`);
let failures = 0;
for (const story of chosen) {
  console.log(`\n${paint(1, `== ${story.name}`)}\n${story.tells}\n`);
  const reason = reasonToSkip(story, broker);
  if (reason !== null) {
    console.log(`  skipped: ${reason}`);
    continue;
  }
  try {
    await play(story, broker);
    console.log(paint(32, '  as it should be'));
  } catch (error) {
    failures++;
    console.log(paint(31, `  WRONG: ${error.message}`));
  }
}
await broker.stop();
console.log(`\n${chosen.length} stories, ${failures === 0 ? 'all told' : `${failures} went wrong`}.`);
process.exitCode = failures === 0 && chosen.length > 0 ? 0 : 1;
