import { BUILTINS } from './builtins.ts'
import { Evaluator, ExecutionFailure } from './evaluate.ts'
import { collectFields } from './fields.ts'
import { quote, wellFormed } from './go-string.ts'
import { asHost, fromHost, type HostFunction, hostFunction } from './host.ts'
import type { Node } from './nodes.ts'
import { parseTrees } from './parser.ts'
import { positionOf, type TemplateProblem } from './problem.ts'
import { createRun, FunctionFailure, type Mode } from './run.ts'
import { SPRIG_FUNCTIONS } from './sprig/registry.ts'
import { timeOf } from './time/instant.ts'
import { parseTime, RFC3339 } from './time/layout.ts'
import { loadZone } from './time/zone.ts'
import { type GoFunction, GoMap, goFunction, type Value } from './value.ts'

/** A template that parsed. Opaque: give it to `execute` and `referencedFields`; it may be kept and reused. */
export interface Template {
  readonly name: string
  readonly source: string
  /** @internal */
  readonly trees: ReadonlyMap<string, readonly Node[]>
}

/** Outcome of `parse`. */
export type Parsed =
  | { readonly ok: true; readonly template: Template }
  | { readonly ok: false; readonly problem: TemplateProblem }

/**
 * Functions of the caller by name; they hide built-in ones. Arguments come as plain data (integers as bigint, times as
 * Date), the result is read like data; a throw becomes the execution error `error calling NAME: …`.
 */
export type Functions = Readonly<Record<string, HostFunction>>

/** What a rendering may use besides its data. */
export interface ExecuteOptions {
  /** Further functions; `parse` must have known their names. */
  readonly functions?: Functions
  /** The current time in epoch milliseconds; without it `now`, `ago` and dates that mean now are errors. */
  readonly now?: number
  /** From 0 (inclusive) to 1 (exclusive); without it the random functions are errors. */
  readonly random?: () => number
  /** Steps of work, about ten million a second; absent: one million. Output is limited to 1 MiB in any case. */
  readonly budget?: number
  /** How numbers of the data behave (spec notifications 6.6); absent: `default`. */
  readonly mode?: Mode
  /** IANA zone of `date` and `now`; absent or unknown: UTC. */
  readonly timeZone?: string
}

/** Outcome of `execute`; `partial` is what was written before the mistake, which upstream throws away. */
export type Executed =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly problem: TemplateProblem; readonly partial: string }

const DEFAULT_BUDGET = 1_000_000

/**
 * Parses a Go text/template (spec notifications 6.1, 6.2). Unknown functions and variables are problems here, as
 * in Go; `functions` names those that `execute` will get in addition. Never throws.
 */
export function parse(
  name: string,
  text: string,
  options: { readonly functions?: Iterable<string> } = {},
): Parsed {
  const extra = new Set(options.functions)
  const known = (fn: string) => BUILTINS.has(fn) || SPRIG_FUNCTIONS.has(fn) || extra.has(fn)
  const parsed = parseTrees(name, text, known)
  if (!parsed.ok) return parsed
  return { ok: true, template: { name, source: text, trees: parsed.value.trees } }
}

/**
 * Renders a template over plain JSON data with Go's results and error texts (spec notifications 6.3 to 6.8). The data is
 * never changed, not even by `set`. Never throws: endless work ends with the budget.
 */
export function execute(template: Template, data: unknown, options: ExecuteOptions = {}): Executed {
  const { name, source, trees } = template
  const functions = callerFunctions(options.functions)
  const evaluator = new Evaluator({
    name,
    trees,
    functions: (fn) => functions.get(fn) ?? SPRIG_FUNCTIONS.get(fn),
    run: createRun({
      mode: options.mode ?? 'default',
      now: options.now,
      random: options.random,
      timeZone: options.timeZone === undefined ? undefined : loadZone(options.timeZone),
      budget: options.budget ?? DEFAULT_BUDGET,
    }),
  })
  try {
    evaluator.execute(fromHost(data))
    return { ok: true, text: wellFormed(evaluator.text) }
  } catch (error) {
    return {
      ok: false,
      problem: problemOf(error, { name, source }),
      partial: wellFormed(evaluator.text),
    }
  }
}

/**
 * The members of the data that a template reads, each as its chain of names from the root and once, such as
 * `['rollout', 'status', 'message']`. Elements of lists have no chain; reads through them are left out.
 */
export function referencedFields(template: Template): readonly string[][] {
  return collectFields(template.trees, template.name)
}

/**
 * The value of the template variable `time` (spec notifications 5.1): `Now` and `Parse` (RFC 3339), to be used as
 * `(call .time.Now)`. `now` is epoch milliseconds.
 */
export function timeVariable(now: number): unknown {
  const nanos = BigInt(Math.round(now * 1000)) * 1000n
  const nowFunction = goFunction([], (_, run) => timeOf(nanos, run.localZone), 'func() time.Time')
  const parseFunction = goFunction(
    ['string'],
    ([text], run) => {
      const parsed = parseTime(RFC3339, text, run.localZone)
      if (!parsed.ok) throw new FunctionFailure(parsed.problem)
      return parsed.time
    },
    'func(string) time.Time',
  )
  return asHost(
    new GoMap(
      new Map<string, Value>([
        ['Now', nowFunction],
        ['Parse', parseFunction],
      ]),
    ),
  )
}

function callerFunctions(functions: Functions = {}): ReadonlyMap<string, GoFunction> {
  return new Map(Object.entries(functions).map(([name, call]) => [name, hostFunction(call)]))
}

function problemOf(error: unknown, file: { name: string; source: string }): TemplateProblem {
  if (!(error instanceof ExecutionFailure)) {
    // Data with throwing getters, or a stack that ends outside of a node.
    const detail = error instanceof Error ? error.message : String(error)
    return { message: `template: ${file.name}:1:0: ${detail}`, line: 1, column: 0 }
  }
  const { line, column } = positionOf(file.source, error.at)
  const place = `${file.name}:${line}:${column}`
  const where = `executing ${quote(error.template)} at <${error.context}>`
  return { message: `template: ${place}: ${where}: ${error.message}`, line, column }
}
