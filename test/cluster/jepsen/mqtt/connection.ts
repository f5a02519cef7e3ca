import { connect, type Socket } from 'node:net';
import { generate, type IConnectPacket, type Packet, parser } from 'mqtt-packet';

const version = { protocolVersion: 5 } as const;
const keepAliveSeconds = 3;
/** A node refuses whom it cannot let in within five seconds. */
const answerMs = 8000;
/** Without a word from the node, PINGRESP too. */
const silenceMs = 4500;

export interface ConnectionUser {
  /** CONNACK and all that comes behind it. */
  heard(packet: Packet): void;
  /** Once. Nothing is heard afterwards. */
  over(why: string): void;
}

/** One connection to a broker, which says what it is told; it gives up a node that is silent. */
export class MqttConnection {
  private readonly socket: Socket;
  private readonly user: ConnectionUser;
  private readonly timer: NodeJS.Timeout;
  private heardMs = Date.now();
  private isOpen = false;
  private isOver = false;
  private hasLeft = false;
  private lastWord = '';

  constructor(host: string, port: number, hello: Omit<IConnectPacket, 'cmd' | 'keepalive'>, user: ConnectionUser) {
    this.user = user;
    this.socket = connect({ host, port, noDelay: true });
    const reader = parser(version);
    reader.on('packet', (packet) => this.packet(packet));
    reader.on('error', (error: Error) => this.end(`what came is no MQTT: ${error.message}`));
    this.socket.on('data', (bytes) => {
      this.heardMs = Date.now();
      reader.parse(bytes);
    });
    this.socket.on('error', (error) => this.end(error.message));
    this.socket.on('end', () => this.end(this.hasLeft ? answeredGoodbye : `closed by the node${this.lastWord}`));
    this.socket.on('close', () => this.end('closed'));
    this.timer = setInterval(() => this.tick(), (keepAliveSeconds * 1000) / 3);
    this.say({ cmd: 'connect', protocolId: 'MQTT', ...version, keepalive: keepAliveSeconds, ...hello });
  }

  say(packet: Packet): void {
    if (!this.isOver) this.socket.write(generate(packet, version));
  }

  /** DISCONNECT, and the node closes the connection. */
  leave(): void {
    this.say({ cmd: 'disconnect', reasonCode: 0 });
    this.hasLeft = true;
    this.socket.end();
    setTimeout(() => this.end('nobody answered the goodbye'), silenceMs).unref();
  }

  /** Without a word, and at once. */
  drop(): void {
    this.end('dropped');
  }

  private packet(packet: Packet): void {
    if (this.isOver) return;
    if (packet.cmd === 'connack') this.isOpen = true;
    if (packet.cmd === 'disconnect') this.lastWord = `, code 0x${(packet.reasonCode ?? 0).toString(16)}`;
    this.user.heard(packet);
  }

  private tick(): void {
    const silentMs = Date.now() - this.heardMs;
    if (silentMs > (this.isOpen ? silenceMs : answerMs)) this.end(`the node was silent for ${silentMs} ms`);
    else if (this.isOpen && !this.hasLeft) this.say({ cmd: 'pingreq' });
  }

  private end(why: string): void {
    if (this.isOver) return;
    this.isOver = true;
    clearInterval(this.timer);
    this.socket.destroy();
    this.user.over(why);
  }
}

/** How a connection ended whose node has read DISCONNECT. */
export const answeredGoodbye = 'the node answered the goodbye';
