import { type Command, Option } from 'commander';
import type { Compose } from '../broker.js';
import { addressForms } from '../config/address.js';
import { readConfiguration } from '../config/effective.js';
import type { Flags } from '../config/flags.js';
import { serverOptions } from '../config/options.js';
import { protocols } from '../config/protocols.js';

/** `chapar start`, which is also `npm start --`. */
export function addStartCommand(program: Command, compose?: Compose): void {
  const command = program.command('start').description('run a broker until it is stopped (SIGTERM, Ctrl-C)');
  const flags = addConfigurationFlags(command);
  command.action(async () => {
    const options = serverOptions(readConfiguration(flags(), process.env), process.cwd());
    const { runBroker } = await import('../start/run.js');
    await runBroker(options, compose ?? (await composeOfThisServer()));
  });
}

/** Loaded only here: the other verbs talk to a broker and need nothing of one. */
async function composeOfThisServer(): Promise<Compose> {
  return (await import('../compose.js')).compose;
}

/** Adds the options that `start` and `config show` share; the returned function reads what was given. */
export function addConfigurationFlags(command: Command): () => Flags {
  const listen: string[] = [];
  const noListen: string[] = [];
  const gather = (into: string[]) => (value: string) => {
    into.push(value);
    return undefined;
  };
  command
    .option('--config <file>', 'YAML file with settings (docs/CONFIGURATION.md)')
    .option('--data-dir <dir>', 'where everything durable is kept (default: data)')
    .option('--node-name <name>', 'NAME@HOST (default: chapar@<host name>)')
    .addOption(new Option('--listen <protocol=address>', listenText()).argParser(gather(listen)))
    .addOption(
      new Option('--no-listen <protocol>', 'do not listen for this protocol; repeatable').argParser(gather(noListen)),
    )
    .option('--etcd <url,...>', 'join the cluster that this etcd keeps (docs/CLUSTER.md); without it the node is alone')
    .option('--etcd-prefix <path>', "the cluster's part of etcd (default: /chapar)")
    .option('--advertise <host:port>', 'where the other nodes reach this one (default: where `peer` listens)');
  return () => {
    const { config, dataDir, nodeName, etcd, etcdPrefix, advertise } = command.opts<Flags>();
    return { config, dataDir, nodeName, listen, noListen, etcd, etcdPrefix, advertise };
  };
}

function listenText(): string {
  return `listen for one of ${protocols.join(', ')}; repeatable; when given, only those that are named listen. Addresses: ${addressForms}`;
}
