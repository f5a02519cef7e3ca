import { createNodePlatform, type Log, type NodeLogOptions } from '@chapar/platform';
import { type Compose, type RunningBroker, StartAbortedError } from '../broker.js';
import type { ServerOptions } from '../config/options.js';
import { banner, readyFields } from './banner.js';
import { descriptorWarning } from './descriptors.js';
import { explain, formatExplanation } from './explain.js';
import { letHeapGrow } from './heap.js';
import { StopSignals } from './stop.js';

/** Runs one broker for as long as the process lives. Ends the process itself: 0 after a stop, 1 or 2 when it cannot start. */
export async function runBroker(options: ServerOptions, compose: Compose): Promise<void> {
  letHeapGrow();
  const pretty = options.log.format === 'pretty' || (options.log.format === 'auto' && process.stdout.isTTY === true);
  const platform = createNodePlatform({ log: logOptions(options, pretty) });
  const log = platform.log.of('server');
  endOnBugs(log);
  const signals = new StopSignals(log, options.shutdownSeconds, (code) => process.exit(code));
  signals.listen();
  const warning = descriptorWarning(options);
  if (warning !== null) log.warn({}, warning);

  let broker: RunningBroker;
  try {
    broker = await compose(options, platform, signals.aborted);
  } catch (error) {
    // What it waited for will not come any more, and that is no failure.
    if (error instanceof StartAbortedError) {
      log.info({}, 'stopped');
      process.exit(0);
    }
    endFailedStart(error, options);
    return;
  }
  if (pretty) process.stdout.write(banner(broker, options, process.pid));
  else log.info(readyFields(broker, options, process.pid), 'ready');
  signals.started(broker);
}

function logOptions(options: ServerOptions, pretty: boolean): NodeLogOptions {
  return { level: options.log.level, levels: options.log.levels, pretty };
}

/** A bug must not leave a broker behind that half works: what is confirmed is on disk, so the best end is a quick one. */
function endOnBugs(log: Log): void {
  process.on('uncaughtException', (error) => {
    log.error({ error }, 'an error that nobody expected; ending');
    process.exit(1);
  });
}

function endFailedStart(error: unknown, options: ServerOptions): void {
  const explanation = explain(error, options);
  if (explanation !== null) {
    process.stderr.write(formatExplanation(explanation));
    process.exit(explanation.exitCode);
  }
  const text = error instanceof Error ? error.stack : String(error);
  process.stderr.write(`Chapar did not start, for a reason that it does not know. Please report this:\n${text}\n`);
  process.exit(1);
}
