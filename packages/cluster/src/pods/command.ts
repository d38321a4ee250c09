import type { Container, Pod } from './pod.ts'
import { durationMs, durationWish, wishOf } from './wishes.ts'

/** What the process of a container will do by itself. Nothing is ever executed. */
type Process =
  /** Serves until it is told to stop. */
  | { readonly kind: 'service' }
  /** Ends by itself after `runsMs`. */
  | {
      readonly kind: 'task'
      readonly runsMs: number
      readonly exitCode: number
      /** Lines it prints at its start. */
      readonly prints: readonly string[]
    }

const usualTaskMs = 1_000
/** A process that dies while starting still lives for a moment. */
const crashOnStartMs = 200

/**
 * Decides by the wishes `crash`, `duration` and `exit-code`, then by the command. A command nobody knows serves for
 * ever in a pod that is always restarted, and succeeds after `duration` (1 s) in one that is not.
 */
export function processOf(
  pod: Pod,
  container: Container,
  options: { readonly init: boolean },
): Process {
  const exitCode = integer(wishOf(pod, container, 'exit-code'))
  const crash = wishOf(pod, container, 'crash')?.trim()
  if (crash) {
    const after = durationMs(crash.replace(/^after\s+/, ''))
    return { kind: 'task', runsMs: after ?? crashOnStartMs, exitCode: exitCode ?? 1, prints: [] }
  }
  const restarts = options.init ? container.restartPolicy : (pod.spec.restartPolicy ?? 'Always')
  const wishedMs = durationWish(pod, container, 'duration')
  const known = commandOf(container, wishedMs ?? usualTaskMs)
  if (known?.kind === 'task') {
    return { ...known, exitCode: exitCode ?? known.exitCode, runsMs: wishedMs ?? known.runsMs }
  }
  if (known?.kind === 'service' && wishedMs === undefined) return known
  if (restarts === 'Always' && wishedMs === undefined) return { kind: 'service' }
  return { kind: 'task', runsMs: wishedMs ?? usualTaskMs, exitCode: exitCode ?? 0, prints: [] }
}

function integer(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text.trim()) ? Number(text) : undefined
}

/** Undefined for a command that says nothing about its end. */
function commandOf(container: Container, unknownMs: number): Process | undefined {
  const words = [...(container.command ?? []), ...(container.args ?? [])]
  if (words.length === 0) return undefined
  const script = shellScript(words)
  if (script !== undefined) return runScript(script, unknownMs)
  const outcome = simpleCommand(words)
  if (!outcome) return undefined
  return outcome.runsMs === Number.POSITIVE_INFINITY
    ? { kind: 'service' }
    : {
        kind: 'task',
        runsMs: outcome.runsMs,
        exitCode: outcome.exitCode,
        prints: outcome.prints,
      }
}

function shellScript(words: readonly string[]): string | undefined {
  if (!/(^|\/)(ba|da|a|z)?sh$/.test(words[0] ?? '')) return undefined
  const flag = words.findIndex((word) => /^-[a-z]*c[a-z]*$/.test(word))
  return flag > 0 ? words[flag + 1] : undefined
}

/** `a; b && c || d`: each part in turn, as a shell would choose them. */
function runScript(script: string, unknownMs: number): Process {
  if (/\bwhile\s+(true|:|\[\s*1\s*\])/.test(script)) return { kind: 'service' }
  let runsMs = 0
  let exitCode = 0
  const prints: string[] = []
  let operator = ';'
  for (const part of script.split(/(&&|\|\||;|\n)/)) {
    if (/^(&&|\|\||;|\n)$/.test(part)) {
      operator = part
      continue
    }
    const words = wordsOf(part)
    if (words.length === 0) continue
    if ((operator === '&&' && exitCode !== 0) || (operator === '||' && exitCode === 0)) continue
    const outcome = simpleCommand(words) ?? { runsMs: unknownMs, exitCode: 0, prints: [] }
    runsMs += outcome.runsMs
    exitCode = outcome.exitCode
    prints.push(...outcome.prints)
    if (words[0] === 'exit' || words[0] === 'exec') break
  }
  return runsMs === Number.POSITIVE_INFINITY
    ? { kind: 'service' }
    : { kind: 'task', runsMs, exitCode, prints }
}

interface Outcome {
  readonly runsMs: number
  readonly exitCode: number
  readonly prints: readonly string[]
}

function simpleCommand(words: readonly string[]): Outcome | undefined {
  const [name = '', ...rest] = words
  switch (name.slice(name.lastIndexOf('/') + 1)) {
    case 'exec':
      return simpleCommand(rest)
    case 'true':
    case ':':
    case 'set':
    case 'trap':
    case 'cd':
    case 'export':
      return { runsMs: 0, exitCode: 0, prints: [] }
    case 'false':
      return { runsMs: 0, exitCode: 1, prints: [] }
    case 'exit':
      return { runsMs: 0, exitCode: Number(rest[0] ?? 0) & 255, prints: [] }
    case 'sleep':
      return { runsMs: sleepMs(rest[0] ?? ''), exitCode: 0, prints: [] }
    case 'echo':
      return { runsMs: 0, exitCode: 0, prints: [rest.filter((word) => word !== '-n').join(' ')] }
    case 'tail':
      return rest.includes('-f')
        ? { runsMs: Number.POSITIVE_INFINITY, exitCode: 0, prints: [] }
        : undefined
    default:
      return undefined
  }
}

function sleepMs(text: string): number {
  return /^inf/i.test(text) ? Number.POSITIVE_INFINITY : (durationMs(text) ?? 0)
}

function wordsOf(part: string): string[] {
  return [...part.matchAll(/"([^"]*)"|'([^']*)'|([^\s"']+)/g)].map(
    (match) => match[1] ?? match[2] ?? match[3] ?? '',
  )
}

/** How long a `preStop` hook takes; commands other than `sleep` take no time. */
export function preStopMs(container: Container): number {
  const hook = container.lifecycle?.preStop
  if (hook?.sleep) return hook.sleep.seconds * 1000
  const words = hook?.exec?.command
  if (!words) return 0
  const known = commandOf({ name: container.name, command: words }, 0)
  return known?.kind === 'task' ? known.runsMs : known ? Number.POSITIVE_INFINITY : 0
}
