import { fromHost } from '../host.ts'
import { encodeJson, jsonProblem } from '../json.ts'
import { FunctionFailure, type Run, spendText } from '../run.ts'
import { type GoFunction, goFunction, type Value } from '../value.ts'

const toRawJson = goFunction(['any'], ([value], run) =>
  encodeJson(value, { escapeHtml: false, run }),
)

export const JSON_FUNCTIONS: Readonly<Record<string, GoFunction>> = {
  toJson: goFunction(['any'], ([value], run) =>
    orEmpty(() => encodeJson(value, { escapeHtml: true, run })),
  ),
  mustToJson: goFunction(['any'], ([value], run) => encodeJson(value, { escapeHtml: true, run })),
  toPrettyJson: goFunction(['any'], ([value], run) => orEmpty(() => pretty(value, run))),
  mustToPrettyJson: goFunction(['any'], ([value], run) => pretty(value, run)),
  toRawJson,
  mustToRawJson: toRawJson,
  fromJson: goFunction(['string'], ([text], run) => {
    const parsed = parse(text, run)
    return parsed.ok ? fromHost(parsed.value) : null
  }),
  mustFromJson: goFunction(['string'], ([text], run) => {
    const parsed = parse(text, run)
    if (!parsed.ok) throw new FunctionFailure(parsed.problem)
    return fromHost(parsed.value)
  }),
}

/** The variants without `must` swallow errors, but never the end of the budget. */
function orEmpty(encode: () => string): string {
  try {
    return encode()
  } catch (error) {
    if (error instanceof FunctionFailure) return ''
    throw error
  }
}

function pretty(value: Value, run: Run): string {
  return encodeJson(value, { escapeHtml: true, run, indent: '  ' })
}

function parse(
  text: string,
  run: Run,
): { ok: true; value: unknown } | { ok: false; problem: string } {
  spendText(run, text.length)
  try {
    return { ok: true, value: JSON.parse(text) }
  } catch {
    return { ok: false, problem: jsonProblem(text) }
  }
}
