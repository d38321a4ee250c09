/** Longest line that is kept whole, characters: who prints no end of line must not fill our memory. */
const longestLine = 64 * 1024

/**
 * Cuts text that comes in pieces into lines, without their ends; empty ones are dropped. Of a line that gets longer than
 * `longest` characters the beginning is told at once, or goes to `onLong`, and the rest is dropped.
 */
export function lineSplitter(
  onLine: (line: string) => void,
  limit: { readonly longest: number; readonly onLong: (start: string) => void } = {
    longest: longestLine,
    onLong: onLine,
  },
): { push(bytes: Uint8Array): void; end(): void } {
  const decoder = new TextDecoder()
  let pieces: string[] = []
  let length = 0
  let isTold = false
  const tell = () => {
    const line = pieces.join('')
    pieces = []
    length = 0
    if (isTold) {
      isTold = false
      return
    }
    const text = line.endsWith('\r') ? line.slice(0, -1) : line
    if (text !== '') onLine(text)
  }
  const keep = (text: string) => {
    if (isTold) return
    pieces.push(text)
    length += text.length
    if (length <= limit.longest) return
    const start = pieces.join('')
    pieces = []
    length = 0
    isTold = true
    limit.onLong(start.slice(0, limit.longest))
  }
  return {
    push(bytes) {
      const [first = '', ...more] = decoder.decode(bytes, { stream: true }).split('\n')
      keep(first)
      for (const line of more) {
        tell()
        keep(line)
      }
    },
    end() {
      keep(decoder.decode())
      tell()
    },
  }
}
