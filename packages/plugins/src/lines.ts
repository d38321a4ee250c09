/** Longest line that is kept whole, characters: who prints no end of line must not fill our memory. */
const longestLine = 64 * 1024

/**
 * Cuts text that comes in pieces into lines, without their ends; empty ones are dropped. A line that gets longer than
 * `longest` characters is told in pieces, or goes to `onLong`.
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
  const tell = () => {
    const line = pieces.join('')
    pieces = []
    length = 0
    const text = line.endsWith('\r') ? line.slice(0, -1) : line
    if (text !== '') onLine(text)
  }
  const keep = (text: string) => {
    pieces.push(text)
    length += text.length
    if (length <= limit.longest) return
    const start = pieces.join('')
    pieces = []
    length = 0
    limit.onLong(start)
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
