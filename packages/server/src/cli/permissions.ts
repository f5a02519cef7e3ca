import type { Command } from 'commander';
import { type Talk, talks } from './api-command.js';
import type { Row } from './table.js';

interface Patterns {
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

/** `chapar permissions set|clear|list`. */
export function addPermissionCommands(program: Command): void {
  const permissions = program.command('permissions').description('who may do what in a virtual host: set, clear, list');
  const set = permissions
    .command('set')
    .argument('<user>')
    .option('--configure <re>', 'names that may be declared and deleted', '.*')
    .option('--write <re>', 'names that may be published and bound to', '.*')
    .option('--read <re>', 'names that may be consumed from and bound', '.*');
  talks(set, async (talk: Talk, { configure, write, read }: Patterns, user: string) => {
    await talk.api.put(['permissions', talk.vhost, user], { configure, write, read });
    talk.say(`user '${user}' has permissions in '${talk.vhost}': configure ${configure}, write ${write}, read ${read}`);
  });
  talks(permissions.command('clear').argument('<user>'), async (talk, _options: object, user: string) => {
    await talk.api.delete(['permissions', talk.vhost, user]);
    talk.say(`user '${user}' has no permissions in '${talk.vhost}'`);
  });
  talks(permissions.command('list').argument('[user]'), async (talk, _options: object, user: string | undefined) => {
    const rows = ((await talk.api.get('permissions')) as readonly Row[])
      .filter((row) => user === undefined || row['user'] === user)
      .filter((row) => talk.vhostGiven === undefined || row['vhost'] === talk.vhostGiven);
    talk.rows(rows, ['vhost', 'user', 'configure', 'write', 'read']);
  });
}
