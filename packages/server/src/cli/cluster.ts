import type { Command } from 'commander';
import { addAdoptCommand } from './adopt.js';
import { type Talk, talks } from './api-command.js';
import { type ClusterAnswer, clusterText } from './cluster-text.js';

/** `chapar cluster status`, `chapar cluster adopt`. */
export function addClusterCommands(program: Command): void {
  const cluster = program.command('cluster').description('the cluster: its nodes, links and etcd');
  const status = cluster
    .command('status')
    .description('the nodes of the cluster, how many queues each leads, what each says of its links and of etcd');
  talks(status, async (talk: Talk) => {
    const answer = (await talk.api.get('cluster')) as ClusterAnswer;
    const text = talk.format === 'json' ? `${JSON.stringify(answer, null, 2)}\n` : clusterText(answer, Date.now());
    process.stdout.write(text);
  });
  addAdoptCommand(cluster);
}
