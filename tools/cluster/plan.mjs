// What `npm run cluster` starts: names, ports, directories and the command lines, from its options. No process is started here.
import { hostname } from 'node:os';
import path from 'node:path';

export const usage = `npm run cluster [-- OPTIONS]: one etcd and three brokers on this machine, for trying things out.

  --nodes N     so many brokers, 1 to 9 (default: 3)
  --dir DIR     where they keep what is durable (default: data/cluster)
  --fresh       remove what an earlier run kept there
  --shift N     add N to every port (default: 0)
  --help        this text

Ports: amqp 5672, 5673, 5674; mqtt 1883, 1884, 1885; management 15672, 15673, 15674; peer 25672, 25673, 25674; etcd 12379 and 12380.`;

const firstPorts = { amqp: 5672, mqtt: 1883, management: 15672, peer: 25672 };
/** Not 2379: an etcd that the system's package started may have it. */
const etcdPorts = { client: 12379, peer: 12380 };

/** Throws an Error whose message is for people. */
export function readOptions(args, cwd) {
  const options = { nodes: 3, dir: path.resolve(cwd, 'data', 'cluster'), fresh: false, shift: 0, help: false };
  for (let i = 0; i < args.length; i++) {
    const [flag, inline] = args[i].split(/=(.*)/s);
    const value = () => inline ?? args[++i] ?? refuse(`${flag} needs a value`);
    if (flag === '--nodes') options.nodes = number(flag, value(), 1, 9);
    else if (flag === '--dir') options.dir = path.resolve(cwd, value());
    else if (flag === '--shift') options.shift = number(flag, value(), 0, 39_000);
    else if (flag === '--fresh') options.fresh = true;
    else if (flag === '--help' || flag === '-h') options.help = true;
    else refuse(`${args[i]} is not an option`);
  }
  return options;
}

function number(flag, text, least, most) {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most)) refuse(`${flag} takes a number from ${least} to ${most}`);
  return value;
}

function refuse(why) {
  throw new Error(`${why}.\n\n${usage}`);
}

/** { etcd: { port, args, ... }, nodes: [{ name, nodeName, dataDir, ports, flags }] } */
export function planCluster({ nodes, dir, shift }) {
  const client = `http://127.0.0.1:${etcdPorts.client + shift}`;
  const peer = `http://127.0.0.1:${etcdPorts.peer + shift}`;
  const etcd = {
    endpoint: client,
    ports: [etcdPorts.client + shift, etcdPorts.peer + shift],
    args: [
      ...['--name', 'etcd', '--data-dir', path.join(dir, 'etcd'), '--logger', 'zap', '--log-level', 'warn'],
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `etcd=${peer}`],
    ],
  };
  const brokers = Array.from({ length: nodes }, (_, i) => planNode(i, { dir, shift, etcd: client }));
  return { etcd, nodes: brokers };
}

function planNode(index, { dir, shift, etcd }) {
  const name = `chapar-${index + 1}`;
  const ports = Object.fromEntries(Object.entries(firstPorts).map(([what, first]) => [what, first + index + shift]));
  const nodeName = `${name}@${hostname()}`;
  const dataDir = path.join(dir, name);
  const flags = [
    ...['--node-name', nodeName, '--data-dir', dataDir, '--etcd', etcd],
    ...Object.entries(ports).flatMap(([what, port]) => ['--listen', `${what}=:${port}`]),
  ];
  return { name, nodeName, dataDir, ports, flags };
}

/** What is told when all of it is ready. `pids` by name; `cwd` is where the reader types. */
export function banner(plan, pids, cwd) {
  const near = (directory) => {
    const relative = path.relative(cwd, directory);
    return relative.startsWith('..') ? directory : relative;
  };
  const count = ['', 'One broker is', 'Two brokers are', 'Three brokers are'][plan.nodes.length];
  const [first] = plan.nodes;
  const last = plan.nodes[plan.nodes.length - 1];
  const rows = plan.nodes.map(({ name, ports }) => [
    name,
    `amqp ${ports.amqp}  mqtt ${ports.mqtt}  management ${ports.management}  peer ${ports.peer}  process ${pids[name]}`,
  ]);
  rows.push(['etcd', `${plan.etcd.endpoint}  process ${pids.etcd}`]);
  rows.push([
    'clients',
    `any of ${plan.nodes.map(({ ports }) => `amqp://localhost:${ports.amqp}`).join(' ')}, as guest / guest`,
  ]);
  rows.push(['look', `npx chapar status --data-dir ${near(first.dataDir)}`]);
  rows.push(['data', near(path.dirname(first.dataDir))]);
  rows.push(['try', `kill -9 ${pids[last.name]}, look, and start it again:`]);
  rows.push(['', `npm start -- ${last.flags.map((flag) => (path.isAbsolute(flag) ? near(flag) : flag)).join(' ')}`]);
  rows.push(['stop', 'Ctrl-C']);
  const lines = rows.map(([name, text]) => `  ${name.padEnd(9)} ${text}`);
  return `\n${count ?? `${plan.nodes.length} brokers are`} ready as one cluster.\n\n${lines.join('\n')}\n`;
}
