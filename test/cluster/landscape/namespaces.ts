import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Landscape } from './landscape.js';
import { diesWithUs, type Place } from './place.js';

/**
 * Why network namespaces with a bridge and filters cannot be made here; null when they can. Found out in a namespace that is gone
 * afterwards.
 */
export const whyNoNamespaces: string | null = tryOut();

function tryOut(): string | null {
  if (process.env['CHAPAR_TEST_LOOPBACK'] !== undefined) return 'CHAPAR_TEST_LOOPBACK is set';
  const inside = [
    'ip link add bridge0 type bridge',
    'nft add table inet cuts',
    'nft add set inet cuts away "{ type ipv4_addr; }"',
    'nft add chain inet cuts input "{ type filter hook input priority 0; }"',
    'nft add rule inet cuts input ip saddr @away meta l4proto tcp reject with tcp reset',
    'nsenter --version',
  ];
  // Our own way in: a container may let us make namespaces and not touch the one that we are in.
  const card = `try${process.pid}`;
  const here = [`ip link add ${card} type veth peer name ${card}b`, `ip link delete ${card}`];
  const script = [...here, `unshare -n sh -c '${inside.join(' && ')}'`].join(' && ');
  const { status, stderr } = spawnSync('sh', ['-c', script], { encoding: 'utf8' });
  return status === 0 ? null : `network namespaces need root, iproute2 and nftables: ${stderr.trim().split('\n')[0]}`;
}

/** A network namespace that lives as long as a process which waits on a pipe of ours: none outlives us, named or not. */
class Namespace {
  readonly pid: number;
  private readonly holder: ChildProcess;

  private constructor(holder: ChildProcess) {
    this.holder = holder;
    this.pid = holder.pid!;
  }

  static async make(): Promise<Namespace> {
    const script = 'ip link set lo up && echo up && exec cat';
    const holder = spawn('unshare', ['-n', 'sh', '-c', script], { stdio: ['pipe', 'pipe', 'inherit'] });
    await new Promise<void>((resolve, reject) => {
      holder.stdout.once('data', () => resolve());
      holder.once('error', reject);
      holder.once('exit', (code) => reject(new Error(`making a network namespace ended with ${code}`)));
    });
    return new Namespace(holder);
  }

  get inside(): readonly string[] {
    return ['nsenter', `--net=/proc/${this.pid}/ns/net`];
  }

  run(...command: string[]): void {
    runTool([...this.inside, ...command]);
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.holder.once('exit', resolve));
    this.holder.stdin!.end();
    await ended;
  }
}

/** Long enough for a packet on a busy connection, too short for another try to connect to be refused for good. Milliseconds. */
const momentMs = 50;
const prefixBits = 24;
/** Of 198.18.0.0/15, which is set aside for tests of networks (RFC 2544) and routed nowhere. */
const block = '198.18';

/** A place with an address, a network card and filters of its own; all of them hang on one bridge in one more namespace. */
export class Namespaces implements Landscape {
  readonly whyNoCuts = null;
  readonly here: Place;
  private readonly hub: Namespace;
  private readonly subnet: number;
  /** Our own way in, in the namespace of the test. */
  private readonly card = `chapar${process.pid}`;
  private readonly namespaces = new Map<Place, Namespace>();

  private constructor(hub: Namespace, subnet: number) {
    this.hub = hub;
    this.subnet = subnet;
    this.here = placeAt('here', this.address(254), diesWithUs);
  }

  static async open(): Promise<Namespaces> {
    const hub = await Namespace.make();
    hub.run('ip', 'link', 'add', 'bridge0', 'type', 'bridge');
    hub.run('ip', 'link', 'set', 'bridge0', 'up');
    const made = new Namespaces(hub, freeSubnet());
    const { card } = made;
    // It vanishes with the hub, to which its other end belongs.
    runTool(['ip', 'link', 'add', card, 'type', 'veth', 'peer', 'name', 'here', 'netns', String(hub.pid)]);
    hub.run('ip', 'link', 'set', 'here', 'master', 'bridge0', 'up');
    runTool(['ip', 'address', 'add', `${made.here.host}/${prefixBits}`, 'dev', card]);
    runTool(['ip', 'link', 'set', card, 'up']);
    return made;
  }

  async place(name: string): Promise<Place> {
    const namespace = await Namespace.make();
    const number = this.namespaces.size + 1;
    const card = `place${number}`;
    const place = placeAt(name, this.address(number), [...namespace.inside, ...diesWithUs]);
    this.hub.run('ip', 'link', 'add', card, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(namespace.pid));
    this.hub.run('ip', 'link', 'set', card, 'master', 'bridge0', 'up');
    namespace.run('ip', 'address', 'add', `${place.host}/${prefixBits}`, 'dev', 'eth0');
    namespace.run('ip', 'link', 'set', 'eth0', 'up');
    namespace.run('nft', 'add table inet cuts');
    namespace.run('nft', 'add set inet cuts away { type ipv4_addr; }');
    namespace.run('nft', 'add chain inet cuts input { type filter hook input priority 0; }');
    namespace.run('nft', 'add rule inet cuts input ip saddr @away drop');
    namespace.run('nft', 'add set inet cuts broken { type ipv4_addr; }');
    namespace.run('nft', 'add rule inet cuts input ip saddr @broken meta l4proto tcp reject with tcp reset');
    this.namespaces.set(place, namespace);
    return place;
  }

  cut(from: Place, to: Place): void {
    this.of(to).run('nft', `add element inet cuts away { ${from.host} }`);
  }

  heal(from: Place, to: Place): void {
    // Added first, since what is not there cannot be deleted.
    this.cut(from, to);
    this.of(to).run('nft', `delete element inet cuts away { ${from.host} }`);
  }

  async breakConnections(one: Place, other: Place): Promise<void> {
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      const place = this.of(to);
      place.run('nft', `add element inet cuts broken { ${from.host} }`);
      await sleep(momentMs);
      place.run('nft', `delete element inet cuts broken { ${from.host} }`);
    }
  }

  healAll(): void {
    for (const namespace of this.namespaces.values()) namespace.run('nft', 'flush set inet cuts away');
  }

  async close(): Promise<void> {
    // The kernel takes its time to clear namespaces away; the name is free at once.
    runTool(['ip', 'link', 'delete', this.card]);
    for (const namespace of this.namespaces.values()) await namespace.close();
    this.namespaces.clear();
    await this.hub.close();
  }

  private address(number: number): string {
    return `${block}.${this.subnet}.${number}`;
  }

  private of(place: Place): Namespace {
    const namespace = this.namespaces.get(place);
    if (namespace === undefined) throw new Error(`${place.name} has no filters: cut what it sends where it arrives`);
    return namespace;
  }
}

function placeAt(name: string, host: string, wrapper: readonly string[]): Place {
  return { name, host, wrapper, port: (wanted) => Promise.resolve(wanted) };
}

/** One that no other test of this machine uses. */
function freeSubnet(): number {
  const taken = new Set(Object.values(networkInterfaces()).flatMap((each) => each!.map(({ address }) => address)));
  const first = process.pid % 250;
  for (let i = 0; i < 250; i++) {
    const subnet = 1 + ((first + i) % 250);
    if (!taken.has(`${block}.${subnet}.254`)) return subnet;
  }
  throw new Error(`every subnet of ${block}.0.0/16 is in use`);
}

function runTool(command: readonly string[]): void {
  const [program, ...args] = command;
  const { error, status, stderr } = spawnSync(program!, args, { encoding: 'utf8', timeout: 10_000 });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command.join(' ')}: ${stderr.trim()}`);
}
