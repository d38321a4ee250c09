import { canBackquote, quote } from '../go-string.ts'
import { GoRegexp, quoteMeta } from '../regexp/regexp.ts'
import { FunctionFailure, type Run, spendText } from '../run.ts'
import { type GoFunction, GoList, goFunction, stringList, type Value } from '../value.ts'

export const REGEX_FUNCTIONS: Readonly<Record<string, GoFunction>> = {
  regexMatch: goFunction(['string', 'string'], ([regex, s], run) => {
    const compiled = compile(regex, run)
    return compiled.ok && compiled.regexp.matches(s, run)
  }),
  mustRegexMatch: goFunction(['string', 'string'], ([regex, s], run) =>
    must(regex, run).matches(s, run),
  ),
  ...both('regexFind', 'mustRegexFind', (compiled) =>
    goFunction(['string', 'string'], ([regex, s], run) => compiled(regex, run).find(s, run)),
  ),
  ...both('regexFindAll', 'mustRegexFindAll', (compiled) =>
    goFunction(['string', 'string', 'int'], ([regex, s, limit], run) => {
      const found = compiled(regex, run).findAll(s, Number(limit), run)
      return found.length === 0 ? NO_STRINGS : stringList(found)
    }),
  ),
  ...both('regexReplaceAll', 'mustRegexReplaceAll', (compiled) =>
    goFunction(['string', 'string', 'string'], ([regex, s, replacement], run) =>
      compiled(regex, run).replaceAll(s, replacement, run),
    ),
  ),
  ...both('regexReplaceAllLiteral', 'mustRegexReplaceAllLiteral', (compiled) =>
    goFunction(['string', 'string', 'string'], ([regex, s, replacement], run) =>
      compiled(regex, run).replaceAllLiteral(s, replacement, run),
    ),
  ),
  ...both('regexSplit', 'mustRegexSplit', (compiled) =>
    goFunction(['string', 'string', 'int'], ([regex, s, limit], run): Value => {
      const parts = compiled(regex, run).split(s, Number(limit), run)
      return parts ? stringList(parts) : NO_STRINGS
    }),
  ),
  regexQuoteMeta: goFunction(['string'], ([s]) => quoteMeta(s)),
}

const NO_STRINGS = new GoList([], { type: '[]string', isNil: true })

type Compile = (regex: string, run: Run) => GoRegexp

/** The two variants differ in the text of the error: MustCompile panics with a longer one. */
function both(
  name: string,
  mustName: string,
  make: (compile: Compile) => GoFunction,
): Record<string, GoFunction> {
  return { [name]: make(orPanic), [mustName]: make(must) }
}

function compile(regex: string, run: Run): ReturnType<typeof GoRegexp.compile> {
  spendText(run, regex.length * 8)
  const compiled = GoRegexp.compile(regex)
  if (compiled.ok) run.spend(compiled.regexp.size >> 3)
  return compiled
}

function must(regex: string, run: Run): GoRegexp {
  const compiled = compile(regex, run)
  if (!compiled.ok) throw new FunctionFailure(compiled.problem)
  return compiled.regexp
}

function orPanic(regex: string, run: Run): GoRegexp {
  const compiled = compile(regex, run)
  if (compiled.ok) return compiled.regexp
  const quoted = canBackquote(regex) ? `\`${regex}\`` : quote(regex)
  throw new FunctionFailure(`regexp: Compile(${quoted}): ${compiled.problem}`)
}
