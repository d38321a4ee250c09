/** `line:column` of an offset, both from 1, the column in bytes as Prometheus counts it. */
export function lineAndColumn(query: string, offset: number): string {
  const before = query.slice(0, offset)
  const line = before.split('\n').length
  const column = new TextEncoder().encode(before.slice(before.lastIndexOf('\n') + 1)).length + 1
  return `${line}:${column}`
}
