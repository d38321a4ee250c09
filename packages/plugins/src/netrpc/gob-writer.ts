/** Bytes in the making, in gob's notation of numbers. */
export class GobWriter {
  #bytes = new Uint8Array(256)
  #length = 0

  /** Below 128 one byte, else the negated number of bytes and the bytes, most significant first. */
  uint(value: number): void {
    if (value < 128) {
      this.#push(value)
      return
    }
    const digits: number[] = []
    for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256)
    this.#push(256 - digits.length)
    for (const digit of digits) this.#push(digit)
  }

  /** The sign is the lowest bit. */
  int(value: number): void {
    const folded = value < 0 ? (BigInt(-1 - value) << 1n) | 1n : BigInt(value) << 1n
    if (folded <= BigInt(Number.MAX_SAFE_INTEGER)) this.uint(Number(folded))
    else this.#wide(folded)
  }

  /** The bytes of the IEEE number, reversed: short numbers get short. */
  float(value: number): void {
    const view = new DataView(new ArrayBuffer(8))
    view.setFloat64(0, value, true)
    const folded = view.getBigUint64(0)
    if (folded <= BigInt(Number.MAX_SAFE_INTEGER)) this.uint(Number(folded))
    else this.#wide(folded)
  }

  text(value: string): void {
    this.bytes(new TextEncoder().encode(value))
  }

  /** With its length before it. */
  bytes(value: Uint8Array): void {
    this.uint(value.length)
    this.raw(value)
  }

  raw(value: Uint8Array): void {
    this.#makeRoom(value.length)
    this.#bytes.set(value, this.#length)
    this.#length += value.length
  }

  taken(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  #wide(value: bigint): void {
    const digits: number[] = []
    for (let rest = value; rest > 0n; rest >>= 8n) digits.unshift(Number(rest & 255n))
    this.#push(256 - digits.length)
    for (const digit of digits) this.#push(digit)
  }

  #push(byte: number): void {
    this.#makeRoom(1)
    this.#bytes[this.#length++] = byte
  }

  #makeRoom(more: number): void {
    if (this.#length + more <= this.#bytes.length) return
    const wider = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more))
    wider.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = wider
  }
}
