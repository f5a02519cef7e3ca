// The directory of `npm run cluster`. A file in it says that it is one, so that --fresh never removes anything else.
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const mark = 'made-by-npm-run-cluster';

/** Throws an Error whose message is for people. */
export function prepareDirectory(dir, fresh) {
  const there = existsSync(dir) && readdirSync(dir).length > 0;
  const ours = existsSync(path.join(dir, mark));
  if (there && !ours)
    throw new Error(`${dir} holds something else than a cluster of this command; choose another --dir.`);
  if (there && fresh) rmSync(dir, { recursive: true });
  mkdirSync(dir, { recursive: true });
  writeFileSync(
    path.join(dir, mark),
    'Remove this directory when you need the cluster no more, or start it with --fresh.\n',
  );
}
