/** The regular expression for texts that begin so, for data planes without a condition of that kind: `a.b` is `a\.b.*`. */
export function prefixPattern(prefix: string): string {
  return `${prefix.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}.*`
}
