import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Conversation, type Session } from './conversation.js';
import type { Stage } from './place.js';

const pathOf = (session: Session) => fileURLToPath(new URL(`transcripts/${session.name}.txt`, import.meta.url));

/** Plays a session and returns what was said. */
export async function transcribe(session: Session, stage: Stage): Promise<string> {
  const lines = [`# ${session.about}`];
  await stage.play(async (place) => {
    const conversation = new Conversation(place);
    try {
      await session.play(conversation);
    } finally {
      lines.push(...conversation.lines);
    }
  });
  return `${lines.join('\n')}\n`;
}

/** What RabbitMQ said when it was asked; null when it never was. */
export function recorded(session: Session): string | null {
  const path = pathOf(session);
  return existsSync(path) ? readFileSync(path, 'utf8') : null;
}

export function record(session: Session, transcript: string): void {
  writeFileSync(pathOf(session), transcript);
}
