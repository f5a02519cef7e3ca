import { blockFormBytesMax, readBlockForm, writeBlockForm } from './block-form.js';

/** Bytes of a page; the first ones are smaller. */
const pageBytesMax = 64 * 1024;
const pageBytesMin = 4 * 1024;
/** Before each block its length. */
const lengthBytes = 2;
/** What pages may hold beyond this many times the blocks in them is dead, and they are written anew. */
const wasteFactor = 3;

/** The blocks of one queue that nobody looks at for the moment: a few bytes each, in pages that many share. */
export class SealedBlocks {
  /** Page and offset in it, by number of the block. */
  private readonly places = new Map<number, number>();
  private pages: (Uint8Array | null)[] = [];
  /** Bytes of the blocks in each page. */
  private pageLiveBytes: number[] = [];
  private freePages: number[] = [];
  private page = -1;
  private used = 0;
  /** Of all pages together. */
  pagesBytes = 0;
  private liveBytes = 0;

  get size(): number {
    return this.places.size;
  }

  has(index: number): boolean {
    return this.places.has(index);
  }

  indexes(): IterableIterator<number> {
    return this.places.keys();
  }

  /** Keeps the block's slots. */
  put(index: number, slots: Uint32Array): void {
    const end = writeBlockForm(slots, scratch, 0);
    this.putForm(index, scratch, 0, end);
  }

  /** Keeps a block that is in its short form already. */
  putForm(index: number, form: Uint8Array, from: number, to: number): void {
    const bytes = lengthBytes + to - from;
    if (this.page < 0 || this.used + bytes > this.pages[this.page]!.length) this.nextPage();
    const page = this.pages[this.page]!;
    const at = this.used;
    page[at] = (to - from) >>> 8;
    page[at + 1] = to - from;
    page.set(form.subarray(from, to), at + lengthBytes);
    this.used = at + bytes;
    this.pageLiveBytes[this.page]! += bytes;
    this.liveBytes += bytes;
    this.places.set(index, this.page * pageBytesMax + at);
  }

  /** Takes a block out, into empty slots; returns how many of them live. */
  take(index: number, slots: Uint32Array): number {
    const place = this.places.get(index)!;
    const pageNumber = Math.floor(place / pageBytesMax);
    const page = this.pages[pageNumber]!;
    const from = (place % pageBytesMax) + lengthBytes;
    const to = from + formBytes(page, from - lengthBytes);
    const live = readBlockForm(page, from, to, slots);
    this.places.delete(index);
    this.release(pageNumber, lengthBytes + to - from);
    return live;
  }

  /** Calls `visit` with each block in its short form, in no order. */
  forEach(visit: (index: number, page: Uint8Array, from: number, to: number) => void): void {
    for (const [index, place] of this.places) {
      const page = this.pages[Math.floor(place / pageBytesMax)]!;
      const from = (place % pageBytesMax) + lengthBytes;
      visit(index, page, from, from + formBytes(page, from - lengthBytes));
    }
  }

  private nextPage(): void {
    const bytes = Math.min(pageBytesMax, Math.max(pageBytesMin, this.pagesBytes));
    const page = new Uint8Array(bytes);
    const number = this.freePages.pop() ?? this.pages.length;
    this.pages[number] = page;
    this.pageLiveBytes[number] = 0;
    this.pagesBytes += bytes;
    this.page = number;
    this.used = 0;
  }

  private release(pageNumber: number, bytes: number): void {
    this.liveBytes -= bytes;
    this.pageLiveBytes[pageNumber]! -= bytes;
    if (this.pageLiveBytes[pageNumber] === 0) this.drop(pageNumber);
    if (this.pagesBytes > pageBytesMax + wasteFactor * this.liveBytes) this.writeAnew();
  }

  private drop(pageNumber: number): void {
    if (pageNumber === this.page) {
      this.used = 0;
      return;
    }
    this.pagesBytes -= this.pages[pageNumber]!.length;
    this.pages[pageNumber] = null;
    this.freePages.push(pageNumber);
  }

  /** One block that stays would otherwise hold a page. */
  private writeAnew(): void {
    const { pages } = this;
    const places = [...this.places];
    this.places.clear();
    this.pages = [];
    this.pageLiveBytes = [];
    this.freePages = [];
    this.page = -1;
    this.used = this.pagesBytes = this.liveBytes = 0;
    for (const [index, place] of places) {
      const page = pages[Math.floor(place / pageBytesMax)]!;
      const from = (place % pageBytesMax) + lengthBytes;
      this.putForm(index, page, from, from + formBytes(page, from - lengthBytes));
    }
  }
}

function formBytes(page: Uint8Array, at: number): number {
  return page[at]! * 256 + page[at + 1]!;
}

const scratch = new Uint8Array(blockFormBytesMax);
