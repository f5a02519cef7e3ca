import type { Command } from 'commander';
import { type Talk, talks } from './api-command.js';
import { type PasswordOptions, readPassword } from './password.js';
import type { Row } from './table.js';

/** `chapar user add|delete|list|tags|password`. */
export function addUserCommands(program: Command): void {
  const user = program.command('user').description('users: add, delete, list, tags, password');
  addUser(user);
  talks(user.command('delete').argument('<name>'), async (talk, _options: object, name: string) => {
    await talk.api.delete(['users', name]);
    talk.say(`user '${name}' is gone`);
  });
  talks(user.command('list'), async (talk) =>
    talk.rows((await talk.api.get('users')) as readonly Row[], ['name', 'tags']),
  );
  setTags(user);
  setPassword(user);
}

function withPasswordOptions(command: Command): Command {
  return command
    .option('--password <password>', 'visible to other processes of this machine; better:')
    .option(
      '--password-file <file>',
      'a file with the password; without either it is asked for, or read from standard input',
    );
}

function addUser(user: Command): void {
  const command = withPasswordOptions(user.command('add').argument('<name>')).option(
    '--tags <tags>',
    'administrator, monitoring, policymaker, management, impersonator; separated by commas',
    '',
  );
  talks(command, async (talk: Talk, options: PasswordOptions & { tags: string }, name: string) => {
    const password = await readPassword(options, `Password of the new user ${name}: `);
    await talk.api.put(['users', name], { password, tags: options.tags });
    talk.say(`user '${name}' is there. To let it work in a virtual host: chapar permissions set ${name} --vhost /`);
  });
}

/** The API replaces users whole, so what stays is read first. */
function setTags(user: Command): void {
  const command = user.command('tags').argument('<name>').argument('[tags...]', 'none: a user without tags');
  talks(command, async (talk: Talk, _options: object, name: string, tags: readonly string[]) => {
    const { password_hash, hashing_algorithm } = (await talk.api.get('users', name)) as Row;
    const wanted = tags.flatMap((tag) => tag.split(',')).join(',');
    await talk.api.put(['users', name], { password_hash, hashing_algorithm, tags: wanted });
    talk.say(wanted === '' ? `user '${name}' has no tags` : `user '${name}' has the tags ${wanted}`);
  });
}

function setPassword(user: Command): void {
  const command = withPasswordOptions(user.command('password').argument('<name>'));
  talks(command, async (talk: Talk, options: PasswordOptions, name: string) => {
    const { tags } = (await talk.api.get('users', name)) as Row;
    const password = await readPassword(options, `New password of ${name}: `);
    await talk.api.put(['users', name], { password, tags: Array.isArray(tags) ? tags.join(',') : tags });
    talk.say(`user '${name}' has a new password`);
  });
}
