// Closes a test run: which tests were skipped and why, then the counts alone on a line. With CHAPAR_TEST_REQUIRE=all a skip is a
// failure, so that a CI machine that lost a program cannot stay green by testing less.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export default class ClosingReporter {
  onInit(vitest) {
    this.filtered = vitest.config.testNamePattern !== undefined;
    this.directory = mkdtempSync(path.join(tmpdir(), 'chapar-skips-'));
    // Read by test/support/skip.ts in the workers, which inherit the environment.
    process.env['CHAPAR_SKIP_LOG'] = path.join(this.directory, 'skips');
  }

  onTestRunEnd(modules, unhandledErrors) {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    const skips = new Map();
    const reasons = this.recordedReasons();
    for (const module of modules) this.count(module, counts, skips, reasons);
    rmSync(this.directory, { recursive: true, force: true });
    this.close(counts, skips);
  }

  count(module, counts, skips, reasons) {
    const tests = [...module.children.allTests()];
    // A file or suite that could not be collected, or whose hooks failed, has no test to show for it.
    const broken =
      module.errors().length + [...module.children.allSuites()].filter((suite) => suite.errors().length > 0).length;
    counts.failed += broken;
    for (const test of tests) {
      const { state, note } = test.result();
      if (state === 'passed' || state === 'failed') counts[state]++;
      else if (broken === 0) this.noteSkip(module, test, note, counts, skips, reasons);
    }
  }

  noteSkip(module, test, note, counts, skips, reasons) {
    const recorded = reasons.get(module.moduleId);
    // `-t PATTERN` makes vitest report all others as skipped; those nobody asked for.
    if (note === undefined && recorded === undefined && this.filtered) return;
    counts.skipped++;
    const reason = note ?? recorded?.join('; ') ?? 'no reason given';
    const title = `${module.relativeModuleId}: ${reason}`;
    skips.set(title, [...(skips.get(title) ?? []), test.fullName]);
  }

  recordedReasons() {
    const reasons = new Map();
    let text = '';
    try {
      text = readFileSync(process.env['CHAPAR_SKIP_LOG'], 'utf8');
    } catch {
      return reasons;
    }
    for (const line of text.split('\n').filter((line) => line !== '')) {
      const { file, reason } = JSON.parse(line);
      const known = reasons.get(file) ?? [];
      if (!known.includes(reason)) reasons.set(file, [...known, reason]);
    }
    return reasons;
  }

  close(counts, skips) {
    const required = process.env['CHAPAR_TEST_REQUIRE'] === 'all';
    const lines = [''];
    if (skips.size > 0) lines.push('Skipped, and why:');
    for (const [title, names] of skips)
      lines.push(`  ${title} (${names.length} ${names.length === 1 ? 'test' : 'tests'})`);
    if (counts.skipped > 0 && required) {
      lines.push('CHAPAR_TEST_REQUIRE=all: a skip is a failure.');
      process.exitCode = 1;
    }
    // Of several runs at once whoever began them adds up.
    const file = process.env['CHAPAR_COUNTS_FILE'];
    if (file === undefined) lines.push(closingLine([counts]));
    else writeFileSync(file, JSON.stringify(counts));
    process.stdout.write(`${lines.join('\n')}\n`);
  }
}

/** The counts of all these runs. */
export function closingLine(all) {
  const sum = (key) => all.reduce((total, counts) => total + counts[key], 0);
  return `${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped`;
}

/** What a run has left in the file of its `CHAPAR_COUNTS_FILE`. One that ended before has failed. */
export function countsOf(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
}
