import { describe, type Token } from './lexer.ts'
import { notEnabled } from './signatures.ts'

/**
 * What Prometheus says about the first token that fits nowhere. Its grammar names the place by the rule it is
 * in; the tokens before the offending one are enough to find that rule.
 */
export function syntaxError(
  tokens: readonly Token[],
  index: number,
): { message: string; at: number } | undefined {
  const offending = tokens[index]
  const before = tokens[index - 1]
  const unexpected = (context = '', expected = '') =>
    `unexpected ${describe(offending)}${context === '' ? '' : ` in ${context}`}${expected === '' ? '' : `, expected ${expected}`}`
  const at = offending?.from
  const say = (message: string, where = at) =>
    where === undefined ? undefined : { message, at: where }
  const end = tokens.at(-1)?.to ?? 0
  const here = (message: string) => ({ message, at: at ?? end })

  if (before === undefined) return here(unexpected())
  if (offending?.text === '(' && before.kind === 'identifier' && !before.inBraces) {
    const problem = notEnabled.has(before.text)
      ? `function ${JSON.stringify(before.text)} is not enabled`
      : `unknown function with name ${JSON.stringify(before.text)}`
    return say(problem, before.from)
  }
  if (offending?.text === ')' && before.text === ',' && callOf(tokens, index) !== undefined)
    return say('trailing commas not allowed in function call args', before.from)
  if ((before.inBraces && before.text !== '}') || before.text === '{') return here(labelMatching())
  if (/^(by|without|on|ignoring)$/i.test(before.text) && before.kind === 'keyword')
    return here(unexpected('grouping opts', '"("'))
  const opener = openerOf(tokens, index)
  if (opener !== undefined && isGrouping(tokens[opener - 1]))
    return here(
      before.text === '(' || before.text === ','
        ? unexpected('grouping opts', 'label')
        : unexpected('grouping opts', '"," or ")"'),
    )
  if (before.kind === 'aggregator') return here(unexpected('aggregation'))
  const unsigned = tokens.slice(0, index).findLast((token) => !/^[+-]$/.test(token.text))
  if (unsigned?.kind === 'keyword' && /^offset$/i.test(unsigned.text))
    return here(unexpected('offset', 'number, duration, step(), or range()'))
  if (unsigned?.text === '@') return here(unexpected('@', 'timestamp'))
  const bracket = openBracket(tokens, index)
  if (bracket !== undefined) {
    if (before.text === '[')
      return here(unexpected('subquery or range selector', 'number, duration, step(), or range()'))
    if (before.text === ':')
      return here(unexpected('subquery selector', 'number, duration, step(), range(), or "]"'))
    return here(
      tokens.slice(bracket, index).some((token) => token.text === ':')
        ? unexpected('subquery selector', '"]"')
        : unexpected('subquery or range', '":" or "]"'),
    )
  }
  return here(insideAggregation(tokens, index) ? unexpected('aggregation') : unexpected())

  function labelMatching(): string {
    if (before?.text === '{' || before?.text === ',')
      return unexpected('label matching', 'identifier or "}"')
    if (before?.kind === 'identifier')
      return unexpected('label matching', 'label matching operator')
    if (before?.kind === 'operator' || before?.text === '=')
      return unexpected('label matching', 'string')
    return unexpected('label matching', '"," or "}"')
  }
}

/** Index of the parenthesis that the token at `index` stands in. */
function openerOf(tokens: readonly Token[], index: number): number | undefined {
  let depth = 0
  for (let i = index - 1; i >= 0; i--) {
    const text = tokens[i]?.kind === 'punctuation' ? tokens[i]?.text : ''
    if (text === ')') depth++
    else if (text === '(' && depth-- === 0) return i
  }
  return undefined
}

/** Its grammar gives up at the innermost aggregation, however deep in its arguments the mistake is. */
function insideAggregation(tokens: readonly Token[], index: number): boolean {
  for (let at = openerOf(tokens, index); at !== undefined; at = openerOf(tokens, at)) {
    if (tokens[at - 1]?.kind === 'aggregator' || followsGrouping(tokens, at)) return true
  }
  return followsGrouping(tokens, index)
}

/** Whether the token at `index` comes right after `sum by (…)`. */
function followsGrouping(tokens: readonly Token[], index: number): boolean {
  if (tokens[index - 1]?.text !== ')') return false
  const opener = openerOf(tokens, index - 1)
  const keyword = opener === undefined ? undefined : tokens[opener - 1]
  return (
    opener !== undefined &&
    keyword?.kind === 'keyword' &&
    /^(by|without)$/i.test(keyword.text) &&
    tokens[opener - 2]?.kind === 'aggregator'
  )
}

function callOf(tokens: readonly Token[], index: number): Token | undefined {
  const opener = openerOf(tokens, index)
  const name = opener === undefined ? undefined : tokens[opener - 1]
  return name?.kind === 'identifier' || name?.kind === 'aggregator' ? name : undefined
}

function isGrouping(token: Token | undefined): boolean {
  return (
    token?.kind === 'keyword' &&
    /^(by|without|on|ignoring|group_left|group_right)$/i.test(token.text)
  )
}

function openBracket(tokens: readonly Token[], index: number): number | undefined {
  for (let i = index - 1; i >= 0; i--) {
    const token = tokens[i] as Token
    if (token.kind !== 'punctuation' || token.inBraces) continue
    if (token.text === ']') return undefined
    if (token.text === '[') return i
  }
  return undefined
}
