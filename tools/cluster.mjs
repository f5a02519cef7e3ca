// npm run cluster: one etcd and three brokers on this machine that are one cluster, for trying things out. Installs and builds what is
// missing, as npm start does. Ctrl-C stops the brokers, then etcd. See --help.
import './node-version.mjs';

const { banner, planCluster, readOptions, usage } = await import('./cluster/plan.mjs');
const { etcdReady, findEtcd, takenPort } = await import('./cluster/etcd-program.mjs');
const { prepareDirectory } = await import('./cluster/directory.mjs');
const { linesOf, parse } = await import('./cluster/log-line.mjs');
const { Program } = await import('./cluster/program.mjs');
const { fileURLToPath } = await import('node:url');

/** A broker gives its clients shutdownSeconds (30) and itself two more. Milliseconds. */
const brokerPatienceMs = 40_000;
const etcdPatienceMs = 10_000;
/** Ctrl-C under npm arrives twice. */
const sameSignalMs = 250;
const binary = fileURLToPath(new URL('../packages/server/bin/chapar.mjs', import.meta.url));

const options = orEnd(() => readOptions(process.argv.slice(2), process.cwd()));
if (options.help) {
  console.log(usage);
  process.exit(0);
}
const missing = findEtcd();
if (missing !== null) end(missing);
const plan = planCluster(options);
const taken = await takenPort([...plan.etcd.ports, ...plan.nodes.flatMap(({ ports }) => Object.values(ports))]);
if (taken !== null)
  end(`Port ${taken} is in use. Stop what listens there, or shift all ports: npm run cluster -- --shift 100`);
orEnd(() => prepareDirectory(options.dir, options.fresh));
const { prepare } = await import('./prepare.mjs');
await prepare();

let isStopping = false;
let stopped = null;
let firstSignalMs = null;
const width = Math.max(...plan.nodes.map(({ name }) => name.length));
const brokers = [];
const etcd = start('etcd', ['etcd', ...plan.etcd.args], null);
// Before the first await: a key pressed while it starts counts. A terminal that is closed stops it too, and takes no more lines.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => signalled());
process.stdout.on('error', () => undefined);

if (!(await etcdReady(plan.etcd.endpoint, () => etcd.hasEnded || isStopping))) await failed('etcd did not start.');
const ready = plan.nodes.map(startNode);
for (const isReady of ready) if (!(await isReady)) await failed('The cluster did not start.');
if (!isStopping) {
  const pids = Object.fromEntries([...brokers, etcd].map(({ name, pid }) => [name, pid]));
  console.log(banner(plan, pids, process.cwd()));
}

// ---------------------------------------------------------------------------------------------------------------

/** Resolves with whether it became ready. */
function startNode(node, index) {
  return new Promise((resolve) => {
    const heard = (line) => {
      if (parse(line)?.msg === 'ready') resolve(true);
    };
    const command = [process.execPath, binary, 'start', ...node.flags];
    const broker = start(node.name, command, index, heard);
    brokers.push(broker);
    void broker.over.then(() => resolve(false));
  });
}

function start(name, command, index, heard = () => undefined) {
  const line = linesOf(name, { index, width, coloured: process.stdout.isTTY === true });
  return new Program(name, command, {
    environment: { CHAPAR_LOG__FORMAT: 'json' },
    said: (text) => {
      console.log(line(text));
      heard(text);
    },
    ended: (code) => {
      if (!isStopping || (code !== 0 && code !== 'SIGTERM')) console.log(line(`ended with ${code}`));
    },
  });
}

function signalled() {
  const nowMs = performance.now();
  if (firstSignalMs === null) {
    firstSignalMs = nowMs;
    console.log('\nStopping the brokers, then etcd; Ctrl-C again ends them at once.');
    void stop().then(() => process.exit(0));
  } else if (nowMs - firstSignalMs > sameSignalMs) {
    for (const program of [...brokers, etcd]) program.kill('SIGKILL');
    process.exit(1);
  }
}

function stop() {
  isStopping = true;
  stopped ??= (async () => {
    await Promise.all(brokers.map((broker) => broker.stop(brokerPatienceMs)));
    await etcd.stop(etcdPatienceMs);
  })();
  return stopped;
}

/** What went wrong stands above, in the words of who ended. */
async function failed(why) {
  const asked = isStopping;
  await stop();
  if (asked) process.exit(0);
  end(`\n${why} What it said is above.`);
}

function orEnd(work) {
  try {
    return work();
  } catch (error) {
    return end(error.message);
  }
}

function end(why) {
  console.error(why);
  process.exit(1);
}
