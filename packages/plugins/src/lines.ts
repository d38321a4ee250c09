/** Longest line that is kept whole, characters: who prints no end of line must not fill our memory. */
const longestLine = 64 * 1024

/** Cuts text that comes in pieces into lines, without their ends; empty ones are dropped. */
export function lineSplitter(
  onLine: (line: string) => void,
  longest: number = longestLine,
): { push(bytes: Uint8Array): void; end(): void } {
  const decoder = new TextDecoder()
  let rest = ''
  const tell = (line: string) => {
    const text = line.endsWith('\r') ? line.slice(0, -1) : line
    if (text !== '') onLine(text)
  }
  return {
    push(bytes) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) tell(line)
      if (rest.length > longest) {
        tell(rest)
        rest = ''
      }
    },
    end() {
      tell(rest + decoder.decode())
      rest = ''
    },
  }
}
