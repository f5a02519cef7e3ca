import { addressForms } from './address.js';
import { environmentName } from './environment.js';
import { defaultHost, defaultPorts, isProtocol, type KnownProtocol } from './protocols.js';
import { allowedValues, type SettingKey, sectionOf, sections, settingKeys, settingOf } from './settings.js';

const titles: Readonly<Record<string, string>> = {
  '': 'Settings that stand alone',
  node: 'node: who it is and where it keeps things',
  listeners: 'listeners: where it listens',
  cluster: 'cluster: which other nodes it belongs to',
  tls: 'tls: certificates of the TLS listeners',
  store: 'store: what is kept',
  auth: 'auth: who may log in',
  limits: 'limits: how much of what',
  mqtt: 'mqtt: what MQTT clients may',
  log: 'log: what it says',
};

/** docs/CONFIGURATION.md, from the table of settings. */
export function configurationDocument(): string {
  return `${[introduction, ...sections.map(sectionText), protocolText()].join('\n')}\n`;
}

const introduction = `# Configuration

<!-- Generated from packages/server/src/config/settings.ts by \`node tools/configuration-doc.mjs\`; do not edit. -->

Without any configuration a broker listens for AMQP 0-9-1 on port 5672 of all interfaces and for management on port 15672 of the loopback,
and keeps its data in \`./data\`. Each setting can be given in three ways; the later ones win:

1. a YAML file: \`npm start -- --config chapar.yaml\`,
2. the environment: \`CHAPAR_SECTION__KEY\`, words split by one underscore,
3. flags: \`--data-dir DIR\`, \`--node-name NAME\`, \`--listen PROTOCOL=ADDRESS\` (repeatable; when given, only those that are named
   listen), \`--no-listen PROTOCOL\`, and to join a cluster ([CLUSTER.md](CLUSTER.md)) \`--etcd URL[,URL...]\`, \`--etcd-prefix PATH\`,
   \`--advertise HOST:PORT\`.

\`npx chapar config show --effective --origin\` prints every value and where it comes from; it takes the same flags. An unknown key, a
value that is not allowed, or something that this version does not have yet stops the start with exit code 2 and a text that names the
key, the line, what is allowed and the nearest known name.

\`\`\`yaml
# chapar.yaml
node:
  dataDir: /var/lib/chapar
listeners:
  amqps: 5671
  management: "*:15672"
tls:
  certFile: /etc/chapar/server.pem
  keyFile: /etc/chapar/server.key
limits:
  maxMessageSize: 1048576
log:
  levels: { amqp091: debug }
\`\`\`
`;

function sectionText(section: string): string {
  const keys = settingKeys.filter((key) => sectionOf(key) === section);
  return `## ${titles[section] ?? section}\n\n${keys.map(settingText).join('\n')}`;
}

function settingText(key: SettingKey): string {
  const { description, default: fallback, defaultText } = settingOf(key);
  return `### \`${key}\`

${description}

- default: ${defaultText ?? (fallback === null ? 'none' : `\`${typeof fallback === 'string' ? fallback : JSON.stringify(fallback)}\``)}
- allowed: ${allowedValues(key)}
- environment: \`${environmentName(key)}\`
`;
}

function protocolText(): string {
  const rows = (Object.keys(defaultPorts) as KnownProtocol[]).map((name) => {
    const where = defaultHost(name) === null ? 'all interfaces' : 'loopback';
    return `| ${name} | ${defaultPorts[name] ?? 'none'} | ${where} | ${isProtocol(name) ? 'yes' : 'not yet: refused by name'} |`;
  });
  return `## Protocols, ports and addresses

Addresses are written ${addressForms}. What is left out is the protocol's default.

| protocol | default port | default interface | in this version |
|---|---|---|---|
${rows.join('\n')}`;
}
