import type { Session } from './conversation.js';
import { deadLettering } from './sessions/dead-lettering.js';
import { declaring } from './sessions/declaring.js';
import { expiring } from './sessions/expiring.js';
import { hashing } from './sessions/hashing.js';
import { limiting } from './sessions/limiting.js';
import { ordering } from './sessions/ordering.js';
import { policing } from './sessions/policing.js';
import { publishing } from './sessions/publishing.js';
import { settling } from './sessions/settling.js';

export const sessions: readonly Session[] = [
  ...declaring,
  ...settling,
  ...publishing,
  ...deadLettering,
  ...expiring,
  ...limiting,
  ...ordering,
  ...hashing,
  ...policing,
];
