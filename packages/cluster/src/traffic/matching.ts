/** A condition on one text, as Envoy has it: a regular expression fits the whole. */
export interface TextMatch {
  readonly exact?: string
  readonly prefix?: string
  readonly regex?: string
}

/** A condition without any kind fits whatever is there; a text that is not there fits none. */
export function fitsText({ exact, prefix, regex }: TextMatch, text: string | null): boolean {
  if (text === null) return false
  if (exact !== undefined) return text === exact
  if (prefix !== undefined) return text.startsWith(prefix)
  return regex === undefined || wholeMatch(regex, text)
}

/** An expression that cannot be read fits nothing, as proxies refuse it. */
function wholeMatch(regex: string, text: string): boolean {
  try {
    return new RegExp(`^(?:${regex})$`).test(text)
  } catch {
    return false
  }
}

/** `*` stands for any text, `?` for one character; the pattern fits the whole. */
export function wildcardMatch(pattern: string, text: string): boolean {
  const parts = pattern.split(/([*?])/).map((part) => {
    if (part === '*') return '.*'
    return part === '?' ? '.' : part.replace(/[\\^$.|+()[\]{}]/g, '\\$&')
  })
  return new RegExp(`^${parts.join('')}$`, 's').test(text)
}

/** Whether an expression fits any part of a text; one that cannot be read fits nothing. */
export function matchesSomewhere(regex: string, text: string, flags = ''): boolean {
  try {
    return new RegExp(regex, flags).test(text)
  } catch {
    return false
  }
}
