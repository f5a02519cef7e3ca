import type { Command } from 'commander';
import { readConfiguration } from '../config/effective.js';
import { serverOptions } from '../config/options.js';
import { showConfiguration } from '../config/show.js';
import { addConfigurationFlags } from './start.js';

/** `chapar config show`: what `start` with the same options would run with. */
export function addConfigCommands(program: Command): void {
  const config = program.command('config').description('look at the configuration');
  const show = config
    .command('show')
    .description(
      'print the settings that differ from their defaults, as `chapar start` with the same options would take them',
    );
  const flags = addConfigurationFlags(show);
  show
    .option('--effective', 'all settings, defaults too')
    .option('--origin', 'where each value comes from')
    .option('--format <format>', 'yaml or json', 'yaml')
    .action((options: { effective?: true; origin?: true; format: string }) => {
      const effective = readConfiguration(flags(), process.env);
      // What does not fit together is told here as it would be at a start.
      serverOptions(effective, process.cwd());
      const shown = {
        all: options.effective === true,
        origin: options.origin === true,
        json: options.format === 'json',
      };
      process.stdout.write(showConfiguration(effective, shown));
    });
}
