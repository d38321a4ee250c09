/** Bytes that have come and are not understood yet; however small the pieces, each byte is moved a few times at most. */
export class ByteQueue {
  #buffer = new Uint8Array(1024)
  #from = 0
  #to = 0

  push(bytes: Uint8Array): void {
    const length = this.#to - this.#from
    if (this.#to + bytes.length > this.#buffer.length) {
      const isRoomy = (length + bytes.length) * 2 <= this.#buffer.length
      const target = isRoomy ? this.#buffer : new Uint8Array((length + bytes.length) * 2)
      target.set(this.waiting)
      this.#buffer = target
      this.#from = 0
      this.#to = length
    }
    this.#buffer.set(bytes, this.#to)
    this.#to += bytes.length
  }

  /** All of them; good until the next push. */
  get waiting(): Uint8Array {
    return this.#buffer.subarray(this.#from, this.#to)
  }

  /** The first `count` are done with. */
  drop(count: number): void {
    this.#from += count
    if (this.#from < this.#to) return
    this.#from = 0
    this.#to = 0
    // One long message must not be remembered for ever.
    if (this.#buffer.length > longestKept) this.#buffer = new Uint8Array(1024)
  }
}

const longestKept = 2 ** 20
