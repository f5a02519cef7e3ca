/**
 * Frames of a data lane. A batch is: varint `needs`, the revision of metadata that its reader must have applied, then frames of one byte
 * of type, four of length (big-endian) and so many bytes of payload. Positions, numbers and sizes in payloads are varints; names and JSON
 * are a varint of length and UTF-8.
 */

/** Publishes to queues of the receiver; see `PublishStream`. */
export const FRAME_PUBLISHES = 1;
/** JSON `AttachBody`: a consumer begins, or goes on after the link was broken. A reader passes over what it does not know of it. */
export const FRAME_ATTACH = 2;
/** Consumer, then how much: 0 for no limit, else one more than the credit that is added. */
export const FRAME_CREDIT = 3;
/** Number in this pair of sessions, consumer, outcome, first position, number of positions. */
export const FRAME_SETTLE = 4;
/** Consumer, request: no more deliveries. */
export const FRAME_STOP = 5;
/** Request, holder (0: what is got is settled), queue reference as JSON. */
export const FRAME_GET = 6;
/** Request, JSON `AskBody`. */
export const FRAME_ASK = 7;
/** Consumer, bytes of deliveries that were passed on. */
export const FRAME_PASSED = 8;
/** Address as in the log, message: to a buffer-less end of the receiver. Virtual host first. */
export const FRAME_DIRECT = 9;
/** Every consumer that goes on after the link was broken has said so. */
export const FRAME_RESUMED = 10;

/** Line, epoch, incarnation: what comes on this line is for the leader of a mirrored queue in that epoch. */
export const FRAME_LINE = 11;
/** Publishes on lines; see `LineStream`. */
export const FRAME_LINE_PUBLISHES = 12;
/** Line, number on the line, consumer, outcome, first position, number of positions. */
export const FRAME_LINE_SETTLE = 13;
/** Incarnation, epoch: all that this node has of a mirrored queue was said to its new leader. */
export const FRAME_LED = 14;

/** Virtual host, exchange, then messages: for the buffer-less ends of the receiver that the exchange leads to, and for nothing else. */
export const FRAME_ENDS = 15;

/** Queue number, up to which publish each has its verdict. */
export const FRAME_VERDICT = 17;
/** Queue number, publish, reason: this one is refused. Before any verdict that covers it. */
export const FRAME_REFUSED = 18;
/**
 * Request, JSON: the consumer's place among all of the queue (null: of one that has none), or the error that it is refused with. With request 0:
 * JSON `PlaceBody`, of a consumer that came back.
 */
export const FRAME_ATTACHED = 19;
/** Messages for consumers of the receiver; see `DeliveryStream`. */
export const FRAME_DELIVERIES = 20;
/** Consumer, reason. */
export const FRAME_DETACHED = 21;
/** Request, then the answer to a GET. */
export const FRAME_GOT = 22;
/** Request, JSON `Answer`. */
export const FRAME_ANSWER = 23;
/** The number up to which settlements (FRAME_SETTLE) were carried out. */
export const FRAME_SETTLED = 24;
/** Incarnation, epoch: it leads it, and can serve. */
export const FRAME_LEADS = 25;
/** Incarnation, epoch: it leads it no more. */
export const FRAME_LEFT = 26;
/** Line, the number up to which settlements are for good: no leader to come has to hear of them. */
export const FRAME_LINE_SETTLED = 27;
/** Consumer, JSON: positions that it has claimed in vain. */
export const FRAME_LOST = 28;

// On replication lanes; their batches need no metadata.

/** Number of the copy at whoever pulls, then a pull. */
export const FRAME_PULL = 33;
/** Whoever pulled and was not answered yet waits on. */
export const FRAME_STILL = 34;
/** Number of the copy at whoever pulled, then the answer with its messages. */
export const FRAME_PULLED = 49;

export const frameHeadBytes = 5;
