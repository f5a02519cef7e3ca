import { Command, CommanderError } from 'commander';
import type { Compose } from './broker.js';
import { addClusterCommands } from './cli/cluster.js';
import { CommandError } from './cli/command-error.js';
import { addConfigCommands } from './cli/config.js';
import { addDeclareCommands } from './cli/declare.js';
import { addDefinitionCommands } from './cli/definitions.js';
import { addDeleteCommands } from './cli/delete.js';
import { addForgetCommand } from './cli/forget.js';
import { addInspectCommand } from './cli/inspect.js';
import { addListCommand } from './cli/list.js';
import { addMaintenanceCommands } from './cli/maintenance.js';
import { addMessageCommands } from './cli/messages.js';
import { addPermissionCommands } from './cli/permissions.js';
import { addQueueCommands } from './cli/queue.js';
import { addStartCommand } from './cli/start.js';
import { addStatusCommand } from './cli/status.js';
import { addUserCommands } from './cli/user.js';
import { ConfigurationError } from './config/problem.js';
import { version } from './version.js';

/** Runs the command line: `start` for a broker, the other verbs for talking to one. Sets the process's exit code. */
export async function main(args: readonly string[], compose?: Compose): Promise<void> {
  const program = new Command('chapar')
    .description('A multiprotocol message broker, and the commands to look after one.')
    .version(version, '-V, --version')
    .showSuggestionAfterError()
    .showHelpAfterError('(add --help for what there is)')
    .exitOverride();
  addStartCommand(program, compose);
  addStatusCommand(program);
  addClusterCommands(program);
  addForgetCommand(program);
  addMaintenanceCommands(program);
  addQueueCommands(program);
  addConfigCommands(program);
  addListCommand(program);
  addInspectCommand(program);
  addDeclareCommands(program);
  addDeleteCommands(program);
  addMessageCommands(program);
  addUserCommands(program);
  addPermissionCommands(program);
  addDefinitionCommands(program);
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    process.exitCode = exitCodeOf(error);
  }
}

/** Prints what commander has not printed. 2: the command line or the configuration is at fault; 1: anything else. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof CommandError) {
    process.stderr.write(`chapar: ${error.message}${error.wayOut === '' ? '' : `\n${error.wayOut}`}\n`);
    return error.exitCode;
  }
  if (error instanceof ConfigurationError) {
    process.stderr.write(`The configuration cannot be used:\n${error.message}\n`);
    return 2;
  }
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  return 1;
}
