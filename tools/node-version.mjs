// Imported before anything else, and written so that an old Node can still read it: the first thing that a newcomer with the wrong
// Node sees must be this text and not a syntax error.
var wanted = [20, 19];
var have = process.versions.node.split('.').map(Number);
if (have[0] < wanted[0] || (have[0] === wanted[0] && have[1] < wanted[1])) {
  console.error(
    'Chapar needs Node.js ' +
      wanted.join('.') +
      ' or newer; this is ' +
      process.versions.node +
      ' (' +
      process.execPath +
      ').\n' +
      'Install a current LTS line (for example `nvm install --lts`, or https://nodejs.org), then run the same command again.',
  );
  process.exit(1);
}
