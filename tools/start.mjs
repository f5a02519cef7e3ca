// npm start: installs what is missing, builds what changed, then becomes the broker (same process, so that a signal meant for
// the broker reaches it).
import './node-version.mjs';

const { prepare } = await import('./prepare.mjs');
await prepare();
const { main } = await import('../packages/server/dist/main.js');
await main(['start', ...process.argv.slice(2)]);
