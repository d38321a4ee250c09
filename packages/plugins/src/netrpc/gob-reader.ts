/** Reads gob's notation of numbers; throws where the bytes end too early. */
export class GobReader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  uint(): number {
    return Number(this.#wide())
  }

  int(): number {
    const folded = this.#wide()
    return Number(folded & 1n ? -1n - (folded >> 1n) : folded >> 1n)
  }

  float(): number {
    const view = new DataView(new ArrayBuffer(8))
    view.setBigUint64(0, this.#wide())
    return view.getFloat64(0, true)
  }

  text(): string {
    return new TextDecoder().decode(this.#take(this.uint()))
  }

  bytes(): Uint8Array {
    return this.#take(this.uint()).slice()
  }

  /** Reads `count` things. Each takes a byte or more, so a count beyond the bytes that are left is a lie. */
  times<T>(count: number, read: () => T): T[] {
    if (count > this.#bytes.length - this.#at) throw tooShort()
    const items: T[] = []
    for (let index = 0; index < count; index++) items.push(read())
    return items
  }

  #wide(): bigint {
    const first = this.#take(1)[0] ?? 0
    if (first < 128) return BigInt(first)
    if (256 - first > 8) throw new Error('gob: a number of more than eight bytes')
    let value = 0n
    for (const digit of this.#take(256 - first)) value = (value << 8n) | BigInt(digit)
    return value
  }

  #take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) throw tooShort()
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }
}

function tooShort(): Error {
  return new Error('gob: the message ends in the middle of a value')
}
