/** Seconds between Go's year 1 and the Unix epoch. */
const secondsToEpoch = 62_135_596_800n

/** Go's binary form of an instant in UTC; undefined where the text is none. */
export function goTime(text: string): Uint8Array | undefined {
  const at = Date.parse(text)
  if (Number.isNaN(at)) return undefined
  const view = new DataView(new ArrayBuffer(15))
  view.setUint8(0, 1)
  view.setBigInt64(1, BigInt(Math.floor(at / 1000)) + secondsToEpoch)
  view.setInt32(9, (((at % 1000) + 1000) % 1000) * 1_000_000)
  view.setInt16(13, -1)
  return new Uint8Array(view.buffer)
}

/** As Kubernetes writes instants: UTC, whole seconds. Null for Go's zero time and for bytes that are no time. */
export function instantOf(bytes: Uint8Array): string | null {
  if (bytes.length < 15) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const seconds = view.getBigInt64(1)
  if (seconds === 0n) return null
  const at = Number(seconds - secondsToEpoch) * 1000
  if (!(Math.abs(at) <= 8.64e15)) return null
  // A year of five digits stays one, so that whoever stores it can refuse it.
  return new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')
}
